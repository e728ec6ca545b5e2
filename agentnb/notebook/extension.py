"""How cells come to us: an input transformer where the kernel can await them, ordinary magics everywhere else."""

from __future__ import annotations

import sys
import uuid
from asyncio import CancelledError
from collections.abc import Callable
from functools import partial
from importlib import import_module
from types import FrameType
from typing import Any

from agentnb.notebook.conversations import Conversations

CELL_MAGICS = {
    "agent": ("agentnb.notebook.cells", "agentnb.notebook.arguments"),
    "workflow": ("agentnb.notebook.workflow_cells", "agentnb.notebook.workflow_arguments"),
}
"""The module that runs each cell, and the one that has the parser of its first line."""


class Extension:
    """What ``%load_ext agentnb`` puts into one shell.

    Attributes:
        session: Names the conversations of this kernel: they end with the kernel, like its variables.
        cell_id: ID of the notebook cell that is being executed, or empty.
        agents: The agents that this kernel's cells have made, by their name.
        conversations: Those that its cells take part in.
    """

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.session = f"session_{uuid.uuid4().hex[:12]}"
        self.cell_id = ""
        self.agents: dict[str, Any] = {}
        self.conversations = Conversations()
        self._executing = False
        self._matcher = self._completing()

    @property
    def namespace(self) -> dict[str, Any]:
        """The variables that a cell sees: the notebook's; where a function of it runs the cell, the function's too."""
        own: dict[str, Any] = self.shell.user_ns
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_globals is not own:
            frame = frame.f_back
        return own if frame is None or frame.f_locals is own else {**own, **frame.f_locals}

    def install(self) -> None:
        for name in CELL_MAGICS:
            self.shell.register_magic_function(self._cell_magic(name), "cell", name)
        self.shell.register_magic_function(self._line_magic(), "line", "agentnb")
        self.shell.events.register("pre_run_cell", self._before)
        self.shell.events.register("post_run_cell", self._after)
        self.shell.input_transformers_cleanup.append(self._transform)
        formatters = self.shell.display_formatter.formatters
        for (module, name), place in _HTML.items():
            formatters["text/html"].for_type_by_name(module, name, _shown_by(place))
        formatters["text/plain"].for_type_by_name("agentnb.ports.benchmark", "Measured", _measured_text)
        self.shell.Completer.custom_matchers.append(self._matcher)

    def remove(self) -> None:
        for name in CELL_MAGICS:
            self.shell.magics_manager.magics["cell"].pop(name, None)
        self.shell.magics_manager.magics["line"].pop("agentnb", None)
        self.shell.events.unregister("pre_run_cell", self._before)
        self.shell.events.unregister("post_run_cell", self._after)
        self.shell.input_transformers_cleanup.remove(self._transform)
        self.shell.Completer.custom_matchers.remove(self._matcher)

    async def run(self, magic: str, line: str, cell: str) -> Any:
        """Run a cell on the kernel's own loop: it streams, widgets answer meanwhile, the stop button cancels it."""
        return await import_module(CELL_MAGICS[magic][0]).run_awaited(self, line, cell)

    def _cell_magic(self, name: str) -> Any:
        module, arguments = CELL_MAGICS[name]

        def magic(line: str, cell: str) -> Any:
            return interruptible(partial(import_module(module).run_blocking, self, line, cell))

        return _documented(magic, f"%%{name}", lambda: str(import_module(arguments).parser().format_help()))

    def _line_magic(self) -> Any:
        def magic(line: str) -> Any:
            return interruptible(partial(import_module("agentnb.notebook.magics").run, self, line))

        return _documented(magic, "%agentnb", lambda: str(import_module("agentnb.notebook.magics").HELP))

    def _before(self, info: Any) -> None:
        self.cell_id = getattr(info, "cell_id", None) or ""
        self._executing = True

    def _after(self, _result: Any) -> None:
        self._executing = False

    def _transform(self, lines: list[str]) -> list[str]:
        """Rewrite a cell that starts with one of our magics into an ``await``, where the shell can await.

        What is transformed while a cell is being executed is the body of another magic, such as ``%%time``, which can't await.
        """
        if self._executing or not lines or not lines[0].startswith("%%") or not self._awaits():
            return lines
        name, _, line = lines[0][2:].strip().partition(" ")
        if name not in CELL_MAGICS:
            return lines
        return [f"await get_ipython().agentnb.run({name!r}, {line.strip()!r}, {''.join(lines[1:])!r})\n"]

    def _awaits(self) -> bool:
        from IPython.core.async_helpers import _asyncio_runner

        return getattr(self.shell, "kernel", None) is not None and bool(self.shell.autoawait) and self.shell.loop_runner is _asyncio_runner

    def _completing(self) -> Any:
        """IPython's matcher: in our own lines nothing else is offered."""
        from IPython.core.completer import SimpleCompletion, context_matcher

        def match(context: Any) -> dict[str, Any]:
            from agentnb.notebook import completion

            found = completion.matched(self, context.full_text, context.cursor_line, context.cursor_position)
            if found is None:
                return {"completions": [], "suppress": False}
            begun, names = found
            offered = _Offered(SimpleCompletion(name, type=completion.kind(self, name)) for name in names)
            return {"completions": offered, "matched_fragment": begun, "suppress": True, "ordered": True}

        return context_matcher(identifier="agentnb")(match)


class _Offered(list[Any]):
    """Completions that are never none: IPython lets a matcher keep others away only where it has some itself."""

    def __len__(self) -> int:
        return super().__len__() or 1


def _documented(magic: Any, name: str, text: Callable[[], str]) -> Any:
    """The magic, of which ``?`` shows the text; that is made when somebody asks."""
    magic.__doc__ = f"{name}? shows what it can do."
    magic.getdoc = text
    return magic


def interruptible(work: Callable[[], Any]) -> Any:
    """Do it; that it was interrupted is said without a traceback through our code."""
    try:
        return work()
    except (KeyboardInterrupt, CancelledError):
        interrupted = KeyboardInterrupt()
        interrupted._render_traceback_ = lambda: ["cancelled"]  # type: ignore[attr-defined]
        raise interrupted from None


def _shown_by(place: str) -> Callable[[Any], str]:
    """A function of another module, imported when it is first needed."""

    def show(value: Any) -> str:
        module, _, name = place.partition(":")
        return str(getattr(import_module(f"agentnb.notebook.{module}"), name)(value))

    return show


def _measured_text(found: Any, printer: Any, _cycle: bool) -> None:
    from agentnb.notebook.performance_magics import measured_text

    printer.text(measured_text(found))


_HTML = {
    ("agentnb.agents.trace", "Step"): "html:of_step",
    ("agentnb.agents.trace", "Trace"): "html:of_trace",
    ("agentnb.ports.benchmark", "Measured"): "performance_magics:measured_html",
    ("agentnb.ports.optimizer", "Optimized"): "performance_magics:optimized_html",
    ("agentnb.runtime.results", "AgentResult"): "html:of_result",
    ("agentnb.runtime.workflow_results", "WorkflowRun"): "workflow_html:of_run",
    ("agentnb.runtime.workflow", "Workflow"): "workflow_html:of_workflow",
    ("agentnb.workflows.trace", "StepRecord"): "workflow_html:of_step",
    ("agentnb.workflows.trace", "Steps"): "workflow_html:of_steps",
}
"""What shows which values as HTML."""
