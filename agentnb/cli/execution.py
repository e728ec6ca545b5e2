"""Executes workflows for the commands: shows how they go, asks the person at the terminal, and says what came of it."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from agentnb.cli.inputs import typed_inputs
from agentnb.cli.output import INTERRUPTED, code_of, put, stop
from agentnb.cli.progress import Progress, answer_command
from agentnb.cli.questions import asked_text, shown_text
from agentnb.errors import AgentNBError, ConfigurationError
from agentnb.notebook.formats import GLYPHS, duration, plural, printable
from agentnb.notebook.questions import Questions
from agentnb.runtime.bridge import run_sync
from agentnb.runtime.runtime import Runtime, current

if TYPE_CHECKING:
    from agentnb.agents.execution import Approval
    from agentnb.runtime.workflow import Workflow
    from agentnb.runtime.workflow_results import WorkflowRun
    from agentnb.runtime.workflow_runs import WorkflowOptions
    from agentnb.workflows.spec import WorkflowSpec
    from agentnb.workflows.trace import StepRecord

Work = Callable[["WorkflowOptions"], Coroutine[Any, Any, "WorkflowRun"]]
_ENDINGS = (".yaml", ".yml", ".json")


class Attendant:
    """Asks the person at the terminal, on the main thread, while the progress makes room."""

    def __init__(self, runtime: Runtime, progress: Progress) -> None:
        self._questions = Questions(runtime)
        self._progress = progress
        self._asked = threading.Event()

    def present(self, approval: Approval, seconds: float) -> None:
        self._questions.present(approval, seconds)
        self._asked.set()

    def present_question(self, run_id: str, step: StepRecord) -> None:
        self._questions.present_question(run_id, step)
        self._asked.set()

    def ask_pending(self) -> None:
        """Ask what is waiting."""
        if self._asked.is_set():
            self._asked.clear()
            with self._progress.paused():
                self._questions.ask_pending()


def is_workflow_file(name: str) -> bool:
    """Whether it names a file rather than an agent."""
    return name.endswith(_ENDINGS)


def load(file: str | Path, model: str | None = None) -> Workflow:
    """A workflow of a file that can be run.

    Args:
        file: The file.
        model: ``provider:model``, instead of those of the agents that the file brings along.

    Raises:
        WorkflowSpecError: It isn't valid.
    """
    from agentnb.runtime.workflow import Workflow
    from agentnb.workflows.documents import WorkflowSpecError

    workflow = Workflow.load(file)
    agents = workflow.to_dict().get("agents")
    for definition in agents.values() if model and isinstance(agents, dict) else ():
        if isinstance(definition, dict):
            definition["model"] = model
    errors = [finding for finding in workflow.validate() if finding.severity == "error"]
    if errors:
        raise WorkflowSpecError(errors)
    return workflow


def run_file(
    file: str | Path,
    inputs: Iterable[str] = (),
    *,
    model: str | None = None,
    record: Path | None = None,
    replay: Path | None = None,
    rerun: str = "",
    start: Iterable[str] = (),
    wait: bool | None = None,
    as_json: bool = False,
) -> None:
    """Run a workflow's file, and say what came of it."""
    start = list(start)
    if start and not rerun:
        raise ConfigurationError("--from goes with --rerun RUN: the run whose results are taken for the other steps")
    workflow = load(file, model)
    values = typed_inputs(inputs, workflow.spec)

    def work(options: WorkflowOptions) -> Coroutine[Any, Any, WorkflowRun]:
        return workflow.run(
            values,
            attended=options.attended,
            presenter=options.presenter,
            listener=options.listener,
            record=record,
            replay=replay,
            rerun=rerun,
            start=start,
        )

    perform(work, workflow.spec, wait=wait, as_json=as_json)


def perform(work: Work, spec: WorkflowSpec, *, run_id: str = "", wait: bool | None = None, as_json: bool = False) -> None:
    """Execute a workflow here, and say what came of it.

    Args:
        work: Begins it, or goes on with it.
        spec: What it consists of.
        run_id: The run, where it is known already.
        wait: Whether to wait for answers as long as it takes; by default where somebody can be asked here.
        as_json: Print nothing but the result, as JSON, and ask nothing.
    """
    from agentnb.runtime.workflow_runs import WorkflowOptions

    runtime = current()
    asks = sys.stdin.isatty() and not as_json and wait is not False
    attended = asks if wait is None else wait
    steps = {name: step.kind for name, step in spec.steps.items()}
    progress = Progress(steps, run_id=run_id, stays=attended)
    runtime.presenter = attendant = Attendant(runtime, progress) if asks else None
    options = WorkflowOptions(attended=attended, presenter=attendant, listener=None if as_json else progress.note)

    def idle() -> None:
        progress.refresh()
        if attendant is not None:
            attendant.ask_pending()

    try:
        run = run_sync(work(options), None if as_json else idle)
    except KeyboardInterrupt:
        _interrupted(progress, as_json=as_json)
    except AgentNBError as error:
        progress.close()
        _failed(error, as_json=as_json)
    progress.close()
    conclude(runtime, run, as_json=as_json)


