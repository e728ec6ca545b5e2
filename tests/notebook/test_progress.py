"""How long work shows itself: in a kernel, on a terminal, and where there is neither."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat
import pexpect
import pytest
from nbclient import NotebookClient

from agentnb.notebook.progress import Lines
from agentnb.ports.progress import Step
from tests.support import networks
from tests.support.notebooks import write_notebook

LONG = """
import time
from agentnb.notebook.progress import shown
from agentnb.ports.progress import Best, Step
with shown(files=FILES) as note:
    for done in range(8):
        note(STEP)
        time.sleep(0.3)
"""
SEARCH = 'Step("int8-mixed+f32: judging", done, 8, "recipe", 7, 16, Best("int8-default+f32", 2.304, 0.0021))'
FETCH = 'Step("fetching a-model==1.0" if done < 4 else "unpacking a-model", done % 4 * 1_000_000, 3_000_000)'


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_cell_shows_bars_and_in_the_end_how_long_it_took(tmp_path: Path) -> None:
    networks.classifier(tmp_path / "net.onnx")
    networks.samples(tmp_path / "cal.npz", 16)
    line = "%agentnb optimize net.onnx --calibration cal.npz -o out --recipe fp32 --recipe int8-weights-sym+f32"
    notebook = nbformat.read(write_notebook(tmp_path / "n.ipynb", "%load_ext agentnb", line), as_version=4)
    NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown, result = notebook.cells[1].outputs
    assert re.match(r"finalists, measured again beside each other: .*: the result · ", shown.data["text/plain"])
    assert 'class="agentnb-progress"' in shown.data["text/html"]
    assert "fp32" in result.data["text/html"]


def test_a_terminal_shows_the_recipe_and_the_best() -> None:
    said = on_a_terminal(LONG.replace("FILES", "False").replace("STEP", SEARCH))
    assert "recipe 7 of 16 · best so far: int8-default+f32 2.30×, drop 0.0021" in said
    assert "int8-mixed+f32: judging" in said


def test_each_step_of_a_fetch_keeps_its_bar() -> None:
    *_, fetching, unpacking = re.sub(
        r"\x1b\[[0-9;?]*[A-Za-z]", "", on_a_terminal(LONG.replace("FILES", "True").replace("STEP", FETCH))
    ).split("━ ")
    assert re.match(r"3\.0/3\.0 MB .* fetching a-model==1\.0", fetching)
    assert re.match(r"3\.0/3\.0 MB .* unpacking a-model", unpacking)


def on_a_terminal(code: str) -> str:
    child = pexpect.spawn(sys.executable, ["-c", code], encoding="utf-8", timeout=30, dimensions=(24, 140))
    said = str(child.read())
    child.wait()
    assert child.exitstatus == 0, said
    return said.replace("\x1b[2K", "").replace("\r", "")


def test_lines_tell_of_what_has_ended(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    for step in (Step("a: judging", 1, 2), Step("a: failed, too big", 0, 0, "recipe", 1, 2, None, True), Step("b: judging", 1, 2)):
        lines.note(step)
    assert capsys.readouterr().err == "recipe 1 of 2 · a: failed, too big\n"
