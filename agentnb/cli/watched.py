"""Runs for somebody else: the Jupyter Server, which watches what it has had started, and a job, whose workflow ends with it."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from agentnb.runtime.approvals import Elsewhere
from agentnb.runtime.bridge import run_sync
from agentnb.runtime.runtime import Runtime

if TYPE_CHECKING:
    from agentnb.agents.execution import Update

_STANDARD_OUTPUT = 1
_LOOK_SECONDS = 0.2
_GRACE_SECONDS = 10.0


def go_on(runtime: Runtime, run_id: str) -> None:
    """Execute what is left of a run; an agent's approvals wait for whoever watches, pieces of its text are printed as lines of JSON.

    Nothing is lost where nobody reads them any more: they are not part of the journal either.
    """
    from agentnb.runtime import agent_runs, workflow_runs

    runtime.presenter = Elsewhere()
    if runtime.store.run(run_id).kind == "agent":
        run_sync(agent_runs.resume(runtime, run_id, agent_runs.RunOptions(listener=_print)))
    else:
        run_sync(workflow_runs.resume(runtime, run_id, workflow_runs.WorkflowOptions(attended=False)))


def end_with(parent: int) -> None:
    """Have this process interrupted once that one, which has started it, is gone, however that ended; and killed if it doesn't end."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_SECONDS)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(_GRACE_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="agentnb-parent", daemon=True).start()


def _print(update: Update) -> None:
    if update.step is None:
        with suppress(OSError):
            os.write(_STANDARD_OUTPUT, f"{json.dumps({'text': update.text})}\n".encode())
