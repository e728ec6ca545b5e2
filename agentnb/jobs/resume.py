"""Going on after a failure: which run, whether its notebook is still the same, and which cells may not run again."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentnb.errors import ConfigurationError
from agentnb.jobs.cells import Past, hashes_of, stored_in
from agentnb.jobs.lost import clear_away
from agentnb.ports.store import FINAL, Event, Run

if TYPE_CHECKING:
    from agentnb.jobs.documents import Job
    from agentnb.runtime.runtime import Runtime

_MOST = 1_000


class CannotResume(ConfigurationError):
    """A run can't be gone on with as the job is now."""


def find(runtime: Runtime, job: Job, run_id: str) -> Run:
    """The run to go on with: that one, or the job's newest.

    Raises:
        CannotResume: It is another job's, was completed, or still goes on; or there is none.
    """
    if run_id:
        found = runtime.get(run_id)
        if found.kind != "job" or found.name != job.name:
            raise CannotResume(f"run {found.id} is a {found.kind} of the name {found.name!r}, and the job is {job.name!r}")
    else:
        newest = runtime.runs(kind="job", name=job.name, limit=1)
        if not newest:
            raise CannotResume(f"the job {job.name!r} has no run to go on with: run it without --resume")
        found = newest[0]
    if found.status == "completed":
        raise CannotResume(f"run {found.id} is completed, there is nothing to resume: run it without --resume")
    if found.status not in ("failed", "cancelled"):
        raise CannotResume(f"run {found.id} is still {found.status}: wait for it, or cancel it with `agentnb runs cancel {found.id}`")
    begun = next((run for run in runtime.runs(job=found.id, limit=_MOST) if run.status not in FINAL and runtime.is_alive(run)), None)
    if begun is not None:
        raise CannotResume(f"{begun.kind} {begun.id}, which run {found.id} has begun, still goes on: wait for it, or cancel it")
    if found.reason == "lost":
        clear_away(found)
    return found


def past_of(runtime: Runtime, run: Run, source: Path, redo: Collection[int] = ()) -> Past:
    """What a run leaves to the next one.

    Raises:
        CannotResume: The notebook has changed since, or a cell tagged ``once`` may have had its effect and can't be taken over.
    """
    events = runtime.store.events(run.id)
    started = next((event for event in events if event.type == "job.started"), None)
    _check_same(run, started, source)
    stored, doubtful = stored_in(events)
    left = {number: why for number, why in sorted(doubtful.items()) if number not in redo}
    if left:
        told = "; ".join(f"cell {number} is tagged once: {why}" for number, why in left.items())
        options = " ".join(f"--redo {number}" for number in left)
        raise CannotResume(f"run {run.id} can't be gone on with: {told}. See what it did; {options} runs it again")
    earlier = tuple(started.data.get("resumes", ())) if started else ()
    return Past((run.id, *earlier), {number: cell for number, cell in stored.items() if number not in redo})


def _check_same(run: Run, started: Event | None, source: Path) -> None:
    then: Mapping[str, Any] = started.data.get("cells", {}) if started else {}
    now = source_hashes(source)
    changed = [f"cell {number}" if number.isdigit() else number for number in {**then, **now} if then.get(number) != now.get(number)]
    if changed:
        shown = f"{', '.join(changed[:5])}{' and others' if len(changed) > 5 else ''}"
        raise CannotResume(
            f"{source.name} has changed since run {run.id} ({shown}), so that what that run finished may not fit: "
            "run it without --resume, or restore it"
        )


def source_hashes(source: Path) -> dict[str, str]:
    """SHA-256 of each cell, by its number; of a workflow, of its file.

    Raises:
        ConfigurationError: It can't be read.
    """
    import hashlib

    try:
        data = source.read_bytes()
        if source.suffix != ".ipynb":
            return {source.name: hashlib.sha256(data).hexdigest()}
        notebook = json.loads(data.decode())
        _check(notebook)
        return hashes_of(notebook["cells"])
    except OSError as error:
        raise ConfigurationError(f"{source} can't be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            f"{source} is no notebook: {type(error).__name__}: {error}. Open it in JupyterLab and save it again"
        ) from None


def _check(notebook: Any) -> None:
    """Whether a notebook has the shape that papermill takes for granted.

    Raises:
        TypeError, KeyError: It hasn't.
    """
    if notebook["nbformat"] != 4:
        raise TypeError("its nbformat isn't 4")
    for part in (notebook, *notebook["cells"]):
        metadata = part["metadata"]
        for name, shape in (("kernelspec", dict), ("language_info", dict), ("papermill", dict), ("tags", list)):
            if not isinstance(metadata.get(name, shape()), shape):
                raise TypeError(f"its metadata.{name} is {json.dumps(metadata[name])}")
