"""What is served: agents of the store, and models of this machine; nothing else, so that no client can name a file or spend a key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agentnb.agents.conversation import Conversation
from agentnb.agents.execution import Listener
from agentnb.agents.spec import AgentSpec, load
from agentnb.errors import UnknownModel, UnknownName
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
        return [*(f"{_AGENT}{name}" for name in agents), *self._models()]

    def embedder(self, name: str) -> str:
        """The full name of an embedding model.

        Raises:
            UnknownModel: It isn't served.
        """
        full = DEFAULT_EMBEDDER if name in (DEFAULT_EMBEDDER, DEFAULT_EMBEDDER.removeprefix(_LOCAL)) else name
        if full != DEFAULT_EMBEDDER and full not in self.models:
            raise UnknownModel(f"there is no embedding model {name!r} here; there is: {DEFAULT_EMBEDDER}")
        return full

    async def execute(self, name: str, conversation: Conversation, run_id: str, listener: Listener | None) -> AgentResult:
        """Answer in a run of its own, which is in the journal.

        Raises:
            AgentNBError: There is no such agent or model, or the run failed.
        """
        spec, record = self._target(name)
        own = {tool.name for tool in spec.tools}
        for number, tool in enumerate(conversation.tools):
            if tool.name in own:
                raise BadRequest(f"the agent has a tool {tool.name!r} of its own: give yours another name", f"tools.{number}")
        options = RunOptions(run_id=run_id, listener=listener, conversation=conversation)
        return await agent_runs.execute(self.runtime, spec, record, conversation.prompt, options)

    def structured(self, name: str) -> bool:
        """Whether its answers have a schema of their own."""
        return self._target(name)[0].output is not None

    def _target(self, name: str) -> tuple[AgentSpec, Any]:
        model = self._model(name)
        if model is None:
            return self._agent(name.removeprefix(_AGENT), name)
        settings = self.runtime.settings
        spec = AgentSpec(name=model, model=model, max_steps=settings.max_steps, timeout=settings.timeout)
        return spec, self.runtime.register(spec, _ORIGIN)

    def _agent(self, agent: str, name: str) -> tuple[AgentSpec, Any]:
        if not self.agents or agent in self.agents:
            try:
                record = self.runtime.agents.find(agent)
            except UnknownName as error:
                if "agents are called" in str(error):
                    raise
            else:
                return load(self.runtime.store.definition(record.definition)), record
        shown = ", ".join(self.names()[:20])
        raise UnknownModel(f"there is no agent or model {name!r} here; there are: {shown or 'none'}")

    def _model(self, name: str) -> str | None:
        known = self._models(embedders=False)
        return next((full for full in (name, f"{_LOCAL}{name}") if full in known), None)

    def _models(self, *, embedders: bool = True) -> list[str]:
        installed = [info.name for info in self.runtime.models.catalog() if info.installed and info.name.startswith(_LOCAL)]
        return [name for name in dict.fromkeys([*installed, *self.models]) if embedders or name != DEFAULT_EMBEDDER]
