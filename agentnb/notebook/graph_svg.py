"""A workflow as a picture: a static SVG that needs nothing beside it, in the colours of JupyterLab's theme."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentnb.notebook.formats import plural
from agentnb.notebook.html import escape
from agentnb.runtime.graphs.layout import Box, Edge, Line
from agentnb.runtime.graphs.sketch import BOX_HEIGHT, LOOP_HEIGHT, TITLE_SIZE, Item, Sketch, clipped, sketch
from agentnb.runtime.graphs.states import Shown, State, states_of
from agentnb.workflows.spec import WorkflowSpec
from agentnb.workflows.trace import StepRecord

MARGIN = 14.0

_STYLE = (
    ".agentnb-graph{--ag-ink:var(--jp-ui-font-color1,#1f2328);--ag-soft:var(--jp-ui-font-color2,#656d76);--ag-line:var(--jp-border-color1,#b5bcc4);"
    "--ag-face:var(--jp-layout-color1,#fff);--ag-brand:var(--jp-brand-color1,#1976d2);--ag-good:var(--jp-success-color1,#2e7d32);"
    "--ag-bad:var(--jp-error-color1,#c62828);--ag-warn:var(--jp-warn-color1,#b26a00);"
    "font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-variant-numeric:tabular-nums}"
    "@media(prefers-color-scheme:dark){.agentnb-graph{--ag-ink:var(--jp-ui-font-color1,#e6edf3);--ag-soft:var(--jp-ui-font-color2,#9aa4ae);"
    "--ag-line:var(--jp-border-color1,#4b535c);--ag-face:var(--jp-layout-color1,#161b22);--ag-brand:var(--jp-brand-color1,#64b5f6);"
    "--ag-good:var(--jp-success-color1,#66bb6a);--ag-bad:var(--jp-error-color1,#ef5350);--ag-warn:var(--jp-warn-color1,#ffb74d)}}"
    ".agentnb-graph g{--ag-s:var(--ag-line);--ag-t:var(--ag-soft)}"
    ".agentnb-graph g[data-status=running]{--ag-s:var(--ag-brand);--ag-t:var(--ag-brand)}"
    ".agentnb-graph g[data-status=waiting],.agentnb-graph g[data-status=stale]{--ag-s:var(--ag-warn);--ag-t:var(--ag-warn)}"
    ".agentnb-graph g[data-status=completed],.agentnb-graph g[data-status=replayed]{--ag-s:var(--ag-good);--ag-t:var(--ag-good)}"
    ".agentnb-graph g[data-status=failed]{--ag-s:var(--ag-bad);--ag-t:var(--ag-bad)}"
    ".agentnb-graph .b{fill:var(--ag-face);stroke:var(--ag-s);stroke-width:1.3}"
    ".agentnb-graph [data-status] .b{fill:color-mix(in srgb,var(--ag-s) 9%,var(--ag-face))}"
    ".agentnb-graph [data-status=skipped],.agentnb-graph [data-status=cancelled]{opacity:.72}"
    ".agentnb-graph .f{stroke-dasharray:5 3}"
    ".agentnb-graph .now{fill:none;stroke:var(--ag-s);stroke-width:2.6;opacity:.35}"
    ".agentnb-graph .n{font-size:13px;font-weight:600;fill:var(--ag-ink)}"
    ".agentnb-graph .d{font-size:11px;fill:var(--ag-t)}"
    ".agentnb-graph .k{fill:none;stroke:var(--ag-soft);stroke-width:1.3;stroke-linecap:round;stroke-linejoin:round}"
    ".agentnb-graph .s{fill:none;stroke:var(--ag-t);stroke-width:1.6;stroke-linecap:round;stroke-linejoin:round}"
    ".agentnb-graph .s .h{fill:var(--ag-t);stroke:none}"
    ".agentnb-graph .e{fill:none;stroke:var(--ag-line);stroke-width:1.3;stroke-linecap:round;stroke-linejoin:round}"
    ".agentnb-graph .e.t{stroke:var(--ag-good);stroke-width:1.9}.agentnb-graph .e.x{stroke-dasharray:5 4}.agentnb-graph .e.o{opacity:.4}"
    ".agentnb-graph .l{font-size:11px;fill:var(--ag-soft);paint-order:stroke;stroke:var(--ag-face);stroke-width:4px}"
    ".agentnb-graph .l.t{fill:var(--ag-good)}"
    ".agentnb-graph [data-status=running] .turn{animation:agentnb-graph-turn 1.6s linear infinite}"
    "@keyframes agentnb-graph-turn{to{transform:rotate(1turn)}}"
    "@media(prefers-reduced-motion){.agentnb-graph .turn{animation:none!important}}"
)

_KINDS = {
    "agent": "M7 1l1.5 4.5L13 7 8.5 8.5 7 13 5.5 8.5 1 7l4.5-1.5z",
    "tool": "M4.5 3L1 7l3.5 4M9.5 3L13 7l-3.5 4M8 2.5l-2 9",
    "shell": "M1.5 2.5l4 4-4 4M7 11.5h5.5",
    "human": "M7 6.5a2.6 2.6 0 1 0 0-5.2 2.6 2.6 0 0 0 0 5.2zM1.8 12.7c.3-2.6 2.4-3.7 5.2-3.7s4.9 1.1 5.2 3.7",
    "webhook": "M7 1.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM1.5 7h11M7 1.5c3 3.2 3 7.8 0 11M7 1.5c-3 3.2-3 7.8 0 11",
    "workflow": "M1.5 1.5h4.5v4h-4.5zM8 8.5h4.5v4h-4.5zM6 3.5h2.5a1.8 1.8 0 0 1 1.8 1.8v3.2",
    "more": "M2.5 7h.01M7 7h.01M11.5 7h.01",
    "state": "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9z",
}
_CIRCLE = '<path d="M4 0a4 4 0 1 1-8 0 4 4 0 1 1 8 0"/>'
_STATUSES = {
    "queued": _CIRCLE,
    "running": f'<g class="turn">{_CIRCLE}<path class="h" d="M0-4a4 4 0 0 1 0 8z"/></g>',
    "waiting": '<path d="M-2-3.5v7M2-3.5v7" stroke-width="2.2"/>',
    "completed": '<path d="M-4 .3l2.7 3L4-3.3"/>',
    "failed": '<path d="M-3.3-3.3l6.6 6.6M3.3-3.3l-6.6 6.6"/>',
    "cancelled": f'{_CIRCLE}<path d="M-2.8 2.8l5.6-5.6"/>',
    "skipped": '<path d="M-4 0h8"/>',
    "stale": '<path d="M0-4.5L4.5 0 0 4.5-4.5 0z"/>',
    "replayed": '<path d="M3.6-1.7A4 4 0 1 0 3.9 1M4.3-4.3v2.9H1.4"/>',
}


@dataclass
class Picture:
    """A workflow that is drawn again and again: its boxes stay where they are."""

    spec: WorkflowSpec
    _sketch: Sketch = field(init=False)

    def __post_init__(self) -> None:
        self._sketch = sketch(self.spec)

    def svg(
        self,
        steps: Mapping[str, StepRecord] | None = None,
        *,
        stale: Collection[str] = frozenset(),
        now: float | None = None,
        history: Sequence[Mapping[str, Any]] = (),
    ) -> str:
        """The picture with what the run has come to; see ``workflow_svg``."""
        drawn = self._sketch
        layout = drawn.layout
        shown = states_of(self.spec, drawn.items, steps, stale=stale, now=now, history=history)
        width, height = layout.width + 2 * MARGIN + 12, layout.height + 2 * MARGIN
        lines = "".join(part for parts in zip(*(_line(line, drawn, shown) for line in layout.lines), strict=True) for part in parts)
        boxes = "".join(_box(item, layout.boxes[name], shown) for name, item in drawn.items.items())
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="agentnb-graph" role="img" viewBox="0 0 {width:.0f} {height:.0f}" '
            f'width="{width:.0f}" height="{height:.0f}" style="max-width:max(100%,{width * 0.75:.0f}px);height:auto">'
            f"<title>{escape(self.spec.name)}</title><desc>{escape(_description(self.spec, drawn, shown))}</desc><style>{_STYLE}</style>"
            f'<g transform="translate({MARGIN + 6:g} {MARGIN:g})">{lines}{boxes}</g></svg>'
        )


def workflow_svg(
    spec: WorkflowSpec,
    steps: Mapping[str, StepRecord] | None = None,
    *,
    stale: Collection[str] = frozenset(),
    now: float | None = None,
    history: Sequence[Mapping[str, Any]] = (),
) -> str:
    """A workflow as a static SVG, below 100 KB however large it is.

    Args:
        spec: The workflow.
        steps: What a run of it has come to, by the step's ID; without it, the plan alone is drawn.
        stale: Steps that a ``rerun`` would run.
        now: Seconds since the epoch, for the times of steps that run.
        history: The states that a run of a state machine went through, as ``WorkflowRun.history`` has them.
    """
    return Picture(spec).svg(steps, stale=stale, now=now, history=history)


def _description(spec: WorkflowSpec, drawn: Sketch, shown: Shown) -> str:
    """The picture in words."""
    kind = "state" if spec.kind == "state_machine" else "step"
    counts = Counter(state.status for state in shown.of.values() if state.status)
    said = [plural(len(spec.states or spec.steps), kind), *(f"{count} {status}" for status, count in counts.items())]
    if shown.current:
        said.append(f"now in {shown.current}")
    if drawn.left_out:
        said.append(f"{plural(drawn.left_out, 'line')} left out that others imply")
    routes = [f"{edge.source} to {edge.target}" for edge in drawn.edges[:40] if "\0" not in edge.source + edge.target]
    return f"{', '.join(said)}. {'; '.join(routes)}"


def _box(item: Item, box: Box, shown: Shown) -> str:
    state = shown.of[item.id]
    top = box.middle - BOX_HEIGHT / 2
    status = f' data-status="{state.status}"' if state.status else ""
    hint = "; ".join(part for part in (item.title if item.kind != "more" else "", item.hint, state.hint) if part)
    return (
        f'<g transform="translate({box.x:.1f} {top:.1f})"{status}><title>{escape(hint)}</title>{_frame(item, state)}'
        f'<g class="k" transform="translate(13 10)"><path d="{_KINDS.get(item.kind, _KINDS["state"])}"/></g>'
        f'<text class="n" x="38" y="20">{escape(clipped(item.title, item.room, TITLE_SIZE))}</text>{_second_line(item, state)}</g>'
    )


def _frame(item: Item, state: State) -> str:
    """The box's outline, and what its form says: one of many, the beginning, an end, the current state."""
    width, height = f"{item.width:.1f}", f"{BOX_HEIGHT:g}"
    dashed = " f" if item.kind == "more" or state.status == "stale" else ""
    parts = [f'<rect class="b{dashed}" width="{width}" height="{height}" rx="8"/>']
    if item.fan:
        parts.insert(0, f'<rect class="b" x="4" y="4" width="{width}" height="{height}" rx="8"/>')
    if item.final:
        parts.append(f'<rect class="b" style="fill:none" x="3" y="3" width="{item.width - 6:.1f}" height="{BOX_HEIGHT - 6:g}" rx="5.5"/>')
    if state.current:
        parts.append(f'<rect class="now" x="-3" y="-3" width="{item.width + 6:.1f}" height="{BOX_HEIGHT + 6:g}" rx="11"/>')
    if item.initial:
        parts.append('<g class="k"><path d="M-15 23h9m-4-3.5l4 3.5-4 3.5"/></g>')
    if item.conditional:
        parts.append(f'<g class="k"><path d="M{item.width - 13:.1f} 6.5l4.5 4.5-4.5 4.5-4.5-4.5z"/></g>')
    if item.loop is not None:
        parts.append(_loop(item, state))
    return "".join(parts)


