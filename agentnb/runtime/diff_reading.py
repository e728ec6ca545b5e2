"""Reads two runs from the store, and compares them step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agentnb.agents import trace as agent_trace
from agentnb.errors import ConfigurationError
from agentnb.ports.store import Definition, Event, Run
from agentnb.runtime.diff import DefinitionDiff, RunDiff, RunSide, StepDiff, StepSide
from agentnb.runtime.workflow_results import usage_of
from agentnb.workflows import trace as workflow_trace
from agentnb.workflows.documents.differences import same

if TYPE_CHECKING:
    from agentnb.runtime.runtime import Runtime

_PARTS = ("steps", "states")
_IDS = frozenset({"id", "tool_call_id"})
_OF_AGENTS = ("model", "approval")
_DIVERGING = frozenset({"status", "input", "output", "error"})


def compared(runtime: Runtime, a: str, b: str) -> RunDiff:
    """The difference of two runs; see ``agentnb.runtime.diff.diff``."""
    runs = runtime.get(a), runtime.get(b)
    kind = _kind(*runs)
    read = _agent_steps if kind == "agent" else _workflow_steps
    events = [runtime.events(run.id) for run in runs]
    steps = [read(found) for found in events]
    found = tuple(_step(name, steps[0].get(name), steps[1].get(name)) for name in _order(*map(list, steps)))
    sides = [_side(run, journal, parts) for run, journal, parts in zip(runs, events, steps, strict=True)]
    definition = _definition(*(runtime.store.definition(run.definition) for run in runs))
    return RunDiff(kind, sides[0], sides[1], definition, found, _diverged(found))


def _kind(a: Run, b: Run) -> str:
    if a.kind != b.kind:
        raise ConfigurationError(
            f"run {a.id} is of the {a.kind} {a.name!r} and run {b.id} of the {b.kind} {b.name!r}: compare two runs of one kind"
        )
    if a.kind == "job":
        raise ConfigurationError(f"runs of jobs can't be compared: compare the runs that {a.id} and {b.id} started")
    return a.kind


def _workflow_steps(events: Sequence[Event]) -> dict[str, StepSide]:
    return {name: _workflow_step(record) for name, record in workflow_trace.steps_of(events).items()}


def _workflow_step(record: workflow_trace.StepRecord) -> StepSide:
    usage, output = record.usage, record.output
    if record.kind == "agent" and isinstance(output, Mapping):
        output = {name: value for name, value in output.items() if name != "usage"}
    return StepSide(
        record.kind,
        record.title or record.id,
        record.status,
        record.reason,
        record.input,
        output,
        record.error if record.status == "failed" else None,
        record.attempts,
        record.duration_ms,
        (usage.get("input_tokens") or 0) + (usage.get("output_tokens") or 0),
        usage.get("cost", 0.0),
        record.child,
        record.source,
        record.input_hash,
        record.fingerprint,
    )


def _agent_steps(events: Sequence[Event]) -> dict[str, StepSide]:
    return {step.id: _agent_step(step) for step in agent_trace.steps_of(events)}


def _agent_step(step: agent_trace.Step) -> StepSide:
    usage, output = step.usage, step.output
    if step.kind == "model" and isinstance(output, Mapping):
        output = {name: value for name, value in output.items() if name != "usage"}
    return StepSide(
        step.kind,
        step.name,
        step.status,
        "",
        _without_ids(step.input),
        _without_ids(output),
        {"type": "", "message": step.error} if step.error else None,
        1,
        step.duration_ms,
        0 if usage is None else usage.input_tokens + usage.output_tokens,
        0.0 if usage is None else usage.cost,
        "",
        "earlier run" if step.replayed else "",
        step.input_hash,
        "",
    )


def _without_ids(value: Any) -> Any:
    """Messages without the IDs of tool calls, which providers draw by lot."""
    if isinstance(value, Mapping):
        return {key: _without_ids(item) for key, item in value.items() if key not in _IDS}
    return [_without_ids(item) for item in value] if isinstance(value, list) else value


def _order(a: Sequence[str], b: Sequence[str]) -> list[str]:
    """All names in a's order; those that only b has follow the one that they follow there."""
    known = set(a)
    behind: dict[str, list[str]] = {}
    last = ""
    for name in b:
        if name in known:
            last = name
        else:
            behind.setdefault(last, []).append(name)
    return [*behind.get("", ()), *(name for one in a for name in (one, *behind.get(one, ())))]


