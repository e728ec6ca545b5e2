"""Models that are being fetched: a process each, how far it is, and why it failed. What was fetched outlives the server, this doesn't."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agentnb.ports.model import ModelInfo

_TOLD = 2000
"""Characters of what a process complained of that are kept."""
_NAME = re.compile(r"\A\w+: ")
"""Of the error, which the command line puts before its message."""
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Pull:
    """How far the fetching of a model is.

    Attributes:
        task: What is being done.
        done: Bytes so far, of ``total``; 0 of 0 where that is unknown.
        problem: Why it failed, with the mend.
    """

    model: str
    status: Literal["running", "completed", "failed", "cancelled"] = "running"
    task: str = ""
    done: int = 0
    total: int = 0
    problem: str = ""


class Pulls:
    """What this server fetches, by the model's full name.

    Args:
        folder: Where the processes work: settings are searched from there.
        environment: Of the processes.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
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
            threading.Thread(target=self._watch, args=(pull,), name="agentnb-pull", daemon=True).start()
        return pull

    def cancel(self, model: str) -> Pull | None:
        """Stop fetching a model; nothing of it is kept."""
        pull = self._found.get(model)
        if pull is not None:
            self._end(pull, "cancelled")
        return pull

    def _watch(self, pull: Pull) -> None:
        try:
            problem = self._fetch(pull)
        except Exception as error:
            _log.exception("%s could not be fetched", pull.model)
            problem = f"{type(error).__name__}: {error}"
        self._end(pull, "failed" if problem else "completed", problem)

    def _fetch(self, pull: Pull) -> str:
        """Read what the process says until it ends; the answer is why it failed."""
        command = [sys.executable, "-m", "agentnb", "models", "pull", pull.model, "--lines"]
        with tempfile.TemporaryFile() as complaints:
            with subprocess.Popen(  # noqa: S603
                command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=complaints,
                start_new_session=True,
            ) as process:
                assert process.stdout is not None  # noqa: S101
                for line in process.stdout:
                    if pull.status != "running":
                        break  # its next line has no reader: it tidies up and ends
                    said = json.loads(line)
                    pull.task, pull.done, pull.total = said["task"], said["done"], said["total"]
            complaints.seek(0)
            told = complaints.read().decode(errors="replace").strip()[-_TOLD:]
        if not process.returncode:
            return ""
        return _NAME.sub("", told) or f"its process ended with the exit code {process.returncode}"

    def _end(self, pull: Pull, status: Literal["completed", "failed", "cancelled"], problem: str = "") -> None:
        with self._lock:
            if pull.status == "running":
                pull.status, pull.problem = status, problem
