"""What runs of workflows wait for, and what they are told: answers to what steps ask, and events."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from agentnb.agents import schemas
from agentnb.errors import ConfigurationError, IllegalTransition, LeaseLost, NotWaiting
from agentnb.names import nearest
from agentnb.ports.store import FINAL, Fence, Run, RunChange, Signal
from agentnb.workflows.asking import child_ticket
from agentnb.workflows.trace import ENDED, StepRecord, steps_of

if TYPE_CHECKING:
    from agentnb.runtime.runtime import Runtime

_GRACE_SECONDS = 5.0


def pending(runtime: Runtime, run_id: str) -> list[tuple[str, StepRecord]]:
    """What a run waits for, its sub-workflows included: each with the ID of the run that asks."""
    run = runtime.store.run(run_id)
    if run.status in FINAL:
        return []
    found: list[tuple[str, StepRecord]] = []
    for record in steps_of(runtime.store.events(run.id)).values():
        if record.status == "waiting" and record.question is not None and record.question["kind"] != "child":
            found.append((run.id, record))
        if record.kind == "workflow" and record.status in ("waiting", "running") and record.child:
            found += pending(runtime, record.child)
    return found


def asked(runtime: Runtime, run_id: str, name: str) -> list[tuple[str, StepRecord]]:
    """What waits under the ID of a step; the name of a state means the visit of it that waits."""
    waiting = pending(runtime, run_id)
    return [one for one in waiting if one[1].id == name] or [one for one in waiting if one[1].id.partition("@")[0] == name]


def answer(runtime: Runtime, run_id: str, step_id: str, verdict: str, *, data: Any = None, by: str = "", note: str = "") -> bool:
    """Answer what a step waits for; True where nobody executes the run, so that it takes a ``resume`` to go on.

    Args:
        runtime: Where the run is kept.
        run_id: Its ID.
        step_id: Of the step that waits; the name of a state means the visit of it that waits.
        verdict: ``approve``, ``reject`` (or ``deny``), ``retry``, ``skip`` or ``fail``; empty for the only one that there is.
        data: What the form asks for.
        by: Who answers; the user of the settings by default.
        note: What the workflow is told beside it.

    Raises:
        NotWaiting: It waits for nothing of the kind.
        ConfigurationError: The answer doesn't fit the form, or it isn't clear which question is meant.
    """
    run = runtime.store.run(run_id)
    found = asked(runtime, run.id, step_id)
    if not found:
        raise _nothing_waits(runtime, run, step_id)
    owner, record = next((one for one in found if one[0] == run.id), found[0])
    if len(found) > 1 and owner != run.id:
        owners = ", ".join(owner for owner, _ in found)
        raise ConfigurationError(f"several sub-workflows of run {run.id} wait for {step_id!r}: name the one that is meant: {owners}")
    step_id = record.id
    verdict = _verdict(record, verdict)
    question = record.question or {}
    if data is None and verdict == "approve" and (question["form"] or {}).get("type") == "object":
        data = {}
    _check_answer(question, step_id, verdict, data)
    ticket = question["ticket"]
    if any(signal.name == f"answer:{step_id}" and signal.payload.get("ticket") == ticket for signal in runtime.store.signals(owner)):
        raise NotWaiting(f"{step_id!r} of run {owner} was answered already; `agentnb runs resume {run.id}` goes on with it")
    payload = {"ticket": ticket, "verdict": verdict, "data": data, "by": by or runtime.settings.user, "note": note}
    return _tell(runtime, owner, Signal(owner, f"answer:{step_id}", payload))


def send(runtime: Runtime, run_id: str, name: str, data: Any = None) -> bool:
    """Send an event to a state machine; True where nobody executes the run, so that it takes a ``resume`` to go on.

    Raises:
        IllegalTransition: The run has ended.
    """
    run = runtime.store.run(run_id)
    if run.status in FINAL:
        raise IllegalTransition(f"run {run.id} is {run.status} already")
    return _tell(runtime, run.id, Signal(run.id, f"event:{name}", data))


def _tell(runtime: Runtime, run_id: str, signal: Signal) -> bool:
    """Write a signal to a run, and wake those that it is part of."""
    signals, run = [signal], runtime.store.run(run_id)
    while (above := runtime.above(run)) is not None:
        signals += [
            Signal(above.id, f"answer:{record.id}", {"ticket": child_ticket(run.id), "verdict": "approve"})
            for record in steps_of(runtime.store.events(above.id)).values()
            if record.child == run.id and record.status not in ENDED
        ]
        run = above
    runtime.store.write(*signals)
    for one in signals:
        runtime.watch.deliver(one.run_id)
    return _left_alone(runtime, runtime.store.run(run.id))


def _left_alone(runtime: Runtime, run: Run) -> bool:
    """Whether nobody executes a run that was told something; a sweep then takes it, should whoever told it not go on with it."""
    if runtime.is_alive(run):
        return False
    soon = time.time() + _GRACE_SECONDS
    if run.status == "waiting" and not 0 < run.wake_at < soon:
        with suppress(LeaseLost):
            runtime.store.write(RunChange(run.id, {"wake_at": soon}), fence=Fence(run.id, run.attempt))
    return True


def _nothing_waits(runtime: Runtime, run: Run, step_id: str) -> NotWaiting:
    if run.status in FINAL:
        return NotWaiting(f"run {run.id} is {run.status}: it waits for nothing any more")
    names = ", ".join(record.id for _, record in pending(runtime, run.id)) or "nothing"
    return NotWaiting(f"run {run.id} doesn't wait for {step_id!r}; it waits for: {names}")


def _verdict(record: StepRecord, said: str) -> str:
    verdicts: list[str] = (record.question or {})["verdicts"]
    if said:
        return "reject" if said == "deny" else said
    if len(verdicts) == 1:
        return verdicts[0]
    raise ConfigurationError(f"say what the answer to {record.id!r} is: {', '.join(verdicts)}")


def _check_answer(question: Mapping[str, Any], step_id: str, verdict: str, data: Any) -> None:
    if verdict not in question["verdicts"]:
        near = nearest(str(verdict), question["verdicts"])
        meant = f", did you mean {near}?" if near else ""
        raise ConfigurationError(f"the answer to {step_id!r} must be {', '.join(question['verdicts'])}, not {verdict!r}{meant}")
    if question["form"] is None or verdict != "approve":
        return
    found = schemas.misfits(question["form"], data)
    if found:
        raise ConfigurationError(f"the answer to {step_id!r} doesn't fit its form: {'; '.join(map(str, found))}")
