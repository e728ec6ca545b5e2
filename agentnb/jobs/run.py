"""One run of a job, from its parameters to its outcome: what ``agentnb jobs run`` does."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentnb.agents.identity import new_run_id
from agentnb.errors import AgentNBError, ConfigurationError, ExecutionError, MissingExtra, StoreError
from agentnb.jobs import notebook_attempt, notifications, parameters, places, resume, retention, step_notebook, workflow_attempt
from agentnb.jobs.attempt import Attempt, kernel_environment
from agentnb.jobs.cells import Past
from agentnb.jobs.documents import REMOTE, Job
from agentnb.jobs.guard import Guard
from agentnb.jobs.journal import JobJournal, Listener
from agentnb.jobs.output import OutputFile
from agentnb.ports.model import canonical
from agentnb.ports.store import Definition, Firing, Run
from agentnb.secrets import MASK, NAMED_BY, bare_url, learn, to_json

if TYPE_CHECKING:
    from agentnb.runtime.runtime import Runtime

_CLIENTS = {"s3": "boto3", "gs": "gcsfs", "abs": "azure"}
_FINAL_REASONS = frozenset({"policy", "cancelled"})
"""Of what a run fails that another attempt would fail of too, or that somebody wanted."""


@dataclass(frozen=True)
class Request:
    """What one run is asked for.

    Attributes:
        parameters: Values beside, or instead of, those of the job.
        trigger: ``manual``, ``cron``, ``event`` …
        moment: The time for which it is, in seconds since the epoch; now by default.
        run_id: The ID that it is to have; a new one by default.
        firing: What of the schedule it answers, where a scheduler starts it.
        resume: The run to go on with, ``""`` for the newest; None starts from the beginning.
        redo: Cells tagged ``once`` that may run again.
        output: Instead of the job's own place.
    """

    parameters: Mapping[str, Any] = field(default_factory=dict)
    trigger: str = "manual"
    moment: float = 0.0
    run_id: str = ""
    firing: Firing | None = None
    resume: str | None = None
    redo: tuple[int, ...] = ()
    output: str | None = None


@dataclass(frozen=True)
class Prepared:
    """A run that can begin: everything that can be wrong beforehand isn't."""

    job: Job
    request: Request
    run_id: str
    parameters: Mapping[str, Any]
    known: Mapping[str, Any]
    output: str
    hashes: Mapping[str, str]
    past: Past

    def shown(self) -> dict[str, Any]:
        """What would be done, for ``--dry-run``."""
        spec = self.job.spec
        return {
            "job": self.job.name,
            "source": str(self.job.source),
            "parameters": dict(self.parameters),
            "output": bare_url(self.output) if "://" in self.output else self.output,
            "cells": len(self.hashes),
            "attempts": spec.attempts,
            "timeout_s": spec.job_timeout,
            "cell_timeout_s": spec.cell_timeout,
            "resumes": list(self.past.runs),
            "not_run_again": sorted(self.past.stored),
        }


def prepare(runtime: Runtime, job: Job, request: Request) -> Prepared:
    """Check all that can be checked before anything runs.

    Raises:
        ConfigurationError: Something is missing or doesn't fit.
        CannotResume: The earlier run can't be gone on with.
    """
    spec = job.spec
    missing = [name for name in spec.secrets if not os.environ.get(name)]
    if missing:
        raise ConfigurationError(f"the job {job.name!r} needs {', '.join(missing)}: set these environment variables, they are its secrets")
    for name in spec.secrets:
        learn(os.environ[name])
    earlier = resume.find(runtime, job, request.resume) if request.resume is not None else None
    run_id = request.run_id or new_run_id("job")
    zone = spec.schedule.timezone if spec.schedule else "UTC"
    known = places.values(job.name, run_id, request.moment or time.time(), zone, request.trigger)
    environment = {**os.environ, **spec.env}
    given = {**places.fill(spec.parameters, known, environment), **request.parameters}
    if earlier:
        given = {**given, **_taken_over(earlier, given), **request.parameters}
    _check_parameters(job, given)
    hashes = resume.source_hashes(job.source)
    past = resume.past_of(runtime, earlier, job.source, request.redo) if earlier else Past()
    template = str(places.fill(_template(job, request), known, environment))
    return Prepared(job, request, run_id, given, known, _place(job, template, own=request.output is None), hashes, past)


