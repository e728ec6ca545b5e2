"""Performs one step: its input, what is known of it already, its attempts, its waits, and what it came to."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import Callable, Coroutine, Generator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from pydantic_core import PydanticSerializationError, to_jsonable_python

from agentnb.agents.identity import new_run_id
from agentnb.errors import ExecutionCancelled, ExecutionTimeout, PolicyDenied, described, kind_of
from agentnb.policy import Check
from agentnb.ports.store import Cached, now
from agentnb.secrets import plain_json
from agentnb.workflows.asking import Asker
from agentnb.workflows.expressions import ExpressionError, Scope, Template
from agentnb.workflows.job import Instance, Job
from agentnb.workflows.kinds.call import Call, Question, Result, StepFailed
from agentnb.workflows.spec import Action, Cache, Webhook
from agentnb.workflows.trace import ENDED, StepRecord

_EMPTY = "[null,{}]"
_EMPTY_HASH = hashlib.sha256(_EMPTY.encode()).hexdigest()
_PLAIN = (str, int, bool, type(None))
_CHECKED = frozenset({"tool", "shell", "webhook"})
_CONTINUES = frozenset({"agent", "workflow", "human"})
"""Kinds that go on where they were: what they have begun is a run or a question of its own."""
_CHILDREN = {"agent": "exec", "workflow": "workflow"}
"""Kinds that start runs, and how the IDs of these begin."""


class StepRunner:
    """Performs the steps of one run.

    Args:
        job: The run.
        on_wait: Is called when a step begins to wait for somebody.

    Attributes:
        records: Every step so far.
        values: What expressions see as ``steps``.
        waiting: Steps that wait for somebody, and until when (seconds since the epoch; infinity for no end).
    """

    def __init__(self, job: Job, on_wait: Callable[[Instance], None]) -> None:
        self.job = job
        self.records: dict[str, StepRecord] = {}
        self.values: dict[str, Any] = {}
        self._asker = Asker(job, on_wait)
        self.waiting = self._asker.waiting
        self._base: dict[str, Any] = {
            "inputs": job.inputs,
            "env": job.env,
            "run": {"id": job.identity.run_id, "name": job.spec.name, "user": job.identity.user},
        }
        self._scope = Scope(self.values, self._base)

    def scope(self, values: Mapping[str, Any]) -> Scope:
        """What expressions see."""
        return Scope(self.values, {**self._base, **values}) if values else self._scope

    def outputs(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The workflow's outputs, as its steps are now."""
        scope = self.scope(values)
        return {name: Template(value).resolve(scope) for name, value in self.job.spec.outputs.items()}

    def prepare(self, instance: Instance) -> bool:
        """Resolve its input; True where it has ended with that: it failed, or its result is known."""
        record, compiled = instance.record, instance.compiled
        try:
            scope = self.scope(instance.values)
            record.input = compiled.input.resolve(scope)
            if compiled.parts:
                instance.parts = {name: part.resolve(scope) for name, part in compiled.parts.items()}
            self._identify(instance)
            if instance.action.cache:
                instance.cache_key = self._cache_key(instance)
            instance.idempotent = self._idempotent(instance.action)
            if self._continue(instance):
                return False
            found = self.job.past.repeated(instance.key, record)
            if found is not None:
                self._take(record, found.output, found.outcome, self.job.past.source)
                return True
        except ExpressionError as error:
            self.fail(record, "error", error)
            return True
        return self.cached(instance)

    def cached(self, instance: Instance) -> bool:
        """Whether its result is in the cache; it has ended with that."""
        found = self.job.cached(instance.cache_key) if instance.cache_key else None
        if found is not None:
            self._take(instance.record, found.value, "completed", "cache")
        return found is not None

    def start(self, instance: Instance) -> None:
        """Write down that it begins; it may be performed once that is committed."""
        record = instance.record
        record.status, record.attempts = "running", record.attempts or 1
        record.started_at = record.started_at or now()
        record.child = record.child or _child(instance.action)
        if not instance.idempotent and not instance.continued:
            self.job.ledger.add(self.job.identity.step_event(record), sync=_outward(instance.action))

    async def perform(self, instance: Instance) -> None:
        """Perform it; its record then says what it came to.

        Raises:
            asyncio.CancelledError: It was cancelled.
            ExecutionCancelled: Somebody pressed stop while it ran.
        """
        record = instance.record
        started = datetime.fromisoformat(record.started_at).timestamp() if instance.continued else time.time()
        whole = instance.action.step_timeout
        try:
            if whole is None:
                await self._attempts(instance)
            else:
                async with asyncio.timeout(whole) as instance.whole:
                    await self._attempts(instance)
        except TimeoutError:
            self.fail(record, "timed_out", ExecutionTimeout(f"the step {record.id!r}", whole or 0))
        except KeyboardInterrupt:
            raise ExecutionCancelled(f"the step {record.id!r} was interrupted") from None
        finally:
            record.duration_ms = max(time.time() - started, 0.0) * 1000

    def fail(self, record: StepRecord, reason: str, error: BaseException) -> None:
        """Note what a step failed of."""
        record.status, record.reason = "failed", reason
        record.outcome = "timed_out" if reason == "timed_out" else "error"
        record.error = described(error)
        record.usage = getattr(error, "usage", {})

    def settle(self, instance: Instance, next_steps: tuple[str, ...] = ()) -> None:
        """Add the event of a step that has ended, and what else has to be written with it."""
        record = instance.record
        self.job.ledger.add(self.job.identity.step_event(record, next_steps))
        if instance.cache_key and record.status == "completed" and not record.source:
            self.job.ledger.add(self._to_cache(instance))

    async def _attempts(self, instance: Instance) -> None:
        record, action = instance.record, instance.action
        if instance.continued and not await self._may_go_on(instance):
            return
        kind = self.job.kinds[record.kind]
        error: Exception
        while True:
            try:
                call = self._call(instance)
                limit = action.attempt_timeout
                result = await (kind.run(call) if limit is None else self._within(limit, instance, kind.run(call)))
                self._complete(record, result)
                return
            except TimeoutError as own:
                if instance.whole is not None and instance.whole.expired():
                    raise
                reason, error = "timed_out", own
            except PolicyDenied as denied:
                self.fail(record, "policy", denied)
                return
            except Exception as failure:
                reason, error = _reason(failure), failure
                if reason == "policy":
                    self.fail(record, reason, error)
                    return
            wait = _wait_before_retry(action, record.attempts, error)
            if wait is None:
                self.fail(record, reason, error)
                return
            await self._back_off(instance, wait, error)

    async def _within(self, limit: float, instance: Instance, work: Coroutine[Any, Any, Result]) -> Result:
        try:
            async with asyncio.timeout(limit) as instance.limit:
                return await work
        except TimeoutError as error:
            if instance.limit is not None and instance.limit.expired():
                raise ExecutionTimeout(f"the step {instance.record.id!r}", limit) from error
            raise
        finally:
            instance.limit = None

    def _call(self, instance: Instance) -> Call:
        job, record = self.job, instance.record
        return Call(
            job.identity.run_id,
            job.identity.name,
            job.identity.user,
            record.id,
            instance.key,
            record.attempts,
            instance.action,
            record.input,
            instance.text,
            instance.parts,
            job.folder,
            job.functions,
            job.policy,
            job.host,
            record.child,
            bool(instance.continued),
            job.ledger.add,
            partial(self._asker.ask, instance),
            record.question if instance.continued == "waiting" else None,
        )

    def _complete(self, record: StepRecord, result: Result) -> None:
        output = plain(result.output, record.id)
        if record.kind in _CHECKED and output is not None:
            text = output if isinstance(output, str) else str(output) if type(output) in _PLAIN else plain_json(output)
            self.job.policy.enforce(Check("tool_result", text, self.job.spec.name, record.id))
        record.status, record.outcome, record.output = "completed", result.outcome, output
        record.usage, record.error, record.reason = result.usage, None, ""

    async def _may_go_on(self, instance: Instance) -> bool:
        """Whether a step that an earlier process has begun may be begun again; its record says the end where it may not."""
        record = instance.record
        if record.retry_at:
            await asyncio.sleep(max(record.retry_at - time.time(), 0))
            record.retry_at = 0.0
            self.start_again(instance)
            return True
        if instance.continued == "waiting" and (record.question or {}).get("kind") != "interrupted":
            return True
        if instance.idempotent or record.kind in _CONTINUES:
            return True
        prompt = f"The process died while {record.id!r} was running: it may have done its work already, or not."
        reply = await self._asker.ask(instance, Question("interrupted", prompt, shown=record.input))
        if reply.verdict == "retry":
            self.start_again(instance)
            return True
        if reply.verdict == "skip":
            record.status, record.reason = "skipped", "decision"
        else:
            self.fail(
                record, "error", StepFailed(f"its process died while it was running, and {reply.by or 'somebody'} said that it failed")
            )
        return False

    def start_again(self, instance: Instance) -> None:
        """Write down that another attempt begins."""
        instance.continued = ""
        instance.record.status = "running"
        instance.record.attempts += 1
        if instance.record.child:
            instance.record.child = _child(instance.action)
        self.job.ledger.add(self.job.identity.step_event(instance.record), sync=_outward(instance.action))
        self.job.ledger.commit()

    async def _back_off(self, instance: Instance, wait: float, error: BaseException) -> None:
        record = instance.record
        record.status, record.retry_at = "queued", time.time() + wait
        record.error = described(error)
        self.job.ledger.add(self.job.identity.step_event(record))
        self.job.ledger.commit()
        await asyncio.sleep(wait)
        record.retry_at = 0.0
        self.start_again(instance)

    def _continue(self, instance: Instance) -> bool:
        """Take over what an earlier process has begun."""
        old = self.job.past.own.get(instance.record.id)
        if old is None or old.status in ENDED:
            return False
        record = instance.record
        record.status, record.attempts, record.child, record.started_at = old.status, old.attempts, old.child, old.started_at
        record.question, record.retry_at = old.question, old.retry_at
        instance.continued = old.status
        return True

    def _identify(self, instance: Instance) -> None:
        record = instance.record
        record.fingerprint = self.job.fingerprints.get(instance.key, "")
        if record.input is None and not instance.parts:
            instance.text, record.input_hash = "null", _EMPTY_HASH
            return
        instance.text = plain_json(record.input)
        whole = f"[{instance.text},{plain_json(instance.parts) if instance.parts else '{}'}]"
        record.input_hash = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()

    def _idempotent(self, action: Action) -> bool:
        if action.idempotent is not None:
            return action.idempotent
        if action.kind == "webhook" and isinstance(action.webhook, Webhook):
            return action.webhook.method in ("GET", "HEAD") and action.webhook.event is None
        return action.kind == "tool" and self.job.functions[action.tool or ""].idempotent

    def _to_cache(self, instance: Instance) -> Cached:
        cache = instance.action.cache
        ttl = cache.ttl if isinstance(cache, Cache) else None
        record = instance.record
        return Cached(instance.cache_key, record.output, self.job.identity.run_id, time.time() + ttl if ttl else 0.0)

    def _cache_key(self, instance: Instance) -> str:
        own = instance.compiled.cache_key
        key = plain_json(own.resolve(self.scope(instance.values))) if own is not None else instance.record.input_hash
        return hashlib.sha256(f"{instance.record.fingerprint}:{key}".encode("utf-8", "surrogatepass")).hexdigest()

    def _take(self, record: StepRecord, output: Any, outcome: str, source: str) -> None:
        record.status, record.output, record.outcome, record.source = "completed", output, outcome or "completed", source


