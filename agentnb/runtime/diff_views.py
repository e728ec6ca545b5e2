"""How the difference of two runs looks: for a terminal as a unified diff, in a notebook in two columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from itertools import zip_longest
from typing import Any

from agentnb.runtime import shown
from agentnb.runtime.diff import RunDiff, RunSide, StepDiff, StepSide
from agentnb.runtime.shown import compact, duration, moment, money, names

_MOST = 100
"""Steps of which a view shows the texts that differ; ``RunDiff.to_dict`` has all."""
_LINES = 1000
_UNFOLDED = 5
_CONTEXT = 2
_TEXTS = ("status", "input", "output", "error")
_ALIKE = "the values are the same; what the step's own fields make of them (prompt, url, env …) differs"
_COLOURS = {"-": "rgba(229, 57, 53, 0.18)", "+": "rgba(67, 160, 71, 0.18)", " ": "transparent"}


@dataclass(frozen=True)
class _Change:
    """Something that differs: a heading, and for each label the value in a and in b."""

    title: str
    values: dict[str, tuple[Any, Any]]


def as_text(found: RunDiff) -> str:
    """For a terminal."""
    lines = [f"--- a  {_run(found.a)}", f"+++ b  {_run(found.b)}", *(f"  {label}: {text}" for label, text in _summary(found))]
    for change in _changes(found):
        lines += ["", f"@@ {change.title} @@"]
        for label, (a, b) in change.values.items():
            lines += [f" {label}:"] if label else []
            lines += _unified(a, b)
    return "\n".join(lines) + "\n"


def as_html(found: RunDiff) -> str:
    """For a notebook, in light and dark."""
    escape = shown.html
    rows = [(f"<strong>{mark}</strong> <code>{escape(run.id)}</code>", *_columns(run)) for mark, run in (("a", found.a), ("b", found.b))]
    rows.append(("b − a", "", "", *map(escape, _differences(found.duration_ms, found.tokens, found.cost))))
    parts = [shown.html_table(("run", "status", "started", "time", "tokens", "cost"), rows)]
    parts += [f"<div><strong>{label}</strong>: {escape(text)}</div>" for label, text in _summary(found)[1:]]
    for number, change in enumerate(_changes(found)):
        title = escape(change.title)
        tables = "".join(f"<div>{escape(label)}</div>{_side_by_side(a, b)}" for label, (a, b) in change.values.items())
        parts.append(shown.html_folded(title, tables, unfolded=number < _UNFOLDED) if tables else f"<div>{title}</div>")
    return f'<div class="agentnb-diff">{"".join(parts)}</div>'


def _run(run: RunSide) -> str:
    reason = f" ({run.reason})" if run.reason else ""
    parts = [run.id, compact(run.name), f"{run.status}{reason}", duration(run.duration_ms), f"{run.tokens:,} tokens", money(run.cost)]
    return "  ".join([*parts, moment(run.started_at)])


def _columns(run: RunSide) -> list[str]:
    reason = f" ({run.reason})" if run.reason else ""
    times = map(shown.html, (moment(run.started_at), duration(run.duration_ms), f"{run.tokens:,}", money(run.cost)))
    return [f"{shown.html_status(run.status)}{shown.html(reason)}", *times]


def _summary(found: RunDiff) -> list[tuple[str, str]]:
    by_status: dict[str, list[str]] = {}
    for step in found.steps:
        by_status.setdefault(step.status, []).append(step.id)
    counted = [f"{len(ids):,} {status}{'' if status == 'same' else f' ({names(ids, most=8)})'}" for status, ids in by_status.items()]
    first = next((step for step in found.steps if step.id == found.diverged), None)
    where = f"{first.id} ({', '.join(first.changed) or first.status})" if first else "in no step"
    return [
        ("b − a", ", ".join(_differences(found.duration_ms, found.tokens, found.cost, named=True))),
        ("steps", ", ".join(counted) or "none"),
        ("first difference", where),
        ("definition", _definition(found)),
    ]


def _definition(found: RunDiff) -> str:
    definition = found.definition
    if definition.same:
        return "the same"
    parts = [
        names(definition.fields),
        f"edited: {names(definition.edited)}" if definition.edited else "",
        f"what they call differs: {names(definition.behind)}" if definition.behind else "",
        f"only in a: {names(definition.only_a)}" if definition.only_a else "",
        f"only in b: {names(definition.only_b)}" if definition.only_b else "",
    ]
    return f"differs: {'; '.join(part for part in parts if part) or 'in how its functions are kept'}"


def _differences(milliseconds: float | None, tokens: int | None, cost: float | None, *, named: bool = False) -> list[str]:
    time = "" if milliseconds is None else f"{'−' if milliseconds < -0.5 else '+'}{duration(abs(milliseconds))}"
    count = "" if tokens is None else f"{tokens:+,}{' tokens' if named else ''}"
    price = money(None) if cost is None else f"{'−' if cost < 0 else '+'}{money(abs(cost))}"
    return [time, count, price]


def _changes(found: RunDiff) -> Iterator[_Change]:
    """Everything that differs, from the definition to the outputs."""
    definition = found.definition
    for name, (a, b) in definition.fields.items():
        yield _Change(f"definition: {name}", {"": (a, b)})
    for name, (a, b) in definition.edited.items():
        yield _Change(f"definition: {name}", {"": (a, b)})
    if found.a.input != found.b.input:
        yield _Change("input of the run", {"": (found.a.input, found.b.input)})
    changed = [step for step in found.steps if step.status != "same"]
    for step in changed[:_MOST]:
        yield _Change(_title(step), dict(_texts(step)))
    if len(changed) > _MOST:
        yield _Change(f"{len(changed) - _MOST:,} more steps differ", {})
    if found.a.output != found.b.output:
        yield _Change("output of the run", {"": (found.a.output, found.b.output)})
    if found.a.error != found.b.error:
        yield _Change("error of the run", {"": (_error(found.a.error), _error(found.b.error))})


def _title(step: StepDiff) -> str:
    a, b = step.a, step.b
    if a is None or b is None:
        side = a or b
        child = f", run {side.child}" if side and side.child else ""
        return f"{step.id}: {step.status}{f' ({side.status}{child})' if side else ''}"
    parts = [f"{step.id}: {', '.join(step.changed)}", f"{duration(a.duration_ms)} → {duration(b.duration_ms)}"]
    parts += [f"{a.tokens:,} → {b.tokens:,} tokens"] if a.tokens or b.tokens else []
    parts += [f"{a.attempts} → {b.attempts} attempts"] if "attempts" in step.changed else []
    parts += [f"taken from {a.source or 'no run'} → {b.source or 'no run'}"] if a.source or b.source else []
    parts += [f"runs {a.child or 'none'} → {b.child or 'none'}"] if any(step.children) else []
    return " · ".join(parts)


def _texts(step: StepDiff) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """The values of a step that differ."""
    a, b = step.a, step.b
    if a is None or b is None:
        side = a or b
        output = None if side is None else _error(side.error) or side.output
        if output is not None:
            yield "output", (output, None) if b is None else (None, output)
        return
    for name in _TEXTS:
        if name in step.changed:
            yield name, (_value(a, name), _value(b, name))


def _value(side: StepSide, name: str) -> Any:
    if name == "status":
        return f"{side.status} ({side.reason})" if side.reason else side.status
    return _error(side.error) if name == "error" else getattr(side, name)


def _error(error: Any) -> str | None:
    return f"{error['type']}: {error['message']}".removeprefix(": ") if error else None


def _split(value: Any) -> list[str]:
    lines = [] if value is None else shown.shortened(shown.readable(value)).splitlines()
    return lines if len(lines) <= _LINES else [*lines[:_LINES], f"… {len(lines) - _LINES:,} more lines …"]


def _unified(a: Any, b: Any) -> list[str]:
    """Lines that begin with a space, ``-`` or ``+``."""
    lines = list(unified_diff(_split(a), _split(b), n=_CONTEXT, lineterm=""))[3:]
    return [" …" if line.startswith("@@") else line for line in lines] or [f" {_ALIKE}"]


def _side_by_side(a: Any, b: Any) -> str:
    left, right = _split(a), _split(b)
    rows: list[str] = []
    for group in SequenceMatcher(None, left, right).get_grouped_opcodes(_CONTEXT):
        rows += ["<tr><td>…</td><td>…</td></tr>"] if rows else []
        for tag, start, end, other_start, other_end in group:
            marks = (" ", " ") if tag == "equal" else ("-", "+")
            for pair in zip_longest(left[start:end], right[other_start:other_end]):
                rows.append(f"<tr>{''.join(map(_cell, marks, pair))}</tr>")
    return f'<table style="width: 100%; table-layout: fixed; color: inherit">{"".join(rows)}</table>' if rows else f"<div>{_ALIKE}</div>"


def _cell(mark: str, line: str | None) -> str:
    colour = _COLOURS[mark if line is not None else " "]
    style = f"text-align: left; white-space: pre-wrap; overflow-wrap: anywhere; font-family: monospace; background: {colour}"
    return f'<td style="{style}">{shown.html(line or "")}</td>'
