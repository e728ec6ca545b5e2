"""``agentnb workflow resume --due``: goes on with runs whose time has come, and with those whose process is gone."""

from __future__ import annotations

import asyncio
import json
import sys

from agentnb.cli.output import put
from agentnb.errors import AgentNBError
from agentnb.notebook.formats import printable
from agentnb.runtime.bridge import run_sync
from agentnb.runtime.runtime import Runtime, current

SECONDS = 1.0


def sweep(*, watch: bool, as_json: bool) -> None:
    """Go on with all of them once; or with ``watch`` look every second, until Ctrl-C."""
    runtime = current()
    if watch:
        if not as_json:
            sys.stderr.write("looking every second for runs that are due; Ctrl-C ends it\n")
        run_sync(_watch(runtime, as_json=as_json))
        return
    taken = [_told(runtime, name) for name in run_sync(_sweep(runtime))]
    if as_json:
        put({"resumed": taken})
        return
    sys.stdout.write("".join(_line(told) for told in taken) or "nothing is due\n")


async def _sweep(runtime: Runtime) -> list[str]:
    from agentnb.runtime import sweeping, workflow_runs

    return await sweeping.sweep(runtime, workflow_runs.WorkflowOptions(attended=False))


async def _watch(runtime: Runtime, *, as_json: bool) -> None:
    """A look does not wait for the runs that an earlier one has taken."""

    async def look() -> None:
        try:
            taken = await _sweep(runtime)
        except AgentNBError as error:
            sys.stderr.write(printable(f"{type(error).__name__}: {error}\n"))
            return
        for name in taken:
            told = _told(runtime, name)
            sys.stdout.write(f"{json.dumps(told)}\n" if as_json else _line(told))
            sys.stdout.flush()

    async with asyncio.TaskGroup() as looks:
        while True:
            looks.create_task(look())
            await asyncio.sleep(SECONDS)


def _told(runtime: Runtime, run_id: str) -> dict[str, str]:
    run = runtime.get(run_id)
    return {"id": run.id, "name": run.name, "status": run.status, "reason": run.reason}


def _line(told: dict[str, str]) -> str:
    return f"{told['id']}  {told['name']}  {told['status']} {told['reason']}".rstrip() + "\n"
