"""Runs that are started, run again, and forgotten. What they do is done in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from agentnb.errors import ConfigurationError, IllegalTransition, LeaseLost
from agentnb.ports.store import FINAL, Definition, Run
from agentnb.runtime import workflow_runs
from agentnb.runtime.stale import stale_steps
from agentnb.runtime.workflow_definitions import Ready, draft
from agentnb.server import jobs
from agentnb.server.documents import sound
from agentnb.server.executions import NewExecution, ask, folder_of
from agentnb.server.pages import Name
from agentnb.server.routing import Call, Data, Reply, Request
from agentnb.server.runs import RunData, kept_run, run_data
from agentnb.server.workflows import definition_of
from agentnb.workflows.documents import Document
from agentnb.workflows.spec import adapter

_SECONDS = 60
_Inputs = dict[str, Any]


class Source(Request):
    """Which workflow: one of a file, one that was run before, or a text.

    Attributes:
        file: Its path in the server's folder. With ``text``: where that would be saved.
        workflow: Name of one that was run before; in the version that was run last, where ``version`` isn't given.
        text: YAML or JSON.
    """

    file: str = Field("", max_length=1000)
    workflow: Name = ""
    version: Name = ""
    text: str | None = Field(None, max_length=10_000_000)

    @model_validator(mode="after")
    def _one(self) -> Source:
        if self.workflow and (self.file or self.text is not None):
            raise ValueError("give workflow, or file, or text: not several of them")
        if self.version and not self.workflow:
            raise ValueError("version goes with workflow")
        return self

    @property
    def is_given(self) -> bool:
        return bool(self.workflow or self.file or self.text is not None)


class NewRun(Source):
    """A run of a workflow that is to begin."""

    inputs: _Inputs = Field(default_factory=dict)


class Rerun(Source):
    """A run that is run again; as it was defined then, where no workflow is given.

    Attributes:
        start: Steps that are run anew in any case, and what needs them.
        inputs: New values of some inputs.
    """

    start: list[Name] = Field(default_factory=list, max_length=1000)
    inputs: _Inputs = Field(default_factory=dict)


class Stale(Data):
    """The steps that would be run again: edited, not finished then, or behind one of these."""

    stale: list[str]


class DeletedRuns(Data):
    """The IDs of what is no longer there: the run's own, and those of what its steps had started."""

    deleted: list[str]


def start(call: Call, body: NewRun) -> Reply[RunData]:
    """Run a workflow; its run is queued, and executed in a process of its own."""
    if not body.is_given:
        raise ConfigurationError("say what to run: file, workflow, or text")
    definition = _definition(call, body)
    run = workflow_runs.queue(call.runtime, definition, body.inputs, user=call.user, also=lambda run: kept_run(call, run))
    return _started(call, run, definition)


def rerun(call: Call, run_id: str, body: Rerun) -> Reply[RunData]:
    """Run an ended run again, as a new one: of a workflow with the results of all steps that are the same, of an agent from the start."""
    run = call.runtime.store.run(run_id)
    if run.status not in FINAL and call.runtime.is_alive(run):
        raise IllegalTransition(f"run {run.id} has not ended: cancel it before you run it again")
    if run.kind == "job":
        return jobs.again(call, run)
    if run.kind != "workflow":
        again = ask(call, run.agent_id, NewExecution(prompt=run.input["prompt"], session=run.session))
        return Reply(again, location=f"/runs/{again.id}")
    definition = _definition(call, body) if body.is_given else call.runtime.store.definition(run.definition)
    inputs = {**run.input, **body.inputs}
    new = workflow_runs.queue(
        call.runtime, definition, inputs, user=call.user, rerun_of=run.id, start=body.start, also=lambda run: kept_run(call, run)
    )
    return _started(call, new, definition)


