"""The rules of a DAG: needs, circles, handlers, and the resources that steps take."""

from __future__ import annotations

from agentnb.names import did_you_mean
from agentnb.workflows.checks.references import place_of
from agentnb.workflows.checks.report import Report
from agentnb.workflows.documents import Path
from agentnb.workflows.expressions import Reference
from agentnb.workflows.graph import Graph, handler_of
from agentnb.workflows.spec import Goto, Step

_CIRCLES = 10


def check_steps(report: Report) -> Graph:
    """The rules of a DAG; gives its graph, without what was found to be wrong."""
    steps = report.spec.steps
    if report.data.get("steps", {}) == {}:
        report.error(("steps",), "there are no steps", "Add steps: {NAME: {tool: …}}")
    for name, step in steps.items():
        if step.needs:
            _check_needs(report, name, step)
        _check_resources(report, name, step)
        _check_fan_out(report, name, step)
    plain = Graph.of({name: _needs(report, name, step) for name, step in steps.items()})
    graph = _with_handlers(report, plain)
    _check_circles(report, graph)
    return graph


def _needs(report: Report, name: str, step: Step) -> list[str]:
    read = [reference.name for reference in report.steps[name].references if reference.root == "steps"]
    return [other for other in (*step.needs, *read) if other != name]


def _check_needs(report: Report, name: str, step: Step) -> None:
    for place, other in enumerate(step.needs):
        path: Path = ("steps", name, "needs", place)
        if other == name:
            report.error(path, f"the step {name} needs itself", "Take it away, or name the step that comes before")
        elif other not in report.spec.steps and other not in report.names("steps"):
            report.error(path, f"there is no step {other}", did_you_mean(other, report.names("steps")))


def _check_circles(report: Report, graph: Graph) -> None:
    for _ in range(_CIRCLES):
        path = graph.cycle()
        if path is None:
            return
        order = list(report.spec.steps)
        first = min(range(len(path) - 1), key=lambda place: order.index(path[place]))
        circle = path[first:-1] + path[:first]
        before, name = circle[-1], circle[0]
        message = f"steps wait for one another: {' → '.join([*circle, name])}"
        report.error(_place_of_need(report, name, before), message, "Take one of these needs or references away")

        graph = Graph.of({name: others for name, others in graph.needs.items() if name not in path})


def _place_of_need(report: Report, name: str, other: str) -> Path:
    """Where the step says that it waits for the other one."""
    step = report.spec.steps[name]
    if other in step.needs:
        return ("steps", name, "needs", step.needs.index(other))
    if handler_of(report.spec.steps[other]) == name:
        return ("steps", other, "on_error")
    compiled = report.steps[name]
    fields = {
        "input": compiled.input,
        "when": compiled.when,
        "for_each": compiled.for_each,
        "cache.key": compiled.cache_key,
        **compiled.parts,
    }
    for place, part in fields.items():
        found: Reference | None = (
            next((item for item in part.references if item.root == "steps" and item.name == other), None) if part else None
        )
        if found is not None:
            return place_of(report.data, report.path(name, place), found)
    return ("steps", name)


def _with_handlers(report: Report, graph: Graph) -> Graph:
    """The graph with an edge from each step to its handler, where that is allowed."""
    steps = report.spec.steps
    edges: list[tuple[str, str]] = []
    behind: dict[str, set[str]] = {}
    named: set[str] = set()
    for name, step in steps.items():
        target = handler_of(step)
        if target is None:
            continue
        named.add(target)
        if target in steps and target not in behind:
            behind[target] = graph.downstream([target])
        if _handler_fits(report, name, target, behind.get(target, set())):
            edges.append((name, target))
    for name, step in steps.items():
        if step.handler and name not in named:
            mend = f"Name it in a step's on_error: {{goto: {name}}}, or take handler: true away"
            report.warning(("steps", name, "handler"), f"no step's on_error names the handler {name}: it never runs", mend)
    if not edges:
        return graph
    needs = {name: [*others] for name, others in graph.needs.items()}
    for name, target in edges:
        needs[target].append(name)
    return Graph.of(needs)


def _handler_fits(report: Report, name: str, target: str, behind: set[str]) -> bool:
    steps = report.spec.steps
    key = "goto" if isinstance(steps[name].on_error, Goto) else "compensate"
    path: Path = ("steps", name, "on_error", key)
    if target not in steps:
        if target not in report.names("steps"):
            handlers = [other for other, step in steps.items() if step.handler]
            report.error(path, f"there is no step {target}", did_you_mean(target, handlers or report.names("steps"), "Handlers are"))
        return False
    if target == name:
        report.error(path, f"the step {name} can't handle its own failure", "Name another step, or use retry: {max_attempts: 3}")
    elif name in behind:
        mend = f"{key} leads forward only: name a step that {name} doesn't wait for, or use retry"
        report.error(path, f"{key} leads back: {name} waits for {target}", mend[0].upper() + mend[1:])
    elif not steps[target].handler and target not in report.broken:
        report.error(path, f"the step {target} is no handler, it runs in any case", f"Write handler: true in {target}")
    else:
        return True
    return False


def _check_resources(report: Report, name: str, step: Step) -> None:
    pools = report.spec.resources.pools
    if "resources" in report.broken:
        return
    for pool, wanted in step.resources.items():
        path: Path = ("steps", name, "resources", pool)
        if pool not in pools:
            mend = did_you_mean(pool, pools, "Pools are") if pools else f"Declare it: resources: {{pools: {{{pool}: {wanted}}}}}"
            report.error(path, f"there is no pool {pool}", mend)
        elif wanted > pools[pool]:
            message = f"takes {wanted} of the pool {pool}, which has {pools[pool]}: it could never start"
            report.error(path, message, f"Ask for {pools[pool]} at most, or enlarge resources.pools.{pool}")


def _check_fan_out(report: Report, name: str, step: Step) -> None:
    limit, all_steps = step.max_concurrency, report.spec.resources.max_parallel
    path: Path = ("steps", name, "max_concurrency")
    if step.for_each is None:
        if limit is not None:
            report.warning(path, "max_concurrency does nothing without a for_each", "Add for_each: ${…}, or take it away")
        return
    if limit is not None and all_steps is not None and limit > all_steps:
        message = f"max_concurrency {limit} is more than resources.max_parallel, {all_steps}, lets run"
        report.warning(path, message, f"Write {all_steps}, or raise max_parallel")
    compiled = report.steps[name].for_each
    if compiled is not None and compiled.constant and not isinstance(step.for_each, list):
        report.error(("steps", name, "for_each"), "for_each must be a list", "Write [a, b], or ${…} that gives a list")
