"""Executions of agents: begin, resume, replay, and how each ends, whatever happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentnb import secrets
from agentnb.agents import spec as agent_specs
from agentnb.agents.conversation import Conversation
from agentnb.agents.execution import Execution, Job, Listener, Outcome
from agentnb.agents.identity import new_run_id
from agentnb.agents.spec import AgentSpec
from agentnb.agents.trace import Identity, Trace
from agentnb.errors import AgentNBError, ExecutionCancelled, IllegalTransition, LeaseLost, PolicyDenied, StoreError, described
from agentnb.ports.store import FINAL, AgentRecord, Event, Fence, Reason, Record, Run, RunChange, Status, now
from agentnb.runtime.approvals import UNAVAILABLE, Presenter, RunApprover
from agentnb.runtime.journal import Past, RunJournal
from agentnb.runtime.owner import LEASE_SECONDS, this_process
from agentnb.runtime.results import AgentResult
from agentnb.runtime.watch import ActiveRun

if TYPE_CHECKING:
    from agentnb.runtime.runtime import Runtime


@dataclass(frozen=True)
class RunOptions:
    """How one execution is to go.

    Attributes:
        session: Conversation that it belongs to, or empty for none.
        turn: Its place there; executing again with the same key replaces the turn. The run's ID by default.
        deps: What tools find as ``context.deps``.
        record: Cassette to record to. replay: Cassette to answer from.
        listener: Is told what goes on.
        presenter: Shows approvals to a person; the runtime's own where None.
        workflow_id: Run of the workflow that it is a step of, and workflow_step: that step's ID.
        run_id: The ID that it is to have; a new one by default.
        conversation: One that the caller keeps, which ends in the prompt; instead of a session.
    """

    session: str = ""
    turn: str = ""
    deps: Any = None
    record: Path | None = None
    replay: Path | None = None
    listener: Listener | None = None
    presenter: Presenter | None = None
    workflow_id: str = ""
    workflow_step: str = ""
    run_id: str = ""
    conversation: Conversation | None = None


DEFAULT = RunOptions()


async def execute(runtime: Runtime, spec: AgentSpec, agent: AgentRecord, prompt: str, options: RunOptions = DEFAULT) -> AgentResult:
    """Execute an agent that is READY.

    Raises:
        AgentNBError: It failed; ``run_id`` says in which run.
        asyncio.CancelledError: The awaiting task was cancelled; so is the run.
    """
    secrets.refresh()
    runtime.agents.require_ready(agent)
    runtime.deps[agent.definition] = options.deps
    run_id = options.run_id or new_run_id("exec")
    run = Run(
        id=run_id,
        kind="agent",
        name=spec.name,
        status="running",
        definition=agent.definition,
        agent_id=agent.id,
        session=options.session,
        user=runtime.settings.user,
        parent=options.workflow_id,
        job=runtime.continuation.job,
        input={
            "prompt": prompt,
            "turn": options.turn or run_id,
            "replay": str(options.replay or ""),
            **({"conversation": options.conversation.as_dict()} if options.conversation else {}),
        },
        owner=this_process(),
        lease_until=time.time() + LEASE_SECONDS,
        attempt=1,
        created_at=now(),
    )
    identity = _identity(run, options)
    source = None if options.workflow_id else runtime.continuation.source("agent", spec.name, run.input)
    past = Past.continued(source.id, runtime.store.events(source.id)) if source else None
    replays: dict[str, Any] = {"replay_of": source.id} if source else {}
    runtime.store.write(run, identity.event("agent.executing", status="running", input_data=prompt, **replays))
    return await _drive(runtime, spec, run, identity, options, _journal(runtime, run, run.session, past))


def queue(
    runtime: Runtime,
    agent: AgentRecord,
    prompt: str,
    *,
    session: str = "",
    turn: str = "",
    user: str = "",
    also: Callable[[Run], Iterable[Record]] = lambda run: (),
) -> Run:
    """Write down that an agent is to be executed, by whatever process resumes the run; until one does, it belongs to this one.

    Args:
        runtime: Where.
        agent: It has to be READY; what it is made of isn't loaded.
        prompt: What to ask.
        session: Conversation to go on with.
        turn: Place in it.
        user: Who asks.
        also: What is written with the run, in one transaction.
    """
    runtime.agents.require_ready(agent)
    run_id = new_run_id("exec")
    run = Run(
        id=run_id,
        kind="agent",
        name=agent.name,
        status="queued",
        definition=agent.definition,
        agent_id=agent.id,
        session=session,
        user=user or runtime.settings.user,
        input={"prompt": prompt, "turn": turn or run_id, "replay": ""},
        owner=this_process(),
        lease_until=time.time() + LEASE_SECONDS,
        created_at=now(),
    )
    runtime.store.write(run, _identity(run, DEFAULT).event("agent.queued", status="queued", input_data=prompt), *also(run))
    return run


async def _begin(runtime: Runtime, run: Run, options: RunOptions) -> AgentResult:
    """Execute a run that was queued; what it needs and isn't there fails it."""
    run = runtime.claim(run)
    identity = _identity(run, options)
    try:
        spec = agent_specs.load(runtime.store.definition(run.definition))
    except BaseException as error:
        _end(runtime, run, identity, None, error)
        raise
    runtime.store.write(
        RunChange(run.id, {"status": "running"}),
        identity.event("agent.executing", status="running", input_data=run.input["prompt"]),
        fence=Fence(run.id, run.attempt),
    )
    return await _drive(runtime, spec, run, identity, options, _journal(runtime, run, run.session))


