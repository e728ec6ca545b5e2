"""Runs: listed, looked at, compared."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from agentnb.errors import ConfigurationError
from agentnb.ports.store import FINAL, Record, Run
from agentnb.runtime import workflow_runs
from agentnb.runtime.diff import diff as differences
from agentnb.runtime.runtime import Runtime
from agentnb.runtime.shown import elapsed
from agentnb.runtime.workflow_results import WorkflowRun
from agentnb.server.pages import Name, Page, PageQuery, cursor_of, pair_of
from agentnb.server.routing import Call, Data, Request
from agentnb.server.steps import QuestionData, StepData, questions_of, steps_of_run

Kind = Literal["agent", "workflow", "job"]
Status = Literal["queued", "running", "waiting", "completed", "failed", "cancelled"]


class RunsQuery(PageQuery):
    """Which runs.

    Attributes:
        since: RFC 3339 UTC: created then or later. until: Created before.
        parent: Only those that are part of this run.
        job: Only those that this run of a job has started.
    """

    kind: Kind | Literal[""] = ""
    status: Status | Literal[""] = ""
    name: Name = ""
    agent_id: Name = ""
    session: Name = ""
    parent: Name = ""
    job: Name = ""
    since: Name = ""
    until: Name = ""


class RunData(Data):
    """A run without its input and output; one whose process died is ``failed`` with the reason ``lost``."""

    id: str
    kind: Kind
    name: str
    status: Status
    reason: str
    started_at: str
    ended_at: str
    agent_id: str
    definition: str
    session: str
    user: str
    parent: str
    job: str
    attempt: int
    error: dict[str, str] | None
    usage: dict[str, Any]
    wake_at: float


class LastRun(Data):
    """A run in a few words; ``duration_ms`` is null while it goes on."""

    id: str
    status: str
    reason: str
    started_at: str
    duration_ms: float | None


class RunPage(Page):
    """Runs, newest first."""

    runs: list[RunData]


class RunDetail(RunData):
    """A run with all that is known of it.

    Attributes:
        questions: What it waits for.
        alive: Whether somebody executes it.
        resumable: Whether it can go on after its last finished step.
        rerun_of: The run that it runs again, or empty.
    """

    input: Any
    output: Any
    steps: list[StepData]
    questions: list[QuestionData]
    alive: bool
    resumable: bool
    rerun_of: str = ""


class Steps(Data):
    """The steps of a run, in the order in which they began."""

    steps: list[StepData]


class Questions(Data):
    """What a run waits for."""

    questions: list[QuestionData]


class FormatQuery(Request):
    """How a report is written."""

    format: Literal["json", "text", "markdown", "html"] = "json"


class ReportData(Data):
    """A run's report; ``report`` is the one of ``agentnb runs report --json``, ``text`` the same in another format."""

    format: Literal["json", "text", "markdown", "html"]
    report: dict[str, Any] | None = None
    text: str = ""


class DiffData(Data):
    """How run b differs from run a."""

    kind: str
    same: bool
    a: dict[str, Any]
    b: dict[str, Any]
    duration_ms: float
    tokens: int
    cost: float | None
    definition: dict[str, Any]
    counts: dict[str, int]
    diverged: str
    steps: list[dict[str, Any]]


class Summary(Data):
    """How much there is.

    Attributes:
        runs: By kind and status.
        position: The number of the newest event.
    """

    runs: dict[str, dict[str, int]]
    position: int = Field(ge=0)


def run_fields(run: Run) -> dict[str, Any]:
    """A run's fields as ``RunData`` names them."""
    names = (
        "id",
        "kind",
        "name",
        "status",
        "reason",
        "ended_at",
        "agent_id",
        "definition",
        "session",
        "user",
        "parent",
        "job",
        "attempt",
        "wake_at",
    )
    return {
        **{name: getattr(run, name) for name in names},
        "started_at": run.created_at,
        "error": dict(run.error) if run.error else None,
        "usage": dict(run.usage),
    }


