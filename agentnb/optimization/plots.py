"""Small SVG pictures for reports: bars, and points with a limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_COLOURS = {"chosen": "#1a7f37", "passed": "#0969da", "rejected": "#cf222e", "failed": "#8c959f", "left out": "#8c959f"}
_SERIES = ("#0969da", "#bf8700", "#1a7f37", "#8250df", "#cf222e", "#57606a", "#1b7c83", "#bc4c00")
_WIDTH, _ROW, _LABEL = 760, 22, 230
_LARGE = 1000
_TEXT = 'font-family="system-ui, sans-serif" font-size="12" fill="currentColor"'


def bars(title: str, rows: Sequence[tuple[str, float, str]], unit: str, *, line: float | None = None) -> str:
    """Horizontal bars.

    Args:
        title: Above them.
        rows: Name, length and colour (a status, or the number of a series).
        unit: Behind each length.
        line: Where to draw a line across, such as 1 for "as fast".
    """
    height = 40 + _ROW * len(rows) + 10
    top = max([value for _, value, _ in rows] + [line or 0.0, 1e-9])
    scale = (_WIDTH - _LABEL - 110) / top
    parts = [f'<text x="8" y="20" {_TEXT} font-weight="600">{escape(title)}</text>']
    for place, (name, value, kind) in enumerate(rows):
        y = 36 + _ROW * place
        parts.append(f'<text x="{_LABEL - 8}" y="{y + 14}" {_TEXT} text-anchor="end">{escape(name)}</text>')
        parts.append(
            f'<rect x="{_LABEL}" y="{y + 2}" width="{max(value * scale, 1):.1f}" height="{_ROW - 6}" rx="2" fill="{_colour(kind)}"/>'
        )
        parts.append(f'<text x="{_LABEL + value * scale + 6:.1f}" y="{y + 14}" {_TEXT}>{_short(value)} {escape(unit)}</text>')
    if line is not None:
        x = _LABEL + line * scale
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="32" y2="{height - 8}" stroke="currentColor" stroke-dasharray="4 3"/>')
    return _picture(height, parts)


def gate(title: str, rows: Sequence[Mapping[str, Any]], max_drop: float) -> str:
    """Each recipe's drop with its interval, and the limit that the gate sets; ``rows`` are those of a report that have a verdict."""
    judged = [row for row in rows if row["verdict"]]
    height = 40 + _ROW * len(judged) + 24
    low = min([_clipped(row["verdict"]["low"], max_drop) for row in judged] + [0.0])
    high = max([_clipped(row["verdict"]["high"], max_drop) for row in judged] + [max_drop * 1.2, 1e-9])
    scale = (_WIDTH - _LABEL - 60) / (high - low)

    def x(value: float) -> float:
        return _LABEL + (_clipped(value, max_drop) - low) * scale

    parts = [f'<text x="8" y="20" {_TEXT} font-weight="600">{escape(title)}</text>']
    for place, row in enumerate(judged):
        verdict, y = row["verdict"], 36 + _ROW * place
        colour = _colour(row["status"])
        beyond = " (beyond)" if verdict["drop"] > _limit(max_drop) else ""
        parts.append(f'<text x="{_LABEL - 8}" y="{y + 14}" {_TEXT} text-anchor="end">{escape(row["recipe"]["name"] + beyond)}</text>')
        parts.append(f'<path d="M{x(verdict["low"]):.1f} {y + 10}H{x(verdict["high"]):.1f}" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<circle cx="{x(verdict["drop"]):.1f}" cy="{y + 10}" r="4" fill="{colour}"/>')
    parts += [
        f'<line x1="{x(edge):.1f}" x2="{x(edge):.1f}" y1="32" y2="{height - 20}" stroke="currentColor" stroke-dasharray="{dash}"/>'
        f'<text x="{x(edge):.1f}" y="{height - 6}" {_TEXT} text-anchor="middle">{label}</text>'
        for edge, dash, label in ((0.0, "1 3", "0"), (max_drop, "4 3", f"may lose {max_drop:g}"))
        if edge or max_drop
    ]
    return _picture(height, parts)


def lines(title: str, series: Mapping[str, Sequence[tuple[float, float]]], across: str, up: str) -> str:
    """Curves of points, both axes from 0; each series has a colour, and its name at its last point."""
    height, left, bottom = 320, 80, 40
    points = [point for curve in series.values() for point in curve]
    right, top = max(x for x, _ in points) or 1, max(y for _, y in points) or 1

    def place(x: float, y: float) -> tuple[float, float]:
        return left + x / right * (_WIDTH - left - 190), height - bottom - y / top * (height - bottom - 40)

    parts = [
        f'<text x="8" y="20" {_TEXT} font-weight="600">{escape(title)}</text>',
        f'<text x="{(_WIDTH - 130) / 2:.0f}" y="{height - 8}" {_TEXT} text-anchor="middle">{escape(across)}</text>',
        f'<text x="{left}" y="36" {_TEXT}>{escape(up)}</text>',
        f'<path d="M{left} 40V{height - bottom}H{_WIDTH - 130}" fill="none" stroke="currentColor"/>',
    ]
    parts += [
        f'<text x="{place(mark, 0)[0]:.1f}" y="{height - bottom + 16}" {_TEXT} text-anchor="middle">{mark:g}</text>'
        for mark in sorted({x for x, _ in points})
    ]
    parts += [
        f'<text x="{left - 6}" y="{place(0, top * part)[1] + 4:.1f}" {_TEXT} text-anchor="end">{_short(top * part)}</text>'
        for part in (0.5, 1.0)
    ]
    for number, (name, curve) in enumerate(series.items()):
        colour = _SERIES[number % len(_SERIES)]
        spots = [place(x, y) for x, y in curve]
        parts.append(
            f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in spots)}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in spots]
        parts.append(f'<text x="{_WIDTH - 184}" y="{48 + 18 * number}" {_TEXT}><tspan fill="{colour}">●</tspan> {escape(name)}</text>')
    return _picture(height, parts)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= _LARGE else f"{value:.3g}"


def _limit(max_drop: float) -> float:
    return max(max_drop * 5, 0.02)


def _clipped(value: float, max_drop: float) -> float:
    """A drop that is far beyond the limit would make all others a point."""
    return min(max(value, -_limit(max_drop)), _limit(max_drop))


def _colour(kind: str) -> str:
    return _COLOURS.get(kind) or _SERIES[int(kind) % len(_SERIES)]


def _picture(height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" role="img" '
        f'style="color:#57606a;max-width:100%">{"".join(parts)}</svg>\n'
    )
