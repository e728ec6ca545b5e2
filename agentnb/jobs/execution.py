"""Executes one notebook for papermill: as an attempt of a job, or as a run of its own."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agentnb.errors import CellFailed, ConfigurationError, ExecutionCancelled
from agentnb.jobs.attempt import Attempt, kernel_environment
from agentnb.jobs.cells import hashes_of
from agentnb.jobs.client import JobClient, Manager
from agentnb.jobs.guard import Guard
from agentnb.jobs.journal import JobJournal
from agentnb.runtime.runtime import Runtime, current
from agentnb.workflows.spec import Duration, Part, Size


class EngineLimits(Part):
    """The table ``[jobs]`` of agentnb.toml, and the engine's own arguments: limits of a notebook that papermill runs."""

    timeout: Duration | None = None
    cell_timeout: Duration | None = None
    max_output: Size = 10_000_000
    memory: Size | None = None
    approvals: str = ""
    record: Path | None = None
    replay: Path | None = None


def execute(nb: Any, kernel_name: str, *, attempt: Attempt | None = None, **options: Any) -> Any:
    """Execute a notebook in a kernel of its own.

    Args:
        nb: With its parameters.
        kernel_name: Name of the kernelspec.
        attempt: What a job has prepared; without it, the notebook is a run of its own, of the name of its file.
        **options: papermill's, and those of ``EngineLimits``.

    Raises:
        AgentNBError: It failed otherwise than by a cell that raised; that, papermill finds in the notebook by itself.
    """
    if attempt is not None:
        return _managed(nb, kernel_name, attempt, options)
    return _alone(nb, kernel_name, options)


def _managed(nb: Any, kernel_name: str, attempt: Attempt, options: dict[str, Any]) -> Any:
    manager = Manager(
        nb,
        attempt,
        output_path=options.get("output_path"),
        log_output=options.get("log_output", False),
        progress_bar=options.get("progress_bar", False),
        autosave_cell_every=options.get("autosave_cell_every", 30),
    )
    manager.notebook_start()
    client = JobClient(
        manager,
        attempt,
        kernel_name=kernel_name,
        startup_timeout=options.get("start_timeout", 60),
        log_output=options.get("log_output", False),
        stdout_file=options.get("stdout_file"),
        stderr_file=options.get("stderr_file"),
    )
    try:
        client.run()
    finally:
        manager.notebook_complete()
    return manager.nb


def _alone(nb: Any, kernel_name: str, options: dict[str, Any]) -> Any:
    """A notebook that ``papermill --engine agentnb`` runs."""
    runtime = current()
    limits = _limits(runtime, options)
    place = str(options.get("input_path") or "notebook.ipynb")
    given = {"parameters": dict(nb.metadata.get("papermill", {}).get("parameters", {})), "notebook": place, "trigger": "papermill"}
    journal = JobJournal.begin(runtime, Path(place).stem, given, cells=hashes_of(nb.cells))
    error: BaseException | None = None
    try:
        with Guard(runtime, journal.run.id, journal.run.name, timeout=limits.timeout, memory=limits.memory) as guard:
            attempt = Attempt(
                journal,
                guard,
                cell_timeout=limits.cell_timeout or options.get("execution_timeout"),
                max_output=limits.max_output,
                environment=kernel_environment(runtime, journal, approvals=limits.approvals, record=limits.record, replay=limits.replay),
            )
            return _managed(nb, kernel_name, attempt, options)
    except CellFailed as failure:
        error = failure
        return nb
    except ExecutionCancelled as failure:
        error = failure
        raise KeyboardInterrupt from failure
    except BaseException as failure:
        error = failure
        raise
    finally:
        journal.finish(error, {"notebook": str(options.get("output_path") or "")})
        with suppress(OSError):
            sys.stderr.write(f"agentnb: run {journal.run.id} {journal.run.status}\n")


def _limits(runtime: Runtime, options: dict[str, Any]) -> EngineLimits:
    given = {name: options[name] for name in EngineLimits.model_fields if options.get(name) is not None}
    try:
        return EngineLimits.model_validate({**runtime.settings.jobs, **given})
    except ValidationError as error:
        found = error.errors()[0]
        raise ConfigurationError(f"jobs.{'.'.join(map(str, found['loc']))}: {found['msg']}") from None