def plain(value: Any, step: str) -> Any:
    """The value as JSON gives it back.

    Raises:
        StepFailed: JSON can't hold it.
    """
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Generator):
        raise StepFailed(f"the step {step!r} returned a generator: return the values themselves, as a list", retryable=False)
    try:
        return to_jsonable_python(value, inf_nan_mode="null", serialize_unknown=False)
    except (PydanticSerializationError, ValueError, TypeError, RecursionError) as error:
        raise StepFailed(
            f"the step {step!r} returned {kind_of(value)}, which can't be kept ({error}): "
            "return text, numbers, lists, mappings, dataclasses or pydantic models, or write a file and return its path",
            retryable=False,
        ) from None


def _child(action: Action) -> str:
    """An ID for the run that the step will start, where it starts one."""
    prefix = _CHILDREN.get(action.kind)
    return new_run_id(prefix) if prefix else ""


def _reason(error: Exception) -> str:
    """Why a step failed: what a run that it started failed of counts as its own."""
    found = getattr(error, "reason", "error")
    return found if found in ("timed_out", "policy") else "error"


def _wait_before_retry(action: Action, attempts: int, error: BaseException) -> float | None:
    """Seconds until the next attempt, or None where there is none."""
    if action.retry is None or attempts >= action.retry.max_attempts or not getattr(error, "retryable", True):
        return None
    wait = action.retry.wait(attempts, random.random())
    return max(wait, getattr(error, "retry_after", None) or 0.0)


def _outward(action: Action) -> bool:
    """Whether its beginning has to survive a power loss: what it does can't be taken back."""
    return action.kind in ("webhook", "shell") or (action.kind == "tool" and action.idempotent is None)