def _template(job: Job, request: Request) -> str:
    """Where the output is to go; an output that is asked for and ends in a slash is a folder for the outputs of all jobs."""
    asked = request.output
    if asked is None:
        return job.spec.output_template
    return f"{asked}${{name}}/${{run.id}}.{'ipynb' if job.spec.is_notebook else 'json'}" if asked.endswith("/") else asked


def _taken_over(earlier: Run, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the run that is gone on with; a secret, which no run keeps, must be given again.

    Raises:
        CannotResume: One is not.
    """
    found: dict[str, Any] = {}
    for name, value in earlier.input["parameters"].items():
        if MASK not in to_json(value):
            found[name] = value
        elif name not in given or to_json(given[name]) != to_json(value):
            raise resume.CannotResume(
                f"run {earlier.id} had a secret in its parameter {name}, which isn't kept: give it again, -p {name}=…"
            )
    return found


def _check_parameters(job: Job, given: Mapping[str, Any]) -> None:
    wrong = parameters.problems(job.schemas, given)
    absent = (
        [name for name, schema in job.schemas.items() if "default" not in schema and schema and name not in given]
        if job.spec.workflow
        else []
    )
    told = [f"{message}. {mend}" for message, mend in wrong.values()] + [f"the parameter {name} is missing: -p {name}=…" for name in absent]
    if told:
        raise ConfigurationError("; ".join(told))


def _place(job: Job, text: str, *, own: bool) -> str:
    if text.startswith(REMOTE):
        scheme = text.partition("://")[0]
        if scheme in _CLIENTS and importlib.util.find_spec(_CLIENTS[scheme]) is None:
            raise MissingExtra(_CLIENTS[scheme], scheme)
        return text
    place = ((job.folder if own else Path.cwd()) / Path(text).expanduser()).resolve()
    if place == job.source.resolve():
        raise ConfigurationError(f"the output would overwrite {place}, which is what the job runs: name another place")
    return str(place)


def run(runtime: Runtime, prepared: Prepared, listener: Listener | None = None) -> tuple[Run, BaseException | None]:
    """Run a job, retry it, and tell who is to be told; how it ended, and of what it failed.

    Raises:
        StoreError: The outcome can't be written down.
    """
    job, request = prepared.job, prepared.request
    journal = JobJournal.begin(
        runtime,
        job.name,
        {
            "parameters": dict(prepared.parameters),
            "notebook": str(job.source),
            "trigger": request.trigger,
            "moment": prepared.known["run"]["time"],
        },
        run_id=prepared.run_id,
        definition=definition_of(job),
        firing=request.firing,
        listener=listener,
        cells=dict(prepared.hashes),
        resumes=list(prepared.past.runs),
    )
    output = OutputFile(
        prepared.output, runtime.settings.store / "jobs" / f"{journal.run.id}.{'ipynb' if job.spec.is_notebook else 'json'}"
    )
    error: BaseException | None = None
    try:
        with Guard(runtime, journal.run.id, job.name, timeout=job.spec.job_timeout, memory=job.spec.resources.memory) as guard:
            _attempts(prepared, journal, guard, output)
    except BaseException as failure:
        error = failure
    written = "" if output.problem is not None and not output.local.exists() else output.shown
    ended = journal.finish(error, {"notebook": written, "duration_ms": round(journal.milliseconds, 3)}, request.firing)
    notifications.tell(runtime, job.spec, ended, prepared.known, journal)
    if job.spec.retention is not None:
        retention.prune(runtime, job.name, job.spec.retention)
    return ended, error


def _attempts(prepared: Prepared, journal: JobJournal, guard: Guard, output: OutputFile) -> None:
    """Try until it succeeds, or may be tried no more; the last failure is the run's."""
    job, past = prepared.job, prepared.past
    output.begin(job.source.read_text(encoding="utf-8") if job.spec.is_notebook else "{}\n")
    for number in range(1, job.spec.attempts + 1):
        attempt = _attempt(prepared, journal, guard, output, past, number)
        try:
            _perform(job, prepared.parameters, attempt, output)
            break
        except AgentNBError as error:
            last = number == job.spec.attempts or error.reason in _FINAL_REASONS or not guard.may_go_on()
            found = None if last else _next_past(prepared, journal, past, error)
            if found is None:
                _finish_after(output, error)
                raise
            past = found
            _wait(job, journal, guard, number, error)
        except BaseException as error:
            _finish_after(output, error)
            raise
    output.finish()


def _perform(job: Job, given: Mapping[str, Any], attempt: Attempt, output: OutputFile) -> None:
    if job.spec.steps:
        step_notebook.perform(job, given, attempt, output)
    elif job.spec.is_notebook:
        notebook_attempt.perform(job, given, attempt)
    else:
        output.save(json.dumps(workflow_attempt.perform(job, given, attempt), indent=2, ensure_ascii=False) + "\n")


def _attempt(prepared: Prepared, journal: JobJournal, guard: Guard, output: OutputFile, past: Past, number: int) -> Attempt:
    spec = prepared.job.spec
    resumed = (*([journal.run.id] if number > 1 else []), *past.runs)
    fixed = kernel_environment(
        journal.runtime,
        journal,
        approvals=spec.approvals or "",
        record=_cassette(prepared, spec.record),
        replay=_cassette(prepared, spec.replay),
        resume=tuple(dict.fromkeys(resumed)),
    )
    threads = {name: str(max(int(spec.resources.cpu), 1)) for name in _THREADS} if spec.resources.cpu else {}
    profile = {"AGENTNB_PROFILE": spec.profile} if spec.profile else {}
    environment = {**threads, **profile, **places.fill(spec.env, prepared.known, os.environ), **fixed}
    if spec.secrets:
        environment[NAMED_BY] = ",".join(spec.secrets)
    return Attempt(journal, guard, output, spec.cell_timeout, spec.max_output, environment, past, number)


_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def _cassette(prepared: Prepared, template: str | None) -> Path | None:
    if template is None:
        return None
    return prepared.job.folder / str(places.fill(template, prepared.known, os.environ))


def _next_past(prepared: Prepared, journal: JobJournal, past: Past, error: AgentNBError) -> Past | None:
    """What the failed attempt leaves to the next one; None where there may be no next one, which the error then says."""
    try:
        found = resume.past_of(journal.runtime, journal.run, prepared.job.source, prepared.request.redo)
    except (resume.CannotResume, StoreError) as problem:
        error.add_note(f"not tried again: {problem}")
        return None
    return Past(past.runs, {**past.stored, **found.stored})


def _wait(job: Job, journal: JobJournal, guard: Guard, number: int, error: AgentNBError) -> None:
    assert job.spec.retry is not None  # noqa: S101
    seconds = job.spec.retry.wait(number, random.random())
    journal.note(journal.event("job.retrying", "running", attempt=number, error=str(error), wait_s=round(seconds, 3)))
    guard.sleep(seconds)


def _finish_after(output: OutputFile, error: BaseException) -> None:
    """Bring the output to its place after a failure; that it can't be written is then only noted."""
    try:
        output.finish()
    except ExecutionError as problem:
        error.add_note(str(problem))


def definition_of(job: Job) -> Definition:
    """The job as it is now, for the store."""
    spec = {"document": job.spec.to_dict(), "file": str(job.file)}
    return Definition(hashlib.sha256(canonical(spec).encode("utf-8", "replace")).hexdigest(), "job", job.name, spec)
