"""What a run's graph shows, read from the journal: all of it once, then what has changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from agentnb.errors import AgentNBError
from agentnb.ports.store import FINAL, Event, Run
from agentnb.runtime.graphs.drawing import edge_id
from agentnb.runtime.graphs.states import passed, status_of
from agentnb.secrets import redact
from agentnb.workflows.graph import Graph, graph_of
from agentnb.workflows.spec import WorkflowSpec, adapter
from agentnb.workflows.trace import ENDED, STEP_TYPES, StepRecord, steps_of

if TYPE_CHECKING:
    from agentnb.runtime.runtime import Runtime

_SPANS = 50
"""Visits of a state that the timeline shows."""

Changes = dict[str, Any]
"""``GraphState`` of ``labextension/src/graph/types.ts``, or the part of it that has changed:
``{run, steps: {PATH: {…}}, taken: {PATH_OF_EDGE: [numbers]}, current: [PATH]}``.
A path is ``step``, or ``step/step of its sub-workflow``."""


class Following:
    """One run and those of its sub-workflows; what is in memory is the last word on each step, not the events.

    Args:
        runtime: Where it is kept.
        run_id: Its ID.

    Attributes:
        finished: Whether the run had ended when it was last looked at.
        shown: All of it, as it was then.
    """

    def __init__(self, runtime: Runtime, run_id: str) -> None:
        self._runtime = runtime
        self._runs = {"": _Followed(runtime, runtime.store.run(run_id))}
        self.run_id = self._runs[""].id
        self.finished = False
        self.shown: Changes = {"run": {}, "steps": {}, "taken": {}, "current": []}
        self._ends: list[str] = []

    def state(self) -> Changes:
        """All of it, as it is now."""
        self.changes()
        return self.shown

    def changes(self) -> Changes:
        """What is different from the last time: empty where nothing is."""
        run = self._runtime.get(self.run_id)
        self.finished = run.status in FINAL
        steps, taken = self._read()
        found: Changes = {}
        if steps:
            found["steps"] = steps
        if taken:
            found["taken"] = taken
        current = [path for followed in self._runs.values() for path in followed.current()]
        if current != self.shown["current"]:
            found["current"] = current
        path = self._runs[""].critical_path() if steps else self.shown["run"].get("path", [])
        shown = {**_run(run, path), "seq": max(followed.seq for followed in self._runs.values())}
        if found or {**shown, "seq": 0} != {**self.shown["run"], "seq": 0}:
            found["run"] = shown
        self.shown = {
            "run": found.get("run", self.shown["run"]),
            "steps": {**self.shown["steps"], **steps},
            "taken": {**self.shown["taken"], **taken},
            "current": current,
        }
        return found

    def locate(self, path: str) -> tuple[str, str]:
        """The run and the step that a node stands for.

        Raises:
            KeyError: The sub-workflow there hasn't begun.
        """
        outer, _, step = path.rpartition("/")
        return self._runs[outer].id, step

    def records(self, path: str) -> dict[str, StepRecord]:
        """The records of a node: of its step, the items of a fan-out, the visits of a state."""
        outer, _, step = path.rpartition("/")
        return self._runs[outer].records_of(step) if outer in self._runs else {}

    def waiting(self) -> list[tuple[str, StepRecord]]:
        """The steps that wait for somebody, each with its path; of a fan-out, each item."""
        return [
            (f"{prefix}{record.id}", record)
            for prefix, followed in self._with_prefix()
            for record in followed.records.values()
            if record.status == "waiting" and (record.question or {}).get("kind") not in (None, "child")
        ]

    def _with_prefix(self) -> list[tuple[str, _Followed]]:
        return [(f"{path}/" if path else "", followed) for path, followed in self._runs.items()]

    def _read(self) -> tuple[Changes, Changes]:
        """What the journal says that is new, of all runs: of one that begins meanwhile as well."""
        steps: Changes = {}
        taken: Changes = {}
        seen: set[str] = set()
        while rest := [path for path in self._runs if path not in seen]:
            for path in rest:
                seen.add(path)
                prefix, followed = f"{path}/" if path else "", self._runs[path]
                for name in followed.read():
                    state = followed.state_of(name)
                    if self.shown["steps"].get(prefix + name) != state:
                        steps[prefix + name] = state
                taken |= {prefix + name: numbers for name, numbers in followed.taken().items()}
                self._adopt(prefix, followed)
        return steps, {name: numbers for name, numbers in taken.items() if self.shown["taken"].get(name) != numbers}

    def _adopt(self, prefix: str, followed: _Followed) -> None:
        """Follow the sub-workflows that have begun; a fan-out's are looked at one by one instead."""
        for name, child in followed.children().items():
            path = prefix + name
            if path in self._runs and self._runs[path].id == child:
                continue
            try:
                self._runs[path] = _Followed(self._runtime, self._runtime.store.run(child))
            except AgentNBError:
                continue


