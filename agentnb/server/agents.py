"""Agents of the store: listed, found by name and capability, looked at, deleted."""

from __future__ import annotations

from typing import Any

from agentnb.ports.store import AgentRecord
from agentnb.runtime.runtime import Runtime
from agentnb.server.pages import Name, Page, PageQuery, cursor_of, pair_of, parts_of
from agentnb.server.routing import Call, Data
from agentnb.server.runs import LastRun, RunPage, last_run, page_of

_LAST = 10


class AgentsQuery(PageQuery):
    """Which agents."""

    name: Name = ""
    capability: Name = ""


class AgentData(Data):
    """An agent.

    Attributes:
        origin: The notebook, file or session in which its name is defined.
        instructions: The first line of them.
        tools: Their names.
        last_runs: The newest ones, newest first.
    """

    id: str
    name: str
    origin: str
    state: str
    capabilities: list[str]
    created_at: str
    definition: str
    model: str
    instructions: str
    tools: list[str]
    last_runs: list[LastRun]


class AgentPage(Page):
    """Agents, newest first."""

    agents: list[AgentData]


class AgentDetail(AgentData):
    """An agent, and all that it is made of."""

    spec: dict[str, Any]


class Deleted(Data):
    """The ID of what is no longer there."""

    deleted: str


def list_(call: Call, query: AgentsQuery) -> AgentPage:
    """List agents, newest first."""
    found = [agent for agent in call.runtime.agents.all(query.capability) if query.name in ("", agent.name)]
    last = parts_of(query.cursor, 1)
    if last:
        place = next((place for place, agent in enumerate(found) if agent.id == last[0]), len(found) - 1)
        found = found[place + 1 :]
    agents = found[: query.limit]
    following = cursor_of(agents[-1].id) if len(found) > query.limit else ""
    return AgentPage(agents=[AgentData(**_fields(call.runtime, agent, _spec(call.runtime, agent))) for agent in agents], next=following)


def get(call: Call, agent: str) -> AgentDetail:
    """Show what an agent is made of, by its name or its ID."""
    record = call.runtime.agents.find(agent)
    spec = _spec(call.runtime, record)
    return AgentDetail(**_fields(call.runtime, record, spec), spec=spec)


def runs(call: Call, agent: str, query: PageQuery) -> RunPage:
    """List the runs of an agent, newest first."""
    record = call.runtime.agents.find(agent)
    found = call.runtime.runs(agent_id=record.id, before=pair_of(query.cursor), limit=query.limit + 1, whole=False)
    return page_of(found, query.limit)


def delete(call: Call, agent: str) -> Deleted:
    """Terminate an agent and forget it; its runs stay."""
    return Deleted(deleted=call.runtime.agents.delete(agent).id)


def _spec(runtime: Runtime, agent: AgentRecord) -> dict[str, Any]:
    return dict(runtime.store.definition(agent.definition).spec)


def _fields(runtime: Runtime, agent: AgentRecord, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": agent.id,
        "name": agent.name,
        "origin": agent.origin,
        "state": agent.state,
        "capabilities": list(agent.capabilities),
        "created_at": agent.created_at,
        "definition": agent.definition,
        "model": spec["model"],
        "instructions": spec["instructions"].strip().partition("\n")[0],
        "tools": [tool["name"] for tool in spec["tools"]],
        "last_runs": [last_run(run) for run in runtime.runs(agent_id=agent.id, limit=_LAST, whole=False)],
    }
