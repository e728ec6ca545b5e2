"""Jobs: the files of a folder, when they are due, how they went; and runs of them, in processes of their own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field

from agentnb.errors import ConfigurationError, UnknownName
from agentnb.jobs import documents, logs, parameters, schedule
from agentnb.jobs.catalog import Catalog, folder_of
from agentnb.jobs.documents import Job
from agentnb.jobs.spec import JobSpec
from agentnb.ports.store import Firing, FiringStatus, Run
from agentnb.runtime import job_runs
from agentnb.server.documents import FindingData, finding_data
from agentnb.server.pages import Page, PageQuery, cursor_of, pair_of, parts_of
from agentnb.server.routing import Call, Data, Reply, Request
from agentnb.server.runs import LastRun, RunData, last_run, run_data, run_fields
from agentnb.server.spawning import Work
from agentnb.workflows.documents import Finding

_LAST, _NEXT, _MORE_NEXT = 20, 1, 10
Starts = Literal["cron", "event", "after", "manual"]


class JobData(Data):
    """A job of a file.

    Attributes:
        ok: Whether it can be run.
        file: Its path: in the server's folder, where it lies there.
        source: The notebook's path, or the workflow's, likewise.
        starts: What starts it.
        trigger: The cron expression, the type of the event, or the jobs that it comes after.
        next: When it is due next, RFC 3339 UTC.
        last_runs: Newest first.
        findings: What is wrong with the file.
    """

    name: str
    ok: bool
    file: str
    description: str = ""
    source: str = ""
    kind: Literal["notebook", "workflow"] = "notebook"
    starts: Starts = "manual"
    trigger: str = ""
    timezone: str = ""
    next: list[str] = Field(default_factory=list)
    last_runs: list[LastRun] = Field(default_factory=list)
    findings: list[FindingData] = Field(default_factory=list)


class JobPage(Page):
    """Jobs in the order of their files; ``folder`` is where they are searched for."""

    jobs: list[JobData]
    folder: str


class JobDetail(JobData):
    """A job with all that its file says.

    Attributes:
        document: The file's content.
        parameters: What it may be given: the JSON Schema by name.
        values: What the file gives.
    """

    document: dict[str, Any] = Field(default_factory=dict)
    parameters: dict[str, Any] = Field(default_factory=dict)
    values: dict[str, Any] = Field(default_factory=dict)


class JobRun(RunData):
    """A run of a job.

    Attributes:
        trigger: What has started it.
        output: Where its output is.
        output_path: The same in the server's folder, or empty where it isn't there.
        has_log: Whether what its process has said is kept.
    """

    parameters: dict[str, Any]
    trigger: str
    output: str
    output_path: str
    has_log: bool


class JobRunPage(Page):
    """Runs of a job, newest first."""

    runs: list[JobRun]


class FiringsQuery(Request):
    """Which firings."""

    limit: int = Field(50, ge=1, le=500)
    status: FiringStatus | Literal[""] = ""


class FiringData(Data):
    """A time that a job was due; of an event, ``position`` is its number, and ``at`` is empty. ``note``: why it was skipped or missed."""

    trigger: str
    position: float
    at: str
    status: str
    run_id: str
    note: str


class Firings(Data):
    """Firings, newest first."""

    firings: list[FiringData]


class NewJobRun(Request):
    """A run of a job that is to begin.

    Attributes:
        parameters: Instead of those of its file.
        resume: A run of it that failed, to go on with.
    """

    parameters: dict[str, Any] = Field(default_factory=dict)
    resume: str = Field("", max_length=500)


class Log(Data):
    """What a job's process has said; of a long one the end. ``size`` in bytes is that of all of it."""

    text: str
    size: int


def list_(call: Call, query: PageQuery) -> JobPage:
    """List the jobs of ``papermill_jobs``: what starts them, when they are due, how they went, what is wrong with them."""
    catalog = _catalog(call)
    after = parts_of(query.cursor, 1)
    files = [file for file in catalog.files if after is None or file.name > after[0]]
    shown = files[: query.limit]
    relations = catalog.relations()
    jobs = [_data(call, catalog, file, relations) for file in shown]
    following = cursor_of(shown[-1].name) if len(files) > len(shown) else ""
    return JobPage(jobs=jobs, folder=_served(call, catalog.folder) or str(catalog.folder), next=following)


def get(call: Call, name: str) -> JobDetail:
    """Show a job: its file, its parameters, the next times."""
    catalog = _catalog(call)
    file = _file(catalog, name)
    job, _ = documents.read(file)
    found = _data(call, catalog, file, catalog.relations(), _MORE_NEXT).model_dump()
    if job is None:
        return JobDetail(**found)
    document = job.spec.to_dict()
    return JobDetail(**found, document=document, parameters=dict(job.schemas), values=document.get("parameters", {}))


def runs(call: Call, name: str, query: PageQuery) -> JobRunPage:
    """List the runs of a job, newest first."""
    found = call.runtime.runs(kind="job", name=name, before=pair_of(query.cursor), limit=query.limit + 1)
    if not found and not query.cursor:
        _file(_catalog(call), name)
    shown = found[: query.limit]
    following = cursor_of(shown[-1].created_at, shown[-1].id) if len(found) > len(shown) else ""
    return JobRunPage(runs=[_run(call, run) for run in shown], next=following)


def firings(call: Call, name: str, query: FiringsQuery) -> Firings:
    """List the times at which a job was due, newest first, and why some were skipped or missed."""
    wanted = [query.status] if query.status else [status for status in get_args(FiringStatus) if status != "watched"]
    found = call.runtime.store.firings(job=name, statuses=wanted, limit=query.limit)
    return Firings(firings=[_firing(firing) for firing in found])


