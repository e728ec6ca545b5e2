"""The agent as users hold it."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from agentnb.agents import capabilities as capability_names
from agentnb.agents.content import as_prompt
from agentnb.agents.execution import Listener, Update
from agentnb.agents.output import OutputType
from agentnb.agents.spec import AgentSpec
from agentnb.agents.spec import load as load_spec
from agentnb.agents.tools import Tool, as_tool
from agentnb.errors import ConfigurationError
from agentnb.ports.store import AgentRecord
from agentnb.runtime import agent_runs
from agentnb.runtime.agent_runs import RunOptions
from agentnb.runtime.approvals import Presenter
from agentnb.runtime.bridge import run_sync
from agentnb.runtime.results import AgentResult, StreamEvent
from agentnb.runtime.runtime import Runtime, current

_registering = threading.Lock()
OPTIONS = frozenset({"temperature", "max_tokens", "top_p", "seed", "stop", "frequency_penalty"})


class Agent:
    """A model with instructions and tools.

    Args:
        name: How people call it. Making another agent of that name in the same notebook or file replaces it.
        model: ``provider:model``; the local one of the settings by default.
        instructions: The system prompt.
        tools: Functions that the model may call.
        output: A pydantic model, or another type, that the answer must fit; text by default.
        capabilities: Names by which it is found, such as ``TEXT_PROCESSING``.
        max_steps: Model calls that one execution may take; 10 by default.
        timeout: Seconds that one execution may take; 300 by default.
        deps: What tools find as ``context.deps``.
        runtime: The process's own by default.
        **options: ``temperature``, ``max_tokens``, ``top_p``, ``seed``, ``stop``, ``frequency_penalty``.

    Raises:
        ConfigurationError: Something of it is wrong; the message says what.
    """

    def __init__(
        self,
        name: str,
        *,
        model: str | None = None,
        instructions: str = "",
        tools: Iterable[Tool | Callable[..., Any]] = (),
        output: Any = None,
        capabilities: Sequence[str] = (),
        max_steps: int | None = None,
        timeout: float | None = None,
        deps: Any = None,
        runtime: Runtime | None = None,
        origin: str | None = None,
        **options: Any,
    ) -> None:
        if not name or not name.strip() or len(name) > 200 or not name.isprintable():
            raise ConfigurationError(f"an agent needs a name of 1 to 200 printable characters, not {name[:50]!r}")
        unknown = sorted(options.keys() - OPTIONS)
        if unknown:
            raise ConfigurationError(f"Agent({name!r}): unknown argument {unknown[0]!r}; model options are: {', '.join(sorted(OPTIONS))}")
        self._runtime = runtime
        settings = self.runtime.settings
        self.spec = AgentSpec(
            name=name,
            model=model or settings.model,
            instructions=instructions,
            tools=_unique([as_tool(item) for item in tools]),
            output=None if output is None or output is str else OutputType(output),
            capabilities=capability_names.checked(capabilities),
            options=_sampling(options),
            max_steps=_positive("max_steps", max_steps, settings.max_steps),
            timeout=_positive("timeout", timeout, settings.timeout),
        )
        self.deps = deps
        self.origin = origin or _origin()
        self._record: AgentRecord | None = None

    @classmethod
    def load(cls, name_or_id: str, runtime: Runtime | None = None) -> Agent:
        """An agent that was defined before, perhaps in another notebook; of several with that name the newest.

        Raises:
            UnknownName: There is none.
            DefinitionError: Its functions can't be loaded here.
        """
        place = runtime or current()
        record = place.agents.find(name_or_id)
        agent = cls.__new__(cls)
        agent._runtime = runtime
        agent.spec = load_spec(place.store.definition(record.definition))
        agent.deps = None
        agent.origin = record.origin
        agent._record = record
        return agent

    def with_model(self, model: str) -> Agent:
        """The same agent on another model."""
        agent = Agent.__new__(Agent)
        agent._runtime, agent.deps, agent.origin, agent._record = self._runtime, self.deps, self.origin, None
        agent.spec = replace(self.spec, model=model)
        return agent

    @property
    def runtime(self) -> Runtime:
        return self._runtime or current()

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def agent_id(self) -> str:
        """Its ID; asking for it makes it READY."""
        return self.initialize().id

    @property
    def state(self) -> str:
        """Where it is in its lifecycle."""
        if self._record is None:
            return "CREATED"
        found = self.runtime.store.agents(agent_id=self._record.id, current=False)
        return found[0].state if found else "TERMINATED"

    def initialize(self, *, replay: Path | None = None) -> AgentRecord:
        """Check that all it needs is there, and make it READY; the first execution does it by itself.

        Raises:
            AgentNBError: Something is missing; the agent is FAILED then, and can be initialised again.
        """
        with _registering:
            if self._record is None:
                self._record = self.runtime.register(self.spec, self.origin, replay)
            return self._record

    def terminate(self) -> None:
        """End it for good; its runs stay."""
        self.runtime.agents.terminate(self.initialize().id)

    async def execute(
        self,
        prompt: Any,
        *,
        context: Sequence[Any] = (),
        session: str = "",
        turn: str = "",
        deps: Any = None,
        record: str | Path | None = None,
        replay: str | Path | None = None,
        listener: Listener | None = None,
        presenter: Presenter | None = None,
    ) -> AgentResult:
        """Answer a prompt.

        Args:
            prompt: Text, or anything that can be shown as text: a dict, a DataFrame, a ``pathlib.Path``.
            context: More of the same, put before the prompt.
            session: Conversation to go on with; none by default. Kept in the store, so it also goes on tomorrow.
            turn: Place in the conversation; executing again with the same one replaces that turn.
            deps: What tools find as ``context.deps``, instead of the agent's own.
            record: Cassette file to record the model's calls to.
            replay: Cassette file to answer the model's calls from.
            listener: Is told of each piece of text and each step while it goes on.
            presenter: Shows tool calls that need an approval to a person; the runtime's own by default.

        Raises:
            AgentNBError: It failed; its ``run_id`` is the run where it did.
        """
        options = RunOptions(session, turn, self.deps if deps is None else deps, _path(record), _path(replay), listener, presenter)
        agent = self.initialize(replay=options.replay)
        text = "\n\n".join(as_prompt(part) for part in (*context, prompt))
        return await agent_runs.execute(self.runtime, self.spec, agent, text, options)

    def execute_sync(self, prompt: Any, **arguments: Any) -> AgentResult:
        """Like ``execute``, for code that isn't asynchronous; works in a notebook too."""
        return run_sync(self.execute(prompt, **arguments))

    async def stream(self, prompt: Any, **arguments: Any) -> AsyncIterator[StreamEvent]:
        """Like ``execute``, handing out what happens while it happens; the last event carries the result."""
        queue: asyncio.Queue[StreamEvent | None] = asyncio.Queue()

        def listen(update: Update) -> None:
            queue.put_nowait(_stream_event(update))

        task = asyncio.ensure_future(self.execute(prompt, listener=listen, **arguments))
        task.add_done_callback(lambda _: queue.put_nowait(None))
        try:
            while (event := await queue.get()) is not None:
                yield event
            yield StreamEvent("result", result=await task)
        finally:
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    def __repr__(self) -> str:
        return f"<agent {self.name} on {self.spec.model}>"