class _Followed:
    """One run."""

    def __init__(self, runtime: Runtime, run: Run) -> None:
        self._runtime = runtime
        self.id = run.id
        self.spec: WorkflowSpec = adapter().validate_python(runtime.store.definition(run.definition).spec["document"])
        self.seq = 0
        self.records: dict[str, StepRecord] = {}
        self._visits: list[str] = []
        self._entered: list[int] = []
        self._of: dict[str, dict[str, StepRecord]] = {}
        self._graph: Graph | None = None

    def read(self) -> list[str]:
        """Take in new events; the nodes that they concern."""
        events = self._runtime.store.events(self.id, self.seq)
        touched: dict[str, None] = {}
        for event in events:
            self.seq = event.seq
            if event.type == "workflow.state_entered":
                touched.update(dict.fromkeys([*self._visits[-1:], event.data["state"]]))
                self._visits.append(event.data["state"])
                self._entered.append(_milliseconds(event.data["timestamp"]))
            elif event.type in STEP_TYPES:
                touched[self._keep(event)] = None
        return list(touched)

    def _keep(self, event: Event) -> str:
        (record,) = steps_of([event]).values()
        if not record.started_at and record.status != "skipped":  # a fan-out's own record says nothing of its beginning
            before = self.records.get(record.id)
            record.started_at = before.started_at if before else event.data["timestamp"]
        self.records[record.id] = record
        name = node_of(record.id)
        self._of.setdefault(name, {})[record.id] = record
        return name

    def records_of(self, name: str) -> dict[str, StepRecord]:
        return self._of.get(name, {})

    def children(self) -> dict[str, str]:
        """The runs that steps of their own have started, by the node."""
        return {
            node_of(name): record.child
            for name, record in self.records.items()
            if record.kind == "workflow" and record.child and "[" not in name and record.status != "queued"
        }

    def current(self) -> list[str]:
        if not self._visits or self.spec.states[self._visits[-1]].final:
            return []
        return self._visits[-1:]

    def taken(self) -> dict[str, list[int]]:
        """The numbers of the transitions, by the line."""
        found: dict[str, list[int]] = {}
        for number, (one, other) in enumerate(pairwise(self._visits), 1):
            found.setdefault(edge_id(one, other), []).append(number)
        return found

    def critical_path(self) -> list[str]:
        """The steps that the run's time went into, one after the other."""
        if self.spec.kind != "dag" or not self.records:
            return []
        self._graph = self._graph or graph_of(self.spec)
        ran = {name: record.duration_ms + 1 for name, record in self.records.items() if record.status not in ("skipped", "queued")}
        return [name for name in self._graph.critical_path({name: ran.get(name, 0) for name in self.spec.steps}) if name in ran]

    def state_of(self, name: str) -> dict[str, Any]:
        records = self._of.get(name, {})
        if self.spec.kind == "dag":
            return _node_state(records.get(name), records)
        visits = self._visits.count(name)
        record = next((records[key] for number in range(visits + 1, 0, -1) if (key := f"{name}@{number}") in records), None)
        current = self._visits[-1:] == [name]
        shown = _node_state(record, {}) if record is not None else {"status": passed(self.spec.states[name], current=current)}
        return {**shown, "visits": visits, "spans": self._spans(name)}

    def _spans(self, name: str) -> list[list[int]]:
        """When a state was entered and left; 0 where that is not yet."""
        left = [*self._entered[1:], self._entered[-1] if not self.current() else 0] if self._entered else []
        found = [[start, end] for state, start, end in zip(self._visits, self._entered, left, strict=True) if state == name]
        return found[-_SPANS:]


def node_of(step_id: str) -> str:
    """The node that shows a step: an item of a fan-out, a visit of a state and what that does on its way are shown by theirs."""
    return step_id.partition("[")[0].partition("@")[0].partition(".")[0]


def _node_state(record: StepRecord | None, records: Mapping[str, StepRecord]) -> dict[str, Any]:
    """``NodeState`` of ``types.ts``: what isn't known is left out."""
    if record is None:
        return {"status": "queued"}
    question = record.question if record.status == "waiting" else None
    parts = {
        "reason": record.reason,
        "outcome": record.outcome if record.outcome not in ("completed", "error") else "",
        "started_at": _milliseconds(record.started_at),
        "duration_ms": round(record.duration_ms, 1),
        "attempts": record.attempts if record.attempts > 1 else 0,
        "error": redact(str(record.error.get("message", ""))) if record.error else "",
        "source": record.source,
        "child": record.child,
        "tokens": (record.usage.get("input_tokens") or 0) + (record.usage.get("output_tokens") or 0),
        "asks": (question.get("assignee") or "somebody") if question and question["kind"] != "child" else "",
        "items": _items(record, records),
    }
    return {"status": status_of(record), **{name: value for name, value in parts.items() if value}}


def _items(record: StepRecord, records: Mapping[str, StepRecord]) -> dict[str, int] | None:
    """How far a fan-out is; None of a step that is none."""
    counts = Counter(item.status for name, item in records.items() if "[" in name)
    total = record.input.get("items") if isinstance(record.input, dict) and record.input.keys() == {"items"} else None
    if not counts and not isinstance(total, int):
        return None
    done = sum(count for status, count in counts.items() if status in ENDED)
    waiting = {"waiting": counts["waiting"]} if counts["waiting"] else {}
    return {"total": total if isinstance(total, int) else sum(counts.values()), "done": done, "failed": counts["failed"], **waiting}


def _run(run: Run, path: list[str]) -> dict[str, Any]:
    error = {name: redact(str(value)) for name, value in run.error.items() if name in ("type", "message")} if run.error else None
    return {
        "id": run.id,
        "name": redact(run.name),
        "status": run.status,
        "reason": run.reason,
        "started_at": _milliseconds(run.created_at),
        "ended_at": _milliseconds(run.ended_at),
        "error": error,
        "parent": run.parent,
        "usage": dict(run.usage),
        "path": path,
    }


def _milliseconds(timestamp: str) -> int:
    """Milliseconds since the epoch; 0 where there is none."""
    return round(datetime.fromisoformat(timestamp).timestamp() * 1000) if timestamp else 0
