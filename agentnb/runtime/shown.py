"""Values, times and costs as reports and comparisons of runs show them: masked, shortened, escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from agentnb.ports.store import Run
from agentnb.secrets import redact, to_json

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_MARKS = re.compile(r"[\\`*|\[\]~]|(?<!\w)_|_(?!\w)")
_TICKS = re.compile(r"`+")
_DEEPEST = 50
MOST = 20_000
"""Characters of one value that a view shows; the journal has all of it."""


def duration(milliseconds: float) -> str:
    """``820 ms``, ``12.4 s``, ``3 m 05 s``, ``2 h 03 m``."""
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} m {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} m"


def count(number: int) -> str:
    """``950``, ``1.2k``, ``3.4M``."""
    if number < 1_000:
        return str(number)
    return f"{number / 1_000:.1f}k" if number < 1_000_000 else f"{number / 1_000_000:.1f}M"


def plural(number: int, word: str) -> str:
    return f"{count(number)} {word}{'' if number == 1 else 's'}"


def elapsed(run: Run) -> float | None:
    """Milliseconds that a run took, or takes so far; None while it doesn't work: it is queued, or waits for somebody."""
    if not run.ended_at and run.status != "running":
        return None
    end = datetime.fromisoformat(run.ended_at) if run.ended_at else datetime.now(UTC)
    return max((end - datetime.fromisoformat(run.created_at)).total_seconds() * 1000, 0.0)


def money(cost: float | None) -> str:
    """US dollars; None is a cost that nobody knows."""
    return "cost unknown" if cost is None else f"${cost:.4f}"


def moment(timestamp: str) -> str:
    """An RFC 3339 UTC time to the second, for people."""
    return f"{timestamp[:19].replace('T', ' ')} UTC" if timestamp else ""


def names(found: Iterable[str], by: str = ", ", most: int = 20) -> str:
    """Names in one line; of many, the first ones and the last."""
    listed = list(found)
    if len(listed) <= most:
        return by.join(listed)
    return by.join([*listed[: most - 2], f"… {len(listed) - most + 1:,} more …", listed[-1]])


def clean(text: str) -> str:
    """Text without secrets and without control sequences."""
    return _CONTROL.sub("", redact(text))


def shortened(text: str, most: int = MOST) -> str:
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters in all)"


def compact(value: Any, most: int = 200) -> str:
    """A value in one line: text as it is, everything else as JSON."""
    text = clean(value) if isinstance(value, str) else to_json(value)
    return shortened(" ".join(clean(text).split()), most)


def readable(value: Any) -> str:
    """A value in lines that can be read and compared: text as it is, mappings and lists indented, without secrets."""
    return clean("\n".join(_lines(value, 0)))


def _lines(value: Any, depth: int) -> list[str]:
    if isinstance(value, str):
        return value.splitlines() or [""]
    if isinstance(value, Mapping) and value and depth < _DEEPEST:
        return [line for key, item in value.items() for line in _entry(f"{key}:", item, depth)]
    if isinstance(value, list | tuple) and value and depth < _DEEPEST:
        return [line for item in value for line in _entry("-", item, depth)]
    return [to_json(value)]


def _entry(mark: str, value: Any, depth: int) -> list[str]:
    below = _lines(value, depth + 1)
    nested = isinstance(value, Mapping | list | tuple) and bool(value)
    if len(below) == 1 and not nested:
        return [f"{mark} {below[0]}".rstrip()]
    if mark == "-" and nested:
        return [f"- {below[0]}", *(f"  {line}" for line in below[1:])]
    return [mark, *(f"  {line}" for line in below)]


def html(text: str) -> str:
    """Text as HTML shows it, without secrets."""
    return escape(clean(text))


def _used(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[list[str]]:
    """The head and the rows without the columns that are empty in every row."""
    whole = [list(row) for row in rows]
    used = [place for place in range(len(columns)) if any(row[place] for row in whole)]
    return [[row[place] for place in used] for row in ([*columns], *whole)]


def html_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table without its empty columns; cells are HTML already."""
    names, *lines = _used(columns, rows)
    head = "".join(f'<th style="text-align: left">{column}</th>' for column in names)
    cells = ("".join(f"<td style='text-align: left; color: inherit'>{cell}</td>" for cell in line) for line in lines)
    body = "".join(f"<tr>{line}</tr>" for line in cells)
    return f'<table class="agentnb-table" style="color: inherit"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def html_status(name: str) -> str:
    return f'<span class="agentnb-status" data-status="{html(name)}">{html(name)}</span>'


def html_value(value: Any) -> str:
    return f'<pre style="white-space: pre-wrap; margin: 0">{escape(shortened(readable(value)))}</pre>'


def html_folded(title: str, body: str, *, unfolded: bool = False) -> str:
    """Something behind its title; both are HTML already."""
    return f"<details{' open' if unfolded else ''}><summary>{title}</summary>{body}</details>"


def markdown(text: str) -> str:
    """Text in one line, with nothing in it that Markdown or HTML would take for a mark."""
    return _MARKS.sub(r"\\\g<0>", escape(" ".join(clean(text).split()), quote=False))


def markdown_code(text: str) -> str:
    """Text in one line as code."""
    text = " ".join(clean(text).split())
    fence = "`" * (max(map(len, _TICKS.findall(text)), default=0) + 1)
    return f"{fence} {text} {fence}" if "`" in text else f"`{text}`"


def markdown_block(value: Any) -> str:
    """A value as a block of code."""
    text = shortened(readable(value))
    fence = "`" * max(3, max(map(len, _TICKS.findall(text)), default=0) + 1)
    return f"{fence}text\n{text}\n{fence}"


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table without its empty columns; cells are Markdown already."""
    head, *lines = _used(columns, rows)
    return [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(line)} |" for line in lines)]


def text_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table for a terminal without its empty columns, indented by two; none where there are no rows."""
    lines = _used(columns, ([*map(clean, row)] for row in rows))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [f"  {'  '.join(map(str.ljust, line, widths))}".rstrip() for line in lines] if len(lines) > 1 else []