def _stream_event(update: Update) -> StreamEvent:
    if update.step is not None:
        return StreamEvent("step", step=update.step)
    return StreamEvent("text_reset") if update.text is None else StreamEvent("text", update.text)


def _unique(tools: Sequence[Tool]) -> tuple[Tool, ...]:
    names = [tool.name for tool in tools]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"two tools are called {name!r}: give one another name with @tool(name=…)")
    return tuple(tools)


def _sampling(options: dict[str, Any]) -> dict[str, Any]:
    """The model's options, where they are numbers that a model can take."""
    _positive("max_tokens", options.get("max_tokens"), 1)
    for name in options.keys() & {"temperature", "top_p"}:
        value = options[name]
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf")):
            raise ConfigurationError(f"{name} must be a number from 0 on, not {value!r}")
    return options


def _positive(name: str, value: Any, default: Any) -> Any:
    if value is None:
        return default
    kinds = int if isinstance(default, int) else int | float
    if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value < float("inf"):
        raise ConfigurationError(f"{name} must be a {'whole ' if isinstance(default, int) else ''}number above 0, not {value!r}")
    return value


def _path(value: str | Path | None) -> Path | None:
    return Path(value).expanduser().absolute() if value else None


def _origin() -> str:
    """The notebook or the file of the code that makes the agent; its folder, where a kernel wasn't told its notebook's name."""
    notebook = os.environ.get("JPY_SESSION_NAME")
    if notebook:
        return notebook
    frame: Any = sys._getframe(2)
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith("agentnb."):
        frame = frame.f_back
    file = frame.f_globals.get("__file__") if frame is not None else None
    return str(Path(file).resolve()) if file else f"notebook in {Path.cwd()}"
