"""The example notebooks, from top to bottom: by papermill, and by nbval against the outputs that they are to have."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import agentnb as anb

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
"""Those of DevCloud have a test of their own, which gives them small parameters."""


@pytest.fixture(autouse=True)
def the_model_is_here() -> None:
    anb.current().models.pull("smollm2-135m", lambda *_: None)


@pytest.mark.model
@pytest.mark.timeout(600)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_papermill_runs_it(example: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "papermill", str(example), "out.ipynb", "-k", "python3", "--no-progress-bar"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    notebook = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    answers = [cell for cell in notebook.cells if cell.source.startswith("%%agent")]
    assert answers or "agent" not in example.stem
    for cell in answers:
        [shown] = [output for output in cell.outputs if output.output_type == "display_data"]
        assert 'data-status="completed"' in shown.data["text/html"]
        assert shown.data["text/plain"].strip()


@pytest.mark.model
@pytest.mark.timeout(600)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_nbval_finds_the_outputs_that_are_in_it(example: Path) -> None:
    """Outputs of cells tagged nbval-check-output are compared; what the model writes is not."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--nbval-lax",
            "--nbval-current-env",
            "-p",
            "no:cacheprovider",
            "-q",
            "-o",
            "addopts=",
            "-o",
            "filterwarnings=",
            str(example),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=dict(os.environ),
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_papermill_fails_where_an_agent_fails(tmp_path: Path) -> None:
    cells = [
        nbformat.v4.new_code_cell(source) for source in ("%load_ext agentnb", "%%agent -m scripted:s.jsonl\nhi", "print('not reached')")
    ]
    (tmp_path / "s.jsonl").write_text('{"error": "it is down"}')
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "in.ipynb")
    done = subprocess.run(
        [sys.executable, "-m", "papermill", "in.ipynb", "out.ipynb", "-k", "python3", "--no-progress-bar"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "ProviderError: it is down" in done.stderr
    assert "not reached" not in (tmp_path / "out.ipynb").read_text().replace("print('not reached')", "")
