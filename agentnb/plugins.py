"""Finds what can be plugged in: the built-ins below, and other packages' entry points of the same groups."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from agentnb.errors import ConfigurationError

BUILT_IN: dict[str, dict[str, str]] = {
    "agentnb.models": {
        "openvino": "agentnb.adapters.openvino:OpenVINOProvider",
        "openai": "agentnb.adapters.openai:OpenAIProvider",
        "scripted": "agentnb.adapters.scripted:ScriptedProvider",
    },
    "agentnb.stores": {"sqlite": "agentnb.adapters.sqlite:SQLiteStore"},
    "agentnb.queries": {"duckdb": "agentnb.adapters.analytics:query"},
    "agentnb.pictures": {"workflow": "agentnb.notebook.workflow_html:of_run"},
    "agentnb.checks": {"hardware": "agentnb.adapters.hardware:check"},
    "agentnb.hardware": {"openvino": "agentnb.adapters.hardware:details"},
    "agentnb.steps": {
        "agent": "agentnb.runtime.workflow_steps:AgentStep",
        "tool": "agentnb.workflows.kinds.tool:ToolStep",
        "shell": "agentnb.workflows.kinds.shell:ShellStep",
        "human": "agentnb.workflows.kinds.human:HumanStep",
        "webhook": "agentnb.workflows.kinds.webhook:WebhookStep",
        "workflow": "agentnb.runtime.workflow_steps:WorkflowStep",
    },
    "agentnb.executors": {"process": "agentnb.adapters.processes:ProcessExecutor"},
    "agentnb.views": {"graph": "agentnb.notebook.graph_view:show", "progress": "agentnb.notebook.progress:shown"},
    "agentnb.optimizers": {"openvino": "agentnb.optimization.work:optimize"},
    "agentnb.benchmarks": {"openvino": "agentnb.optimization.benchmark:benchmark"},
    "agentnb.converters": {"gguf": "agentnb.adapters.openvino.gguf:converted"},
    "agentnb.tools": {},
    "agentnb.policies": {},
}
"""Extension point → name → ``module:attribute``. A name of an entry point may not hide a built-in one."""


@cache
def table(group: str) -> dict[str, str]:
    """All names of an extension point with where they are found, built-ins first."""
    found = {point.name: point.value for point in entry_points(group=group)}
    return {**found, **BUILT_IN.get(group, {})}


def load(group: str, name: str) -> Any:
    """Import what goes by ``name``.

    Raises:
        ConfigurationError: Nothing goes by that name.
        MissingExtra: It needs a package that is not installed.
    """
    names = table(group)
    if name not in names:
        known = ", ".join(sorted(names)) or "none"
        raise ConfigurationError(f"no {group.removeprefix('agentnb.')} called {name!r}; there are: {known}")
    module, _, attribute = names[name].partition(":")
    return getattr(import_module(module), attribute)