def _loop(item: Item, state: State) -> str:
    middle = item.width / 2
    taken = " t" if state.looped else ""
    path = f"M{middle + 14:.1f} 0c0-{LOOP_HEIGHT - 8:g} -28-{LOOP_HEIGHT - 8:g} -28-1m-4-4l4 4.5 4-4.5"
    label = clipped(" · ".join(filter(None, (state.looped, item.loop))), item.width, 11)
    said = f'<text class="l{taken}" text-anchor="middle" x="{middle:.1f}" y="-{LOOP_HEIGHT - 9:g}">{escape(label)}</text>' if label else ""
    return f'<path class="e{taken}" d="{path}"/>{said}'


def _second_line(item: Item, state: State) -> str:
    if not state.status:
        return f'<text class="d" x="38" y="35">{escape(clipped(item.detail, item.room, 11))}</text>'
    glyph = f'<g class="s" transform="translate(20 32.5)">{_STATUSES[state.status]}</g>'
    return f'{glyph}<text class="d" x="38" y="36">{escape(clipped(state.line, item.room, 11))}</text>'


def _line(line: Line, drawn: Sketch, shown: Shown) -> tuple[str, str]:
    """The line, and its words, which are drawn above all lines."""
    edge, shift = line.edge, 0.0
    if drawn.both_ways(edge):
        shift = 8.0 if edge.backward else -8.0
    points = [(x, y + shift) for x, y in line.points]
    if not edge.backward and drawn.items[edge.source].fan:
        points[0] = (points[0][0] + 4, points[0][1])
    taken = shown.taken.get((edge.source, edge.target), "")
    faded = shown.of[edge.target].faded or shown.of[edge.source].faded
    kind = " t" if taken else " o" if faded else ""
    dashed = " x" if edge.dashed else ""
    body = f'<path class="e{kind}{dashed}" d="{_curve(points)}"/><path class="e{kind}" d="{_head(points, edge.backward)}"/>'
    label = " · ".join(part for part in (taken if taken != "1" or edge.label else "", edge.label) if part)
    return body, _label(label, points, edge.label, drawn, edge, taken=bool(taken)) if label else ""


