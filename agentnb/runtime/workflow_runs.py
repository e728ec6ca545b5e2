"""Runs of workflows: begin, go on, run again from a step."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentnb import plugins, secrets
from agentnb.agents.identity import new_run_id
from agentnb.errors import (
    ExecutionCancelled,
    ExecutionTimeout,
    IllegalTransition,
    LeaseLost,
)
from agentnb.policy import Check
from agentnb.ports.store import FINAL, Definition, Event, Fence, Record, Run, RunChange, now
from agentnb.runtime.owner import LEASE_SECONDS, this_process
from agentnb.runtime.watch import ActiveRun
from agentnb.runtime.workflow_definitions import Ready, checked_inputs, known_steps, load
from agentnb.runtime.workflow_endings import end, end_children, ended, suspend
from agentnb.runtime.workflow_results import WorkflowRun, made, result_of, usage_of
from agentnb.secrets import to_json
from agentnb.workflows.claims import Claims
from agentnb.workflows.dag import DagExecutor, Suspended
from agentnb.workflows.job import Job, Past, Presenter
from agentnb.workflows.kinds.call import Kind
from agentnb.workflows.ledger import Ledger, tell
from agentnb.workflows.machine import MachineExecutor
from agentnb.workflows.spec import adapter
from agentnb.workflows.trace import Identity, steps_of

if TYPE_CHECKING:
    from agentnb.runtime.runtime import Runtime


@dataclass(frozen=True)
class WorkflowOptions:
    """How one run is to go.

    Attributes:
        attended: Whether somebody may answer in this process, so that it waits as long as it takes; by default, where there is a presenter.
        presenter: Shows questions to a person; the runtime's own where None.
        listener: Is told of each event, once it is in the journal.
        record: Cassette to record model calls to. replay: Cassette to answer them from.
    """

    attended: bool | None = None
    presenter: Presenter | None = None
    listener: Callable[[Event], None] | None = None
    record: Path | None = None
    replay: Path | None = None


@dataclass(frozen=True)
class Host:
    """What kinds of steps use of the runtime."""

    runtime: Runtime
    ready: Ready
    options: WorkflowOptions
    claims: Claims

    def executor(self, name: str) -> Any:
        return self.runtime.executor(name)


async def execute(
    runtime: Runtime,
    ready: Ready,
    inputs: Mapping[str, Any],
    options: WorkflowOptions,
    *,
    run_id: str = "",
    parent: str = "",
    past: Past | None = None,
    claims: Claims | None = None,
) -> WorkflowRun:
    """Run a workflow.

    Raises:
        WorkflowError: The inputs don't fit.
        AgentNBError: It failed; ``run_id`` says in which run.
        Suspended: It is part of another one, and waits.
        asyncio.CancelledError: The awaiting task was cancelled; so is the run.
    """
    secrets.refresh()
    given = _accepted(runtime, ready, inputs)
    if past is None and not parent and (found := runtime.continuation.source("workflow", ready.spec.name, given)) is not None:
        past = Past(source=found.id, steps=steps_of(runtime.store.events(found.id)))
    run = Run(
        id=run_id or new_run_id("workflow"),
        kind="workflow",
        name=ready.spec.name,
        status="running",
        definition=ready.definition.hash,
        user=runtime.settings.user,
        parent=parent,
        job=runtime.continuation.job,
        input=given,
        owner=this_process(),
        lease_until=time.time() + LEASE_SECONDS,
        attempt=1,
        created_at=now(),
    )
    started = _started(run, past or Past())
    runtime.store.write(*ready.definitions(), run, started)
    tell(options.listener, started)
    return await _drive(runtime, ready, run, options, past or Past(), claims or Claims())


def queue(
    runtime: Runtime,
    definition: Definition,
    inputs: Mapping[str, Any],
    *,
    user: str = "",
    rerun_of: str = "",
    start: Iterable[str] = (),
    also: Callable[[Run], Iterable[Record]] = lambda run: (),
) -> Run:
    """Write down that a workflow is to be run, by whatever process resumes the run; until one does, it belongs to this one.

    Args:
        runtime: Where.
        definition: Of the workflow, or a ``draft``; what it names isn't loaded.
        inputs: Values of its inputs.
        user: Who asks.
        rerun_of: An ended run whose results are taken where step and input are the same.
        start: Steps that are run anew in any case, and what needs them.
        also: What is written with the run, in one transaction.

    Raises:
        WorkflowError: The inputs don't fit, or there is no such step.
    """
    spec = adapter().validate_python(definition.spec["document"])
    names = known_steps(spec, start)
    run = Run(
        id=new_run_id("workflow"),
        kind="workflow",
        name=spec.name,
        status="queued",
        definition=definition.hash,
        user=user or runtime.settings.user,
        input=checked_inputs(spec, inputs),
        owner=this_process(),
        lease_until=time.time() + LEASE_SECONDS,
        created_at=now(),
    )
    source = {"rerun_of": rerun_of, "start": names} if rerun_of else {}
    runtime.store.write(definition, run, Identity.of(run).event("workflow.queued", "queued", input_data=run.input, **source), *also(run))
    return run


async def _begin(runtime: Runtime, run: Run, options: WorkflowOptions) -> WorkflowRun:
    """Run what was queued; what it needs and isn't there fails it."""
    run = runtime.claim(run)
    try:
        queued = next(event.data for event in runtime.store.events(run.id) if event.type == "workflow.queued")
        ready = load(runtime, runtime.store.definition(run.definition))
        given = _accepted(runtime, ready, run.input)
        past = _before(runtime, queued["rerun_of"], ready, queued["start"]) if queued.get("rerun_of") else Past()
    except BaseException as error:
        end(runtime, run, error, 0.0, {})
        raise
    run = replace(run, status="running", definition=ready.definition.hash, input=given)
    started = _started(run, past)
    fields = {"status": run.status, "definition": run.definition, "input": given}
    runtime.store.write(*ready.definitions(), RunChange(run.id, fields), started, fence=Fence(run.id, run.attempt))
    tell(options.listener, started)
    return await _drive(runtime, ready, run, options, past, Claims())


