"""Executes a DAG: each step starts as soon as what it needs has ended and its share of the resources is free."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Mapping
from contextvars import copy_context
from datetime import datetime
from functools import partial
from typing import Any, cast

from agentnb.errors import AgentNBError, ExecutionError, kind_of
from agentnb.ports.store import now
from agentnb.workflows.expressions import ExpressionError
from agentnb.workflows.graph import Graph, handler_of
from agentnb.workflows.job import Instance, Job
from agentnb.workflows.runner import StepRunner
from agentnb.workflows.spec import Compensate, Goto, Step, WorkflowError
from agentnb.workflows.trace import ENDED, StepRecord

PATIENCE_SECONDS = 10.0
"""A run that nobody attends stays alive for a deadline that is nearer than this."""


class StepError(ExecutionError):
    """A step failed, and so did the workflow.

    Attributes:
        step: Its ID.
        reason: ``error``, ``timed_out`` or ``policy``.
    """

    def __init__(self, record: StepRecord) -> None:
        error = record.error or {"type": "", "message": record.reason}
        super().__init__(f"step {record.id!r} failed: {error['type']}: {error['message']}")
        self.step = record.id
        self.reason = cast("Any", record.reason)


class Suspended(AgentNBError):
    """The run waits for somebody, and nobody is here: it can be let go of, and goes on when it is told something.

    Attributes:
        wake_at: Seconds since the epoch at which it has something to do by itself, or 0.
    """

    def __init__(self, wake_at: float) -> None:
        super().__init__("the run waits")
        self.wake_at = wake_at


class _Fan:
    """A fan-out while it goes on."""

    __slots__ = ("failed", "held", "items", "left", "record", "results", "running", "step")

    def __init__(self, step: Step, record: StepRecord, items: list[Any]) -> None:
        self.step = step
        self.record = record
        self.items = items
        self.results: list[Any] = [None] * len(items)
        self.left = deque(range(len(items)))
        self.running = 0
        self.held = 0
        self.failed = 0

    def ended(self) -> None:
        """Note how long it took, by however many processes."""
        self.record.duration_ms = max(time.time() - datetime.fromisoformat(self.record.started_at).timestamp(), 0.0) * 1000


class DagExecutor:
    """One run of a DAG.

    Args:
        job: What is to be executed.
        graph: What its steps wait for.
        attended: Whether somebody may answer in this process, so that it waits as long as it takes.
    """

    def __init__(self, job: Job, graph: Graph, *, attended: bool) -> None:
        self.runner = StepRunner(job, self._waits)
        self.failure: StepRecord | None = None
        self.visits: list[Mapping[str, Any]] = []
        self._job = job
        self._graph = graph
        self._attended = attended
        self._waiting_for = {name: len(needs) for name, needs in graph.needs.items()}
        self._dead: set[str] = set()
        self._woken: set[str] = set()
        self._ready: deque[str] = deque()
        self._queues: dict[tuple[tuple[str, int], ...], deque[Instance | _Fan]] = {}
        self._free = dict(job.spec.resources.pools)
        self._slots = float(job.spec.resources.max_parallel or "inf")
        self._tasks: dict[Instance, tuple[asyncio.Task[None], _Fan | None]] = {}
        self._held = 0
        self._claimed: set[str] = set()
        self._known: list[str] = []
        self._released: set[str] = set()
        self._fans: list[_Fan] = []
        self._finished: list[Instance] = []
        self._broken: BaseException | None = None
        self._turning = False
        self._end: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._context = copy_context()

    async def run(self) -> dict[str, Any]:
        """The workflow's outputs.

        Raises:
            StepError: A step failed that may not.
            Suspended: What is left waits for somebody.
            asyncio.CancelledError: It was cancelled; every step has ended then.
        """
        self._end = self._loop.create_future()
        self._restore()
        self._soon()
        try:
            await self._end
        finally:
            try:
                await self._stop()
            finally:
                for key in list(self._claimed):
                    self._let_go(key)
        if self.failure is not None:
            raise StepError(self.failure)
        return self.runner.outputs({})

    def _restore(self) -> None:
        """Take over what earlier processes have finished."""
        steps, own = self._job.spec.steps, self._job.past.own
        self._ready.extend(name for name, count in self._waiting_for.items() if not count)
        known = {name: None for name in own if name in steps and own[name].status in ENDED and own[name].status != "cancelled"}
        for name in known:
            self.runner.records[name] = own[name]
            self.runner.values[name] = own[name].value
        for name in known:
            self._after(name, own[name])
            for other in self._graph.dependants[name]:
                self._waiting_for[other] -= 1
                if not self._waiting_for[other] and other not in known:
                    self._ready.append(other)
        self._ready = deque(name for name in self._ready if name not in known)

    def _soon(self) -> None:
        if not self._turning:
            self._turning = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """Settle what has ended, start what may start, and commit both before anything begins."""
        self._turning = False
        if self._end is None or self._end.done():
            return
        try:
            finished, self._finished = self._finished, []
            if self._broken is not None:
                raise self._broken
            for instance in finished:
                self._settle(instance)
            launches = [] if self.failure is not None else self._admit()
            self._job.ledger.commit()
            while self._known:
                self._let_go(self._known.pop())
            for instance, fan in launches:
                task = self._loop.create_task(self._perform(instance), name=instance.record.id, context=self._context.copy())
                self._tasks[instance] = (task, fan)
            self._check_end()
        except BaseException as error:
            if not self._end.done():
                self._end.set_exception(error)

    async def _perform(self, instance: Instance) -> None:
        try:
            await self.runner.perform(instance)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._broken = error
        finally:
            self._finished.append(instance)
            if len(self._finished) == len(self._tasks):
                self._turn()
            else:
                self._soon()

    def _settle(self, instance: Instance) -> None:
        _, fan = self._tasks.pop(instance)
        if instance.record.id in self._released:
            self._released.remove(instance.record.id)
        else:
            self._release(instance)
        if fan is None:
            self._settled(instance)
        else:
            fan.running -= 1
            self._item_settled(fan, instance)
        if instance.cache_key:
            self._known.append(instance.cache_key)

    def _is_held(self, instance: Instance, fan: _Fan | None = None) -> bool:
        """Whether it waits for another that is about to have the same result; otherwise others wait for it."""
        if not instance.cache_key:
            return False
        if self._job.claims.claim(instance.cache_key, partial(self._again, instance, fan)):
            self._claimed.add(instance.cache_key)
            return False
        self._held += 1
        if fan is not None:
            fan.held += 1
        return True

    def _let_go(self, key: str) -> None:
        self._claimed.remove(key)
        self._job.claims.release(key)

    def _again(self, instance: Instance, fan: _Fan | None) -> None:
        """What an instance waited for has ended: it finds the result in the cache by now, or tries itself."""
        if self._end is None or self._end.done():
            return
        self._held -= 1
        self._soon()
        if fan is None:
            self._ready.append(instance.key)
            return
        fan.held -= 1
        if fan.record.error is None:
            if not fan.left:
                self._enqueue(fan.step, fan)
            fan.left.append(instance.values["index"])
        else:
            del self.runner.records[instance.record.id]
            self._end_of_fan(fan)

    def _settled(self, instance: Instance) -> None:
        name = instance.key
        self.runner.settle(instance, self._graph.dependants[name])
        self._resolve(name, instance.record)

    def _resolve(self, name: str, record: StepRecord) -> None:
        """A step has ended: what waits for it may be ready."""
        self.runner.values[name] = record.value
        self._after(name, record)
        for other in self._graph.dependants[name]:
            self._waiting_for[other] -= 1
            if not self._waiting_for[other]:
                self._ready.append(other)

    def _after(self, name: str, record: StepRecord) -> None:
        """What a step's end means for the rest of the run."""
        if record.status == "skipped" and record.reason in ("handler", "unreached"):
            self._dead.add(name)
        if record.status != "failed":
            if name in self._woken and self.failure is None:
                self.failure = self._compensated(name)
            return
        on_error = self._job.spec.steps[name].on_error
        if isinstance(on_error, Goto | Compensate):
            self._dead.add(name)
            self._woken.add(handler_of(self._job.spec.steps[name]) or "")
        elif on_error == "fail" and self.failure is None:
            self.failure = record

    def _compensated(self, name: str) -> StepRecord | None:
        """The failed step that this handler has compensated: with that the workflow fails."""
        steps, records = self._job.spec.steps, self.runner.records
        failed = (other for other in self._graph.needs[name] if other in records and records[other].status == "failed")
        return next((records[other] for other in failed if isinstance(steps[other].on_error, Compensate)), None)

    def _admit(self) -> list[tuple[Instance, _Fan | None]]:
        """What may start now; what is known already makes others ready on the way."""
        launches: list[tuple[Instance, _Fan | None]] = []
        while self.failure is None:
            while self._ready and self.failure is None:
                self._queue(self._ready.popleft())
            for demand, queue in self._queues.items():
                self._admit_from(demand, queue, launches)
            if not self._ready:
                break
        return launches

    def _admit_from(
        self, demand: tuple[tuple[str, int], ...], queue: deque[Instance | _Fan], launches: list[tuple[Instance, _Fan | None]]
    ) -> None:
        blocked: list[_Fan] = []
        while queue and self.failure is None and self._slots >= 1 and self._fits(demand):
            head = queue.popleft()
            fan = None if isinstance(head, Instance) else head
            if fan is not None and fan.running >= (fan.step.max_concurrency or float("inf")):
                blocked.append(fan)
                continue
            instance = self._due(head) if isinstance(head, Instance) else self._next_item(head)
            if fan is not None and fan.left:
                queue.appendleft(fan)
            if instance is not None:
                self._take(demand)
                self.runner.start(instance)
                launches.append((instance, fan))
                if fan is not None:
                    fan.running += 1
        if blocked:
            queue.extendleft(reversed(blocked))

    def _due(self, instance: Instance) -> Instance | None:
        """The step, where it has to be run: only who has what it needs claims a result, or it could wait for who waits for it."""
        if self._is_held(instance):
            return None
        if instance.continued or not self.runner.cached(instance):
            return instance
        self._known.append(instance.cache_key)
        self._settled(instance)
        return None

    def _fits(self, demand: Iterable[tuple[str, int]]) -> bool:
        return not demand or all(self._free[pool] >= count for pool, count in demand)

    def _queue(self, name: str) -> None:
        """A step whose needs have all ended: it is skipped, known already, or waits for its turn."""
        step, compiled = self._job.spec.steps[name], self._job.compiled[name]
        record = StepRecord(name, step.kind, step.title or "")
        self.runner.records[name] = record
        needs = self._graph.needs[name]
        if step.handler and name not in self._woken:
            return self._skip(name, record, "handler")
        if not step.handler and needs and self._dead.issuperset(needs):
            return self._skip(name, record, "unreached")
        instance = Instance(name, record, step, compiled, {})
        try:
            if compiled.when is not None and not compiled.when.test(self.runner.scope({})):
                return self._skip(name, record, "when")
            if step.for_each is not None and compiled.for_each is not None:
                return self._expand(instance, step, compiled.for_each.resolve(self.runner.scope({})))
        except ExpressionError as error:
            self.runner.fail(record, "error", error)
            return self._settled(instance)
        if self.runner.prepare(instance):
            return self._settled(instance)
        self._enqueue(step, instance)
        return None

    def _enqueue(self, step: Step, entry: Instance | _Fan) -> None:
        demand = tuple(sorted(step.resources.items())) if step.resources else ()
        self._queues.setdefault(demand, deque()).append(entry)

    def _skip(self, name: str, record: StepRecord, reason: str) -> None:
        record.status, record.reason = "skipped", reason
        self._job.ledger.add(self._job.identity.step_event(record, self._graph.dependants[name]))
        self._resolve(name, record)

    def _expand(self, instance: Instance, step: Step, items: Any) -> None:
        record = instance.record
        if not isinstance(items, list):
            self.runner.fail(record, "error", WorkflowError(f"for_each of {record.id!r} gave {kind_of(items)}, not a list"))
            return self._settled(instance)
        record.status, record.input, record.fingerprint = "running", {"items": len(items)}, self._job.fingerprints.get(record.id, "")
        begun = self._job.past.own.get(record.id)
        record.started_at = (begun.started_at if begun is not None else "") or now()
        fan = _Fan(step, record, items)
        self._fans.append(fan)
        if not items:
            return self._fan_settled(fan)
        self._job.ledger.add(self._job.identity.step_event(record))
        self._enqueue(step, fan)
        return None

    def _next_item(self, fan: _Fan) -> Instance | None:
        """The next item that has to be run; those whose result is known are settled on the way."""
        while fan.left:
            index = fan.left.popleft()
            identifier = f"{fan.record.id}[{index}]"
            old = self._job.past.own.get(identifier)
            record = StepRecord(identifier, fan.record.kind, f"{fan.step.title or fan.record.id} {index + 1}")
            instance = Instance(
                fan.record.id, record, fan.step, self._job.compiled[fan.record.id], {"item": fan.items[index], "index": index}
            )
            self.runner.records[identifier] = record
            known = old is not None and old.status in ("completed", "failed", "skipped")
            if known and old is not None:
                self.runner.records[identifier] = instance.record = old
                self._count(fan, instance)
            elif self.runner.prepare(instance):
                self._item_settled(fan, instance)
            elif not self._is_held(instance, fan):
                return instance
            if self.failure is not None:
                return None
        self._end_of_fan(fan)
        return None

    def _item_settled(self, fan: _Fan, instance: Instance) -> None:
        self.runner.settle(instance)
        self._count(fan, instance)
        self._end_of_fan(fan)

    def _end_of_fan(self, fan: _Fan) -> None:
        if not (fan.left or fan.running or fan.held) and fan.record.status == "running":
            self._fan_settled(fan)

    def _count(self, fan: _Fan, instance: Instance) -> None:
        record = instance.record
        fan.results[instance.values["index"]] = record.output if record.status == "completed" else None
        if record.status != "failed":
            return
        fan.failed += 1
        if fan.step.on_error == "continue":
            return
        fan.left.clear()
        if fan.step.on_error == "fail" and self.failure is None:
            self.failure = record
        fan.record.error = record.error

    def _fan_settled(self, fan: _Fan) -> None:
        record = fan.record
        fan.ended()
        record.output = fan.results
        record.usage = {"items": len(fan.items), "failed": fan.failed}
        if fan.failed and fan.step.on_error != "continue":
            record.status, record.reason, record.outcome = "failed", "error", "error"
        else:
            record.status, record.outcome = "completed", "completed"
        self._job.ledger.add(self._job.identity.step_event(record, self._graph.dependants[record.id]))
        self._resolve(record.id, record)

    def _take(self, demand: Iterable[tuple[str, int]]) -> None:
        self._slots -= 1
        for pool, count in demand:
            self._free[pool] -= count

    def _release(self, instance: Instance) -> None:
        self._slots += 1
        step = self._job.spec.steps[instance.key]
        for pool, count in step.resources.items():
            self._free[pool] += count

    def _waits(self, instance: Instance) -> None:
        """A step waits for somebody: it needs no resources meanwhile."""
        if instance.record.id not in self._released:
            self._released.add(instance.record.id)
            self._release(instance)
        self._soon()

    def _check_end(self) -> None:
        if self._end is None or self._end.done() or self._finished or self._turning:
            return
        if self.failure is not None or not (self._tasks or self._held):
            self._end.set_result(None)
        elif self._tasks and not self._attended and len(self.runner.waiting) == len(self._tasks):
            nearest = min(self.runner.waiting.values())
            if nearest > time.time() + PATIENCE_SECONDS:
                self._end.set_exception(Suspended(nearest if nearest != float("inf") else 0.0))

    async def _stop(self) -> None:
        """Cancel what still runs, and write down that it was; what waits for somebody keeps waiting."""
        running = dict(self._tasks)
        self._tasks.clear()
        waiting = set(self.runner.waiting)
        tasks = [task for task, _ in running.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        suspended = (
            self._end is not None and self._end.done() and not self._end.cancelled() and isinstance(self._end.exception(), Suspended)
        )
        for instance in running:
            record = instance.record
            if not (suspended and record.id in waiting) and record.status not in ENDED:
                record.status = "cancelled"
            if record.status in ENDED:
                self._job.ledger.add(self._job.identity.step_event(record))
        if not suspended:
            self._stop_fans()
        if self._job.ledger.failure is None:
            self._job.ledger.commit()

    def _stop_fans(self) -> None:
        """Write down what became of fan-outs that didn't come to their end."""
        for fan in self._fans:
            record = fan.record
            if record.status == "running":
                fan.ended()
                record.status, record.reason = ("failed", "error") if record.error else ("cancelled", "")
                self._job.ledger.add(self._job.identity.step_event(record))