def run_data(run: Run) -> RunData:
    """A run as it is sent."""
    return RunData(**run_fields(run))


def last_run(run: Run) -> LastRun:
    """A run as the lists of agents and jobs show their last ones."""
    milliseconds = elapsed(run) if run.ended_at else None
    return LastRun(id=run.id, status=run.status, reason=run.reason, started_at=run.created_at, duration_ms=milliseconds)


def kept_run(call: Call, run: Run) -> list[Record]:
    """What answers the same request with this run, should it come again."""
    return call.kept(202, run_data(run), f"/runs/{run.id}")


def list_(call: Call, query: RunsQuery) -> RunPage:
    """List runs, newest first."""
    return list_runs(call.runtime, query)


def list_runs(runtime: Runtime, query: RunsQuery) -> RunPage:
    """A page of runs."""
    filters = query.model_dump(exclude={"limit", "cursor"})
    found = runtime.runs(**filters, before=pair_of(query.cursor), limit=query.limit + 1, whole=False)
    return page_of(found, query.limit)


def page_of(found: list[Run], limit: int) -> RunPage:
    """A page out of one run more than it holds, where there is one."""
    runs = found[:limit]
    following = cursor_of(runs[-1].created_at, runs[-1].id) if len(found) > limit else ""
    return RunPage(runs=[*map(run_data, runs)], next=following)


def summary(call: Call) -> Summary:
    """Count runs by kind and status."""
    counts: dict[str, dict[str, int]] = {}
    for (kind, status), count in call.runtime.store.counts().items():
        counts.setdefault(kind, {})[status] = count
    return Summary(runs=counts, position=call.runtime.store.position())


def get(call: Call, run_id: str) -> RunDetail:
    """Show a run: its steps, what it gave, what it waits for."""
    return detail_of(call.runtime, run_id)


def detail_of(runtime: Runtime, run_id: str) -> RunDetail:
    """All that is known of a run."""
    stored = runtime.store.run(run_id)
    run, events, alive = runtime.get(stored.id), runtime.events(stored.id), runtime.is_alive(stored)
    source = next((event.data.get("rerun_of", "") for event in events if event.type in ("workflow.started", "workflow.queued")), "")
    return RunDetail(
        **run_fields(run),
        input=run.input,
        output=run.output,
        steps=steps_of_run(run, events),
        questions=questions_of(runtime, run),
        alive=alive,
        resumable=stored.status not in FINAL and not alive,
        rerun_of=source,
    )


def steps(call: Call, run_id: str) -> Steps:
    """List the steps of a run."""
    run = call.runtime.store.run(run_id)
    return Steps(steps=steps_of_run(run, call.runtime.events(run.id)))


def questions(call: Call, run_id: str) -> Questions:
    """List what a run waits for."""
    return Questions(questions=questions_of(call.runtime, call.runtime.store.run(run_id)))


def report(call: Call, run_id: str, query: FormatQuery) -> ReportData:
    """Report on a workflow's run: results, failures, where the time and the money went."""
    made = workflow_run(call.runtime, run_id).report()
    if query.format == "json":
        return ReportData(format="json", report=made.to_dict())
    texts = {"text": made.to_text, "markdown": made.to_markdown, "html": made._repr_html_}
    return ReportData(format=query.format, text=texts[query.format]())


def diff(call: Call, run_id: str, other_id: str) -> DiffData:
    """Compare two runs: steps, inputs, outputs, time, tokens."""
    return DiffData(**differences(call.runtime, run_id, other_id).to_dict())


def workflow_run(runtime: Runtime, run_id: str) -> WorkflowRun:
    """A run of a workflow.

    Raises:
        ConfigurationError: It is no workflow's.
    """
    run = runtime.store.run(run_id)
    if run.kind != "workflow":
        raise ConfigurationError(f"run {run.id} is of an {run.kind}: only those of workflows have a graph and a report")
    return workflow_runs.get(runtime, run.id)