async def resume(runtime: Runtime, run_id: str, options: RunOptions = DEFAULT) -> AgentResult:
    """Go on with a run whose process is gone, after its last finished step; or begin one that was queued.

    Raises:
        IllegalTransition: It has ended already.
        LeaseLost: Another process executes it.
        DefinitionError: Its agent can't be loaded here.
    """
    secrets.refresh()
    run = runtime.store.run(run_id)
    if run.status in FINAL:
        again = f"agentnb jobs run {run.name}" if run.kind == "job" else f"%agentnb replay {run.id}"
        raise IllegalTransition(f"run {run.id} is {run.status}, there is nothing to resume: `{again}` runs it again")
    if run.status == "queued":
        return await _begin(runtime, run, options)
    if runtime.is_alive(run):
        raise LeaseLost(f"run {run.id} is being executed by {run.owner}: cancel it, or wait for it")
    spec = agent_specs.load(runtime.store.definition(run.definition))
    run = runtime.claim(run)
    replayed_from = run.input["replay"]
    options = replace(options, deps=_deps(runtime, run, options), replay=options.replay or (Path(replayed_from) if replayed_from else None))
    identity = _identity(run, options)
    runtime.store.write(
        RunChange(run.id, {"status": "running"}),
        identity.event("agent.resumed", status="running", attempt=run.attempt),
        fence=Fence(run.id, run.attempt),
    )
    past = Past.of(runtime.store.events(run.id))
    return await _drive(runtime, spec, run, identity, options, _journal(runtime, run, run.session, past))


async def replay(runtime: Runtime, run_id: str, options: RunOptions = DEFAULT, *, live: bool = False) -> AgentResult:
    """Run an ended run again as a new one, its model and tool calls answered by what they answered then.

    Args:
        runtime: Where it was run.
        run_id: The run to repeat.
        options: As for ``execute``.
        live: Where the two diverge, go on with real calls; otherwise that is an error.

    Raises:
        Diverged: It asks for something else than then.
        IllegalTransition: The run has not ended.
    """
    secrets.refresh()
    source = runtime.store.run(run_id)
    if source.kind == "job":
        raise IllegalTransition(f"run {source.id} is of a job, which isn't replayed: `agentnb jobs run {source.name}` runs it again")
    if source.status not in FINAL:
        raise IllegalTransition(f"run {source.id} has not ended: resume it, or cancel it, before you replay it")
    spec = agent_specs.load(runtime.store.definition(source.definition))
    new_id = new_run_id("exec")
    run = replace(
        source,
        id=new_id,
        status="running",
        reason="",
        session="",
        parent=source.id,
        input={**source.input, "turn": new_id},
        output=None,
        error=None,
        owner=this_process(),
        lease_until=time.time() + LEASE_SECONDS,
        attempt=1,
        created_at=now(),
        ended_at="",
        usage={},
    )
    identity = _identity(run, options)
    runtime.store.write(run, identity.event("agent.executing", status="running", input_data=source.input["prompt"], replay_of=source.id))
    past = Past.replayed(source.id, runtime.store.events(source.id), live=live)
    options = replace(options, deps=_deps(runtime, run, options))
    return await _drive(runtime, spec, run, identity, options, _journal(runtime, run, source.session, past))


def end_ownerless(runtime: Runtime, run: Run, error: AgentNBError | None = None) -> None:
    """End a run that no process executes: with the error, or as cancelled."""
    run = runtime.claim(run)
    _end(runtime, run, _identity(run, DEFAULT), None, error or ExecutionCancelled(f"cancelled by {runtime.settings.user}"))


def deleted(run: Run) -> Event:
    """The event that an execution was forgotten."""
    return _identity(run, DEFAULT).event("agent.run_deleted", status="deleted")


def _deps(runtime: Runtime, run: Run, options: RunOptions) -> Any:
    """What the tools of a run that goes on find as ``context.deps``: what is given, else what its agent was last given in this process."""
    return runtime.deps.get(run.definition) if options.deps is None else options.deps


def _identity(run: Run, options: RunOptions) -> Identity:
    return Identity(run.id, run.agent_id, run.name, run.session, run.user, options.workflow_id, options.workflow_step)


def _journal(runtime: Runtime, run: Run, session: str, past: Past | None = None) -> RunJournal:
    return RunJournal(runtime.store, Fence(run.id, run.attempt), session=session, turn=run.input["turn"], past=past)