def _accepted(runtime: Runtime, ready: Ready, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs, where they fit and the policy lets them pass."""
    given = checked_inputs(ready.spec, inputs)
    runtime.policy.enforce(Check("input", to_json(given), ready.spec.name))
    return given


def _started(run: Run, past: Past) -> Event:
    source = {"rerun_of": past.source, "fresh": sorted(past.fresh)} if past.source else {}
    return Identity.of(run).event("workflow.started", "running", input_data=run.input, **source)


async def resume(runtime: Runtime, run_id: str, options: WorkflowOptions) -> WorkflowRun:
    """Go on with a run that nobody executes, after its last finished steps; or begin one that was queued.

    Raises:
        IllegalTransition: It has ended already.
        LeaseLost: Another process executes it.
        DefinitionError: Its functions can't be loaded here.
    """
    secrets.refresh()
    run = root(runtime, runtime.store.run(run_id))
    if run.status in FINAL:
        raise IllegalTransition(
            f"run {run.id} is {run.status}, there is nothing to resume; "
            f"`agentnb workflow resume {run.id} --from STEP` runs it again from there, as a new run"
        )
    if run.status == "queued":
        return await _begin(runtime, run, options)
    if runtime.is_alive(run):
        raise LeaseLost(f"run {run.id} is being executed by {run.owner}: cancel it, or wait for it")
    return await go_on(runtime, run, load(runtime, runtime.store.definition(run.definition)), options)


async def go_on(runtime: Runtime, run: Run, ready: Ready, options: WorkflowOptions, claims: Claims | None = None) -> WorkflowRun:
    """Take a run over and execute what is left of it."""
    run = runtime.claim(run)
    events = runtime.store.events(run.id)
    resumed = Identity.of(run).event("workflow.resumed", "running", attempt=run.attempt)
    runtime.store.write(RunChange(run.id, {"status": "running", "wake_at": 0.0}), resumed, fence=Fence(run.id, run.attempt))
    tell(options.listener, resumed)
    visits = [event.data for event in events if event.type == "workflow.state_entered"]
    heard: Mapping[str, int] = next((event.data["heard"] for event in reversed(events) if "heard" in event.data), {})
    started = next((event.data for event in events if event.type == "workflow.started"), {})
    source = started.get("rerun_of", "")
    repeated = steps_of(runtime.store.events(source)) if source else {}
    past = Past(steps_of(events), visits, heard, source, repeated, frozenset(started.get("fresh", ())))
    return await _drive(runtime, ready, run, options, past, claims or Claims())


async def rerun(
    runtime: Runtime,
    run_id: str,
    options: WorkflowOptions,
    *,
    start: Iterable[str] = (),
    inputs: Mapping[str, Any] | None = None,
    ready: Ready | None = None,
) -> WorkflowRun:
    """Run an ended run again as a new one; steps whose input and definition are the same take their results from it.

    Args:
        runtime: Where it was run.
        run_id: The run.
        options: As for ``execute``.
        start: Steps that are run anew in any case, and all that needs them.
        inputs: New values of some inputs.
        ready: The workflow as it is now; as it was then by default.

    Raises:
        IllegalTransition: It has not ended.
        WorkflowError: There is no such step.
    """
    run = runtime.store.run(run_id)
    if run.status not in FINAL and runtime.is_alive(run):
        raise IllegalTransition(f"run {run.id} has not ended: cancel it before you run it again")
    ready = ready or load(runtime, runtime.store.definition(run.definition))
    past = _before(runtime, run.id, ready, start)
    return await execute(runtime, ready, {**run.input, **(inputs or {})}, options, past=past)


def _before(runtime: Runtime, source: str, ready: Ready, start: Iterable[str]) -> Past:
    """What a run takes over from an earlier one."""
    names = known_steps(ready.spec, start)
    fresh = ready.graph.downstream(names) if ready.spec.kind == "dag" else set(names)
    return Past(source=source, steps=steps_of(runtime.store.events(source)), fresh=frozenset(fresh))


def get(runtime: Runtime, run_id: str) -> WorkflowRun:
    """A run as it is now."""
    run = runtime.get(run_id)
    return result_of(run, runtime.store.events(run.id), runtime.store.definition(run.definition))


async def _drive(runtime: Runtime, ready: Ready, run: Run, options: WorkflowOptions, past: Past, claims: Claims) -> WorkflowRun:
    active, started = ActiveRun(run.id), time.perf_counter()
    write = partial(runtime.store.write, fence=Fence(run.id, run.attempt))

    presenter = options.presenter or runtime.questions
    attended = presenter is not None if options.attended is None else options.attended
    ledger = Ledger(write, options.listener)
    job = Job(
        ready.spec,
        ready.compiled,
        Identity.of(run),
        run.input,
        {name: os.environ.get(name, "") for name in ready.spec.env},
        ready.functions,
        ready.fingerprints,
        ready.folder,
        runtime.policy,
        ledger,
        active,
        _kinds(ready),
        runtime.store.cached,
        Host(runtime, ready, options, claims),
        claims,
        past,
        presenter,
    )
    executor = (
        DagExecutor(job, ready.graph, attended=attended)
        if ready.spec.kind == "dag"
        else MachineExecutor(job, ready.conditions, attended=attended)
    )
    try:
        worker = active.start(_limited(executor.run, ready.spec.timeout, ready.spec.name))
        runtime.watch.add(active)
        runtime.watch.deliver(run.id)
        told = active.seen
        outputs = await worker
        outputs = _released(runtime, ready, outputs)
        milliseconds = (time.perf_counter() - started) * 1000
        usage = usage_of(executor.runner.records)
        fields = {"output": outputs, **ended("completed", usage)}
        write(
            Identity.of(run).event("workflow.completed", "completed", output_data=outputs, execution_time_ms=milliseconds, usage=usage),
            RunChange(run.id, fields),
        )
        if executor.visits:
            end_children(runtime, executor.runner.records)
        return made(replace(run, **fields), ready.spec, executor.runner.records, executor.visits, fields["ended_at"], past.source)
    except Suspended as waiting:
        suspend(runtime, run, waiting)
        if runtime.store.signals(run.id, told):
            with suppress(LeaseLost):
                return await go_on(runtime, runtime.store.run(run.id), ready, options, claims)
        if run.parent:
            raise
        return get(runtime, run.id)
    except BaseException as error:
        failure = (
            ExecutionCancelled("somebody cancelled the run") if active.cancelled and isinstance(error, asyncio.CancelledError) else error
        )
        end(runtime, run, failure, (time.perf_counter() - started) * 1000, executor.runner.records)
        if failure is error:
            raise
        raise failure from error
    finally:
        runtime.watch.remove(run.id)


async def _limited(work: Callable[[], Awaitable[dict[str, Any]]], timeout: float | None, name: str) -> dict[str, Any]:
    try:
        async with asyncio.timeout(timeout):
            return await work()
    except TimeoutError:
        raise ExecutionTimeout(f"the workflow {name!r}", timeout or 0) from None


def _released(runtime: Runtime, ready: Ready, outputs: dict[str, Any]) -> dict[str, Any]:
    if outputs:
        runtime.policy.enforce(Check("output", to_json(outputs), ready.spec.name))
    return outputs


def _kinds(ready: Ready) -> dict[str, Kind]:
    return {kind: plugins.load("agentnb.steps", kind)() for kind in {action.kind for action in ready.spec.actions().values()}}


def root(runtime: Runtime, run: Run) -> Run:
    """The run that a run is part of; itself where it is part of none that goes on."""
    above = runtime.above(run)
    return root(runtime, above) if above is not None and above.status not in FINAL else run
