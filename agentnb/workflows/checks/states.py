"""The rules of a state machine: where it begins, where it can go, and whether it can end."""

from __future__ import annotations

from agentnb.names import did_you_mean, nearest
from agentnb.workflows.checks.report import Report
from agentnb.workflows.documents import Path
from agentnb.workflows.graph import Graph
from agentnb.workflows.spec import OUTCOMES, State, Transition

_VERDICTS = ("approved", "rejected")


def check_states(report: Report) -> None:
    """The rules of a state machine."""
    states = report.spec.states
    if report.data.get("states", {}) == {}:
        report.error(("states",), "there are no states", "Add states: {NAME: {transitions: [{to: …}]}}")
        return
    _check_initial(report)
    for name, state in states.items():
        if name not in report.broken:
            _check_end(report, name, state)
        for place, transition in enumerate(state.transitions):
            _check_transition(report, name, state, place, transition)
        _check_order(report, name, state)
    if not any(state.final for state in states.values()) and not report.broken:
        report.error(("states",), "no state is final: a run could only fail", "Write final: true in the states that end the workflow")
    _check_reach(report)


def _check_initial(report: Report) -> None:
    initial, known = report.spec.initial, report.names("states")
    if initial is None:
        if not report.data.get("initial"):
            report.error((), "initial is missing", f"Add initial: {next(iter(known))}")
    elif initial not in known:
        report.error(("initial",), f"there is no state {initial}", did_you_mean(initial, known))


def _check_end(report: Report, name: str, state: State) -> None:
    path: Path = ("states", name)
    if state.final and state.transitions:
        report.error((*path, "transitions"), f"the state {name} is final: it takes no transitions", "Take transitions or final away")
    elif not state.final and not state.transitions:
        report.error(path, f"the state {name} is not final and leads nowhere", "Add transitions: [{to: …}], or final: true")
    if state.final and state.step is not None:
        report.error(
            (*path, "step"), f"the state {name} is final: its step never runs", "Move it to a state before this one, or to entry: […]"
        )
    if state.status == "failed" and not state.final:
        report.warning(
            (*path, "status"), "status says how a final state ends, and this one isn't final", "Add final: true, or take it away"
        )


def _check_transition(report: Report, name: str, state: State, place: int, transition: Transition) -> None:
    path: Path = ("states", name, "transitions", place)
    if transition.to not in report.names("states"):
        report.error((*path, "to"), f"there is no state {transition.to}", did_you_mean(transition.to, report.names("states")))
    on = transition.on
    if on is None:
        return
    if transition.after is not None:
        report.error((*path, "after"), "a transition has either on or after", "Write two transitions")
    asks = state.step is not None and state.step.human is not None
    if on in _VERDICTS and not asks and name not in report.broken:
        message = f"the step of {name} asks nobody, so that it is never {on}" if state.step else f"{name} has no step that could be {on}"
        report.warning((*path, "on"), message, "Give the state step: {human: {prompt: …}}, or write on: completed")
    near = nearest(on, OUTCOMES, 0.8) if on not in OUTCOMES else ""
    if near:
        report.warning((*path, "on"), f"{on} is no outcome of a step, so that it waits for an event of that name", f"Did you mean {near}?")


def _check_order(report: Report, name: str, state: State) -> None:
    """Transitions behind one for the same outcome that always fits."""
    taken: set[str | None] = set()
    for place, transition in enumerate(state.transitions):
        if transition.after is not None:
            continue
        if transition.on in taken:
            message = f"never taken: an earlier transition {f'on {transition.on}' if transition.on else 'without on'} always fits"
            report.warning(("states", name, "transitions", place), message, "Give the earlier one a when, or put it last")
        if transition.when is None:
            taken.add(transition.on)


def _check_reach(report: Report) -> None:
    states = report.spec.states
    if report.spec.initial not in states or report.broken:
        return
    leads: dict[str, list[str]] = {name: [transition.to for transition in state.transitions] for name, state in states.items()}
    graph = Graph.of(leads)
    reached = graph.upstream([report.spec.initial])
    for name in states:
        if name not in reached:
            message = f"the state {name} is unreachable: no way leads there from {report.spec.initial}"
            report.warning(("states", name), message, f"Add a transition {{to: {name}}}, or take the state away")
    ends = graph.downstream([name for name in reached if states[name].final])
    for name in states:
        if ends and name in reached and name not in ends and leads[name]:
            report.warning(("states", name), f"no way leads from the state {name} to a final one", "Add a transition towards a final state")
