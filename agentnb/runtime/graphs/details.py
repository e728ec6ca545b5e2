"""What the sheet of one step says: what it was given, what it gave, each attempt, its events, its items and what its agent did."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from agentnb.agents import trace as agents
from agentnb.errors import AgentNBError
from agentnb.ports.store import Event
from agentnb.runtime.graphs.following import Following, node_of
from agentnb.runtime.graphs.states import status_of
from agentnb.runtime.runtime import Runtime
from agentnb.runtime.shown import MOST, readable, shortened
from agentnb.secrets import redact, to_json
from agentnb.workflows.trace import ENDED, StepRecord, steps_of

_MANY = 500
"""Items, events and rows of a trace that a sheet lists; the newest where there are more."""


def details(runtime: Runtime, following: Following, path: str, part: str = "") -> dict[str, Any]:
    """``NodeDetails`` of ``labextension/src/graph/types.ts``.

    Args:
        runtime: Where the run is kept.
        following: The run.
        path: The node: ``step``, or ``step/step of its sub-workflow``.
        part: An item of a fan-out (``each[3]``) or a visit of a state (``REVIEW@2``); by default the step itself, and of a state its last
            visit.
    """
    try:
        run_id, node = following.locate(path)
    except KeyError:
        return {"path": path, "part": part, "status": "queued", "parts": []}
    records = following.records(path)
    record = records.get(part or node) or (_last_visit(records, node) if not part else None)
    others = [other for other in records.values() if other.id != node]
    parts = [_part(other) for other in others[-_MANY:]]
    found: dict[str, Any] = {"path": path, "part": part, "run": run_id, "parts": parts, "count": len(others)}
    if record is None:
        return {**found, "status": "queued"}
    events = [event for event in runtime.store.events(run_id) if event.step_id == record.id]
    return {
        **found,
        "step": record.id,
        "title": redact(record.title or record.id),
        "kind": record.kind,
        "status": status_of(record),
        "reason": record.reason,
        "outcome": record.outcome,
        "started_at": _milliseconds(record.started_at),
        "duration_ms": record.duration_ms,
        "input": value_of(record.input),
        "output": value_of(record.output),
        "error": _error(record),
        "source": record.source,
        "child": record.child,
        "usage": dict(record.usage),
        "attempts": _attempts(events),
        "events": [_event(event) for event in events[-_MANY:]],
        "trace": _trace(runtime, record),
        "question": question_of(record),
    }


def question_of(record: StepRecord) -> dict[str, Any] | None:
    """What a waiting step asks, as the question card takes it; None of one that asks nobody."""
    asked = record.question or {}
    if record.status != "waiting" or asked.get("kind") in (None, "child", "callback"):
        return None
    shown = asked.get("shown")
    return {
        "step": redact(record.title or record.id),
        "kind": asked["kind"],
        "ticket": asked["ticket"],
        "prompt": redact(asked["prompt"]),
        "shown": "" if shown is None else shortened(redact(shown if isinstance(shown, str) else _indented(shown))),
        "form": asked.get("form"),
        "verdicts": list(asked["verdicts"]),
        "assignee": asked.get("assignee") or "",
        "due": (asked.get("due") or 0) * 1000,
    }


def value_of(value: Any) -> dict[str, Any] | None:
    """A value for a tree, without secrets; of a very large one the beginning as text. None where there is none."""
    if value is None:
        return None
    text = to_json(value)
    return {"json": json.loads(text)} if len(text) <= MOST else {"text": shortened(readable(value))}


def _indented(value: Any) -> str:
    return json.dumps(json.loads(to_json(value)), indent=2, ensure_ascii=False)


def _last_visit(records: dict[str, StepRecord], node: str) -> StepRecord | None:
    return next(
        (record for record in reversed(records.values()) if "@" in record.id and "." not in record.id and node_of(record.id) == node), None
    )


def _part(record: StepRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "status": status_of(record),
        "started_at": _milliseconds(record.started_at),
        "duration_ms": round(record.duration_ms, 1),
        "child": record.child,
        "asks": question_of(record) is not None,
    }


def _error(record: StepRecord) -> dict[str, str] | None:
    return {name: redact(str(record.error.get(name, ""))) for name in ("type", "message")} if record.error else None


def _attempts(events: Sequence[Event]) -> list[dict[str, Any]]:
    """Each attempt: when it began, what it came to and how long it took."""
    found: list[dict[str, Any]] = []
    for event in events:
        (record,) = steps_of([event]).values() or (None,)
        if record is None:
            continue
        if record.status == "running" and found and found[-1].get("status") == "waiting":
            found[-1] = {"started_at": found[-1]["started_at"]}  # what was asked is answered
        elif record.status == "running" or not found:
            found.append({"started_at": _milliseconds(record.started_at or event.data["timestamp"])})
        if record.status in ENDED or record.status in ("queued", "waiting"):
            status = "failed" if record.status == "queued" and record.error else record.status
            found[-1].update(status=status, ended_at=_milliseconds(event.data["timestamp"]), error=_error(record))
    return [{"status": "running", **attempt} for attempt in found]


def _event(event: Event) -> dict[str, Any]:
    return {"seq": event.seq, "at": _milliseconds(event.data["timestamp"]), "type": event.type, "status": event.data.get("status", "")}


def _trace(runtime: Runtime, record: StepRecord) -> list[dict[str, Any]]:
    """What the agent of a step did: its calls of models and tools."""
    if record.kind != "agent" or not record.child:
        return []
    try:
        steps: Iterable[agents.Step] = agents.steps_of(runtime.store.events(record.child))[-_MANY:]
    except AgentNBError:
        return []
    return [
        {
            "id": step.id,
            "kind": step.kind,
            "name": step.name,
            "status": "replayed" if step.replayed else step.status,
            "started_ms": step.started_ms,
            "duration_ms": step.duration_ms,
            "tokens": (step.usage.input_tokens + step.usage.output_tokens) if step.usage else 0,
            "input": value_of(step.input),
            "output": value_of(step.output),
            "error": redact(step.error),
        }
        for step in steps
    ]


def _milliseconds(timestamp: str) -> int:
    return round(datetime.fromisoformat(timestamp).timestamp() * 1000) if timestamp else 0
