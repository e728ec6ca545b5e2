"""The report of a workflow's run: what it gave, what went well and what didn't, where the time and the money went."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from agentnb.runtime.workflow_results import WorkflowRun
from agentnb.secrets import to_json


@dataclass(frozen=True)
class Items:
    """The items of a fan-out; times are of those that were run."""

    count: int
    failed: int
    min_ms: float
    median_ms: float
    max_ms: float


@dataclass(frozen=True)
class StepReport:
    """One step, its items folded into it.

    Attributes:
        start_ms: Milliseconds after the start of the run; None where nothing was run.
        duration_ms: Its waits included; of a step that hasn't ended, so far.
        source: Where a result was taken from that nothing was run for: an earlier run, or ``cache``.
        child: ID of the run that it started.
        usage: ``input_tokens``, ``output_tokens``, ``model_calls``, ``tool_calls`` and ``cost``, which is None where it is unknown.
    """

    id: str
    kind: str
    title: str
    status: str
    reason: str
    start_ms: float | None
    duration_ms: float
    attempts: int
    source: str
    child: str
    usage: Mapping[str, Any]
    items: Items | None = None


@dataclass(frozen=True)
class Failure:
    """A step that failed, and what the workflow made of it.

    Attributes:
        handling: ``fail``, ``continue``, ``goto``, ``compensate``, or ``transition`` of a state machine.
        target: Where it went on: a handler, or a state; ``target_status`` is what came of a handler.
    """

    step: str
    type: str
    message: str
    attempts: int
    handling: str
    target: str = ""
    target_status: str = ""

    @property
    def handled(self) -> bool:
        """Whether the run went on in spite of it."""
        return self.handling in ("continue", "goto", "transition")


@dataclass(frozen=True)
class Wait:
    """Something that the run waits for.

    Attributes:
        kind: ``human``, ``approval``, ``interrupted``, ``callback``, ``child``, ``event`` or ``timer``.
        due: When it stops waiting, as RFC 3339 UTC; empty for never.
        command: How to answer it; empty where it comes by itself.
    """

    step: str
    kind: str
    prompt: str
    assignee: str = ""
    due: str = ""
    command: str = ""


@dataclass(frozen=True)
class StateVisit:
    """One visit of a state; ``event`` is what led there, where an event did."""

    state: str
    visit: int
    event: str
    entered_at: str
    spent_ms: float


@dataclass(frozen=True, repr=False)
class Report:
    """What one run of a workflow came to.

    Attributes:
        results: What its steps gave, by step, whole.
        counts: How many steps have each status; a fan-out counts as one.
        skipped: How many steps were skipped for each reason.
        taken: How many results were taken over from each earlier run, or from the ``cache``.
        not_begun: Steps that were never reached.
        slowest: The slowest steps, and retried: how often steps were tried that were tried more than once.
        failures: Every step that failed, handled or not; ``error`` is what ended the run.
        critical_path: Of a DAG: the chain of steps that took longest, its milliseconds and its share of the run's time (0 to 1).
        parallelism: Time of all steps by time of the run.
        usage: Totals, as of each step.
        states: The visits of a state machine, and how many milliseconds it spent in each state.
    """

    run_id: str
    name: str
    kind: str
    status: str
    reason: str
    started_at: str
    ended_at: str
    duration_ms: float
    rerun_of: str
    parent: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    results: Mapping[str, Any]
    steps: tuple[StepReport, ...]
    counts: Mapping[str, int]
    skipped: Mapping[str, int]
    taken: Mapping[str, int]
    not_begun: tuple[str, ...]
    slowest: tuple[str, ...]
    retried: Mapping[str, int]
    failures: tuple[Failure, ...]
    error: Mapping[str, Any] | None
    critical_path: tuple[str, ...]
    critical_ms: float
    critical_share: float
    parallelism: float
    waits: tuple[Wait, ...]
    usage: Mapping[str, Any]
    states: tuple[StateVisit, ...]
    time_in_states: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON data, values whole, without secrets."""
        data: dict[str, Any] = json.loads(to_json(asdict(self)))
        return data

    def to_markdown(self) -> str:
        """The report as Markdown; large values are shortened."""
        from agentnb.runtime import report_views

        return report_views.as_markdown(self)

    def to_text(self) -> str:
        """The report for a terminal; large values are shortened."""
        from agentnb.runtime import report_views

        return report_views.as_text(self)

    def _repr_html_(self) -> str:
        from agentnb.runtime import report_views

        return report_views.as_html(self)

    def __repr__(self) -> str:
        return f"<report of the {self.status} run {self.run_id} of {self.name}>"


def report_of(run: WorkflowRun) -> Report:
    """The report of a run, as far as it has come."""
    from agentnb.runtime.report_reading import Reading

    return Reading(run).report()
