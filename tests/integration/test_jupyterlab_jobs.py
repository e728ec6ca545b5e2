"""JupyterLab's "Create job": jupyter-scheduler's own database and executor, with agentnb behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentnb.runtime.runtime import current
from tests.support.jupyter_server import jupyter_server, until
from tests.support.notebooks import Cell, texts, write_notebook


def _run(tmp_path: Path, *cells: Cell, parameters: dict[str, Any]) -> tuple[Any, Path]:
    from jupyter_scheduler.orm import Job, create_session, create_tables

    from agentnb.jobs.jupyterlab_jobs import AgentNBExecutionManager

    url = f"sqlite:///{tmp_path}/scheduler.sqlite"
    create_tables(url)
    notebook = write_notebook(tmp_path / "staged.ipynb", *cells)
    output = tmp_path / "out.ipynb"
    session = create_session(url)
    fields = {"name": "j", "input_filename": "staged.ipynb", "runtime_environment_name": "here", "output_formats": ["ipynb"]}
    with session() as made:
        job = Job(parameters=parameters, **fields)
        made.add(job)
        made.commit()
        job_id = job.job_id
    AgentNBExecutionManager(job_id, str(tmp_path), url, {"input": str(notebook), "ipynb": str(output)}).process()
    with session() as made:
        return made.query(Job).filter(Job.job_id == job_id).first(), output


@pytest.mark.filterwarnings("ignore")
def test_a_job_of_jupyterlab_is_one_of_agentnb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job, output = _run(tmp_path, ("n = 1", "parameters"), "print(n)", "import os\nos.kill(os.getpid(), 9)", parameters={"n": 7})
    assert job.status == "FAILED"
    assert "the kernel died (killed by signal 9)" in job.status_message
    assert "7\n" in texts(output)
    [run] = current().runs(kind="job")
    assert (run.name, run.status, run.input["parameters"]) == ("staged", "failed", {"n": 7})
    capsys.readouterr()


def test_create_job_in_jupyterlab_is_one_of_agentnb(tmp_path: Path, own_store: Path) -> None:
    """As the button does: the request to jupyter-scheduler's own API, in a server that has it."""
    folder = tmp_path / "files"
    folder.mkdir()
    write_notebook(folder / "sums.ipynb", ("n = 1", "parameters"), "print('the sum is', n + 1)")
    manager = "--Scheduler.execution_manager_class=agentnb.jobs.jupyterlab_jobs.AgentNBExecutionManager"
    with jupyter_server(folder, own_store, manager, beside=["jupyter_scheduler"]) as client:
        jobs = str(client.base_url).replace("agentnb/api/v1", "scheduler/jobs").rstrip("/")
        wanted = {
            "name": "sums",
            "input_uri": "sums.ipynb",
            "runtime_environment_name": "any",
            "output_formats": ["ipynb"],
            "parameters": {"n": 41},
        }
        made = client.post(jobs, json=wanted)
        assert made.status_code == 200, made.text

        def ended() -> dict[str, Any] | None:
            job = client.get(f"{jobs}/{made.json()['job_id']}").json()
            return job if job["status"] in ("COMPLETED", "FAILED") else None

        job = until(ended)
        assert job["status"] == "COMPLETED", job
    [run] = current().runs(kind="job")
    assert (run.name, run.status, run.input["parameters"]) == ("sums", "completed", {"n": 41})
