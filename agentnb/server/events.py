"""Events of the journal, page by page; those that follow are streamed, see ``streams``."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from agentnb.ports.store import Event
from agentnb.server.pages import MOST
from agentnb.server.routing import Call, Data, Request

LARGEST = 2**63 - 1


class EventsQuery(Request):
    """Which events.

    Attributes:
        after: Only those behind this number.
        limit: At most so many.
    """

    after: int = Field(0, ge=0, le=LARGEST)
    limit: int = Field(100, ge=1, le=MOST)


class EventData(Data):
    """An event as it is in the journal; ``seq`` is its number there, ``data`` its flat JSON."""

    seq: int
    type: str
    topic: str
    run_id: str
    step_id: str
    input_hash: str
    data: dict[str, Any]


class Events(Data):
    """Events in the journal's order; ``next`` is the ``after`` of what follows."""

    events: list[EventData]
    next: int


def event_data(event: Event) -> EventData:
    """An event as it is sent."""
    return EventData(
        seq=event.seq,
        type=event.type,
        topic=event.topic,
        run_id=event.run_id,
        step_id=event.step_id,
        input_hash=event.input_hash,
        data=dict(event.data),
    )


def list_(call: Call, query: EventsQuery) -> Events:
    """List events of all runs, in the journal's order."""
    return _page(call, "", query)


def of_run(call: Call, run_id: str, query: EventsQuery) -> Events:
    """List the events of a run, in the journal's order."""
    return _page(call, call.runtime.store.run(run_id).id, query)


def _page(call: Call, run_id: str, query: EventsQuery) -> Events:
    found = call.runtime.events(run_id, query.after, query.limit)
    return Events(events=[*map(event_data, found)], next=found[-1].seq if found else query.after)
