"""How a report of a run looks: for a terminal, as Markdown, as HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentnb.runtime import shown
from agentnb.runtime.report import Failure, Report, StepReport, Wait
from agentnb.runtime.shown import compact, duration, moment, money, names

_MOST = 500
"""Steps, failures, visits and results that a view shows; ``Report.to_dict`` has all."""
_BAR = 24
_COLUMNS = ("step", "kind", "status", "start", "time", "attempts", "items", "tokens", "cost")
_STATES = ("state", "visit", "time", "event")
_COLOURS = {"failed": "var(--jp-error-color1, #d32f2f)", "waiting": "var(--jp-warn-color1, #ef6c00)"}


@dataclass(frozen=True)
class _Note:
    """An error, or something that the run waits for."""

    kind: str
    title: str
    text: str
    code: str = ""


def as_text(report: Report) -> str:
    """For a terminal."""
    lines = [compact(f"{report.name} · {report.run_id}"), _headline(report)]
    lines += [f"  {label:<13}  {compact(text, 1000)}" for label, text in _summary(report)]
    rows = [(*_cells(step), _text_bar(report, step)) for step in report.steps[:_MOST]]
    lines += ["", *shown.text_table((*_COLUMNS, "when"), rows), *_rest(report.steps)]
    lines += ["", *shown.text_table(_STATES, _visits(report)), *_rest(report.states)] if report.states else []
    for title, notes in _notes(report).items():
        lines += ["", title.lower()]
        for note in notes:
            lines += [f"  {note.title}: {shown.clean(note.text)}".replace("\n", "\n    "), *([f"    {note.code}"] if note.code else [])]
    if report.outputs:
        lines += ["", "outputs", *(f"  {compact(name)}: {compact(value, 500)}" for name, value in report.outputs.items())]
    return "\n".join(lines) + "\n"


def as_markdown(report: Report) -> str:
    """As Markdown."""
    md = shown.markdown
    lines = [f"# {md(report.name)}", "", f"{md(_headline(report))}. Run {shown.markdown_code(report.run_id)}.", ""]
    lines += [f"- {label}: {md(text)}" for label, text in _summary(report)]
    tables = {
        "Steps": (_COLUMNS, [_cells(step) for step in report.steps[:_MOST]], report.steps),
        "States": (_STATES, _visits(report), report.states),
        "Results": (("step", "output"), _results(report, 200), report.results),
    }
    for title, (columns, rows, whole) in tables.items():
        cells = [list(map(md, row)) for row in rows]
        lines += ["", f"## {title}", "", *shown.markdown_table(columns, cells), *_rest(whole, "\n")] if rows else []
    for title, notes in _notes(report).items():
        lines += ["", f"## {title}", ""]
        lines += [f"- **{md(note.title)}**: {md(note.text)}{f': {shown.markdown_code(note.code)}' if note.code else ''}" for note in notes]
    lines += ["", "## Outputs", "", shown.markdown_block(report.outputs)] if report.outputs else []
    return "\n".join(lines) + "\n"


def as_html(report: Report) -> str:
    """As HTML for a notebook, in light and dark."""
    escape = shown.html
    parts = [
        f'<div class="agentnb-summary">{shown.html_status(report.status)} <strong>{escape(report.name)}</strong> '
        f"{escape(_headline(report, status=False))} · <code>{escape(report.run_id)}</code></div>"
    ]
    parts += [f"<div><strong>{label}</strong>: {escape(text)}</div>" for label, text in _summary(report)]
    parts += [_card(note) for notes in _notes(report).values() for note in notes]
    rows = [_html_row(report, step) for step in report.steps[:_MOST]]
    parts += [shown.html_table((*_COLUMNS, "when"), rows), *_rest(report.steps)] if rows else []
    for title, columns, table in (("States", _STATES, _visits(report)), ("Results", ("step", "output"), _results(report, 1000))):
        cells = [list(map(escape, row)) for row in table]
        parts += [shown.html_folded(title, shown.html_table(columns, cells))] if cells else []
    parts += [shown.html_folded("Outputs", shown.html_value(report.outputs), unfolded=True)] if report.outputs else []
    return f'<div class="agentnb-report">{"".join(parts)}</div>'


def _headline(report: Report, *, status: bool = True) -> str:
    reason = f" ({report.reason})" if report.reason else ""
    said = f"{report.status}{reason} after {duration(report.duration_ms)}, started {moment(report.started_at)}"
    return said if status else said.removeprefix(report.status).strip()


def _summary(report: Report) -> list[tuple[str, str]]:
    steps = {step.id: step for step in report.steps}
    share = f"{duration(report.critical_ms)}, {report.critical_share:.0%} of the time"
    lost = f"its process is gone: agentnb runs resume {report.run_id}"
    found = [
        ("Steps", _counted(report)),
        ("Taken over", names(f"{count} from {'the cache' if source == 'cache' else source}" for source, count in report.taken.items())),
        ("Never begun", names(report.not_begun)),
        ("Critical path", f"{names(report.critical_path, ' → ')} ({share})" if report.critical_path else ""),
        ("Parallelism", f"{report.parallelism:.1f} steps at a time on average" if report.parallelism and report.kind == "dag" else ""),
        ("Slowest", names(f"{name} {duration(steps[name].duration_ms)}" for name in report.slowest)),
        ("Retries", names(f"{step} took {count} attempts" for step, count in report.retried.items())),
        ("States", names(f"{state} {duration(time)}" for state, time in report.time_in_states.items())),
        ("Tokens", _usage(report.usage)),
        ("Run again of", report.rerun_of),
        ("Part of", report.parent),
        ("Go on", lost if report.reason == "lost" else ""),
    ]
    return [(label, text) for label, text in found if text]


def _counted(report: Report) -> str:
    counts = dict(report.counts)
    only = len(report.skipped) == 1
    why = names(reason if only else f"{count} {reason}" for reason, count in report.skipped.items() if reason)
    return names(f"{count} {status}{f' ({why})' if status == 'skipped' and why else ''}" for status, count in counts.items())


def _usage(usage: Mapping[str, Any]) -> str:
    if not any(value != 0 for value in usage.values()):
        return ""
    calls = [f"{usage[name]:,} {label}s" for name, label in (("model_calls", "model call"), ("tool_calls", "tool call")) if usage[name]]
    return " · ".join([f"{usage['input_tokens']:,} in, {usage['output_tokens']:,} out", *calls, money(usage["cost"])])


def _cells(step: StepReport) -> tuple[str, ...]:
    usage, items = step.usage, step.items
    why = step.reason or ("" if not step.source else "cached" if step.source == "cache" else "replayed")
    spread = ""
    if items is not None:
        times = " / ".join(map(duration, (items.min_ms, items.median_ms, items.max_ms))) if items.max_ms else ""
        spread = ", ".join(part for part in (f"{items.count:,}", f"{items.failed:,} failed" if items.failed else "", times) if part)
    tokens = usage["input_tokens"] + usage["output_tokens"]
    return (
        compact(step.id if step.id.startswith(step.title) else f"{step.id} {step.title}", 80),
        step.kind,
        f"{step.status} ({why})" if why else step.status,
        "" if step.start_ms is None else duration(step.start_ms),
        duration(step.duration_ms) if step.start_ms is not None else "",
        str(step.attempts) if step.attempts > 1 else "",
        spread,
        f"{tokens:,}" if tokens else "",
        money(usage["cost"]) if usage["cost"] != 0 else "",
    )


def _visits(report: Report) -> list[tuple[str, ...]]:
    return [(item.state, str(item.visit), duration(item.spent_ms), item.event) for item in report.states[:_MOST]]


def _results(report: Report, most: int) -> list[tuple[str, ...]]:
    return [(name, compact(value, most)) for name, value in [*report.results.items()][:_MOST]]


def _rest(whole: Any, before: str = "  ") -> list[str]:
    return [f"{before}… {len(whole) - _MOST:,} more …"] if len(whole) > _MOST else []


def _notes(report: Report) -> dict[str, list[_Note]]:
    """What went wrong, and what is waited for, by title."""
    errors = [_failed(failure) for failure in report.failures[:_MOST]]
    if report.error is not None:
        errors.append(_Note("error", "the run", f"{report.error['type']}: {report.error['message']}"))
    waits = [_waited(wait) for wait in report.waits[:_MOST]]
    return {title: notes for title, notes in (("Errors", errors), ("Waits for", waits)) if notes}


def _failed(failure: Failure) -> _Note:
    attempts = f" (attempt {failure.attempts})" if failure.attempts > 1 else ""
    came = f" ({failure.target_status})" if failure.target_status else ""
    what = {
        "continue": "the run went on",
        "goto": f"the run went on at {failure.target}{came}",
        "compensate": f"{failure.target} was to undo it{came}, and the run failed",
        "transition": f"the run went on in the state {failure.target}",
    }.get(failure.handling, "the run failed")
    kind = "warning" if failure.handled else "error"
    return _Note(kind, failure.step, f"{failure.type}: {failure.message}{attempts}; {what}")


def _waited(wait: Wait) -> _Note:
    whom = f", asked of {wait.assignee}" if wait.assignee else ""
    due = f", until {moment(wait.due)}" if wait.due else ""
    return _Note("approval", wait.step, f"{wait.kind}{whom}{due}: {wait.prompt}", wait.command)


def _card(note: _Note) -> str:
    code = f"<div><code>{shown.html(note.code)}</code></div>" if note.code else ""
    return (
        f'<div class="agentnb-card" data-kind="{note.kind}" role="{"alert" if note.kind == "error" else "note"}">'
        f'<div class="agentnb-card-title"><strong>{shown.html(note.title)}</strong></div>'
        f'<div style="white-space: pre-wrap">{shown.html(note.text)}</div>{code}</div>'
    )


def _html_row(report: Report, step: StepReport) -> list[str]:
    cells = list(map(shown.html, _cells(step)))
    word, _, why = cells[2].partition(" ")
    cells[2] = f"{shown.html_status(word)} {why}"
    if step.id in report.critical_path:
        cells[0] = f'<strong title="on the critical path">{cells[0]}</strong>'
    return [*cells, _html_bar(report, step)]


def _html_bar(report: Report, step: StepReport) -> str:
    if step.start_ms is None:
        return ""
    start, width = _place(report, step)
    colour = _COLOURS.get(step.status, "var(--jp-brand-color1, #1976d2)")
    return (
        '<div style="position: relative; width: 12em; height: 8px; background: rgba(128, 128, 128, 0.2)">'
        f'<div style="position: absolute; top: 0; height: 8px; min-width: 2px; left: {start:.1%}; width: {width:.1%}; '
        f'background: {colour}"></div></div>'
    )


def _text_bar(report: Report, step: StepReport) -> str:
    if step.start_ms is None:
        return ""
    start, width = _place(report, step)
    return " " * min(round(start * _BAR), _BAR - 1) + "━" * max(round(width * _BAR), 1)


def _place(report: Report, step: StepReport) -> tuple[float, float]:
    """Where a step began and how long it took, as parts of the run."""
    whole = report.duration_ms or 1.0
    start = min((step.start_ms or 0.0) / whole, 0.99)
    return start, min(step.duration_ms / whole, 1 - start)
