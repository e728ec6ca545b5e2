"""Reads the report of a workflow's run from its steps."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from statistics import median
from typing import Any

from agentnb.ports.store import FINAL
from agentnb.runtime.report import Failure, Items, Report, StateVisit, StepReport, Wait
from agentnb.runtime.workflow_results import WorkflowRun, usage_of
from agentnb.workflows.graph import graph_of
from agentnb.workflows.spec import OUTCOMES, Compensate, Goto
from agentnb.workflows.trace import ENDED, StepRecord

_SLOWEST = 5
_OF_THE_RUN = ("steps", "replayed")


class Reading:
    """Reads a run."""

    def __init__(self, run: WorkflowRun) -> None:
        self.run = run
        self.started = datetime.fromisoformat(run.started_at).timestamp()
        self.items: dict[str, list[StepRecord]] = {}
        for record in run.steps.values():
            if "[" in record.id:
                self.items.setdefault(record.id.partition("[")[0], []).append(record)
        found = [record for record in run.steps.values() if "[" not in record.id]
        place = {name: number for number, name in enumerate(run.spec.steps)}
        self.records = sorted(found, key=lambda record: place[record.id]) if place else found

    def report(self) -> Report:
        run, steps, records = self.run, self.steps, self.run.steps.values()
        path, milliseconds = self._critical()
        visits = self._visits()
        elapsed = run.duration_ms or 0.0
        busy = sum(self._spent(record) for record in records if record.id not in self.items)
        times = dict.fromkeys((visit.state for visit in visits), 0.0)
        for visit in visits:
            times[visit.state] += visit.spent_ms
        begun = [step for step in steps if step.start_ms is not None and step.duration_ms]
        return Report(
            run_id=run.id,
            name=run.name,
            kind=run.spec.kind,
            status=run.status,
            reason=run.reason,
            started_at=run.started_at,
            ended_at=run.ended_at,
            duration_ms=elapsed,
            rerun_of=run.rerun_of,
            parent=run.parent,
            inputs=run.inputs,
            outputs=run.outputs,
            results={record.id: record.output for record in self.records if record.status == "completed"},
            steps=steps,
            counts=dict(Counter(step.status for step in steps)),
            skipped=dict(Counter(step.reason for step in steps if step.status == "skipped")),
            taken=dict(Counter(record.source for record in records if record.source)),
            not_begun=tuple(name for name in run.spec.steps if name not in run.steps),
            slowest=tuple(step.id for step in sorted(begun, key=lambda step: -step.duration_ms)[:_SLOWEST]),
            retried={record.id: record.attempts for record in records if record.attempts > 1},
            failures=tuple(self._failure(record) for record in records if record.status == "failed" and not self._blamed(record)),
            error=run.error,
            critical_path=path,
            critical_ms=milliseconds,
            critical_share=min(milliseconds / elapsed, 1.0) if elapsed else 0.0,
            parallelism=busy / elapsed if elapsed else 0.0,
            waits=tuple(self._waits()),
            usage=_usage(run.steps),
            states=visits,
            time_in_states=times,
        )

    @cached_property
    def steps(self) -> tuple[StepReport, ...]:
        return tuple(map(self._step, self.records))

    def _step(self, record: StepRecord) -> StepReport:
        items, start = self.items.get(record.id, []), self._start(record)
        return StepReport(
            record.id,
            record.kind,
            record.title,
            record.status,
            record.reason,
            None if start is None else round(start, 3),
            round(self._spent(record), 3),
            max((item.attempts for item in [record, *items]), default=0),
            record.source,
            record.child,
            _usage({item.id: item for item in [record, *items]}),
            self._items(record, items),
        )

    def _items(self, record: StepRecord, items: Sequence[StepRecord]) -> Items | None:
        if not items and "items" not in record.usage:
            return None
        times = [round(item.duration_ms, 3) for item in items if item.status in ("completed", "failed") and not item.source] or [0.0]
        failed = record.usage.get("failed", sum(item.status == "failed" for item in items))
        return Items(record.usage.get("items", len(items)), failed, min(times), round(median(times), 3), max(times))

    def _start(self, record: StepRecord) -> float | None:
        times = [item.started_at for item in [record, *self.items.get(record.id, ())] if item.started_at]
        return max((datetime.fromisoformat(min(times)).timestamp() - self.started) * 1000, 0.0) if times else None

    def _spent(self, record: StepRecord) -> float:
        start = self._start(record) if record.status not in ENDED else None
        return record.duration_ms if start is None else max(self.run.duration_ms - start, record.duration_ms)

    def _critical(self) -> tuple[tuple[str, ...], float]:
        if self.run.spec.kind != "dag":
            return (), 0.0
        weights = dict.fromkeys(self.run.spec.steps, 0.0) | {step.id: step.duration_ms for step in self.steps}
        path = tuple(name for name in graph_of(self.run.spec).critical_path(weights) if weights[name])
        return path, sum(weights[name] for name in path)

    def _blamed(self, record: StepRecord) -> bool:
        """Whether it failed for nothing but its items."""
        return any(item.status == "failed" for item in self.items.get(record.id, ()))

    def _failure(self, record: StepRecord) -> Failure:
        handling, target = self._handling(record)
        error = record.error or {"type": "", "message": record.reason}
        found = self.run.steps.get(target) if handling in ("goto", "compensate") else None
        status = found.status if found is not None else ""
        return Failure(record.id, error["type"], error["message"], record.attempts, handling, target, status)

    def _handling(self, record: StepRecord) -> tuple[str, str]:
        if self.run.spec.kind != "dag":
            return self._left(record)
        match self.run.spec.steps[record.id.partition("[")[0]].on_error:
            case Goto(goto=target):
                return "goto", target
            case Compensate(compensate=target):
                return "compensate", target
            case other:
                return other, ""

    def _left(self, record: StepRecord) -> tuple[str, str]:
        """By what a state machine went on after a failure: the state that it entered next."""
        state, _, rest = record.id.partition("@")
        visit = int(rest.partition(".")[0] or 1)
        history = self.run.history
        here = next((place for place, item in enumerate(history) if (item["state"], item["visit"]) == (state, visit)), len(history))
        return ("transition", history[here + 1]["state"]) if here + 1 < len(history) else ("fail", "")

    def _waits(self) -> list[Wait]:
        if self.run.status in FINAL:
            return []
        found = [self._question(record, record.question) for record in self.run.waiting if record.question is not None]
        active = any(record.status in ("running", "queued") for record in self.records)
        return found if active or not self.run.history else found + self._outside()

    def _question(self, record: StepRecord, question: Mapping[str, Any]) -> Wait:
        command = f"agentnb runs signal {self.run.id} {shlex.quote(record.id)} {'|'.join(question.get('verdicts', ('approve', 'reject')))}"
        if question.get("form") or question["kind"] == "callback":
            command += " --data JSON"
        if question["kind"] == "child":
            command = f"agentnb runs show {record.child}"
        return Wait(record.id, question["kind"], question["prompt"], question.get("assignee") or "", _time(question.get("due")), command)

    def _outside(self) -> list[Wait]:
        """The events and timers that lead out of the state in which a machine is."""
        last = self.run.history[-1]
        state = self.run.spec.states[last["state"]]
        found = []
        for item in state.transitions:
            if item.on is not None and item.on not in OUTCOMES:
                command = f"agentnb runs signal {self.run.id} {shlex.quote(item.on)} --data JSON"
                found.append(Wait(last["state"], "event", f"the event {item.on} leads to {item.to}", command=command))
            elif item.after is not None:
                found.append(Wait(last["state"], "timer", f"leads to {item.to}", due=_time(last["entered_at"] + item.after)))
        return found

    def _visits(self) -> tuple[StateVisit, ...]:
        history = self.run.history
        ends = [item["entered_at"] for item in history[1:]] + [self.started + self.run.duration_ms / 1000]
        return tuple(
            StateVisit(
                item["state"],
                item["visit"],
                (item.get("event") or {}).get("name", ""),
                _time(item["entered_at"]),
                max(end - item["entered_at"], 0) * 1000,
            )
            for item, end in zip(history, ends, strict=False)
        )


def _usage(records: Mapping[str, StepRecord]) -> dict[str, Any]:
    return {name: value for name, value in usage_of(records).items() if name not in _OF_THE_RUN}


def _time(seconds: float | None) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if seconds else ""
