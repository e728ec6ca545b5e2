"""What is served: agents of the store, and models of this machine; nothing else, so that no client can name a file or spend a key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentnb.agents.conversation import Conversation
from agentnb.agents.execution import Listener
from agentnb.agents.spec import AgentSpec, load
from agentnb.errors import UnknownModel, UnknownName
from agentnb.ports.model import ToolSpec
from agentnb.ports.store import AgentRecord
from agentnb.runtime import agent_runs
from agentnb.runtime.agent_runs import RunOptions
from agentnb.runtime.embedding import DEFAULT_EMBEDDER
from agentnb.runtime.results import AgentResult
from agentnb.runtime.runtime import Runtime
from agentnb.serve.protocol import BadRequest

_ORIGIN = "agentnb serve"
_AGENT = "agent:"
_LOCAL = "openvino:"


@dataclass(frozen=True)
class Target:
    """Who answers: an agent, or a model as an agent of its name."""

    spec: AgentSpec
    record: AgentRecord


@dataclass(frozen=True)
class Offer:
    """What clients may name as ``model``.

    Args:
        runtime: Where runs happen.
        models: Further models, by their full name; those of this machine that are installed are always there.
        agents: Names of the agents that may be used; all of the store where there is none.
    """

    runtime: Runtime
    models: Sequence[str] = ()
    agents: Sequence[str] = ()

    def names(self) -> list[str]:
        """All that may be named, agents first, as ``agent:NAME``."""
        known = [record.name for record in self.runtime.agents.all() if record.origin != _ORIGIN]
        agents = [name for name in dict.fromkeys(known) if not self.agents or name in self.agents]
        embedders = [name for name in self._installed(writes=False) if name == DEFAULT_EMBEDDER]
        return list(dict.fromkeys([*(f"{_AGENT}{name}" for name in agents), *self._models(), *embedders]))

    def embedder(self, name: str) -> str:
        """The full name of an embedding model.

        Raises:
            UnknownModel: It isn't served.
        """
        full = DEFAULT_EMBEDDER if name in (DEFAULT_EMBEDDER, DEFAULT_EMBEDDER.removeprefix(_LOCAL)) else name
        if full != DEFAULT_EMBEDDER and full not in self.models:
            raise UnknownModel(f"there is no embedding model {name!r} here; there is: {DEFAULT_EMBEDDER}")
        return full

    def find(self, name: str, tools: Sequence[ToolSpec] = ()) -> Target:
        """Who a name stands for.

        Args:
            name: A model, or an agent with or without ``agent:``.
            tools: Those that the caller runs himself.

        Raises:
            UnknownModel: There is no such agent or model.
            BadRequest: A tool is called as one of the agent's own.
            AgentNBError: It can't be executed here.
        """
        model = self._model(name)
        target = self._agent(name.removeprefix(_AGENT), name) if model is None else self._answering(model)
        own = {tool.name for tool in target.spec.tools}
        for number, tool in enumerate(tools):
            if tool.name in own:
                raise BadRequest(f"the agent has a tool {tool.name!r} of its own: give yours another name", f"tools.{number}")
        return target

    async def execute(self, target: Target, conversation: Conversation, run_id: str, listener: Listener | None) -> AgentResult:
        """Answer in a run of its own, which is in the journal.

        Raises:
            AgentNBError: The run failed.
        """
        options = RunOptions(run_id=run_id, listener=listener, conversation=conversation)
        return await agent_runs.execute(self.runtime, target.spec, target.record, conversation.prompt, options)

    def _answering(self, model: str) -> Target:
        settings = self.runtime.settings
        spec = AgentSpec(name=model, model=model, max_steps=settings.max_steps, timeout=settings.timeout)
        return Target(spec, self.runtime.register(spec, _ORIGIN))

    def _agent(self, agent: str, name: str) -> Target:
        if not self.agents or agent in self.agents:
            try:
                record = self.runtime.agents.find(agent)
            except UnknownName:
                pass
            else:
                self.runtime.agents.require_ready(record)
                return Target(load(self.runtime.store.definition(record.definition)), record)
        shown = ", ".join(self.names()[:20])
        raise UnknownModel(f"there is no agent or model {name!r} here; there are: {shown or 'none'}")

    def _model(self, name: str) -> str | None:
        known = self._models()
        return next((full for full in (name, f"{_LOCAL}{name}") if full in known), None)

    def _models(self) -> list[str]:
        return list(dict.fromkeys([*self._installed(writes=True), *self.models]))

    def _installed(self, *, writes: bool) -> list[str]:
        catalog = self.runtime.models.catalog()
        return [info.name for info in catalog if info.installed and info.writes is writes and info.name.startswith(_LOCAL)]
