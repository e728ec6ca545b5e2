"""What the expressions of a document read: whether there is such a thing, and whether it can be read there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agentnb.names import did_you_mean, nearest
from agentnb.workflows.checks.report import Report, value_at
from agentnb.workflows.compilation import CompiledStep, compile_transitions
from agentnb.workflows.documents import Path
from agentnb.workflows.expressions import ROOTS, Condition, ExpressionError, Reference, Template
from agentnb.workflows.spec import Action, Step

_EVERYWHERE = frozenset({"inputs", "steps", "run", "env"})
_FAN_OUT = _EVERYWHERE | {"item", "index"}
_MACHINE = _EVERYWHERE | {"attempts", "event"}
_OF_A_STEP = ("status", "output", "error")
_WHY = {
    "item": ("item is there only where the step has a for_each, and not in its when", "Add for_each: ${…}, or read steps or inputs"),
    "index": ("index is there only where the step has a for_each, and not in its when", "Add for_each: ${…}"),
    "attempts": ("attempts is there only in a state machine", "Use retry: {max_attempts: 3} for a step of a dag"),
    "event": ("event is there only in a state machine", "Read it from a step with webhook: {event: …, wait_for_callback: true}"),
}


def check_references(report: Report) -> None:
    """Every reference of actions, transitions and outputs."""
    actions = report.spec.actions()
    machine = report.spec.kind == "state_machine"
    for name, compiled in report.steps.items():
        if compiled.references:
            _check_action(report, name, actions[name], compiled, machine)
    if machine:
        _check_transitions(report)
    _check_outputs(report, _MACHINE if machine else _EVERYWHERE)


def place_of(data: Any, path: Path, reference: Reference | None = None) -> Path:
    """The text below that path which reads the reference; without one, the first that is no valid template."""
    for place, text in _texts(value_at(data, path), path):
        try:
            references = Template(text).references
            if reference is not None and reference in references:
                return place
        except ExpressionError:
            if reference is None:
                return place
    return path


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _texts(item, (*path, place))


def _check_action(report: Report, name: str, action: Action, compiled: CompiledStep, machine: bool) -> None:
    fanned = isinstance(action, Step) and action.for_each is not None
    inside = _MACHINE if machine else _FAN_OUT if fanned else _EVERYWHERE
    outside = _MACHINE if machine else _EVERYWHERE
    if all(reference.root in outside and _known(report, reference) for reference in compiled.references) and (
        machine or not _reads(compiled, name)
    ):
        return
    fields: list[tuple[str, Template | Condition | None, frozenset[str]]] = [
        ("input", compiled.input, inside),
        ("when", compiled.when, outside),
        ("for_each", compiled.for_each, outside),
        ("cache.key", compiled.cache_key, inside),
        *((place, part, inside) for place, part in compiled.parts.items()),
    ]
    for place, part, roots in fields:
        if part is not None:
            _check(report, report.path(name, place), part, roots, "" if machine else name)


def _reads(compiled: CompiledStep, name: str) -> bool:
    return any(reference.root == "steps" and reference.name == name for reference in compiled.references)


def _check_transitions(report: Report) -> None:
    conditions, findings = compile_transitions(report.spec)
    report.findings += findings
    for state, several in conditions.items():
        for place, condition in enumerate(several):
            if condition is not None:
                _check(report, ("states", state, "transitions", place, "when"), condition, _MACHINE)


def _check_outputs(report: Report, roots: frozenset[str]) -> None:
    for name, value in report.spec.outputs.items():
        path = ("outputs", name)
        try:
            template = Template(value)
        except ExpressionError as error:
            report.error(place_of(report.data, path), str(error))
        else:
            _check(report, path, template, roots)


def _check(report: Report, path: Path, part: Template | Condition, roots: frozenset[str], own: str = "") -> None:
    for reference in sorted(part.references):
        found = _wrong(report, reference, roots, own)
        if found:
            report.error(place_of(report.data, path, reference) if isinstance(part, Template) else path, *found)


def _known(report: Report, reference: Reference) -> bool:
    match reference.root:
        case "steps":
            return reference.name in report.steps and (not reference.path or reference.path[0] in _OF_A_STEP)
        case "inputs":
            return not reference.name or reference.name in report.spec.inputs
        case "env":
            return reference.name in report.spec.env
        case _:
            return True


def _wrong(report: Report, reference: Reference, roots: frozenset[str], own: str) -> tuple[str, str] | None:
    root, name = reference.root, reference.name
    if root not in roots:
        if any(str(other).endswith(f"-{root}") for other in report.broken):
            return None
        return _WHY.get(root) or (f"{root} is not known here", did_you_mean(root, ROOTS, "Expressions read"))
    if root == "steps" and own and name == own:
        return f"the step {name} reads itself", f"Read another step, or take ${{steps.{name}…}} away"
    if _known(report, reference):
        return None
    if root == "env":
        return f"the variable {name} is not declared", f"Add env: [{', '.join([*report.spec.env, name])}]"
    if root == "inputs":
        return None if name in report.names("inputs") else _unknown(report, "input", name, "inputs")
    return _wrong_step(report, reference)


def _wrong_step(report: Report, reference: Reference) -> tuple[str, str] | None:
    name, machine = reference.name, report.spec.kind == "state_machine"
    key = "states" if machine else "steps"
    known = report.names(key)
    if name in report.steps:
        field = str(reference.path[0])
        near = nearest(field, _OF_A_STEP, 0.7)
        mend = f"Did you mean steps.{name}.{near}?" if near else f"Write steps.{name}.output.{field}"
        return f"steps.{name} has status, output and error, no {field}", mend
    if name in report.broken or any(str(other).startswith(f"{name}-") for other in known):
        return None
    if name in known:
        return f"the state {name} has no step, so that there is nothing to read of it", f"Give it a step, or take ${{steps.{name}…}} away"
    return _unknown(report, "state" if machine else "step", name, key)


def _unknown(report: Report, what: str, name: str, key: str) -> tuple[str, str]:
    known = report.names(key)
    mend = did_you_mean(name, known) if known else f"Declare it: {key}: {{{name}: {{type: string}}}}" if key == "inputs" else ""
    return f"there is no {what} {name}", mend
