"""Executes a state machine: enter a state, do its work, wait for what may come, leave it by the first transition that fits."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from agentnb.errors import ExecutionError
from agentnb.ports.store import RunChange
from agentnb.workflows.dag import PATIENCE_SECONDS, StepError, Suspended
from agentnb.workflows.expressions import Condition
from agentnb.workflows.job import Instance, Job
from agentnb.workflows.runner import StepRunner
from agentnb.workflows.spec import OUTCOMES, Action, State, Transition
from agentnb.workflows.trace import ENDED, StepRecord, place_of

_BAD = ("error", "timed_out")


class NoTransition(ExecutionError):
    """A state came to something that none of its transitions fits."""

    def __init__(self, state: str, outcome: str) -> None:
        super().__init__(f"the state {state!r} ended with the outcome {outcome!r}, and no transition fits: add one with on: {outcome}")


class FailedState(ExecutionError):
    """The machine came to a final state that says that it failed."""

    def __init__(self, state: str) -> None:
        super().__init__(f"the workflow ended in the state {state!r}, whose status is failed")


class TooManyTransitions(ExecutionError):
    """The machine goes round and round."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"no final state after {limit} transitions: look for a loop without a limit, or raise max_transitions")


class MachineExecutor:
    """One run of a state machine.

    Args:
        job: What is to be executed.
        conditions: The compiled ``when`` of each state's transitions.
        attended: Whether somebody may answer in this process, so that it waits as long as it takes.
    """

    def __init__(self, job: Job, conditions: Mapping[str, tuple[Condition | None, ...]], *, attended: bool) -> None:
        self.runner = StepRunner(job, self._poked)
        self.state = ""
        self.visits: list[Mapping[str, Any]] = list(job.past.visits)
        self._job = job
        self._conditions = conditions
        self._attended = attended
        self._visits: Counter[str] = Counter()
        self._heard: Counter[str] = Counter()
        self._entered_at = 0.0
        self._event: Mapping[str, Any] = {}
        self._poke = asyncio.Event()
        self._suspending = False

    async def run(self) -> dict[str, Any]:
        """The workflow's outputs.

        Raises:
            FailedState: It ended in a state that says so.
            StepError: A step failed, and no transition is for that.
            NoTransition: A step came to something that no transition is for.
            TooManyTransitions: It goes round and round.
            Suspended: It waits for somebody, and nobody is here.
            asyncio.CancelledError: It was cancelled.
        """
        spec = self._job.spec
        await asyncio.sleep(0)  # what the run was told already comes in
        if not self._restore():
            self._enter(spec.initial or "", "", {})
        while True:
            state = spec.states[self.state]
            failed = await self._actions("entry", state.entry)
            if state.final:
                break
            move, event = await self._move(state, failed)
            failed = await self._actions("exit", state.exit)
            if failed is not None:
                raise StepError(failed)
            self._enter(move.to, self.state, event)
        if failed is not None:
            raise StepError(failed)
        if state.status == "failed":
            raise FailedState(self.state)
        return self.runner.outputs(self._values)

    @property
    def _values(self) -> dict[str, Any]:
        return {"attempts": self._visits[self.state], "event": self._event}

    def _restore(self) -> bool:
        """Go back to the state in which an earlier process was."""
        visits = self._job.past.visits
        for visit in visits:
            self._visits[visit["state"]] += 1
        for name, record in self._job.past.own.items():
            if record.status in ENDED:
                self.runner.records[name] = record
                if record.status != "cancelled":
                    self.runner.values[place_of(name)] = record.value
        if not visits:
            return False
        last = visits[-1]
        self._heard.update(self._job.past.heard)
        for name, count in self._heard.items():
            queue = self._job.inbox.answers(f"event:{name}")
            for _ in range(min(count, queue.qsize())):
                queue.get_nowait()
        self.state, self._entered_at, self._event = last["state"], last["entered_at"], last["event"]
        return True

    def _enter(self, state: str, source: str, event: Mapping[str, Any]) -> None:
        if sum(self._visits.values()) > self._job.spec.max_transitions:
            raise TooManyTransitions(self._job.spec.max_transitions)
        self.state, self._event, self._entered_at = state, event, time.time()
        self._visits[state] += 1
        entered = self._job.identity.event(
            "workflow.state_entered",
            "running",
            state=state,
            previous=source,
            visit=self._visits[state],
            event=event,
            entered_at=self._entered_at,
            **({"heard": dict(self._heard)} if self._heard else {}),
        )
        self.visits.append(entered.data)
        timers = [self._entered_at + item.after for item in self._job.spec.states[state].transitions if item.after]
        self._job.ledger.add(entered, RunChange(self._job.identity.run_id, {"wake_at": min(timers, default=0.0)}))
        self._job.ledger.commit()

    async def _actions(self, where: str, actions: tuple[Action, ...]) -> StepRecord | None:
        """Perform the actions one after the other; the one that failed, where one did."""
        for place, action in enumerate(actions):
            suffix = f".{where}.{place}"
            instance = self._instance(suffix, action)
            if instance is not None:
                await self._act(instance)
            record = self.runner.records[self._identifier(suffix)]
            if record.status == "failed":
                return record
        return None

    async def _act(self, instance: Instance) -> None:
        if self.runner.prepare(instance):
            self._settle(instance)
            return
        self._begin(instance)
        task = asyncio.ensure_future(self._work(instance))
        try:
            await self._until(task)
            task.result()
        except BaseException:
            await self._abandon(task, instance.record)
            raise

    async def _work(self, instance: Instance) -> None:
        await self.runner.perform(instance)
        self._settle(instance)

    def _identifier(self, suffix: str) -> str:
        return f"{self.state}@{self._visits[self.state]}{suffix}"

    def _instance(self, suffix: str, action: Action) -> Instance | None:
        """The action at this visit; None where an earlier process has finished it."""
        identifier = self._identifier(suffix)
        if identifier in self.runner.records:
            return None
        key = f"{self.state}{suffix}"
        record = StepRecord(identifier, action.kind, key)
        self.runner.records[identifier] = record
        return Instance(key, record, action, self._job.compiled[key], self._values)

    def _begin(self, instance: Instance) -> None:
        self.runner.start(instance)
        if instance.idempotent and not instance.continued:
            self._job.ledger.add(self._job.identity.step_event(instance.record))
        self._job.ledger.commit()

    def _settle(self, instance: Instance) -> None:
        self.runner.settle(instance)
        self._job.ledger.commit()
        self.runner.values[instance.key] = instance.record.value

    async def _move(self, state: State, failed: StepRecord | None) -> tuple[Transition, Mapping[str, Any]]:
        """Do the state's work, and say by which transition it is left, and by which event."""
        record, task = failed, None
        if failed is None and state.step is not None:
            instance = self._instance("", state.step)
            if instance is None:
                record = self.runner.records[self._identifier("")]
            elif self.runner.prepare(instance):
                self._settle(instance)
                record = instance.record
            else:
                self._begin(instance)
                record, task = instance.record, asyncio.ensure_future(self._work(instance))
        found = self._fitting(state, record) if task is None else None
        if found is not None:
            return found, {}
        if task is None and not any(item.after or _is_event(item) for item in state.transitions):
            raise self._stuck(record)
        return await self._wait(state, record, task)

    async def _wait(self, state: State, record: StepRecord | None, task: asyncio.Task[None] | None) -> tuple[Transition, Mapping[str, Any]]:
        """Wait for the work's end, an event or a timer, whichever allows to leave first."""
        timers = {place: self._entered_at + item.after for place, item in enumerate(state.transitions) if item.after}
        names = {item.on: self._job.inbox.answers(f"event:{item.on}") for item in state.transitions if item.on and _is_event(item)}
        gets: dict[asyncio.Task[Any], str] = {}
        try:
            while True:
                taken = self._taken(state, names, gets)
                if taken is not None:
                    return taken
                for place in [place for place, due in timers.items() if due <= time.time()]:
                    del timers[place]
                    if self._holds(place, self._values):
                        return state.transitions[place], {}
                if task is not None and task.done():
                    task.result()
                    task, found = None, self._fitting(state, record)
                    if found is not None:
                        return found, {}
                if task is None and not names and not timers:
                    raise self._stuck(record)
                for name in names.keys() - set(gets.values()):
                    gets[asyncio.ensure_future(names[name].get())] = name
                await self._until(task, *gets, due=min(timers.values(), default=0.0))
        finally:
            self._put_back(gets, names)
            if task is not None and record is not None:
                await self._abandon(task, record)

    def _taken(
        self, state: State, names: Mapping[str, asyncio.Queue[Any]], gets: dict[asyncio.Task[Any], str]
    ) -> tuple[Transition, Mapping[str, Any]] | None:
        """The transition for an event that has come; events that no transition wants are dropped."""
        for get in [get for get in gets if get.done()]:
            event = {"name": gets.pop(get), "data": get.result()}
            taken = self._taking(state, event)
            if taken is not None:
                return taken, event
        for name, queue in names.items():
            while not queue.empty():
                event = {"name": name, "data": queue.get_nowait()}
                taken = self._taking(state, event)
                if taken is not None:
                    return taken, event
        return None

    async def _abandon(self, task: asyncio.Task[None], record: StepRecord) -> None:
        """Leave a state whose work goes on: it is cancelled, but for a question that may still be answered when the run goes on."""
        asked = record.status == "waiting" and self._suspending
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if not asked and record.status not in ENDED:
            record.status = "cancelled"
            if self._job.ledger.failure is None:
                self._job.ledger.add(self._job.identity.step_event(record))
                self._job.ledger.commit()

    async def _until(self, work: asyncio.Task[Any] | None, *gets: asyncio.Task[Any], due: float = 0.0) -> None:
        """Wait until the work or a get is done, or the moment has come.

        Raises:
            Suspended: That may take long, and nobody is here.
        """
        tasks = [*gets, *([work] if work else [])]
        while not any(task.done() for task in tasks) and not (due and due <= time.time()):
            self._poke.clear()
            moments = [moment for moment in (due, *self.runner.waiting.values()) if moment and moment != float("inf")]
            nearest = min(moments, default=0.0)
            idle = work is None or bool(self.runner.waiting)
            if idle and not self._attended and not (nearest and nearest <= time.time() + PATIENCE_SECONDS):
                self._suspending = True
                raise Suspended(nearest)
            poke = asyncio.ensure_future(self._poke.wait())
            try:
                await asyncio.wait([*tasks, poke], timeout=max(due - time.time(), 0) if due else None, return_when=asyncio.FIRST_COMPLETED)
            finally:
                poke.cancel()

    def _poked(self, _instance: Instance) -> None:
        self._poke.set()

    def _put_back(self, gets: dict[asyncio.Task[Any], str], names: Mapping[str, asyncio.Queue[Any]]) -> None:
        """Stop listening; what came meanwhile stays for a later state."""
        for get, name in gets.items():
            if get.done() and not get.cancelled():
                names[name].put_nowait(get.result())
            get.cancel()
        gets.clear()

    def _fitting(self, state: State, record: StepRecord | None) -> Transition | None:
        """The first transition for what the state's work came to; what was cancelled has come to nothing."""
        if record is not None and record.status == "cancelled":
            return None
        outcome = _outcome(record)
        for wanted in (outcome, "error") if outcome == "timed_out" else (outcome,):
            for place, item in enumerate(state.transitions):
                fits = item.on == wanted or (item.on is None and wanted not in _BAD)
                if item.after is None and fits and self._holds(place, self._values):
                    return item
        return None

    def _taking(self, state: State, event: Mapping[str, Any]) -> Transition | None:
        """The first transition for an event; that there was none is written down, so that it doesn't come again to whoever goes on."""
        self._heard[event["name"]] += 1
        values = {**self._values, "event": event}
        for place, item in enumerate(state.transitions):
            if item.on == event["name"] and item.after is None and self._holds(place, values):
                return item
        ignored = self._job.identity.event("workflow.event_ignored", "running", state=self.state, event=event, heard=dict(self._heard))
        self._job.ledger.add(ignored)
        self._job.ledger.commit()
        return None

    def _holds(self, place: int, values: Mapping[str, Any]) -> bool:
        condition = self._conditions[self.state][place]
        return condition is None or condition.test(self.runner.scope(values))

    def _stuck(self, record: StepRecord | None) -> ExecutionError:
        if record is not None and record.status == "failed":
            return StepError(record)
        return NoTransition(self.state, _outcome(record))


def _outcome(record: StepRecord | None) -> str:
    if record is None:
        return "completed"
    return record.outcome or ("error" if record.status == "failed" else record.status)


def _is_event(item: Transition) -> bool:
    return item.on is not None and item.on not in OUTCOMES