async def _drive(runtime: Runtime, spec: AgentSpec, run: Run, identity: Identity, options: RunOptions, journal: RunJournal) -> AgentResult:
    active = ActiveRun(run.id)
    execution: Execution | None = None
    conversation = Conversation.from_dict(run.input["conversation"]) if "conversation" in run.input else None
    try:
        spec = conversation.applied(spec) if conversation else spec
        model = runtime.open_model(spec.model, options.record, options.replay)
        approver = RunApprover(active, journal, identity, runtime.policy_settings, options.presenter or runtime.presenter)
        job = Job(
            spec=spec,
            identity=identity,
            prompt=run.input["prompt"],
            turn=run.input["turn"],
            deps=options.deps,
            model=model,
            policy=runtime.policy,
            journal=journal,
            approver=approver,
            listener=options.listener,
            conversation=conversation,
        )
        execution = Execution(job)
        worker = active.start(execution.run())
        runtime.watch.add(active)
        runtime.watch.deliver(run.id)
        outcome = await worker
        return _complete(runtime, run, identity, execution, outcome)
    except BaseException as error:
        failure = (
            ExecutionCancelled("somebody cancelled the run") if active.cancelled and isinstance(error, asyncio.CancelledError) else error
        )
        if journal.resumed and isinstance(failure, PolicyDenied) and failure.code == UNAVAILABLE:
            _release(runtime, run, failure)
        else:
            _end(runtime, run, identity, execution, failure)
        if failure is error:
            raise
        raise failure from error
    finally:
        runtime.watch.remove(run.id)


def _complete(runtime: Runtime, run: Run, identity: Identity, execution: Execution, outcome: Outcome) -> AgentResult:
    spec, usage, milliseconds = execution.job.spec, _usage(execution), execution.milliseconds
    handed = {"tool_calls": [call.as_dict() for call in outcome.calls]} if outcome.calls else {}
    plain = spec.output.dump(outcome.output) if spec.output and outcome.output is not outcome.text else outcome.output
    runtime.store.write(
        *outcome.final,
        identity.event("agent.executed", status="completed", output_data=plain, milliseconds=milliseconds, usage=usage),
        RunChange(
            run.id,
            {
                "status": "completed",
                "output": {"output": plain, "text": outcome.text, "execution_time_ms": round(milliseconds, 3), **handed},
                "owner": "",
                "lease_until": 0.0,
                "ended_at": now(),
                "usage": usage,
            },
        ),
        fence=Fence(run.id, run.attempt),
    )
    return AgentResult(
        output=outcome.output,
        text=outcome.text,
        status="completed",
        agent=spec.name,
        agent_id=identity.agent_id,
        execution_id=run.id,
        execution_time_ms=milliseconds,
        usage=usage,
        trace=Trace(execution.steps.values()),
        tool_calls=tuple(outcome.calls),
    )


def _release(runtime: Runtime, run: Run, error: PolicyDenied) -> None:
    """Leave a resumed run waiting, for whoever can answer, rather than end what others began."""
    error.run_id = run.id
    change = RunChange(run.id, {"status": "waiting", "owner": "", "lease_until": 0.0})
    with suppress(StoreError, LeaseLost):
        runtime.store.write(change, fence=Fence(run.id, run.attempt))


def _end(runtime: Runtime, run: Run, identity: Identity, execution: Execution | None, error: BaseException) -> None:
    """Write down that it failed, as far as the store can still be written; a run that was taken over is left alone."""
    status, reason = classified(error)
    usage = _usage(execution) if execution else {}
    if isinstance(error, AgentNBError):
        error.run_id, error.usage = run.id, usage
    milliseconds = execution.milliseconds if execution else 0.0
    change = {
        "status": status,
        "reason": reason,
        "error": described(error),
        "owner": "",
        "lease_until": 0.0,
        "ended_at": now(),
        "usage": usage,
    }
    event = identity.event("agent.failed", status=status, milliseconds=milliseconds, reason=reason, error=described(error), usage=usage)
    with suppress(StoreError, LeaseLost):
        runtime.store.write(event, RunChange(run.id, change), fence=Fence(run.id, run.attempt))


def classified(error: BaseException) -> tuple[Status, Reason]:
    """How a run ends that ends with this error."""
    if isinstance(error, asyncio.CancelledError | KeyboardInterrupt | ExecutionCancelled):
        return "cancelled", "cancelled"
    reason: Reason = error.reason if isinstance(error, AgentNBError) else "error"
    return "failed", reason


def _usage(execution: Execution) -> dict[str, Any]:
    steps = execution.steps.values()
    return {
        **execution.usage.as_dict(),
        "model_calls": sum(step.kind == "model" for step in steps),
        "tool_calls": sum(step.kind == "tool" for step in steps),
        "replayed": sum(step.replayed for step in steps),
        "cut_off": any(isinstance(step.output, dict) and step.output.get("finish_reason") == "length" for step in steps),
    }