def start(call: Call, name: str, body: NewJobRun) -> Reply[RunData]:
    """Run a job now; its run is queued, and executed in a process of its own."""
    catalog = _catalog(call)
    job = catalog.find(name)
    wrong = parameters.problems(job.schemas, body.parameters)
    if wrong:
        raise ConfigurationError("; ".join(f"{message}. {mend}" for message, mend in wrong.values()))
    return begin(call, catalog, job, body)


def begin(call: Call, catalog: Catalog, job: Job, asked: NewJobRun) -> Reply[RunData]:
    """Queue a run of a job, and have a process begin it."""
    resume = {"resume": asked.resume} if asked.resume else {}
    run = job_runs.queue(call.runtime, job.name, {"parameters": asked.parameters, "trigger": "manual", **resume}, user=call.user)
    command = ("jobs", "run", job.name, "--dir", str(catalog.folder.absolute()), "--run-id", run.id)
    call.service.spawner.add(Work(run.id, False, call.service.root, command, logs.file_of(call.runtime, run.id)))
    return Reply(run_data(run), location=f"/runs/{run.id}")


def again(call: Call, run: Run, *, resume: bool = False) -> Reply[RunData]:
    """Run a job as an earlier run of it did, or go on with that."""
    catalog = _catalog(call)
    given = {} if resume else dict(run.input.get("parameters", {}))
    return begin(call, catalog, catalog.find(run.name), NewJobRun(parameters=given, resume=run.id if resume else ""))


def log(call: Call, run_id: str) -> Log:
    """Show what the process of a job's run has said."""
    run = call.runtime.store.run(run_id)
    try:
        text, size = logs.tail(logs.file_of(call.runtime, run.id))
    except OSError:
        raise UnknownName(f"run {run.id} keeps no log: it was started at a terminal, or the log was removed with its output") from None
    return Log(text=text, size=size)


def output_path(call: Call, run: Run) -> str:
    """Where a job's output is in the server's folder; empty where it isn't there."""
    place = run.output.get("notebook", "") if run.kind == "job" and isinstance(run.output, Mapping) else ""
    return _served(call, Path(place)) if place and "://" not in place and Path(place).is_file() else ""


def _catalog(call: Call) -> Catalog:
    return Catalog.of(folder_of(call.service.root))


def _file(catalog: Catalog, name: str) -> Path:
    """The file of a job, also of one that is wrong.

    Raises:
        UnknownName: There is none.
    """
    found = next((file for file, spec in catalog.specs.items() if spec.name == name), None)
    found = found or next((file for file in catalog.files if file not in catalog.specs and file.stem == name), None)
    if found is None:
        raise UnknownName(f"no job {name!r} in {catalog.folder}: `agentnb jobs list` shows those that are there")
    return found


def _data(call: Call, catalog: Catalog, file: Path, relations: list[Finding], count: int = _NEXT) -> JobData:
    job, found = documents.read(file)
    findings = [finding_data(finding) for finding in [*found, *(one for one in relations if one.file == str(file))]]
    place = _served(call, file) or str(file)
    if job is None:
        return JobData(name=file.stem, ok=False, file=place, findings=findings)
    spec = job.spec
    starts, trigger = _trigger(spec)
    return JobData(
        name=job.name,
        ok=not findings,
        file=place,
        description=spec.description,
        source=_served(call, job.source) or str(job.source),
        kind="notebook" if spec.is_notebook else "workflow",
        starts=starts,
        trigger=trigger,
        timezone=spec.schedule.timezone if spec.schedule and spec.schedule.cron else "",
        next=_next(spec, count),
        last_runs=[last_run(run) for run in call.runtime.runs(kind="job", name=job.name, limit=_LAST, whole=False)],
        findings=findings,
    )


def _trigger(spec: JobSpec) -> tuple[Starts, str]:
    if spec.schedule and spec.schedule.cron:
        return "cron", spec.schedule.cron
    if spec.on_event:
        return "event", spec.on_event.type
    return ("after", ", ".join(spec.depends_on)) if spec.depends_on else ("manual", "")


def _next(spec: JobSpec, count: int) -> list[str]:
    if not spec.schedule or not spec.schedule.cron:
        return []
    try:
        return [_moment(at) for at in islice(schedule.times(spec.schedule.cron, spec.schedule.timezone, time.time()), count)]
    except schedule.NotASchedule:
        return []


def _run(call: Call, run: Run) -> JobRun:
    given = run.input if isinstance(run.input, Mapping) else {}
    output = run.output if isinstance(run.output, Mapping) else {}
    return JobRun(
        **run_fields(run),
        parameters=dict(given.get("parameters", {})),
        trigger=str(given.get("trigger", "")),
        output=str(output.get("notebook", "")),
        output_path=output_path(call, run),
        has_log=logs.file_of(call.runtime, run.id).is_file(),
    )


def _firing(firing: Firing) -> FiringData:
    at = _moment(firing.position) if firing.trigger == "cron" else ""
    return FiringData(trigger=firing.trigger, position=firing.position, at=at, status=firing.status, run_id=firing.run_id, note=firing.note)


def _served(call: Call, path: Path) -> str:
    """A path in the server's folder, as its API of contents names it; empty where it isn't there."""
    root, found = call.service.root.resolve(), path.resolve()
    return found.relative_to(root).as_posix() if found.is_relative_to(root) else ""


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
