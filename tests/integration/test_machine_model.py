"""State machines against a model: random machines and random things that happen to them, the run let go of and resumed at every wait."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import agentnb as anb
from agentnb.errors import ExecutionError
from agentnb.runtime import workflow_runs, workflow_signals
from agentnb.runtime.workflow_runs import WorkflowOptions
from agentnb.testing import memory_store
from agentnb.workflows.dag import StepError
from agentnb.workflows.machine import FailedState, NoTransition, TooManyTransitions

LIMIT = 12
NAMES = ["A", "B", "C", "D"]

_transition = st.fixed_dictionaries(
    {"to": st.sampled_from([*NAMES, "GOOD", "BAD"])},
    optional={
        "on": st.sampled_from(["completed", "error", "approved", "rejected", "ping", "pong"]),
        "when": st.sampled_from(["attempts < 2", "attempts < 3", "attempts >= 2"]),
    },
)
_state = st.fixed_dictionaries(
    {"work": st.sampled_from(["nothing", "tool", "human"]), "transitions": st.lists(_transition, min_size=1, max_size=4)}
)
_machine = st.fixed_dictionaries(dict.fromkeys(NAMES, _state))
_happenings = st.fixed_dictionaries(
    {
        "tool": st.lists(st.booleans(), min_size=30, max_size=30),
        "human": st.lists(st.sampled_from(["approve", "reject"]), min_size=30, max_size=30),
        "event": st.lists(st.sampled_from(["ping", "pong"]), min_size=30, max_size=30),
    }
)


def model(machine: dict[str, Any], happenings: dict[str, list[Any]]) -> tuple[list[str], str]:
    """What the machine does, by the rules as they are written down: its states, and how it ends.

    An event that the state has no transition for is kept for a later one, which it makes leave before its work is done;
    one whose transition doesn't hold is lost.
    """
    feeds: dict[str, Iterator[Any]] = {name: iter(items) for name, items in happenings.items()}
    visits: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    history, state = [], "A"
    while True:
        if len(history) > LIMIT:
            return history, "TooManyTransitions"
        history.append(state)
        visits[state] += 1
        if state in ("GOOD", "BAD"):
            return history, "completed" if state == "GOOD" else "FailedState"
        spec, attempts = machine[state], visits[state]
        wanted = dict.fromkeys(item["on"] for item in spec["transitions"] if item.get("on") in ("ping", "pong"))
        move = _kept(spec, attempts, wanted, kept) if spec["work"] != "nothing" else None
        if move is None:
            outcome = _outcome(spec["work"], feeds)
            move = _first(spec, attempts, lambda on, outcome=outcome: on == outcome or (on is None and outcome != "error"))
            if move is None and not wanted:
                return history, "StepError" if outcome == "error" else "NoTransition"
        if move is None:
            move = _kept(spec, attempts, wanted, kept)
        while move is None:
            event = next(feeds["event"], None)
            if event is None:
                return history, "waiting"
            kept[event] += 1
            move = _kept(spec, attempts, wanted, kept)
        state = move


def _kept(spec: dict[str, Any], attempts: int, wanted: Iterable[str], kept: Counter[str]) -> str | None:
    for name in wanted:
        while kept[name]:
            kept[name] -= 1
            move = _first(spec, attempts, lambda on, name=name: on == name)
            if move is not None:
                return move
    return None


def _outcome(work: str, feeds: dict[str, Iterator[Any]]) -> str:
    if work == "tool":
        return "completed" if next(feeds["tool"]) else "error"
    return {"approve": "approved", "reject": "rejected"}[next(feeds["human"])] if work == "human" else "completed"


def _first(spec: dict[str, Any], attempts: int, fits: Any) -> str | None:
    conditions = {None: True, "attempts < 2": attempts < 2, "attempts < 3": attempts < 3, "attempts >= 2": attempts >= 2}
    found = (item["to"] for item in spec["transitions"] if fits(item.get("on")) and conditions[item.get("when")])
    return next(found, None)


def built(machine: dict[str, Any], happenings: dict[str, list[Any]]) -> anb.Workflow:
    outcomes = iter(happenings["tool"])

    async def work() -> None:
        if not next(outcomes):
            raise ValueError("as told")

    workflow = anb.Workflow("m", kind="state_machine", initial="A", max_transitions=LIMIT).use(work=work)
    for name, spec in machine.items():
        step = {"tool": {"tool": "work"}, "human": {"human": {"prompt": "?"}}, "nothing": None}[spec["work"]]
        workflow.state(name, step=step, transitions=spec["transitions"])
    return workflow.state("GOOD", final=True).state("BAD", final=True, status="failed")


async def driven(workflow: anb.Workflow, happenings: dict[str, list[Any]]) -> tuple[list[str], str]:
    """The same by the executor; whenever it waits, it is let go of, told the next thing, and resumed by a new runtime."""
    store = memory_store()
    runtime = anb.Runtime(store=store)
    ready = anb.Workflow.ready(workflow)
    verdicts, events = iter(happenings["human"]), iter(happenings["event"])
    try:
        run = await workflow_runs.execute(runtime, ready, {}, WorkflowOptions())
        while run.status == "waiting":
            runtime = anb.Runtime(store=store)
            waiting = workflow_signals.pending(runtime, run.id)
            if waiting:
                workflow_signals.answer(runtime, run.id, waiting[0][1].id, next(verdicts))
            else:
                event = next(events, None)
                if event is None:
                    return [visit["state"] for visit in run.history], "waiting"
                workflow_signals.send(runtime, run.id, event)
            run = await workflow_runs.go_on(runtime, store.run(run.id), ready, WorkflowOptions())
        end = run.status
    except ExecutionError as error:
        end = {StepError: "StepError", NoTransition: "NoTransition", FailedState: "FailedState", TooManyTransitions: "TooManyTransitions"}[
            type(error)
        ]
        run = workflow_runs.get(runtime, error.run_id)
    return [visit["state"] for visit in run.history], str(end)


@settings(suppress_health_check=list(HealthCheck))
@given(_machine, _happenings)
def test_a_machine_does_what_its_model_does(machine: dict[str, Any], happenings: dict[str, list[Any]]) -> None:
    workflow = built(machine, happenings)
    assume(not any(finding.severity == "error" for finding in workflow.validate()))
    assert asyncio.run(driven(workflow, happenings)) == model(machine, happenings)
