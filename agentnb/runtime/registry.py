"""The agent manager: registers agents, takes them through their lifecycle, finds, terminates and deletes them."""

from __future__ import annotations

from collections.abc import Callable

from agentnb.agents.identity import AGENT_ID, new_agent_id
from agentnb.agents.lifecycle import AGENT, EVENTS, State, advance
from agentnb.agents.spec import AgentSpec
from agentnb.agents.trace import Identity
from agentnb.errors import AgentNBError, ConfigurationError, IllegalTransition, UnknownName
from agentnb.names import nearest
from agentnb.ports.store import AgentRecord, AgentState, Event, Store, now

_ATTEMPTS = 20


class AgentRegistry:
    """The agents of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def register(self, spec: AgentSpec, origin: str, check: Callable[[AgentSpec], None]) -> AgentRecord:
        """Make an agent READY: under the ID that it has, where this origin has defined the same before, else under a new one.

        Args:
            spec: What it is made of.
            origin: The notebook, file or session whose names it belongs to; there a newer definition of a name replaces the older.
            check: Raises where something that the agent needs is missing.

        Raises:
            AgentNBError: What ``check`` raised; the agent is FAILED then, and can be initialised again.
        """
        definition = spec.definition()
        for known in self._store.agents(name=spec.name):
            if known.origin == origin and known.definition == definition.hash and known.state == "READY":
                check(spec)
                return known
        number = len(self._store.agents(current=False)) + 1
        for attempt in range(_ATTEMPTS):
            record = AgentRecord(new_agent_id(number + attempt), spec.name, origin, definition.hash, "CREATED", spec.capabilities, now())
            if self._store.reserve_agent(record, definition, _event(record, "CREATED")):
                return self._initialize(record, spec, check)
        raise ConfigurationError(f"no free ID for the agent {spec.name!r} after {_ATTEMPTS} attempts: try again")

    def find(self, name_or_id: str) -> AgentRecord:
        """An agent by its ID, or the one of that name that was defined last, wherever that was.

        Raises:
            UnknownName: There is none.
        """
        return self.called(name_or_id)[0]

    def called(self, name_or_id: str) -> list[AgentRecord]:
        """The agent of that ID, or those of that name, one an origin, newest first.

        Raises:
            UnknownName: There is none.
        """
        by_id = AGENT_ID.match(name_or_id)
        found = self._store.agents(agent_id=name_or_id, current=False) if by_id else self._store.agents(name=name_or_id)
        if not found:
            near = nearest(name_or_id, {agent.name for agent in self._store.agents()})
            mend = f"did you mean {near}?" if near else "`agentnb agents list` shows those that are there"
            raise UnknownName(f"no agent {name_or_id!r} in {self._store.location}: {mend}")
        return found

    def all(self, capability: str = "") -> list[AgentRecord]:
        """The agents, newest first; of one capability only, where it is named."""
        return [agent for agent in self._store.agents() if not capability or capability in agent.capabilities]

    def terminate(self, agent_id: str) -> AgentRecord:
        """End an agent for good; its runs stay."""
        record = self.find(agent_id)
        return self._advance(record, "TERMINATED")

    def delete(self, name_or_id: str) -> AgentRecord:
        """Terminate an agent and forget it; its runs stay."""
        record = self.find(name_or_id)
        if record.state != "TERMINATED":
            record = self._advance(record, "TERMINATED")
        identity = Identity("", record.id, record.name)
        self._store.delete_agent(record.id, identity.event("agent.deleted", status="deleted"))
        return record

    def require_ready(self, agent: AgentRecord) -> None:
        """Check that an agent may execute.

        Raises:
            IllegalTransition: It was terminated or deleted.
        """
        found = self._store.agents(agent_id=agent.id, current=False)
        if not found:
            raise IllegalTransition(f"the agent {agent.name!r} ({agent.id}) was deleted: define it again")
        if found[0].state != "READY":
            raise IllegalTransition(f"the agent {agent.name!r} ({agent.id}) is {found[0].state} and can't execute: define it again")

    def _initialize(self, record: AgentRecord, spec: AgentSpec, check: Callable[[AgentSpec], None]) -> AgentRecord:
        record = self._advance(record, "INITIALIZING", "VALIDATING")
        try:
            check(spec)
        except AgentNBError:
            self._advance(record, "FAILED")
            raise
        return self._advance(record, "VALIDATED", "READY")

    def _advance(self, record: AgentRecord, *states: State) -> AgentRecord:
        events, state = [], record.state
        for new in states:
            state = advance(AGENT, f"the agent {record.name!r}", state, new)  # type: ignore[arg-type]
            events.append(_event(record, new))
        self._store.write(*events, AgentState(record.id, state))
        return AgentRecord(record.id, record.name, record.origin, record.definition, state, record.capabilities, record.created_at)


def _event(record: AgentRecord, state: State) -> Event:
    return Identity("", record.id, record.name).event(EVENTS[state], status=state.lower(), agent_name=record.name, origin=record.origin)
