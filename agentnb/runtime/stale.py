"""Which steps of a workflow an earlier run has no result for any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentnb.runtime.workflow_definitions import Ready
from agentnb.workflows.trace import StepRecord, place_of, steps_of

if TYPE_CHECKING:
    from agentnb.runtime.runtime import Runtime


def stale_steps(runtime: Runtime, run_id: str, ready: Ready) -> list[str]:
    """The steps that a ``rerun`` would run: edited, not finished then, or behind one of these.

    Of a state machine, those that were edited since they last ran; what it does after them can't be known.
    """
    records = steps_of(runtime.store.events(runtime.store.run(run_id).id))
    latest = {place_of(name): record for name, record in records.items()}
    machine = ready.spec.kind != "dag"
    changed = [name for name in ready.spec.actions() if _is_stale(latest.get(name), ready.fingerprints[name], machine=machine)]
    behind = set(changed) if machine else ready.graph.downstream(changed)
    return [name for name in ready.spec.actions() if name in behind]


def _is_stale(record: StepRecord | None, fingerprint: str, *, machine: bool) -> bool:
    if record is None:
        return not machine
    return record.status not in ("completed", "skipped") or bool(record.usage.get("failed")) or _edited(record, fingerprint)


def _edited(record: StepRecord, fingerprint: str) -> bool:
    return record.status == "completed" and record.fingerprint != fingerprint
