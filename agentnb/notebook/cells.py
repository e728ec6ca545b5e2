"""A ``%%agent`` cell: from its text to an execution, and back to what the cell shows, binds and raises."""

from __future__ import annotations

import asyncio
import inspect
import sys
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from agentnb import plugins
from agentnb.agents.content import as_prompt
from agentnb.agents.identity import AGENT_ID
from agentnb.agents.tools import Tool, as_tool
from agentnb.errors import AgentNBError, ConfigurationError, UnknownName, kind_of
from agentnb.notebook.arguments import AgentArguments, did_you_mean, parse
from agentnb.notebook.interpolation import interpolate, replaced
from agentnb.notebook.names import functions, is_function
from agentnb.notebook.questions import Questions
from agentnb.notebook.view import NotebookView, TerminalView, View
from agentnb.runtime.agent import Agent
from agentnb.runtime.approvals import Presenter
from agentnb.runtime.bridge import run_sync
from agentnb.runtime.results import AgentResult
from agentnb.runtime.shown import names as listed
from agentnb.secrets import redact

if TYPE_CHECKING:
    from agentnb.notebook.extension import Extension

DEFAULT_NAME = "assistant"


@dataclass(frozen=True)
class _Cell:
    """What is to be executed."""

    agent: Agent
    prompt: str
    source: str
    session: str
    turn: str
    arguments: AgentArguments


async def run_awaited(extension: Extension, line: str, text: str) -> None:
    """Run a cell on the kernel's loop."""
    cell = _guarded(lambda: _prepare(extension, line, text))
    if cell is None:
        return
    from agentnb.notebook.approval import CardPresenter

    presenter = CardPresenter(cell.agent.runtime) if has_user(extension) else None
    if cell.arguments.background and presenter is not None:
        _start_background(extension, cell, presenter)
        return
    await _execute(extension, cell, NotebookView(), presenter)


def run_blocking(extension: Extension, line: str, text: str) -> None:
    """Run a cell where nobody can await: in a terminal, under another magic, in a kernel without autoawait."""
    cell = _guarded(lambda: _prepare(extension, line, text))
    if cell is None:
        return
    if cell.arguments.background:
        raise ConfigurationError("%%agent: --background needs a cell of its own in a notebook")
    in_kernel = getattr(extension.shell, "kernel", None) is not None
    questions = Questions(cell.agent.runtime) if has_user(extension) else None
    view: View = NotebookView() if in_kernel else TerminalView()
    run_sync(_execute(extension, cell, view, questions), questions.ask_pending if questions else None)


async def _execute(extension: Extension, cell: _Cell, view: View, presenter: Presenter | None) -> AgentResult:
    arguments, agent = cell.arguments, cell.agent
    model = f"replay of {arguments.replay.name}" if arguments.replay else agent.spec.model
    view.begin(f"{agent.name} · {model}", cell.source)
    try:
        result = await agent.execute(
            cell.prompt,
            session=cell.session,
            turn=cell.turn,
            record=arguments.record,
            replay=arguments.replay,
            listener=view.update,
            presenter=presenter,
        )
    except asyncio.CancelledError as error:
        view.fail(error)
        raise quiet(KeyboardInterrupt(), ["cancelled"]) from None
    except Exception as error:
        view.fail(error)
        raise quiet(error, short(error)) from None
    if arguments.variable:
        extension.shell.user_ns[arguments.variable] = result
    view.complete(result, agent.spec.model)
    return result


def _start_background(extension: Extension, cell: _Cell, presenter: Presenter | None) -> None:
    from agentnb.notebook.background import BackgroundRun

    background = BackgroundRun(lambda: _execute(extension, cell, NotebookView(stop=False), presenter))
    if cell.arguments.variable:
        extension.shell.user_ns[cell.arguments.variable] = background


def _prepare(extension: Extension, line: str, text: str) -> _Cell | None:
    namespace = extension.namespace
    arguments = parse(line, lambda word: replaced(word, namespace))
    if arguments is None:
        return None
    prompt, notes = interpolate(text, namespace)
    for note in notes:
        print(note, file=sys.stderr)  # noqa: T201
    parts = [as_prompt(_context(name, namespace)) for name in arguments.context]
    if not prompt.strip() and not parts:
        raise ConfigurationError("%%agent: the cell is empty: write below its first line what the agent is to do")
    agent, session = _agent_and_session(extension, arguments)
    source = f"%%agent {line}\n{text}".rstrip("\n")
    return _Cell(agent, "\n\n".join([*parts, prompt.strip()]), source, session, extension.cell_id, arguments)


def _context(name: str, namespace: dict[str, Any]) -> Any:
    if name in namespace:
        return namespace[name]
    with suppress(OSError):
        if Path(name).is_file():
            return Path(name)
    raise UnknownName(f"-c {name}: there is neither a variable nor a file of that name{did_you_mean(name, namespace)}")


