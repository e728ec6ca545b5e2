"""Runs jobs for the commands: live progress on standard error, the outcome, the exit code."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentnb.cli.output import code_of, put
from agentnb.errors import AgentNBError, ConfigurationError
from agentnb.notebook.formats import GLYPHS, duration, printable, usage_line
from agentnb.ports.store import Event, Run
from agentnb.runtime.runtime import current

if TYPE_CHECKING:
    from agentnb.jobs.catalog import Catalog
    from agentnb.jobs.journal import Listener
    from agentnb.jobs.run import Prepared, Request


_CLEAR = "\r\x1b[2K"


@dataclass(frozen=True)
class Asked:
    """What the command line asks for."""

    parameters: tuple[str, ...] = ()
    output: str | None = None
    resume: str | None = None
    redo: tuple[int, ...] = ()


def prepare(catalog: Catalog, name: str, asked: Asked) -> Prepared:
    """A run that can begin.

    Raises:
        ConfigurationError: It can't.
    """
    from agentnb.jobs import parameters
    from agentnb.jobs import run as running

    job = catalog.find(name)
    odd = next((pair for pair in asked.parameters if not pair.partition("=")[1] or not pair.partition("=")[0]), None)
    if odd is not None:
        raise ConfigurationError(f"-p {odd!r}: write key=value")
    if asked.redo and asked.resume is None:
        raise ConfigurationError("--redo goes with --resume: it is about cells that an earlier run has run")
    given = parameters.typed(job.schemas, dict(pair.split("=", 1) for pair in asked.parameters))
    request = running.Request(given, output=asked.output, resume=asked.resume, redo=asked.redo)
    return running.prepare(current(), job, request)


def is_due(catalog: Catalog, name: str, within: str) -> bool:
    """Whether the job's schedule was due within so long.

    Raises:
        ConfigurationError: It has none, or the duration is none.
    """
    from agentnb.jobs import schedule
    from agentnb.workflows.spec import seconds

    times = catalog.find(name).spec.schedule
    if times is None or times.cron is None:
        raise ConfigurationError(f"the job {name!r} has no schedule")
    try:
        return schedule.was_due(times.cron, times.timezone, time.time(), seconds(within)) is not None
    except ValueError as error:
        raise ConfigurationError(f"--within {error}") from None


def run(catalog: Catalog, name: str, asked: Asked, *, as_json: bool) -> int:
    """Run a job; the exit code."""
    from agentnb.jobs import run as running

    try:
        prepared = prepare(catalog, name, asked)
    except AgentNBError as problem:
        if asked == Asked(output=asked.output) and not sys.stdin.isatty():
            _note_unbegun(catalog, name, problem, None if as_json else CellProgress(False).note)
        raise
    progress = CellProgress(sys.stderr.isatty())
    ended, error = running.run(current(), prepared, None if as_json else progress.note)
    progress.close()
    if as_json:
        put(data_of(ended))
    else:
        _conclude(ended, error)
    return exit_code(ended, error)


def _note_unbegun(catalog: Catalog, name: str, error: AgentNBError, listener: Listener | None) -> None:
    """Where nobody is there to read the error, as under cron, the job has failed as one that began."""
    from agentnb.jobs.lost import never_began

    spec = next((spec for spec in catalog.specs.values() if spec.name == name), None)
    if spec is not None:
        never_began(current(), name, spec, error, listener=listener)


def run_firing(catalog: Catalog, name: str, position: str) -> int:
    """Run a job because its schedule says so; the exit code. A firing that somebody else has started already is left to them."""
    from agentnb.jobs import run as running

    runtime = current()
    trigger, _, number = position.partition(":")
    firing = next(
        (
            found
            for found in runtime.store.firings(job=name, statuses=["claimed"], limit=100_000)
            if found.trigger == trigger and found.position == float(number)
        ),
        None,
    )
    if firing is None:
        sys.stderr.write(f"{name}: the firing {position} is another scheduler's, or is done\n")
        return 0
    moment = firing.position if firing.trigger == "cron" else time.time()
    request = running.Request(trigger=firing.trigger, moment=moment, run_id=firing.run_id, firing=firing)
    return _perform(catalog, name, request)


def run_queued(catalog: Catalog, name: str, run_id: str) -> int:
    """Begin a run that was queued with its parameters; the exit code.

    Raises:
        LeaseLost: It was cancelled, or somebody else has begun it.
    """
    from agentnb.jobs import run as running

    runtime = current()
    given = runtime.store.run(run_id).input
    request = running.Request(given["parameters"], run_id=run_id, resume=given.get("resume"))
    return _perform(catalog, name, request)


def _perform(catalog: Catalog, name: str, request: Request) -> int:
    from agentnb.jobs import run as running

    runtime = current()
    ended, error = running.run(runtime, running.prepare(runtime, catalog.find(name), request), CellProgress(False).note)
    _conclude(ended, error)
    return exit_code(ended, error)


def exit_code(ended: Run, error: BaseException | None) -> int:
    """What a run exits with."""
    if ended.status == "cancelled":
        return 130
    return code_of(error) if error is not None else 0


def data_of(run: Run) -> dict[str, Any]:
    """A job's run as JSON can hold it."""
    output = run.output if isinstance(run.output, dict) else {}
    given = run.input if isinstance(run.input, dict) else {}
    return {
        "id": run.id,
        "name": run.name,
        "kind": "job",
        "status": run.status,
        "reason": run.reason,
        "parameters": given.get("parameters", {}),
        "trigger": given.get("trigger", ""),
        "output": output.get("notebook", ""),
        "error": run.error,
        "usage": dict(run.usage),
        "duration_ms": output.get("duration_ms", 0.0),
        "started_at": run.created_at,
        "ended_at": run.ended_at,
    }


