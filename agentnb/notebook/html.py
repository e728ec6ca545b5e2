"""The HTML of answers, traces, cards and tables; the lab extension's stylesheet gives it its look, without it it still reads well."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from html import escape as escape_html
from typing import Any

from agentnb.agents.trace import Step
from agentnb.notebook.formats import duration, gist, plural, result_line
from agentnb.runtime.results import AgentResult
from agentnb.secrets import redact

DEEPEST = 20
SHOWN = 20_000
"""Characters of one argument or result that the trace shows; the journal has all of it."""


def escape(text: str) -> str:
    """Text as HTML shows it, without secrets."""
    return escape_html(redact(text))


def markdown(text: str) -> str:
    """Markdown as HTML; HTML in it is shown, not used, and so are links to scripts and pictures, which could tell on their reader."""
    return str(_renderer().render(redact(text)))


@cache
def _renderer() -> Any:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")


def answer(text: str) -> str:
    """The answer, with its own text for the copy button."""
    return f'<div class="agentnb-answer" data-agentnb-text="{escape(text)}">{markdown(text)}</div>' if text else ""


def status(name: str) -> str:
    return f'<span class="agentnb-status" data-status="{escape(name)}">{escape(name)}</span>'


def trace(state: str, line: str, steps: Sequence[Step], actions: str = "", *, unfolded: bool = False) -> str:
    """The quiet line, and under it, folded, the steps as a tree with bars on one time axis."""
    summary = f'<span class="agentnb-summary">{status(state)} {escape(line)}</span>'
    if not steps:
        return f"<div>{summary}{actions}</div>"
    end = max((step.started_ms + step.duration_ms for step in steps), default=0.0) or 1.0
    rows = "".join(_row(step, end) for step in sorted(steps, key=_place))
    return f'<details class="agentnb-trace"{" open" if unfolded else ""}><summary>{summary}</summary>{actions}{rows}</details>'


def of_result(result: AgentResult) -> str:
    """A result: the answer, and the trace folded under it."""
    return answer(result.text) + trace(result.status, result_line(result.agent, result), list(result.trace))


def of_trace(steps: Sequence[Step]) -> str:
    """A trace alone."""
    state = steps[-1].status if steps else "empty"
    spent = max((step.started_ms + step.duration_ms for step in steps), default=0.0)
    return trace(state, f"{plural(len(steps), 'step')} · {duration(spent)}", steps, unfolded=True)


def of_step(step: Step) -> str:
    """One step, with all that belongs to it."""
    return f'<div class="agentnb-trace">{_row(step, step.started_ms + step.duration_ms or 1.0, unfolded=True)}</div>'


def actions(text: str, prompt: str) -> str:
    """Buttons under an answer."""
    copy = f'<button class="agentnb-action" data-agentnb-copy="{escape(text)}">Copy</button>'
    cell = (
        f'<button class="agentnb-action" data-agentnb-cell="{escape(prompt)}">Make this a cell</button>' if 0 < len(prompt) <= SHOWN else ""
    )
    return f'<div class="agentnb-actions">{copy}{cell}</div>'


def fetch(model: str) -> str:
    """A button that fetches a model."""
    return f'<div class="agentnb-actions"><button class="agentnb-action" data-agentnb-fetch="{escape(model)}">Fetch it</button></div>'


def card(kind: str, title: str, body: str, detail: str = "", buttons: str = "") -> str:
    """An error, a refusal or a notice; ``detail`` is folded, ``buttons`` are HTML already."""
    folded = f"<details><summary>Traceback</summary><pre>{escape(detail)}</pre></details>" if detail else ""
    return (
        f'<div class="agentnb-card" data-kind="{kind}" role="{"alert" if kind in ("error", "refusal") else "note"}">'
        f'<div class="agentnb-card-title"><strong>{escape(title)}</strong></div><div>{escape(body)}</div>{buttons}{folded}</div>'
    )


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str = "", numbers: Collection[int] = (), wide: bool = False
) -> str:
    """Rows of data; cells are HTML already.

    Args:
        columns: Their names.
        rows: A cell for each column.
        empty: What would be here, said where there are no rows.
        numbers: Places of the columns that hold numbers, which stand on the right.
        wide: Whether it scrolls rather than breaking lines.
    """
    right = ' style="text-align: right"'
    styles = [right if place in numbers else "" for place in range(len(columns))]
    body = "".join(f"<tr>{''.join(f'<td{style}>{cell}</td>' for style, cell in zip(styles, row, strict=True))}</tr>" for row in rows)
    if not body and empty:
        return card("empty", "Nothing here yet", empty)
    head = "".join(f"<th{style}>{escape(column)}</th>" for style, column in zip(styles, columns, strict=True))
    found = f'<table class="agentnb-table{" agentnb-wide" if wide else ""}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div style="overflow-x: auto">{found}</div>' if wide else found


def tree(value: Any, depth: int = 0) -> str:
    """JSON as a tree; text as text, tables as tables."""
    if depth > DEEPEST:
        return escape(_plain(value))
    if isinstance(value, Mapping):
        rows = (f'<div><span class="agentnb-key">{escape(str(key))}</span>: {tree(item, depth + 1)}</div>' for key, item in value.items())
        return "".join(rows) or "{}"
    if isinstance(value, list | tuple):
        if value and all(isinstance(item, Mapping) and item.keys() == value[0].keys() for item in value):
            names = list(value[0])
            return table(names, [[tree(item[name], depth + 1) for name in names] for item in value[:100]])
        return "".join(f"<div>– {tree(item, depth + 1)}</div>" for item in value[:100]) or "[]"
    if isinstance(value, str):
        return _text(value, depth)
    kind = "null" if value is None else "boolean" if isinstance(value, bool) else "number"
    return f'<span class="agentnb-value" data-type="{kind}">{escape(json.dumps(value, default=str))}</span>'


def _text(text: str, depth: int) -> str:
    parsed = _json(text)
    if parsed is not None:
        return tree(parsed, depth + 1)
    shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text):,} characters in all)"
    if "\n" in shown:
        return f'<pre class="agentnb-value" data-type="string">{escape(shown)}</pre>'
    return f'<span class="agentnb-value" data-type="string">{escape(shown)}</span>'


def _json(text: str) -> Any:
    if text[:1] not in "{[" or len(text) > SHOWN or not text:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _place(step: Step) -> list[tuple[str, int]]:
    """A key that puts ``m2`` before ``m10``, and each step behind the one that asked for it."""
    return [(part.rstrip("0123456789"), int("0" + part.lstrip("abcdefghijklmnopqrstuvwxyz"))) for part in step.id.split(".")]


def _row(step: Step, end: float, *, unfolded: bool = False) -> str:
    said = gist(step)
    state = "replayed" if step.replayed and step.status == "completed" else step.status
    bar = 100 * step.started_ms / end, 100 * step.duration_ms / end
    parts = [("Input", step.input), ("Output", step.output), ("Error", step.error)]
    note, spent, indent = f" · {said}" if said else "", duration(step.duration_ms), 0 if unfolded else step.id.count(".")
    return row(step.kind, step.name, state, note, spent, bar, parts, indent=indent, unfolded=unfolded)


def row(
    kind: str,
    name: str,
    state: str,
    note: str,
    time: str,
    bar: tuple[float, float] | None,
    parts: Iterable[tuple[str, Any]],
    *,
    indent: int = 0,
    unfolded: bool = False,
) -> str:
    """One row of a trace, which unfolds to its parts.

    Args:
        kind: Of the step.
        name: Of the step.
        state: Its status.
        note: What else is said beside the status; no HTML.
        time: How long it took, as text.
        bar: Where it begins on the common axis, and how long it is, in per cent; None where it has not begun.
        parts: Labels and values; those that are None or empty are left out.
        indent: How deep it stands.
        unfolded: Whether its parts are shown at once.
    """
    head = (
        f'<span class="agentnb-kind">{escape(kind)}</span>'
        f'<span class="agentnb-name" style="padding-left: {1.2 * indent:.1f}em">{escape(name)} {status(state)}{escape(note)}</span>'
        f'<span class="agentnb-duration">{time}</span><span class="agentnb-bar"></span>'
    )
    body = "".join(
        f'<div class="agentnb-json" data-agentnb-text="{escape(_plain(value))}"><strong>{label}</strong> '
        f'<button class="agentnb-action" data-agentnb-copy>Copy</button><div>{tree(value)}</div></div>'
        for label, value in parts
        if value not in (None, "")
    )
    style = f' style="--from: {bar[0]:.2f}%; --width: {max(0.5, bar[1]):.2f}%"' if bar else ""
    return (
        f'<details class="agentnb-step"{" open" if unfolded else ""}>'
        f'<summary class="agentnb-row" data-status="{escape(state)}"{style}>{head}</summary>{body}</details>'
    )


def folded(title: str, body: str, *, unfolded: bool = False) -> str:
    """HTML under a line that unfolds it."""
    return f'<details class="agentnb-trace"{" open" if unfolded else ""}><summary>{escape(title)}</summary>{body}</details>' if body else ""


def _plain(value: Any) -> str:
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str, indent=2)
    except (RecursionError, ValueError, TypeError):
        text = "…"
    return text if len(text) <= SHOWN else text[:SHOWN]
