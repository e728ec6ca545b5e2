"""What ``agentnb runs …`` does with runs of workflows."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from agentnb.cli import execution
from agentnb.cli.output import put
from agentnb.cli.questions import answer_text, asked_text, shown_text
from agentnb.errors import ConfigurationError, IllegalTransition
from agentnb.notebook.formats import GLYPHS, duration, printable
from agentnb.ports.store import FINAL
from agentnb.runtime.runtime import Runtime

if TYPE_CHECKING:
    from agentnb.runtime.workflow_results import WorkflowRun
    from agentnb.workflows.trace import StepRecord

VERDICTS = ("approve", "deny", "reject", "retry", "skip", "fail")


def show(runtime: Runtime, run_id: str, *, as_json: bool) -> None:
    """Print a run: its steps, what it gave, what it waits for."""
    from agentnb.runtime import workflow_runs

    run = workflow_runs.get(runtime, run_id)
    if as_json:
        put(execution.run_data(runtime, run))
        return
    lines = [execution.headline(run), *(_step_line(step) for step in run.steps.values())]
    lines += [f"{run.error['type']}: {run.error['message']}"] if run.error else []
    lines += [f"its process is gone; go on after its last finished step: agentnb runs resume {run.id}"] if run.reason == "lost" else []
    sys.stdout.write(printable("\n".join(lines) + "\n"))
    if run.outputs:
        sys.stdout.write(f"\n{execution.outputs_text(run.outputs)}")
    execution.write_waits(runtime, run)


def signal(runtime: Runtime, run_id: str, step: str, verdict: str, data: Any, note: str, *, as_json: bool) -> None:
    """Answer what a step waits for, or send an event; where nobody executes the run, it goes on here."""
    from agentnb.runtime import workflow_runs, workflow_signals

    if not workflow_signals.asked(runtime, run_id, step) and _is_event(workflow_runs.get(runtime, run_id), step):
        if verdict:
            raise ConfigurationError(f"{step} is an event, which takes no {verdict!r}: leave it away; --data JSON goes with it")
        ownerless = workflow_signals.send(runtime, run_id, step, data)
    else:
        ownerless = workflow_signals.answer(runtime, run_id, step, verdict, data=data, note=note)
    if ownerless:
        execution.resume(run_id, as_json=as_json)
    elif as_json:
        put({"answered" if verdict else "sent": step})
    else:
        sys.stdout.write(f"{step}: {verdict or 'sent'}\n")


def replay(runtime: Runtime, run_id: str, *, live: bool, as_json: bool) -> None:
    """Run an ended run again; what it came to is taken from the journal where step and input are the same.

    Raises:
        ConfigurationError: Steps would have to be run for real, and ``live`` is not given.
    """
    from agentnb.runtime import workflow_runs

    run = workflow_runs.get(runtime, run_id)
    if runtime.store.run(run_id).status not in FINAL:
        raise IllegalTransition(f"run {run.id} has not ended: `agentnb runs resume {run.id}` goes on with it")
    open_steps = [step.id for step in run.steps.values() if step.status not in ("completed", "skipped")]
    if not live and (open_steps or run.status != "completed"):
        what = f"{', '.join(open_steps)} didn't finish" if open_steps else f"the run {run.status}"
        raise ConfigurationError(f"{what}: `agentnb runs replay {run.id} --live` does for real what was not recorded")
    execution.perform(lambda options: workflow_runs.rerun(runtime, run.id, options), run.spec, as_json=as_json)


def report(runtime: Runtime, run_id: str, form: str) -> str:
    """The report of a run as text, markdown, json or html.

    Raises:
        ConfigurationError: It is no workflow's run.
    """
    from agentnb.runtime import workflow_runs

    run = runtime.store.run(run_id)
    if run.kind != "workflow":
        raise ConfigurationError(f"run {run.id} is of an {run.kind}, reports are of workflows: `agentnb runs show {run.id}` shows it")
    found = workflow_runs.get(runtime, run.id).report()
    if form == "json":
        return json.dumps(found.to_dict(), ensure_ascii=False, indent=2)
    if form == "html":
        return found._repr_html_()
    return found.to_markdown() if form == "markdown" else found.to_text()


def _is_event(run: WorkflowRun, name: str) -> bool:
    """Whether some state of the machine waits for an event of that name.

    Raises:
        ConfigurationError: It is a machine, and has neither such a step nor such an event.
    """
    if run.spec.kind != "state_machine":
        return False
    events = run.spec.events()
    if name in events:
        return True
    waiting = ", ".join(step.id for step in run.waiting) or "nothing"
    raise ConfigurationError(
        f"run {run.id} doesn't wait for {name!r}; it waits for: {waiting}; its events are: {', '.join(sorted(events)) or 'none'}"
    )


def _step_line(step: StepRecord) -> str:
    depth = "  " * (step.id.count("[") + step.id.count(".") + 1)
    took = duration(step.duration_ms) if step.status in ("completed", "failed") else f"({step.reason})" if step.reason else ""
    source = f"taken from {step.source}" if step.source else ""
    error = f"{step.error['type']}: {step.error['message']}" if step.error else ""
    parts = (GLYPHS[step.status], step.id, step.kind, step.status, took, source, error)
    return "\n".join([depth + " ".join(part for part in parts if part), *(f"{depth}    {line}" for line in _conversation(step))])


def _conversation(step: StepRecord) -> list[str]:
    """What was asked, shown and answered; of what still waits the end of the output says it."""
    question = step.question or {}
    if not question or question["kind"] == "child" or step.status == "waiting":
        return []
    said = {"asked": asked_text(question), "shown": shown_text(question), "answered": answer_text(question, step.output)}
    return [f"{name}: {text}" for name, text in said.items() if text]