def resume(call: Call, run_id: str) -> Reply[RunData]:
    """Go on with a run that nobody executes, after its last finished step; a job's, also one that failed, as a new run."""
    found = call.runtime.get(run_id)
    if found.kind == "job" and found.status in ("failed", "cancelled"):
        return jobs.again(call, found, resume=True)
    run = workflow_runs.root(call.runtime, call.runtime.store.run(run_id))
    if run.status in FINAL:
        raise IllegalTransition(f"run {run.id} is {run.status}, there is nothing to resume: run it again")
    if call.runtime.is_alive(run):
        raise LeaseLost(f"run {run.id} is being executed: cancel it, or wait for it")
    go_on(call, run)
    return Reply(run_data(call.runtime.get(run.id)), location=f"/runs/{run.id}")


def stale(call: Call, run_id: str, body: Source) -> Stale:
    """List the steps that a rerun with this workflow would run; without one, with the version that was run last."""
    run = call.runtime.store.run(run_id)
    if run.kind != "workflow":
        raise ConfigurationError(f"run {run.id} is of an {run.kind}: only those of workflows have steps that get stale")
    if body.text is not None:
        raise ConfigurationError("text: save it to a file first: what its functions are is seen from there")
    if body.file:
        return Stale(stale=_stale_of_file(call, call.service.path(body.file), run.id))
    if body.workflow:
        definition = _definition(call, body)
    else:
        definition = (
            call.runtime.store.definitions("workflow", name=run.name, limit=1) or [call.runtime.store.definition(run.definition)]
        )[0]
    spec = adapter().validate_python(definition.spec["document"])
    ready = Ready(
        spec, Path(definition.spec["folder"]), fingerprints=definition.spec.get("fingerprints") or dict.fromkeys(spec.actions(), "")
    )
    return Stale(stale=stale_steps(call.runtime, run.id, ready))


def delete(call: Call, run_id: str) -> DeletedRuns:
    """Forget a run that has ended: its events, its input and its results, with all that its steps have started."""
    return DeletedRuns(deleted=call.runtime.delete(run_id))


def go_on(call: Call, run: Run) -> None:
    """Have a process go on with a run, in the folder that its functions are imported from."""
    if run.kind == "workflow":
        folder = Path(call.runtime.store.definition(run.definition).spec["folder"])
    else:
        known = call.runtime.store.agents(agent_id=run.agent_id, current=False)
        folder = folder_of(call, known[0].origin if known else "")
    call.service.spawner.start(run.id, folder=folder if folder.is_dir() else call.service.root)


def _started(call: Call, run: Run, definition: Definition) -> Reply[RunData]:
    folder = Path(definition.spec["folder"])
    call.service.spawner.start(run.id, folder=folder if folder.is_dir() else call.service.root)
    return Reply(run_data(run), location=f"/runs/{run.id}")


def _definition(call: Call, source: Source) -> Definition:
    if source.workflow:
        if source.version:
            return definition_of(call.runtime, source.workflow, source.version)
        found = call.runtime.store.definitions("workflow", name=source.workflow, limit=1)
        if not found:
            raise ConfigurationError(f"no workflow {source.workflow!r} was run before: give its file")
        return call.runtime.store.definition(found[0].hash)
    file = call.service.path(source.file) if source.file else call.service.root / "untitled"
    text = Document.read(file).text if source.text is None else source.text
    spec, _ = sound(text, source.file)
    return draft(spec, file.parent)


def _stale_of_file(call: Call, file: Path, run_id: str) -> list[str]:
    """What a process says that may import the functions."""
    command = [sys.executable, "-m", "agentnb", "workflow", "stale", str(file), run_id, "--json"]
    try:
        done = subprocess.run(  # noqa: S603
            command, cwd=file.parent, env=call.service.spawner.environment(), capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise ConfigurationError(f"{file.name}: its functions could not be imported in {_SECONDS} s") from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file.name}: it could not be looked at: {error}") from None
    if "error" in answer:
        raise ConfigurationError(answer["error"]["message"])
    found: list[str] = answer["stale"]
    return found
