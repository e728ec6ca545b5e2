"""What the boxes of a drawn workflow say of a run: status, time, attempts, the way that a state machine has taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from agentnb.runtime.graphs.sketch import Item
from agentnb.runtime.shown import duration
from agentnb.workflows import spec as specs
from agentnb.workflows.spec import WorkflowSpec
from agentnb.workflows.trace import ENDED, StepRecord

_WORST = ("failed", "waiting", "running", "cancelled", "stale", "queued", "completed", "replayed", "skipped")
_NUMBERS = 4


@dataclass(frozen=True, slots=True)
class State:
    """What one box says.

    Attributes:
        status: Empty where nothing is known of a run.
        line: The second line in the box.
        looped: The numbers of the times that a state went to itself, as text.
        current: Whether a state machine is here.
        faded: Whether the run doesn't pass here.
    """

    status: str = ""
    line: str = ""
    hint: str = ""
    looped: str = ""
    current: bool = False
    faded: bool = False


@dataclass(frozen=True)
class Shown:
    """What all boxes say, the way taken by its lines, and where a state machine is."""

    of: Mapping[str, State]
    taken: Mapping[tuple[str, str], str] = field(default_factory=dict)
    current: str = ""


def status_of(record: StepRecord) -> str:
    """The status as people see it: what was taken from an earlier run is ``replayed``."""
    return "replayed" if record.source and record.status == "completed" else record.status


def elapsed(record: StepRecord, now: float | None) -> float:
    """Milliseconds that the step took, or has taken by now; 0 where that is unknown."""
    if record.status in ENDED or now is None or not record.started_at:
        return record.duration_ms
    return max((now - datetime.fromisoformat(record.started_at).timestamp()) * 1000, 0.0)


def states_of(
    spec: WorkflowSpec,
    items: Mapping[str, Item],
    steps: Mapping[str, StepRecord] | None,
    *,
    stale: Collection[str],
    now: float | None,
    history: Sequence[Mapping[str, Any]],
) -> Shown:
    """What the boxes say.

    Args:
        spec: The workflow.
        items: Its boxes.
        steps: Records of a run by their ID, or None where there is none.
        stale: Steps that would be run again.
        now: Seconds since the epoch, for what runs.
        history: States that were entered, in order.
    """
    if steps is None and not stale and not history:
        return Shown({name: State() for name in items})
    records = steps or {}
    if spec.kind == "state_machine":
        return _of_machine(spec, items, records, history, now)
    fans = _fans(records)
    single = {name: _of_step(records.get(name), fans.get(name), name in stale, now, steps is not None) for name in spec.steps}
    return Shown({name: single[name] if name in single else _of_many(item, single) for name, item in items.items()})


def _of_step(record: StepRecord | None, fan: Counter[str] | None, stale: bool, now: float | None, ran: bool) -> State:
    if record is None:
        return State("stale", "stale", "stale: a rerun runs it") if stale else State("queued", "queued", "queued") if ran else State()
    status = status_of(record)
    parts = [_word(record, status)]
    if fan is not None:
        total = (record.input or {}).get("items", sum(fan.values()))
        parts.append(f"{sum(count for name, count in fan.items() if name in ENDED)}/{total}")
        parts.append(f"{fan['failed']} failed" if fan["failed"] and status != "failed" else "")
    milliseconds = elapsed(record, now)
    parts.append(duration(milliseconds) if milliseconds else "")
    if (fan is not None and status in ("running", "completed")) or (status in ("completed", "replayed") and milliseconds):
        parts[0] = ""
    if record.attempts > 1:
        parts[0] = f"{parts[0]} {record.attempts}×".lstrip()
    error = f": {record.error['message']}" if record.error and record.error.get("message") else ""
    line = " · ".join(part for part in parts if part)
    faded = status == "skipped"
    if stale:
        return State("stale", f"stale · {line}" if line else "stale", f"stale: a rerun runs it; {status}{error}", faded=faded)
    return State(status, line, f"{status}{error}", faded=faded)


def _word(record: StepRecord, status: str) -> str:
    if record.reason == "timed_out":
        return "timed out"
    if status == "queued" and record.attempts:
        return "tries again"
    return status


def _of_many(item: Item, single: Mapping[str, State]) -> State:
    """What a box says that stands for several: the worst of them, and how many there are of each."""
    counts = Counter(single[name].status for name in item.members if name in single)
    counts.pop("", None)
    if not counts:
        return State()
    ordered = sorted(counts, key=_WORST.index)
    status = "completed" if ordered[0] == "skipped" and len(ordered) > 1 else ordered[0]
    if status == "queued" and len(ordered) > 1:
        status = "running"
    line = " · ".join(f"{counts[name]} {name}" for name in ordered)
    return State(status, line, line)


def _fans(records: Mapping[str, StepRecord]) -> dict[str, Counter[str]]:
    """The statuses of the items of each fan-out."""
    found: dict[str, Counter[str]] = {}
    for name, record in records.items():
        step, bracket, _ = name.partition("[")
        if bracket:
            found.setdefault(step, Counter())[record.status] += 1
        elif isinstance(record.input, dict) and record.input.keys() == {"items"} and isinstance(record.input["items"], int):
            found.setdefault(name, Counter())
    return found


def _of_machine(
    spec: WorkflowSpec,
    items: Mapping[str, Item],
    records: Mapping[str, StepRecord],
    history: Sequence[Mapping[str, Any]],
    now: float | None,
) -> Shown:
    visits = [visit["state"] for visit in history] or _visited(records)
    last = visits[-1] if visits else ""
    home = {name: item.id for item in items.values() for name in item.members}
    ended = bool(last) and spec.states[last].final
    single = {name: _of_state(name, spec, records, visits.count(name), name == last, now) for name in spec.states}
    ways: dict[tuple[str, str], list[int]] = {}
    if history:
        for number, (one, other) in enumerate(pairwise(visits), 1):
            ways.setdefault((home[one], home[other]), []).append(number)
    taken = {way: _numbers(numbers) for way, numbers in ways.items()}
    found = {}
    for name, item in items.items():
        state = single[name] if name in single else _of_many(item, single)
        found[name] = State(state.status, state.line, state.hint, taken.get((name, name), ""), last in item.members)
    return Shown(found, taken, "" if ended else last)


def _of_state(name: str, spec: WorkflowSpec, records: Mapping[str, StepRecord], visits: int, current: bool, now: float | None) -> State:
    if not visits:
        return State()
    record = records.get(f"{name}@{visits}")
    again = f"{visits}×" if visits > 1 else ""
    if record is None:
        status = passed(spec.states[name], current=current)
        line = " · ".join(part for part in ("" if status == "completed" else status, again) if part) or "passed"
        return State(status, line, f"{status}; entered {visits} times")
    status, milliseconds = status_of(record), elapsed(record, now)
    outcome = record.outcome if record.outcome not in ("", "completed", "error") else _word(record, status)
    said = "" if outcome in ("completed", "replayed") and milliseconds else outcome
    line = " · ".join(part for part in (f"{said} {again}".strip(), duration(milliseconds) if milliseconds else "") if part)
    error = f": {record.error['message']}" if record.error and record.error.get("message") else ""
    return State(status, line, f"{status}{error}; entered {visits} times")


def passed(state: specs.State, *, current: bool) -> str:
    """The status of a state that was entered and that does nothing itself."""
    if not state.final:
        return "waiting" if current else "completed"
    return state.status


def _visited(records: Mapping[str, StepRecord]) -> list[str]:
    """The states whose steps have begun, in order, where nothing else is known."""
    return [name.partition("@")[0] for name in records if "@" in name and "." not in name.partition("@")[2]]


def _numbers(numbers: Sequence[int]) -> str:
    shown = [*map(str, numbers)] if len(numbers) <= _NUMBERS else [*map(str, numbers[: _NUMBERS - 1]), "…", str(numbers[-1])]
    return ", ".join(shown)