def show(run: Run, *, as_json: bool) -> None:
    """Show a run: its cells, how it ended, what it has started, and where its output is."""
    runtime = current()
    found = runtime.events(run.id)
    events = {event.step_id: event for event in found if event.step_id}
    begun = [child for child in runtime.runs(job=run.id, limit=1000) if not child.parent]
    if as_json:
        cells = [{"step": name, **{key: event.data.get(key) for key in _SHOWN}} for name, event in events.items()]
        put({**data_of(run), "cells": cells, "runs": [child.id for child in begun]})
        return
    data = data_of(run)
    reason = f" ({run.reason})" if run.reason else ""
    used = usage_line("", run.usage, data["duration_ms"])
    lines = [f"{GLYPHS[run.status]} {run.name} {run.status}{reason} · {used} · {run.id}"]
    lines += [f"  {GLYPHS[event.data['status']]} {_what(event)}  {duration(event.data['execution_time_ms'])}" for event in events.values()]
    lines += [f"  {child.kind} {child.name} {child.status}: agentnb runs show {child.id}" for child in reversed(begun)]
    lines += [f"{run.error['type']}: {run.error['message']}"] if run.error else []
    lines += [f"its process is gone; go on with: agentnb jobs run {run.name} --resume-of {run.id}"] if run.reason == "lost" else []
    untold = [event for event in found if event.type == "job.notification_failed"]
    lines += [f"somebody couldn't be told: {event.data['error']}" for event in untold]
    lines += [f"output: {data['output']}"] if data["output"] else []
    sys.stdout.write(printable("\n".join(lines) + "\n"))


_SHOWN = ("status", "execution_time_ms", "source", "error", "attempt", "restored", "output_left_out")


class CellProgress:
    """Says of each cell, or step, that it has begun and how it ended."""

    def __init__(self, terminal: bool) -> None:
        self._terminal = terminal
        self._open = False

    def note(self, event: Event) -> None:
        """Take an event."""
        data = event.data
        if event.type in ("job.cell_started", "workflow.step_started"):
            self._begin(f"{GLYPHS['running']} {_what(event)}")
        elif event.step_id and data["status"] in ("completed", "failed", "skipped", "waiting"):
            glyph = GLYPHS["replayed" if data.get("restored") else data["status"]]
            taken = "  taken from the run before" if data.get("restored") else ""
            self._line(f"{glyph} {_what(event)}  {duration(data['execution_time_ms'])}{taken}")
        elif event.type == "job.retrying":
            self._line(f"{GLYPHS['queued']} attempt {data['attempt']} failed: {data['error']}; again in {data['wait_s']:.1f} s")
        elif event.type == "job.notification_failed":
            self._line(f"{GLYPHS['failed']} somebody couldn't be told: {data['error']}")
        elif event.type == "job.started":
            self._line(f"{GLYPHS['running']} {data['job_name']} {event.run_id}")

    def close(self) -> None:
        """Leave the terminal as it is."""
        if self._open:
            self._line("")

    def _begin(self, text: str) -> None:
        if self._terminal:
            sys.stderr.write(f"{_CLEAR}{printable(text)}")
            sys.stderr.flush()
            self._open = True

    def _line(self, text: str) -> None:
        cleared = _CLEAR if self._open else ""
        sys.stderr.write(f"{cleared}{printable(text)}\n" if text else cleared)
        sys.stderr.flush()
        self._open = False


def _what(event: Event) -> str:
    data = event.data
    return f"{event.step_id}  {data.get('source', data.get('step_type', ''))}".rstrip()


def _conclude(ended: Run, error: BaseException | None) -> None:
    data = data_of(ended)
    reason = f" ({ended.reason})" if ended.reason else ""
    if error is not None:
        notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
        name = type(error).__name__
        said = str(error) if isinstance(error, AgentNBError) else f"{name}: {error}"
        sys.stderr.write(printable(f"{said}{notes}\n"))
    used = usage_line("", ended.usage, data["duration_ms"])
    sys.stderr.write(printable(f"{GLYPHS[ended.status]} {ended.name} {ended.status}{reason} · {used} · {ended.id}\n"))
    if data["output"]:
        sys.stdout.write(printable(f"{data['output']}\n"))
