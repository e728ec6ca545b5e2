"""Models that are being fetched: one thread each, how far it is, and why it failed. What was fetched outlives the server, this doesn't."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from typing import Literal

from agentnb.errors import AgentNBError
from agentnb.ports.model import ModelInfo
from agentnb.runtime.runtime import Runtime

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pull:
    """How far the fetching of a model is.

    Attributes:
        task: What is being done.
        done: Bytes so far, of ``total``; 0 of 0 where that is unknown.
        problem: Why it failed, with the mend.
    """

    model: str
    status: Literal["running", "completed", "failed"]
    task: str = ""
    done: int = 0
    total: int = 0
    problem: str = ""


class Pulls:
    """What this server fetches, by the model's full name."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._found: dict[str, Pull] = {}
        self._lock = threading.Lock()

    def get(self, model: str) -> Pull | None:
        return self._found.get(model)

    def start(self, info: ModelInfo) -> Pull:
        """Fetch a model, unless it is here, or is being fetched."""
        with self._lock:
            known = self._found.get(info.name)
            if known is not None and known.status == "running":
                return known
            pull = self._found[info.name] = Pull(info.name, "completed" if info.installed else "running")
        if pull.status == "running":
            threading.Thread(target=self._fetch, args=(pull,), name="agentnb-pull", daemon=True).start()
        return pull

    def _fetch(self, pull: Pull) -> None:
        def progress(task: str, done: int, total: int) -> None:
            self._found[pull.model] = replace(pull, task=task, done=done, total=total)

        try:
            self._runtime.models.pull(pull.model, progress)
            self._found[pull.model] = replace(pull, status="completed")
        except AgentNBError as error:
            self._found[pull.model] = replace(pull, status="failed", problem=str(error))
        except Exception as error:
            _log.exception("%s could not be fetched", pull.model)
            self._found[pull.model] = replace(pull, status="failed", problem=f"{type(error).__name__}: {error}")