def _step(name: str, a: StepSide | None, b: StepSide | None) -> StepDiff:
    if a is None or b is None:
        return StepDiff(name, "only in b" if a is None else "only in a", (), a, b)
    differs: dict[str, Callable[[], bool]] = {
        "status": lambda: (a.status, a.reason) != (b.status, b.reason),
        "input": lambda: not _same_input(a, b),
        "output": lambda: not same(a.output, b.output),
        "error": lambda: not same(a.error, b.error),
        "attempts": lambda: bool(a.attempts and b.attempts) and a.attempts != b.attempts,
        "definition": lambda: not _same_definition(a, b),
    }
    changed = tuple(field for field, check in differs.items() if check())
    return StepDiff(name, "changed" if changed else "same", changed, a, b)


def _same_input(a: StepSide, b: StepSide) -> bool:
    """By the hash; where a model's request differs in nothing but IDs or in what came before, by what was added to it."""
    if (a.input_hash and a.input_hash == b.input_hash) or "skipped" in (a.status, b.status):
        return True
    hashed = bool(a.input_hash and b.input_hash) and "model" not in (a.kind, b.kind)
    return not hashed and same(a.input, b.input)


def _same_definition(a: StepSide, b: StepSide) -> bool:
    """By the fingerprint, which a workflow's step has once it was to be run; an agent's by the model or the tool."""
    if a.fingerprint and b.fingerprint:
        return a.fingerprint == b.fingerprint
    return a.kind == b.kind and (a.kind not in _OF_AGENTS or a.name == b.name)


def _diverged(steps: Sequence[StepDiff]) -> str:
    """The first step that differs in more than its attempts; an item rather than the fan-out that it is of."""
    fans = {step.id.partition("[")[0] for step in steps if "[" in step.id and _differs(step)}
    found = (step.id for step in steps if _differs(step) and (step.id not in fans or "input" in step.changed))
    return next(found, "")


def _differs(step: StepDiff) -> bool:
    only = step.b if step.a is None else step.a if step.b is None else None
    return only.status != "skipped" if only is not None else not _DIVERGING.isdisjoint(step.changed)


def _side(run: Run, events: Sequence[Event], steps: Mapping[str, StepSide]) -> RunSide:
    usage = run.usage or (usage_of(workflow_trace.steps_of(events)) if run.kind == "workflow" else {})
    ended = run.ended_at or (events[-1].data["timestamp"] if events else run.created_at)
    elapsed = datetime.fromisoformat(ended) - datetime.fromisoformat(run.created_at)
    tokens = usage.get("input_tokens", 0) + usage.get("output_tokens", 0) if usage else sum(step.tokens for step in steps.values())
    given, output = run.input, run.output
    if run.kind == "agent":
        given = (run.input or {}).get("prompt")
        output = (run.output or {}).get("output")
    return RunSide(
        run.id,
        run.name,
        run.status,
        run.reason,
        run.error,
        run.created_at,
        elapsed.total_seconds() * 1000,
        tokens,
        usage.get("cost"),
        run.definition,
        given,
        output,
    )


def _definition(a: Definition, b: Definition) -> DefinitionDiff:
    if a.hash == b.hash:
        return DefinitionDiff(True, {}, {}, (), (), ())
    if a.kind == "agent":
        fields = {name: values for name, values in _changed(a.spec, b.spec).items() if name != "not_portable"}
        return DefinitionDiff(False, fields | _code(a, b, fields), {}, (), (), ())
    documents = a.spec["document"], b.spec["document"]
    parts = [{name: part for key in _PARTS for name, part in document.get(key, {}).items()} for document in documents]
    both = {name: (parts[0][name], parts[1][name]) for name in parts[0] if name in parts[1]}
    edited = {name: values for name, values in both.items() if not same(*values)}
    prints = a.spec["fingerprints"], b.spec["fingerprints"]
    places = [place for place in prints[0] if place in prints[1] and prints[0][place] != prints[1][place]]
    behind = tuple(place for place in places if place.partition(".")[0] not in edited)
    fields = {name: values for name, values in _changed(*documents).items() if name not in _PARTS}
    found = fields or edited or behind or len(both) < max(map(len, parts))
    return DefinitionDiff(
        False,
        fields if found else _changed({"folder": a.spec["folder"]}, {"folder": b.spec["folder"]}) or _code(a, b, {}),
        edited,
        behind,
        tuple(name for name in parts[0] if name not in parts[1]),
        tuple(name for name in parts[1] if name not in parts[0]),
    )


def _changed(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {name: (a.get(name), b.get(name)) for name in [*a, *(name for name in b if name not in a)] if not same(a.get(name), b.get(name))}


def _code(a: Definition, b: Definition, found: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The functions that are kept, where nothing else says that they differ."""
    return {"code": (f"{len(a.code):,} bytes", f"{len(b.code):,} bytes")} if a.code != b.code and not found else {}
