"""A notebook whose cells are steps: run as a workflow, in parallel where the data allow it, and written as a notebook again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agentnb.errors import AgentNBError
from agentnb.jobs import workflow_attempt
from agentnb.jobs.attempt import Attempt
from agentnb.jobs.documents import Job
from agentnb.jobs.output import OutputFile
from agentnb.workflows.notebooks import Conversion, converted

if TYPE_CHECKING:
    from agentnb.workflows.trace import StepRecord


def perform(job: Job, parameters: Mapping[str, Any], attempt: Attempt, output: OutputFile) -> None:
    """Run the tagged cells as a workflow; the output is the notebook with what each step gave, and the graph on top.

    Raises:
        AgentNBError: It failed.
    """
    journal = attempt.journal
    file = journal.runtime.settings.store / "jobs" / f"{journal.run.id}.workflow.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    conversion = converted(job.source, file.parent)
    file.write_text(conversion.text, encoding="utf-8")
    try:
        workflow_attempt.perform(job, parameters, attempt, file)
    finally:
        output.save(_written(job, parameters, attempt, conversion))
        file.unlink(missing_ok=True)


def _written(job: Job, parameters: Mapping[str, Any], attempt: Attempt, conversion: Conversion) -> str:
    """The notebook with the steps' results as the outputs of their cells."""
    import nbformat

    notebook = nbformat.read(job.source, as_version=4)
    run_id, steps = _steps(attempt)
    for name, numbers in conversion.steps.items():
        for number in numbers:
            notebook.cells[number - 1].outputs = []
        if name in steps:
            notebook.cells[numbers[-1] - 1].outputs = _outputs(steps[name])
    summary = [nbformat.v4.new_markdown_cell(f"Run `{run_id}` of the steps of {job.source.name}, with {json.dumps(dict(parameters))}")]
    picture = _graph(attempt, run_id)
    if picture:
        cell = nbformat.v4.new_code_cell(f"%agentnb graph {run_id}", metadata={"tags": ["agentnb-graph"]})
        cell.outputs = [nbformat.v4.new_output("display_data", data={"text/html": picture, "text/plain": "the graph of the run"})]
        summary.append(cell)
    notebook.cells[:0] = summary
    return str(nbformat.writes(notebook))


def _steps(attempt: Attempt) -> tuple[str, Mapping[str, StepRecord]]:
    from agentnb.workflows.trace import steps_of

    run = workflow_attempt.begun_by(attempt)
    return (run.id, steps_of(attempt.journal.runtime.store.events(run.id))) if run is not None else ("", {})


def _outputs(step: StepRecord) -> Sequence[Any]:
    from nbformat.v4 import new_output

    seconds = step.duration_ms / 1000
    found = [new_output("stream", name="stderr", text=f"step {step.id}: {step.status}, {seconds:.2f} s\n")]
    output = step.output if isinstance(step.output, dict) else {}
    for key in ("result", "text"):
        if output.get(key) not in (None, ""):
            value = output[key]
            found.append(
                new_output("display_data", data={"text/plain": value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)})
            )
    if step.error:
        name, message = step.error["type"], step.error["message"]
        found.append(new_output("error", ename=name, evalue=message, traceback=[f"{name}: {message}"]))
    return found


def _graph(attempt: Attempt, run_id: str) -> str:
    """The run's graph as SVG, where it can be drawn."""
    if not run_id:
        return ""
    from agentnb.runtime import workflow_runs

    try:
        run = workflow_runs.get(attempt.journal.runtime, run_id)
        return _drawn(run)
    except AgentNBError:
        return ""


def _drawn(run: Any) -> str:
    from agentnb.plugins import load

    return str(load("agentnb.pictures", "workflow")(run))
