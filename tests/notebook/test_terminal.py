"""Terminal IPython, in a real pseudo-terminal: a cell streams, Ctrl-C cancels it, an approval is asked at the prompt."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

import agentnb as anb


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("TERM", "dumb")
    words = ["-m", "IPython", "--simple-prompt", "--no-banner", "--colors=NoColor", "--ext=agentnb"]
    child = pexpect.spawn(sys.executable, words, cwd=str(tmp_path), encoding="utf-8", timeout=30)
    child.expect(r"In \[1\]: ")
    yield child
    child.close(force=True)


def script(folder: Path, *lines: Any) -> None:
    (folder / "s.jsonl").write_text("\n".join(json.dumps(line) for line in lines))


def cell(terminal: Any, *lines: str) -> None:
    blank = ["", ""] if lines[0].startswith("%%") else []
    for line in (*lines, *blank):
        terminal.sendline(line)


def test_a_cell_prints_its_answer(terminal: Any, tmp_path: Path) -> None:
    script(tmp_path, {"text": "hello from the model"})
    cell(terminal, "%%agent -m scripted:s.jsonl -o r", "hi")
    terminal.expect("hello from the model")
    terminal.expect("1 call")
    cell(terminal, "%agentnb runs")
    terminal.expect("completed")
    assert anb.current().runs()[0].status == "completed"


def test_ctrl_c_cancels(terminal: Any, tmp_path: Path) -> None:
    script(tmp_path, {"text": "word " * 500, "chunk_delay": 0.05})
    cell(terminal, "%%agent -m scripted:s.jsonl", "hi")
    terminal.expect("word word")
    terminal.sendintr()
    terminal.expect(r"In \[\d\]: ")
    for _ in range(50):
        if anb.current().runs()[0].status == "cancelled":
            break
        time.sleep(0.05)
    assert anb.current().runs()[0].status == "cancelled"


@pytest.mark.parametrize(("said", "told"), [("y", "sent to ann"), ("", "denied the call")])
def test_an_approval_is_asked(terminal: Any, tmp_path: Path, said: str, told: str) -> None:
    script(tmp_path, {"tool_calls": [{"name": "send", "arguments": {"to": "ann"}}]}, {"text": "all done"})
    (tmp_path / "tools.py").write_text(
        'import agentnb as anb\n@anb.tool(approval=True)\ndef send(to: str) -> str:\n    "Send."\n    return f"sent to {to}"\n'
    )
    cell(terminal, "import sys; sys.path.insert(0, '.'); from tools import send")
    cell(terminal, "%%agent -m scripted:s.jsonl -t send -o r", "hi")
    terminal.expect(r"Approve\? \[y/N\]")
    terminal.sendline(said)
    terminal.expect("all done")
    cell(terminal, "r.trace[-2].output")
    terminal.expect(told)
