"""One attempt at a job: what it is given, and what its kernel must know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from agentnb.jobs.cells import Past
from agentnb.jobs.guard import Guard
from agentnb.jobs.journal import JobJournal
from agentnb.jobs.output import OutputFile

if TYPE_CHECKING:
    from agentnb.runtime.runtime import Runtime


@dataclass(frozen=True)
class Attempt:
    """What one execution of a notebook is given.

    Attributes:
        output: Where the notebook is written to as it goes; None where papermill does that.
        cell_timeout: Seconds that one cell may take, or None.
        max_output: Characters that one cell may put out.
        environment: Variables of the kernel beside this process's own.
        past: What earlier runs leave to it.
    """

    journal: JobJournal
    guard: Guard
    output: OutputFile | None = None
    cell_timeout: float | None = None
    max_output: int = 10_000_000
    environment: Mapping[str, str] = field(default_factory=dict)
    past: Past = field(default_factory=Past)
    number: int = 1


def kernel_folder(run_id: str) -> str:
    """How the names of folders begin in which a run's kernels are reached; short, since a socket's path must be."""
    return f"agentnb-{run_id[-20:]}-"


def kernel_environment(
    runtime: Runtime,
    journal: JobJournal,
    *,
    approvals: str = "",
    record: Path | str | None = None,
    replay: Path | str | None = None,
    resume: tuple[str, ...] = (),
) -> dict[str, str]:
    """What a kernel must know so that its agents and workflows are a part of the run."""
    found = {
        "AGENTNB_STORE": str(runtime.settings.store.absolute()),
        "AGENTNB_JOB": journal.run.id,
        "AGENTNB_RESUME": ",".join(resume),
        "AGENTNB_WITHOUT_USER": approvals,
        "AGENTNB_RECORD": str(record or runtime.settings.record or ""),
        "AGENTNB_REPLAY": str(replay or runtime.settings.replay or ""),
    }
    return {name: value for name, value in found.items() if value or name == "AGENTNB_RESUME"}
