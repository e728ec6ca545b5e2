"""One attempt at a job whose source is a workflow: in a process of its own, which can be killed; its report is the output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from agentnb.errors import ConfigurationError, ExecutionCancelled, ExecutionError, ExecutionTimeout, PolicyDenied
from agentnb.jobs.attempt import Attempt
from agentnb.jobs.documents import Job
from agentnb.jobs.guard import ProcessGroup
from agentnb.ports.store import FINAL, Event, Run

_POLL_SECONDS = 0.2
_SHOWN = 2_000


def perform(job: Job, parameters: Mapping[str, Any], attempt: Attempt, file: Path | None = None) -> dict[str, Any]:
    """Run the workflow, telling of its steps as they go; the run with its inputs and outputs.

    Args:
        job: The job.
        parameters: Inputs of the workflow.
        attempt: What it runs within.
        file: The workflow, where it isn't the job's own file.

    Raises:
        AgentNBError: It failed.
    """
    source = file or job.source
    inputs = [word for name, value in parameters.items() for word in ("-i", f"{name}={json.dumps(value)}")]
    waits = "--wait" if job.spec.approvals == "wait" else "--no-wait"
    command = [sys.executable, "-m", "agentnb", "workflow", "run", str(source), *inputs, "--json", waits, "--parent", str(os.getpid())]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        environment = {**os.environ, **attempt.environment}
        process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=job.source.parent, env=environment, start_new_session=True
        )
        follower = _Follower(attempt)
        with attempt.guard.over(ProcessGroup(process.pid)):
            follower.start()
            code = process.wait()
        follower.stop()
        attempt.guard.check()
        return _outcome(attempt, code, _text(out), _text(err))


def _outcome(attempt: Attempt, code: int, out: str, err: str) -> dict[str, Any]:
    """The workflow's run, as it is in the store: what its functions print is no part of it."""
    from agentnb.runtime import workflow_signals

    begun = begun_by(attempt)
    if begun is None:
        raise _error(code, _said(out) or err.strip()[-_SHOWN:] or _how(code))
    if begun.status == "completed":
        return data_of(begun)
    if begun.status in FINAL:
        reason = {"policy": 3, "timed_out": 4, "cancelled": 130}.get(begun.reason, 1)
        raise _error(reason, f"{(begun.error or {}).get('type', '')}: {(begun.error or {}).get('message', '')}".strip(": "))
    if code == 0:
        asked = "; ".join(
            f"{step.id}: agentnb runs signal {owner} {step.id}"
            for owner, step in workflow_signals.pending(attempt.journal.runtime, begun.id)
        )
        raise ExecutionError(f"the workflow waits, and nobody is there to answer: {asked or begun.status}. approvals: wait waits for it")
    raise ExecutionError(f"the process of the workflow {_how(code)}: {err.strip()[-_SHOWN:] or 'it said nothing'}")


def begun_by(attempt: Attempt) -> Run | None:
    """The newest run of a workflow that the attempt has begun."""
    found = attempt.journal.runtime.store.runs(kind="workflow", job=attempt.journal.run.id, limit=100)
    return next((run for run in found if not run.parent), None)


def data_of(run: Run) -> dict[str, Any]:
    """A workflow's run as the output of a job."""
    names = ("id", "name", "status", "input", "output", "usage", "created_at", "ended_at")
    words = {"input": "inputs", "output": "outputs", "created_at": "started_at"}
    return {words.get(name, name): getattr(run, name) for name in names}


def _said(out: str) -> str:
    """The error that the command has printed as JSON, behind whatever else was printed."""
    try:
        said = json.loads(out[out.rindex('{\n  "error"') :])["error"]
    except (ValueError, KeyError):
        return ""
    return f"{said.get('type', '')}: {said.get('message', '')}".strip(": ")


def _how(code: int) -> str:
    return f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"


def _error(code: int, message: str) -> Exception:
    if code == 3:
        denied = PolicyDenied("workflow", "denied", message)
        denied.args = (message,)
        return denied
    if code == 4:
        timeout = ExecutionTimeout("the workflow", 0)
        timeout.args = (message,)
        return timeout
    if code == 130:
        return ExecutionCancelled(message)
    return ConfigurationError(message) if code == 2 else ExecutionError(message)


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "replace")


class _Follower:
    """Tells of the workflow's steps: they are events of its own run, which this one has begun."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._store = attempt.journal.runtime.store
        self._after = self._store.position()
        self._done = threading.Event()
        self._run = ""
        self._thread = threading.Thread(target=self._follow, name="agentnb-follow", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._done.set()
        self._thread.join(10)
        self._look()

    def _follow(self) -> None:
        while not self._done.wait(_POLL_SECONDS):
            self._look()

    def _look(self) -> None:
        if not self._run:
            begun = self._store.runs(kind="workflow", job=self._attempt.journal.run.id, limit=100)
            self._run = next((run.id for run in begun if not run.parent), "")
        for event in self._store.events(self._run, self._after) if self._run else ():
            self._after = event.seq
            self._tell(event)

    def _tell(self, event: Event) -> None:
        if event.step_id and event.type.startswith("workflow.step") and self._attempt.journal.listener is not None:
            self._attempt.journal.listener(event)
