"""From the text of a ``%%workflow`` cell to the workflow that it means."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Awaitable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from agentnb.errors import AgentNBError, ConfigurationError, UnknownName, kind_of
from agentnb.notebook.arguments import did_you_mean
from agentnb.notebook.cells import known_agent, quiet, short
from agentnb.notebook.names import functions, is_function
from agentnb.runtime.agent import Agent
from agentnb.runtime.workflow import Workflow
from agentnb.workflows.documents import Document, Finding, WorkflowSpecError

if TYPE_CHECKING:
    from agentnb.notebook.extension import Extension

_BODY = re.compile(r"""^["']?(?:steps|states)["']?[ \t]*:""", re.MULTILINE)
_WORKFLOW = re.compile(r"\bwf\b")
_FILES = (".yaml", ".yml", ".json")


async def workflow_of(extension: Extension, name: str, text: str) -> Workflow:
    """The workflow of a cell.

    Raises:
        WorkflowSpecError: Its YAML or JSON can't be read; lines count from the cell's first one.
        ConfigurationError: It is none.
    """
    if not text.strip():
        return known_workflow(extension, name)
    if not is_document(text):
        return await _executed(extension, name, text)
    try:
        workflow = Workflow.from_yaml(text)
    except WorkflowSpecError as error:
        raise WorkflowSpecError(in_cell(error.findings, text)) from None
    if name:
        workflow.to_dict().setdefault("name", name)
    return bound(extension, workflow)


def is_document(text: str) -> bool:
    """Whether it is YAML or JSON; else it is Python, which speaks of ``wf``."""
    if not _WORKFLOW.search(text):
        return True
    try:
        data = Document.parse(text).data
    except WorkflowSpecError:
        return text.lstrip().startswith("{") or (bool(_BODY.search(text)) and not _is_python(text))
    return "steps" in data or "states" in data or not _is_python(text)


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def known_workflow(extension: Extension, name: str) -> Workflow:
    """The workflow of a variable, or of a file.

    Raises:
        UnknownName: There is neither.
    """
    value = extension.shell.user_ns.get(name)
    if isinstance(value, Workflow):
        return value
    if name.endswith(_FILES) or Path(name).is_file():
        return bound(extension, Workflow.load(name))
    if not name:
        raise UnknownName(
            "%%workflow: the cell is empty: write the workflow's steps below its first line, or name a workflow that is there"
        )
    near = did_you_mean(name, [known for known, item in extension.shell.user_ns.items() if isinstance(item, Workflow)])
    mend = near or ": write its steps in a %%workflow cell"
    raise UnknownName(f"{name}: there is neither a workflow of that name in the notebook nor a file{mend}")


def bound(extension: Extension, workflow: Workflow) -> Workflow:
    """The workflow, whose names mean what they mean in the notebook, where they mean something there."""
    namespace = {name: value for name, value in extension.shell.user_ns.items() if name not in extension.shell.user_ns_hidden}
    data = workflow.to_dict()
    own = data.get("agents") if isinstance(data.get("agents"), dict) else {}
    workflow.known = functions(extension)
    for kind, name in _named(data):
        value = namespace.get(name)
        if kind == "tool" and is_function(value):
            workflow.use(**{name: value})
        elif kind == "agent" and name not in (own or {}):
            agent = value if isinstance(value, Agent) else known_agent(extension, name)
            workflow.use(**({name: agent} if agent is not None else {}))
        elif kind == "workflow":
            others = (other for other in namespace.values() if isinstance(other, Workflow) and other.name == name)
            other = value if isinstance(value, Workflow) else next(others, None)
            workflow.use(**({name: other} if other is not None else {}))
    return workflow


def _named(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The names of tools, agents and workflows in a document that may be wrong in any way."""
    for action in _actions(data):
        for kind in ("tool", "agent", "workflow"):
            value = action.get(kind)
            value = value.get("name") if isinstance(value, dict) else value
            if isinstance(value, str):
                yield kind, value
        tools = action.get("tools")
        yield from (("tool", tool) for tool in (tools if isinstance(tools, list) else ()) if isinstance(tool, str))


def _actions(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for table in ("steps", "agents", "states"):
        parts = data.get(table)
        for part in parts.values() if isinstance(parts, dict) else ():
            if isinstance(part, dict):
                yield part
                entries = [part.get("step"), *_listed(part.get("entry")), *_listed(part.get("exit"))]
                yield from (entry for entry in entries if isinstance(entry, dict))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


async def _executed(extension: Extension, name: str, text: str) -> Workflow:
    """What a Python cell makes of ``wf``."""
    shell = extension.shell
    namespace = shell.user_ns
    namespace["wf"] = Workflow(name or "workflow")
    source = "\n" + shell.transform_cell(text)  # so that lines count as in the cell, whose first one is the magic's
    file = shell.compile.cache(source, shell.execution_count)
    try:
        tree = compile(source, file, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        code = compile(tree, file, "exec", shell.compile.flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        result = eval(code, namespace)  # noqa: S307
        if code.co_flags & inspect.CO_COROUTINE and isinstance(result, Awaitable):
            await result
    except Exception as error:
        raise _of_cell(extension, error, file) from None
    made = namespace["wf"]
    if not isinstance(made, Workflow):
        raise ConfigurationError(f"%%workflow: after the cell wf is {kind_of(made)}, no workflow: assign a Workflow to it")
    return made


def _of_cell(extension: Extension, error: Exception, file: str) -> BaseException:
    """The error with what the cell has to do with it, and nothing of ours."""
    trace: TracebackType | None = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != file:
        trace = trace.tb_next
    if isinstance(error, AgentNBError):
        line = f" (line {trace.tb_lineno} of the cell)" if trace is not None else ""
        first, *rest = short(error)
        return quiet(error, [first + line, *rest])
    if isinstance(error, SyntaxError):  # IPython would show it with frames of ours, whatever it is told
        said = ConfigurationError(f"%%workflow: line {error.lineno} is no Python: {error.msg}: {(error.text or '').strip()}")
        return quiet(said, short(said))
    return quiet(error, extension.shell.InteractiveTB.structured_traceback(type(error), error, trace))


def located(found: list[Finding], workflow: Workflow, text: str) -> list[Finding]:
    """Findings with the lines of the cell, whose first one is the magic's own."""
    if is_document(text):
        return in_cell(found, text)
    return [replace(finding, line=_line_of(finding, text)) for finding in found]


def in_cell(found: Iterable[Finding], text: str) -> list[Finding]:
    """Findings with the lines of the cell; what was missed at the end of the text is in its last line."""
    last = text.rstrip().count("\n") + 2
    return [replace(finding, line=min(finding.line + 1, last)) if finding.line else finding for finding in found]


def _line_of(finding: Finding, text: str) -> int:
    """Where a Python cell speaks of the step."""
    if len(finding.path) < 2:
        return 0
    name = re.escape(str(finding.path[1]))
    found = re.search(rf"""^[^#\n]*(?:def\s+{name}\b|["']{name}["'])""", text, re.MULTILINE)
    return text.count("\n", 0, found.start()) + 2 if found else 0