def conclude(runtime: Runtime, run: WorkflowRun, *, as_json: bool) -> None:
    """Say what a run gave, or what it waits for, and where its report is."""
    if as_json:
        put(run_data(runtime, run))
        return
    if run.outputs:
        sys.stdout.write(outputs_text(run.outputs))
        sys.stdout.flush()
    sys.stderr.write(printable(f"{headline(run)}\n"))
    for wait in waits(runtime, run):
        sys.stderr.write(printable(_wait_text(wait)))
    sys.stderr.write(f"report: agentnb runs report {run.id}\n")


def headline(run: WorkflowRun) -> str:
    """One line about a run."""
    count = sum(step.status == "completed" and "[" not in step.id for step in run.steps.values())
    reason = f" ({run.reason})" if run.reason else ""
    return f"{GLYPHS[run.status]} {run.name} {run.status}{reason} · {plural(count, 'step')} · {duration(run.duration_ms)} · {run.id}"


def outputs_text(outputs: Mapping[str, Any]) -> str:
    """Outputs as people read them: YAML; JSON where they are nested too deep for that."""
    from agentnb.workflows.documents.editing import dump

    try:
        return printable(dump(dict(outputs)))
    except AgentNBError:
        return printable(json.dumps(outputs, ensure_ascii=False, indent=2) + "\n")


def waits(runtime: Runtime, run: WorkflowRun) -> list[dict[str, Any]]:
    """What a run waits for, its sub-workflows included, each with the command that answers it."""
    from dataclasses import asdict

    from agentnb.runtime import workflow_signals

    found = []
    for owner, step in workflow_signals.pending(runtime, run.id):
        question = step.question or {}
        found.append({**question, "step": step.id, "command": answer_command(owner, step.id, question)})
    return found + [asdict(wait) for wait in run.report().waits if wait.kind in ("event", "timer")]


def write_waits(runtime: Runtime, run: WorkflowRun) -> None:
    """Print what a run waits for."""
    for wait in waits(runtime, run):
        sys.stdout.write(printable(_wait_text(wait)))


def run_data(runtime: Runtime, run: WorkflowRun) -> dict[str, Any]:
    """A run as JSON can hold it."""
    names = (
        "id",
        "kind",
        "title",
        "status",
        "reason",
        "outcome",
        "duration_ms",
        "attempts",
        "input",
        "question",
        "output",
        "error",
        "source",
        "child",
    )
    return {
        "id": run.id,
        "name": run.name,
        "kind": "workflow",
        "status": run.status,
        "reason": run.reason,
        "inputs": run.inputs,
        "outputs": run.outputs,
        "steps": [{name: getattr(step, name) for name in names} for step in run.steps.values()],
        "states": list(run.history),
        "waits": waits(runtime, run),
        "error": run.error,
        "usage": dict(run.usage),
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "duration_ms": run.duration_ms,
        "parent": run.parent,
        "rerun_of": run.rerun_of,
    }


def resume(run: str, start: Iterable[str] = (), inputs: Iterable[str] = (), *, wait: bool | None = None, as_json: bool = False) -> None:
    """Go on with a run; or run it again, as a new run, from a step or with other inputs, or where it has failed."""
    from agentnb.runtime import workflow_runs

    runtime = current()
    found = workflow_runs.get(runtime, run)
    start, values = list(start), typed_inputs(inputs, found.spec)
    ended = runtime.store.run(found.id).status in ("failed", "cancelled")
    if not (start or values or ended):
        perform(
            lambda options: workflow_runs.resume(runtime, found.id, options),
            found.spec,
            run_id=_top(runtime, found),
            wait=wait,
            as_json=as_json,
        )
        return
    if not as_json:
        what = f"from {', '.join(start)}" if start else "from where it ended" if not values else "with other inputs"
        sys.stderr.write(f"run {found.id} is {found.status}: running it again {what}, as a new run\n")
    perform(
        lambda options: workflow_runs.rerun(runtime, found.id, options, start=start, inputs=values), found.spec, wait=wait, as_json=as_json
    )


def _top(runtime: Runtime, run: WorkflowRun) -> str:
    """The run to follow; empty where it is part of another one, which goes on in its stead."""
    return "" if run.parent else run.id


def _wait_text(wait: Mapping[str, Any]) -> str:
    lines = [f"shown: {shown_text(wait)}" if shown_text(wait) else "", wait["command"]]
    return "".join([f"{GLYPHS['waiting']} {wait['step']} waits: {asked_text(wait)}\n", *(f"    {line}\n" for line in lines if line)])


def _interrupted(progress: Progress, *, as_json: bool) -> NoReturn:
    progress.close()
    run = progress.run_id
    stop(
        f"interrupted{f': run {run} is cancelled; agentnb workflow resume {run} runs it again from there' if run else ''}",
        INTERRUPTED,
        as_json=as_json,
    )


def _failed(error: AgentNBError, *, as_json: bool) -> NoReturn:
    if error.run_id and not as_json:
        sys.stderr.write(f"report: agentnb runs report {error.run_id}\n")
    stop(error, code_of(error), as_json=as_json)
