"""JupyterLab's own "Create job", by the package jupyter-scheduler, as jobs of agentnb.

Started with ``jupyter lab --Scheduler.execution_manager_class=agentnb.jobs.jupyterlab_jobs.AgentNBExecutionManager``. Only that package
imports this module.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from jupyter_scheduler.executors import DefaultExecutionManager

from agentnb.errors import ExecutionError

_SHOWN = 1_000


class AgentNBExecutionManager(DefaultExecutionManager):  # type: ignore[misc]
    """Runs a notebook by ``agentnb jobs run``: its status is that of the process, and the run is in the store."""

    def execute(self) -> None:
        """Run the notebook; its output files are written whether it succeeds or not.

        Raises:
            ExecutionError: It failed; jupyter-scheduler shows the message.
        """
        job = self.model
        source = Path(self.staging_paths["input"])
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "output.ipynb"
            command = [sys.executable, "-m", "agentnb", "jobs", "run", str(source), "--json", "-o", str(output)]
            for name, value in (job.parameters or {}).items():
                command += ["-p", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
            done = subprocess.run(command, cwd=source.parent, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)  # noqa: S603
            if output.exists():
                self.add_side_effects_files(str(source.parent))
                self.create_output_files(job, nbformat.read(output, as_version=4))
        if done.returncode != 0:
            raise ExecutionError(_message(done.stdout, done.stderr, done.returncode))


def _message(out: str, err: str, code: int) -> str:
    try:
        told: dict[str, Any] = json.loads(out)
        run = f" (run {told['id']})" if "id" in told else ""
        return f"{told['error']['message']}{run}"[:_SHOWN]
    except (ValueError, KeyError, TypeError):
        return f"exit code {code}: {err.strip()[-_SHOWN:]}"
