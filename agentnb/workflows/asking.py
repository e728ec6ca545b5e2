"""Questions that steps ask: written down, shown, waited for as long as it takes, escalated, and answered once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from agentnb.ports.store import RunChange
from agentnb.workflows.job import Instance, Job
from agentnb.workflows.kinds.call import Question, Reply, StepFailed
from agentnb.workflows.trace import StepRecord


class Unanswered(StepFailed):
    """Nobody answered in time."""

    reason = "timed_out"


class Asker:
    """Asks for the steps of one run.

    Args:
        job: The run.
        on_wait: Is called when a step begins to wait for somebody.

    Attributes:
        waiting: Steps that wait for somebody, and until when (seconds since the epoch; infinity for no end).
    """

    def __init__(self, job: Job, on_wait: Callable[[Instance], None]) -> None:
        self.waiting: dict[str, float] = {}
        self._job = job
        self._on_wait = on_wait

    async def ask(self, instance: Instance, question: Question) -> Reply:
        """Write the question down, show it, and wait for the answer; time-outs of the step stand still meanwhile.

        Raises:
            StepFailed: Nobody answered in time, and the question says that this is a failure.
        """
        record = instance.record
        asked = _asked(record, question)
        record.status, record.question = "waiting", asked
        given = self._given(record)
        if given is not None:
            self._answered(record, given)
            return given
        left, whole_left = _pause(instance.limit), _pause(instance.whole)
        self._wait_until(record)
        self._on_wait(instance)
        try:
            if self._job.presenter is not None and question.kind != "callback":
                self._job.presenter.present_question(self._job.identity.run_id, record)
            reply = await self._answer(instance, question)
        finally:
            self.waiting.pop(record.id, None)
        _go_on(instance.limit, left)
        _go_on(instance.whole, whole_left)
        self._answered(record, reply)
        return reply

    def _wait_until(self, record: StepRecord) -> None:
        """Write down that it waits, and until when."""
        asked = record.question or {}
        self.waiting[record.id] = min(asked["due"] or float("inf"), asked.get("escalate_at") or float("inf"))
        nearest = min(self.waiting.values())
        self._job.ledger.add(
            self._job.identity.step_event(record),
            RunChange(self._job.identity.run_id, {"status": "waiting", "wake_at": nearest if nearest < float("inf") else 0.0}),
            sync=True,
        )
        self._job.ledger.commit()

    def _answered(self, record: StepRecord, reply: Reply) -> None:
        record.status = "running"
        answered = self._job.identity.event(
            "workflow.step_answered", "running", step_id=record.id, verdict=reply.verdict, answer=reply.data, by=reply.by, note=reply.note
        )
        self._job.ledger.add(
            answered._replace(step_id=record.id),
            self._job.identity.step_event(record),
            RunChange(self._job.identity.run_id, {"status": "waiting" if self.waiting else "running"}),
            sync=True,
        )
        self._job.ledger.commit()

    def _given(self, record: StepRecord) -> Reply | None:
        """An answer to just this question that has come already."""
        answers = self._job.inbox.answers(f"answer:{record.id}")
        found = None
        while not answers.empty():
            reply = _reply(record, answers.get_nowait())
            found = found or reply
        return found

    async def _answer(self, instance: Instance, question: Question) -> Reply:
        record = instance.record
        asked = record.question or {}
        answers = self._job.inbox.answers(f"answer:{record.id}")
        while True:
            moments = [moment for moment in (asked["due"], asked.get("escalate_at", 0)) if moment]
            wait = max(min(moments) - time.time(), 0) if moments else None
            with suppress(TimeoutError):
                reply = _reply(record, await asyncio.wait_for(answers.get(), wait))
                if reply is not None:
                    return reply
                continue
            if asked.get("escalate_at", 0) and asked["escalate_at"] <= time.time():
                asked = self._escalate(instance, question, asked)
            if asked["due"] and asked["due"] <= time.time():
                return _unanswered(question)

    def _escalate(self, instance: Instance, question: Question, asked: Mapping[str, Any]) -> dict[str, Any]:
        record, number = instance.record, asked["escalated"]
        target = question.escalate[number]
        later = question.escalate[number + 1].after if number + 1 < len(question.escalate) else 0
        changed = {
            **asked,
            "assignee": target.to,
            "escalated": number + 1,
            "escalate_at": asked["escalate_at"] + later if later else 0,
        }
        record.question = changed
        self._wait_until(record)
        self._on_wait(instance)
        if self._job.presenter is not None:
            self._job.presenter.present_question(self._job.identity.run_id, record)
        return changed


def child_ticket(run_id: str) -> str:
    """What names the question whether the run that a step started may go on; it is asked anew each time that run waits."""
    return f"child.{run_id}"


def _asked(record: StepRecord, question: Question) -> dict[str, Any]:
    """The question as it is kept; one that was asked by an earlier process keeps its deadline."""
    ticket = child_ticket(record.child) if question.kind == "child" else f"{question.kind}.{record.attempts}.{record.input_hash[:16]}"
    if record.question is not None and record.question["ticket"] == ticket and question.kind != "child":
        return dict(record.question)
    start = time.time()
    asked: dict[str, Any] = {
        "kind": question.kind,
        "prompt": question.prompt,
        "verdicts": list(question.verdicts),
        "form": question.form,
        "shown": question.shown,
        "assignee": question.assignee,
        "ticket": ticket,
        "asked_at": start,
        "due": start + question.timeout if question.timeout else 0,
    }
    if question.escalate:
        asked.update(escalated=0, escalate_at=start + question.escalate[0].after)
    return asked


def _reply(record: StepRecord, payload: Any) -> Reply | None:
    """The answer in a signal, where it is one to this question."""
    if not isinstance(payload, Mapping) or payload.get("ticket") != (record.question or {}).get("ticket"):
        return None
    return Reply(str(payload["verdict"]), payload.get("data"), str(payload.get("by", "")), str(payload.get("note", "")))


def _unanswered(question: Question) -> Reply:
    if question.on_timeout == "fail":
        raise Unanswered(f"nobody answered within {question.timeout:g} s: {question.prompt}", retryable=False)
    return Reply(question.on_timeout, by="timeout", note=f"nobody answered within {question.timeout:g} s")


def _pause(limit: asyncio.Timeout | None) -> float:
    deadline = limit.when() if limit is not None else None
    if limit is None or deadline is None:
        return 0.0
    limit.reschedule(None)
    return deadline - asyncio.get_running_loop().time()


def _go_on(limit: asyncio.Timeout | None, left: float) -> None:
    if limit is not None and left:
        limit.reschedule(asyncio.get_running_loop().time() + left)