def _curve(points: Sequence[tuple[float, float]]) -> str:
    parts = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for place in range(0, len(points), 2):
        (x1, y1), (x2, y2) = points[place], points[place + 1]
        if place:
            parts.append(f"L{x1:.1f} {y1:.1f}")
        bend = (x2 - x1) / 2
        parts.append(f"C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}")
    return "".join(parts)


def _head(points: Sequence[tuple[float, float]], backward: bool) -> str:
    x, y = points[0] if backward else points[-1]
    return f"M{x + 6:.1f} {y - 4:.1f}l-5.5 4 5.5 4" if backward else f"M{x - 6:.1f} {y - 4:.1f}l5.5 4-5.5 4"


def _label(text: str, points: Sequence[tuple[float, float]], whole: str, drawn: Sketch, edge: Edge, *, taken: bool) -> str:
    """The words at a line: beside the end where fewer lines meet."""
    first, last = (edge.target, edge.source) if edge.backward else (edge.source, edge.target)
    at_end = drawn.arriving[last] <= drawn.leaving[first]
    (x1, _), (x2, _) = points[-2:] if at_end else points[:2]
    cut = clipped(text, max(x2 - x1 - 30, 40), 11)
    x, y = (x2 - 14, points[-1][1]) if at_end else (x1 + 14, points[0][1])
    y += 14 if edge.backward else -5
    hint = f"<title>{escape(whole)}</title>" if cut != text else ""
    place = f'text-anchor="{"end" if at_end else "start"}" x="{x:.1f}" y="{y:.1f}"'
    return f'<text class="l{" t" if taken else ""}" {place}>{hint}{escape(cut)}</text>'
