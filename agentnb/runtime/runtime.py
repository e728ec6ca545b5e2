"""What one process needs to run agents, and what every surface may ask and tell of runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from agentnb import plugins
from agentnb.agents.execution import Answer
from agentnb.agents.spec import AgentSpec
from agentnb.agents.trace import Trace, steps_of
from agentnb.config import Settings, load
from agentnb.errors import AgentNBError, ConfigurationError, IllegalTransition, LeaseLost, NotWaiting, RunNotFound
from agentnb.names import did_you_mean
from agentnb.policy.rules import default_engine, parse
from agentnb.ports.model import Model, ToolCall
from agentnb.ports.store import FINAL, AgentRecord, Event, Run, Signal, Status, Store
from agentnb.runtime import agent_runs
from agentnb.runtime.approvals import Presenter
from agentnb.runtime.continuation import Continuation
from agentnb.runtime.models import Models
from agentnb.runtime.owner import LEASE_SECONDS, is_dead, last_sign, this_process
from agentnb.runtime.registry import AgentRegistry
from agentnb.runtime.results import AgentResult
from agentnb.runtime.watch import Watch

if TYPE_CHECKING:
    from agentnb.workflows.job import Presenter as QuestionPresenter

_ANSWER = "answer:"


class Runtime:
    """Settings, store, models and policy of one process.

    Args:
        settings: Those that hold in the working folder, by default.
        store: The one that the settings name, by default.
        models: Models by their full name, used instead of the providers'; for tests.

    Attributes:
        presenter: Shows approvals to the person in front of this process; None where there is nobody.
        questions: Shows what steps of workflows ask; None where there is nobody.
        deps: What agents of this process were last given, by the hash of their definition: for those that are resumed here.
    """

    def __init__(self, settings: Settings | None = None, *, store: Store | None = None, models: Mapping[str, Model] | None = None) -> None:
        self.settings = settings or load()
        without_user = {"without_user": self.settings.without_user} if self.settings.without_user else {}
        self.policy_settings = parse({**self.settings.policy, **without_user})
        self.policy = default_engine(self.policy_settings)
        self.store: Store = store or plugins.load("agentnb.stores", "sqlite")(self.settings.store, synchronous=self.settings.synchronous)
        self.models = Models(self.settings, models)
        self.agents = AgentRegistry(self.store)
        self.watch = Watch(self.store)
        self.continuation = Continuation(self.store, self.settings)
        self.presenter: Presenter | None = None
        self.questions: QuestionPresenter | None = None
        self.deps: dict[str, Any] = {}
        self._executors: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"<runtime on {self.settings.store}>"

    def get(self, run_id: str) -> Run:
        """A run as it is now; one whose process died is ``failed`` with the reason ``lost``, and can be resumed."""
        return self._seen(self.store.run(run_id))

    def runs(self, *, status: str = "", **filters: Any) -> list[Run]:
        """Runs, newest first; ``filters`` are those of ``Store.runs``.

        Raises:
            ConfigurationError: There is no such status.
        """
        if status and status not in get_args(Status):
            raise ConfigurationError(f"there is no status {status!r}. {did_you_mean(status, get_args(Status))}")
        return [self._seen(run) for run in self.store.runs(status=status, **filters)]

    def events(self, run_id: str = "", after: int = 0, limit: int | None = None) -> list[Event]:
        """Events of a run, or of all, in the journal's order."""
        return self.store.events(run_id, after, limit)

    def result(self, run_id: str) -> AgentResult:
        """What a run gave, or has given so far."""
        run = self.get(run_id)
        steps = steps_of(self.store.events(run.id))
        output = run.output if isinstance(run.output, dict) else {}
        return AgentResult(
            output.get("output"),
            output.get("text", ""),
            run.status,
            run.name,
            run.agent_id,
            run.id,
            output.get("execution_time_ms", max((step.started_ms + step.duration_ms for step in steps), default=0.0)),
            run.usage,
            Trace(steps),
            run.reason,
            run.error,
            tuple(ToolCall(**call) for call in output.get("tool_calls", ())),
        )

    def pending(self, run_id: str) -> list[Event]:
        """The approvals that a run waits for: their ``agent.approval_requested`` events."""
        waiting: dict[str, Event] = {}
        for event in self.store.events(run_id):
            if event.type == "agent.approval_requested":
                waiting[event.step_id] = event
            elif event.type == "agent.approval_answered":
                waiting.pop(event.step_id, None)
        return [] if self.store.run(run_id).status in FINAL else list(waiting.values())

    def signal(self, run_id: str, name: str, payload: Any = None) -> Run:
        """Tell a run something, wherever it is executed.

        Raises:
            IllegalTransition: It has ended.
        """
        if name.startswith(_ANSWER):
            raise ConfigurationError("an approval is answered with Runtime.answer, which checks that it was asked")
        return self._tell(run_id, name, payload)

    def answer(self, run_id: str, step_id: str, answer: Answer) -> bool:
        """Answer an approval; True where the run's process is gone, so that it takes a ``resume`` to go on.

        Raises:
            NotWaiting: No such approval is waiting.
        """
        run = self.store.run(run_id)
        asked = next((event for event in self.pending(run.id) if event.step_id == step_id), None)
        if asked is None:
            raise NotWaiting(f"run {run.id} waits for no approval {step_id!r}: it was answered already, or timed out")
        name = f"{_ANSWER}{step_id}"
        if any(signal.name == name and signal.payload.get("input_hash") == asked.input_hash for signal in self.store.signals(run.id)):
            raise NotWaiting(
                f"the approval {step_id!r} of run {run.id} was answered already; `agentnb runs resume {run.id}` goes on with it"
            )
        payload = {"verdict": answer.verdict, "arguments": answer.arguments, "by": answer.by or self.settings.user, "note": answer.note}
        self._tell(run.id, name, {**payload, "input_hash": asked.input_hash})
        return not self.is_alive(run)

    def cancel(self, run_id: str) -> Run:
        """Cancel a run, in this process or another one; the one of a dead process is ended here.

        Raises:
            IllegalTransition: It has ended already.
        """
        run = self.signal(run_id, "cancel")
        if not self.is_alive(run):
            self._end_ownerless(run)
        return self.get(run_id)

    def give_up(self, run_id: str, error: AgentNBError) -> None:
        """End a run that was queued with the error for which it couldn't begin; one that has begun is left alone."""
        run = self.store.run(run_id)
        if run.status == "queued" and not self.is_alive(run):
            with suppress(LeaseLost):
                self._end_ownerless(run, error)

    def delete(self, run_id: str) -> list[str]:
        """Forget a run that has ended, with all that its steps have started; the IDs of what is gone.

        Raises:
            IllegalTransition: It goes on, or is part of a run that is kept.
        """
        run = self.get(run_id)
        if run.status not in FINAL:
            raise IllegalTransition(f"run {run.id} is {run.status}: cancel it, before you delete it")
        above = self.above(run)
        if above is not None:
            raise IllegalTransition(f"run {run.id} is a step of run {above.id}: delete that one")
        if self.store.run(run.id).status not in FINAL:
            self._end_ownerless(run)
        runs = self._with_parts(run)
        self.store.delete_runs([one.id for one in runs], *(self._runner(one).deleted(one) for one in runs))
        return [one.id for one in runs]

    def executor(self, name: str) -> Any:
        """Where steps may run that shouldn't run in this process, by the name of an executor; made once."""
        if name not in self._executors:
            self._executors[name] = plugins.load("agentnb.executors", name)()
        return self._executors[name]

    def close(self) -> None:
        """Close the store and the executors."""
        for executor in self._executors.values():
            executor.close()
        self._executors.clear()
        self.store.close()

    def open_model(self, name: str, record: Path | None = None, replay: Path | None = None) -> Model:
        """The model that an execution would call; recorded or replayed where that is asked for here or in the settings."""
        return self.models.open(name, record=record, replay=replay)

    def register(self, spec: AgentSpec, origin: str, replay: Path | None = None) -> AgentRecord:
        """Make an agent READY; see ``AgentRegistry.register``."""
        return self.agents.register(spec, origin, lambda wanted: self._check(wanted, replay))

    def is_alive(self, run: Run) -> bool:
        """Whether some process executes it, or may well do."""
        if run.owner == this_process() and (run.kind != "job" or run.status == "queued"):
            return self.watch.get(run.id) is not None
        return bool(run.owner) and run.lease_until > time.time() and not is_dead(run.owner)

    def claim(self, run: Run) -> Run:
        """Make a run this process's own, as its next attempt.

        Raises:
            LeaseLost: Another process was quicker, or executes it.
        """
        return self.store.claim(run.id, this_process(), time.time() + LEASE_SECONDS, expect_attempt=run.attempt)

    def above(self, run: Run) -> Run | None:
        """The workflow's run that it is a step of, where that is there; a replay is part of nothing."""
        with suppress(RunNotFound):
            found = self.store.run(run.parent) if run.parent else None
            return found if found is not None and found.kind == "workflow" else None
        return None

    def outermost(self, run: Run) -> Run:
        """The run of the outermost workflow that a run is a step of; the run itself, where it is none."""
        while (above := self.above(run)) is not None:
            run = above
        return run

    def _end_ownerless(self, run: Run, error: AgentNBError | None = None) -> None:
        self._runner(run).end_ownerless(self, run, error)

    def _runner(self, run: Run) -> Any:
        """The module that ends runs of its kind."""
        if run.kind == "agent":
            return agent_runs
        from agentnb.runtime import job_runs, workflow_endings

        return job_runs if run.kind == "job" else workflow_endings

    def _with_parts(self, run: Run) -> list[Run]:
        parts = self.store.runs(parent=run.id, limit=100_000, whole=False) if run.kind == "workflow" else []
        if run.kind == "job":
            parts = [one for one in self.store.runs(job=run.id, limit=100_000, whole=False) if self.above(one) is None]
        return [run, *(one for part in parts for one in self._with_parts(part))]

    def _tell(self, run_id: str, name: str, payload: Any) -> Run:
        run = self.store.run(run_id)
        if run.status in FINAL:
            raise IllegalTransition(f"run {run.id} is {run.status} already")
        self.store.write(Signal(run.id, name, payload))
        self.watch.deliver(run.id)
        return run

    def _check(self, spec: AgentSpec, replay: Path | None) -> None:
        self.open_model(spec.model, replay=replay)

    def _seen(self, run: Run) -> Run:
        begun = run.status == "running" or (run.status == "queued" and run.attempt > 0)
        lost = begun and not self.is_alive(run)
        return replace(run, status="failed", reason="lost", ended_at=last_sign(run)) if lost else run


_current: Runtime | None = None
_lock = threading.Lock()


def current() -> Runtime:
    """The runtime of this process; made on first use."""
    global _current
    with _lock:
        if _current is None:
            _current = Runtime()
        return _current


def use(runtime: Runtime | None) -> Runtime | None:
    """Make another runtime the process's own, and give back the one before; None: make a new one on next use."""
    global _current
    with _lock:
        before, _current = _current, runtime
        return before
