"""The HTML and the text of workflows and their runs: the picture, the steps, what is wrong with a definition."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from agentnb.notebook import html
from agentnb.notebook.formats import GLYPHS, duration, plural
from agentnb.notebook.graph_svg import Picture, workflow_svg
from agentnb.runtime.graphs.sketch import described
from agentnb.runtime.graphs.states import elapsed, status_of
from agentnb.runtime.workflow import Workflow
from agentnb.runtime.workflow_results import WorkflowRun
from agentnb.workflows.documents import Finding, WorkflowSpecError
from agentnb.workflows.spec import WorkflowSpec
from agentnb.workflows.trace import ENDED, StepRecord

ROWS = 300
"""Steps that the table shows; the journal has all of them."""


def of_workflow(workflow: Workflow) -> str:
    """A workflow as a picture with a line of facts; what is wrong with it where it isn't valid."""
    try:
        spec = workflow.spec
    except WorkflowSpecError as error:
        return findings(error.findings)
    return plan(spec, facts(workflow))


def facts(workflow: Workflow) -> str:
    """``2 steps in 2 phases …``."""
    return workflow.plan().to_text().partition("\n")[0].removeprefix(f"{workflow.name}: ")


def plan(spec: WorkflowSpec, line_of_facts: str) -> str:
    """What a workflow will do."""
    said = [line_of_facts]
    if spec.inputs:
        said.append("takes " + ", ".join(f"{name}{'' if 'default' not in schema else '?'}" for name, schema in spec.inputs.items()))
    said += [f"gives {', '.join(spec.outputs)}"] if spec.outputs else []
    line = f"<strong>{html.escape(spec.name)}</strong> {html.escape(' · '.join(said))}"
    about = f"<div>{html.escape(spec.description)}</div>" if spec.description else ""
    return f'<div class="agentnb-workflow"><div class="agentnb-summary">{line}</div>{about}{pictured(workflow_svg(spec))}</div>'


def pictured(svg: str) -> str:
    """A picture that scrolls where it is wider than the cell."""
    return f'<div style="overflow-x:auto;margin:4px 0">{svg}</div>'


def findings(found: Sequence[Finding]) -> str:
    """What is wrong with a definition: where, what, and the mend."""
    errors = sum(finding.severity == "error" for finding in found)
    parts = (plural(errors, "error") if errors else "", plural(len(found) - errors, "warning") if len(found) > errors else "")
    rows = [
        (
            '<span class="agentnb-status" data-status="failed">error</span>' if finding.severity == "error" else "⚠ warning",
            str(finding.line or ""),
            f"<code>{html.escape(finding.field)}</code>",
            html.escape(finding.message),
            html.escape(finding.mend),
        )
        for finding in found
    ]
    kind = "error" if errors else "notice"
    return html.card(kind, " and ".join(filter(None, parts)), "") + html.table(("", "line", "where", "what", "what to do"), rows)


def findings_text(found: Sequence[Finding]) -> str:
    return "\n".join(finding_line(finding) for finding in found)


def finding_line(finding: Finding) -> str:
    """``line 4: steps.b.tool: no tool 'x'. …``."""
    place = [f"line {finding.line}"] if finding.line else []
    severity = [] if finding.severity == "error" else [finding.severity]
    said = ": ".join([*severity, *place, *([finding.field] if finding.field else []), finding.message])
    return f"{said}. {finding.mend}" if finding.mend else said


def of_run(run: WorkflowRun, picture: Picture | None = None) -> str:
    """A run as it is: the line, the picture, the steps, the outputs and the report, both folded."""
    return graph_of_run(run, picture).removesuffix("</div>") + results_of_run(run) + "</div>"


def graph_of_run(run: WorkflowRun, picture: Picture | None = None) -> str:
    """The line, the picture, what is wrong or waited for, and the steps."""
    drawn = picture or Picture(run.spec)
    svg = drawn.svg(run.steps, history=run.history, now=None if run.status != "running" else time.time())
    parts = [
        f'<div class="agentnb-workflow" data-status="{html.escape(run.status)}">{summary(run.status, run_line(run))}',
        pictured(svg),
        _error(run),
        waiting(run),
        html.folded(f"{plural(len(run.steps), 'step')}", rows(run.steps.values(), run.started_at)),
        "</div>",
    ]
    return "".join(parts)


def results_of_run(run: WorkflowRun) -> str:
    """What came out, and the report."""
    outputs = html.folded("Outputs", f'<div class="agentnb-json">{html.tree(run.outputs)}</div>', unfolded=True) if run.outputs else ""
    return outputs + _report(run)


def run_text(run: WorkflowRun) -> str:
    """A run for a terminal, and where no HTML can be shown."""
    own = [record for record in run.steps.values() if "[" not in record.id]
    lines = [f"{run.name}: {run_line(run, status=True)}", *(f"  {step_text(record)}" for record in own[:ROWS])]
    if run.error:
        lines.append(f"{run.error['type']}: {run.error['message']}")
    if run.waiting:
        lines.append(f"answer with: %agentnb show {run.id}")
    if run.outputs:
        lines.append(json.dumps(run.outputs, indent=2, ensure_ascii=False, default=str))
    return "\n".join(lines)


def step_text(record: StepRecord) -> str:
    """``✓ search · 1.2 s``."""
    status = status_of(record)
    notes = [f"{record.attempts} attempts" if record.attempts > 1 else "", duration(record.duration_ms) if record.duration_ms else ""]
    error = str((record.error or {}).get("message", "")) if status == "failed" else ""
    said = " · ".join(part for part in (record.title or record.id, status if status != "completed" else "", *notes, error) if part)
    return f"{GLYPHS.get(status, ' ')} {said}"


