"""Agents and workflows in notebooks: define, run, watch, replay and put into production.

Importing this loads nothing heavy; each name below loads its module on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentnb.agents.tools import Context, Tool, tool
    from agentnb.notebook import load_ipython_extension, unload_ipython_extension
    from agentnb.ports.optimizer import Optimized
    from agentnb.runtime.agent import Agent
    from agentnb.runtime.embedding import embed
    from agentnb.runtime.performance import benchmark, optimize
    from agentnb.runtime.results import AgentResult, StreamEvent
    from agentnb.runtime.runtime import Runtime, current, use
    from agentnb.runtime.workflow import Workflow, resume, run
    from agentnb.runtime.workflow_results import WorkflowRun

__version__ = "0.1.0"

_MODULES = {
    "Agent": "agentnb.runtime.agent",
    "AgentResult": "agentnb.runtime.results",
    "Context": "agentnb.agents.tools",
    "Optimized": "agentnb.ports.optimizer",
    "Runtime": "agentnb.runtime.runtime",
    "StreamEvent": "agentnb.runtime.results",
    "Tool": "agentnb.agents.tools",
    "Workflow": "agentnb.runtime.workflow",
    "WorkflowRun": "agentnb.runtime.workflow_results",
    "benchmark": "agentnb.runtime.performance",
    "current": "agentnb.runtime.runtime",
    "embed": "agentnb.runtime.embedding",
    "load_ipython_extension": "agentnb.notebook",
    "optimize": "agentnb.runtime.performance",
    "resume": "agentnb.runtime.workflow",
    "run": "agentnb.runtime.workflow",
    "tool": "agentnb.agents.tools",
    "unload_ipython_extension": "agentnb.notebook",
    "use": "agentnb.runtime.runtime",
}

__all__ = [
    "Agent",
    "AgentResult",
    "Context",
    "Optimized",
    "Runtime",
    "StreamEvent",
    "Tool",
    "Workflow",
    "WorkflowRun",
    "benchmark",
    "current",
    "embed",
    "load_ipython_extension",
    "optimize",
    "resume",
    "run",
    "tool",
    "unload_ipython_extension",
    "use",
]


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "@agentnb/labextension"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from agentnb.server.extension import AgentNBExtension

    return [{"module": "agentnb.server.extension", "app": AgentNBExtension}]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        from agentnb.errors import no_attribute

        raise no_attribute("module 'agentnb'", name, __all__)
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