def _agent_and_session(extension: Extension, arguments: AgentArguments) -> tuple[Agent, str]:
    """Who answers, and in which conversation: that of the agent's name, a new one without a name, or one that the cell goes on with."""
    cell, conversations = extension.cell_id, extension.conversations
    if arguments.continues and not arguments.name:
        found = conversations.go_on(cell)
        return _agent(extension, arguments, found.agent), found.session
    known = known_agent(extension, arguments.name) if arguments.name else None
    if known is None and arguments.tools and is_function(extension.namespace.get(arguments.name)):
        together = ",".join([*arguments.tools, arguments.name])
        raise ConfigurationError(f"%%agent: {arguments.name} is a function, no agent: several tools go with commas between: -t {together}")
    if known is None and arguments.name and not arguments.changes:
        _note_near_agent(extension, arguments.name)
    agent = _agent(extension, arguments, known)
    if arguments.fresh:
        return agent, ""
    session = arguments.session or f"{extension.session}:{agent.name if arguments.name else uuid.uuid4().hex}"
    conversations.begin(cell, agent, session)
    return agent, session


def _agent(extension: Extension, arguments: AgentArguments, known: Agent | None) -> Agent:
    """The agent that is known already, or a new one, with the line's changes."""
    name = arguments.name or DEFAULT_NAME
    if known is not None and not arguments.changes:
        return known
    spec = known.spec if known else None
    agent = Agent(
        name if known is None else known.name,
        model=arguments.model or (spec.model if spec else None),
        instructions=arguments.instructions or (spec.instructions if spec else ""),
        tools=[_tool(item, extension) for item in arguments.tools] or (spec.tools if spec else ()),
        output=_schema(arguments.schema, extension.namespace) or (spec.output.type if spec and spec.output else None),
        capabilities=spec.capabilities if spec else (),
        max_steps=spec.max_steps if spec and arguments.max_steps is None else arguments.max_steps,
        timeout=spec.timeout if spec and arguments.timeout is None else arguments.timeout,
        deps=known.deps if known else None,
        **{**(spec.options if spec else {}), **arguments.options},
    )
    if arguments.name:
        extension.agents[agent.name] = agent
    return agent


def _note_near_agent(extension: Extension, name: str) -> None:
    own = [*extension.agents, *(key for key, value in extension.namespace.items() if isinstance(value, Agent))]
    near = did_you_mean(name, own)
    if near:
        print(f"{name} is a new agent, with no instructions or tools{near}", file=sys.stderr)  # noqa: T201


def known_agent(extension: Extension, name: str) -> Agent | None:
    """The agent of a variable, of this kernel's cells, or, by its ID only, of the store: what else is in there changes no notebook."""
    namespace = extension.namespace
    if AGENT_ID.match(name):
        return Agent.load(name)
    if isinstance(namespace.get(name), Agent):
        return cast("Agent", namespace[name])
    here = [value for value in namespace.values() if isinstance(value, Agent) and value.name == name]
    return here[-1] if here else cast("Agent | None", extension.agents.get(name))


def _tool(name: str, extension: Extension) -> Tool:
    namespace = extension.namespace
    value = namespace.get(name)
    if isinstance(value, Tool) or callable(value):
        return as_tool(value)
    if name in plugins.table("agentnb.tools"):
        return as_tool(plugins.load("agentnb.tools", name))
    if name in namespace:
        raise ConfigurationError(f"-t {name}: that is {kind_of(value)}, no function: a tool is a function with annotations")
    own = functions(extension)
    there = did_you_mean(name, own) or f"; there are: {listed(sorted(own)) or 'none'}"
    raise UnknownName(f"-t {name}: there is no function of that name in the notebook{there}")


def _schema(name: str | None, namespace: dict[str, Any]) -> Any:
    if name is None:
        return None
    if name not in namespace:
        near = did_you_mean(name, [known for known, item in namespace.items() if isinstance(item, type)])
        raise UnknownName(f"--schema {name}: there is no such class in the notebook{near or ': run the cell that defines it first'}")
    if inspect.isroutine(namespace[name]) or isinstance(namespace[name], Tool):
        raise ConfigurationError(f"--schema {name}: that is a function: give a pydantic model, or a type; functions go to -t")
    return namespace[name]


def has_user(extension: Extension) -> bool:
    """Whether somebody is there who can answer."""
    kernel = getattr(extension.shell, "kernel", None)
    return sys.stdin is not None and sys.stdin.isatty() if kernel is None else user_of(kernel)


def user_of(kernel: Any = None) -> bool:
    """Whether somebody is in front of the kernel, this process's own by default: papermill and nbconvert say that nobody is."""
    from IPython.core.getipython import get_ipython

    kernel = kernel or getattr(get_ipython(), "kernel", None)
    return kernel is not None and bool(kernel.get_parent("shell").get("content", {}).get("allow_stdin", False))


def _guarded(prepare: Callable[[], _Cell | None]) -> _Cell | None:
    try:
        return prepare()
    except AgentNBError as error:
        raise quiet(error, short(error)) from None


def quiet(error: BaseException, lines: list[str]) -> BaseException:
    """The error, which IPython will show by these lines instead of a traceback through our code."""
    error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]
    return error


def short(error: BaseException) -> list[str]:
    run = getattr(error, "run_id", "")
    return [redact(f"{type(error).__name__}: {error}"), *([f"Run {run}: %agentnb show {run}"] if run else [])]