def run_line(run: WorkflowRun, *, status: bool = False) -> str:
    """``5 of 7 steps · 2 from an earlier run · 12.4 s · workflow_…``."""
    taken = sum(bool(record.source) for name, record in run.steps.items() if "[" not in name)
    parts = [
        run.status if status else run.name,
        done_of(run.spec, run.steps),
        f"{taken} taken over" if taken else "",
        duration(run.duration_ms),
        run.id,
    ]
    return " · ".join(part for part in parts if part)


def done_of(spec: WorkflowSpec, steps: Mapping[str, StepRecord]) -> str:
    """``5 of 7 steps``; of a state machine, how many were done."""
    own = [record for name, record in steps.items() if "[" not in name]
    done = sum(record.status in ENDED for record in own)
    return f"{done} of {plural(len(spec.steps), 'step')}" if spec.kind == "dag" else plural(done, "step")


def summary(status: str, line: str, actions: str = "") -> str:
    return f'<div><span class="agentnb-summary">{html.status(status)} {html.escape(line)}</span>{actions}</div>'


def waiting(run: WorkflowRun) -> str:
    """What a run waits for, and how it goes on."""
    if run.status != "waiting":
        return ""
    asked = " ".join(_asked(record) for record in run.waiting if record.question) or "For an event or a timer."
    how = f"Go on with %agentnb show {run.id}, also in another kernel or after a restart."
    return html.card("approval", "The run waits", f"{asked} {how}")


def _asked(record: StepRecord) -> str:
    question = record.question or {}
    who = f" ({question['assignee']})" if question.get("assignee") else ""
    return sentence(f"{record.title or record.id}{who}: {question['prompt']}")


def sentence(text: str) -> str:
    """The text with a mark at its end."""
    return text if text.endswith((".", "?", "!", ":", "…")) else f"{text}."


def of_steps(steps: Mapping[str, StepRecord]) -> str:
    """The steps of a run alone."""
    begun = min((record.started_at for record in steps.values() if record.started_at), default="")
    return html.folded(plural(len(steps), "step"), rows(steps.values(), begun), unfolded=True)


def of_step(record: StepRecord) -> str:
    """One step, with all that belongs to it."""
    return f'<div class="agentnb-trace">{_row(record, 0.0, record.duration_ms, record.duration_ms or 1.0, unfolded=True)}</div>'


def rows(steps: Any, started_at: str, now: float | None = None) -> str:
    """The steps as rows with bars on one time axis."""
    records: list[StepRecord] = list(steps)
    if not records:
        return ""
    times = {record.id: (_begun(record, started_at), elapsed(record, now)) for record in records}
    end = max((start + spent for start, spent in times.values()), default=0.0) or 1.0
    shown = "".join(_row(record, *times[record.id], end) for record in records[:ROWS])
    left = len(records) - ROWS
    return shown + (f"<div>… {left} more: %agentnb report shows them all</div>" if left > 0 else "")


def _begun(record: StepRecord, started_at: str) -> float:
    if not record.started_at or not started_at:
        return 0.0
    return max((datetime.fromisoformat(record.started_at) - datetime.fromisoformat(started_at)).total_seconds() * 1000, 0.0)


def _row(record: StepRecord, start: float, spent: float, end: float, *, unfolded: bool = False) -> str:
    question = record.question or {}
    notes = [
        record.reason if record.reason not in ("", "error") else "",
        f"{record.attempts} attempts" if record.attempts > 1 else "",
        f"from {record.source}" if record.source else "",
        str((record.error or {}).get("message", ""))[:160] if record.status in ("failed", "queued") else "",
        f"asks {question['assignee']}" if question.get("assignee") and record.status == "waiting" else "",
    ]
    child = f"%agentnb show {record.child}" if record.child else None
    parts = [("Input", record.input), ("Output", record.output), ("Error", record.error), ("Its own run", child)]
    parts += [("Question", question.get("prompt"))]
    note = "".join(f" · {part}" for part in notes if part)
    bar = (100 * start / end, 100 * spent / end) if spent or record.started_at else None
    name = record.title or record.id
    time_said = duration(spent) if spent else ""
    indent = 1 if "[" in record.id and not unfolded else 0
    return html.row(record.kind, name, status_of(record), note, time_said, bar, parts, indent=indent, unfolded=unfolded)


def queued(spec: WorkflowSpec, steps: Mapping[str, StepRecord]) -> list[StepRecord]:
    """All steps of a DAG, those that haven't begun included, so that the table's rows stay where they are."""
    if spec.kind != "dag":
        return list(steps.values())
    return [steps.get(name) or StepRecord(name, described(step).partition(" ")[0], step.title or "") for name, step in spec.steps.items()]


def _error(run: WorkflowRun) -> str:
    if not run.error or run.status == "cancelled":
        return ""
    lost = f" Its process is gone: %agentnb resume {run.id} goes on after its last finished step." if run.reason == "lost" else ""
    again = f" %agentnb rerun {run.id} runs it again and takes over what was completed." if run.reason != "lost" else ""
    return html.card("error", str(run.error["type"]), f"{sentence(str(run.error['message']))}{lost}{again}")


def _report(run: WorkflowRun) -> str:
    return html.folded("Report", run.report()._repr_html_()) if run.status != "waiting" else ""
