"""The jobs that ship, as they are, with the local model."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import agentnb as anb
from tests.support.notebooks import texts

SHIPPED = Path(__file__).parents[2] / "papermill_jobs"


@pytest.mark.model
@pytest.mark.timeout(600)
def test_the_shipped_jobs_run(tmp_path: Path) -> None:
    anb.current().models.pull("smollm2-135m", lambda *_: None)
    shutil.copytree(SHIPPED, tmp_path / "papermill_jobs", ignore=shutil.ignore_patterns("runs", "reports", "benchmarks"))
    report, documents = _run(tmp_path, "daily_report", "--downstream", "-p", "date=2026-11-25")
    assert (report["status"], documents["status"]) == ("completed", "completed")
    assert report["usage"]["model_calls"] == 1
    written = (tmp_path / "papermill_jobs" / "reports" / "2026-11-25.md").read_text()
    assert written.startswith("## Support, 2026-11-25")
    assert "- login: 3" in written
    found = json.loads(Path(documents["output"]).read_text())["outputs"]
    assert [len(found["documents"]), len(found["summaries"])] == [3, 3]
    [benchmark] = _run(tmp_path, "nightly_benchmark", "-p", "rounds=3", "-p", "size=64", "-p", "allowed_slowdown=1000")
    assert benchmark["status"] == "completed"
    assert "the first of its kind" in texts(benchmark["output"])[-1]


def _run(folder: Path, *words: str) -> list[dict[str, Any]]:
    line = [sys.executable, "-m", "agentnb", "jobs", "run", *words, "--json"]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    decoder, text, found = json.JSONDecoder(), done.stdout.strip(), []
    while text:
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:].strip()
    return found
