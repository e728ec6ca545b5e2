"""Runs outlive their processes: kill -9, two processes on one store, signals between them; and stores that are broken."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

import agentnb as anb
from agentnb.agents.execution import Answer
from agentnb.errors import DefinitionError, IllegalTransition, LeaseLost, PolicyDenied, StoreError
from agentnb.ports.store import now
from agentnb.runtime import agent_runs, owner

PROGRAM = """
import pathlib, sys, time
import agentnb as anb

log = pathlib.Path("log.txt")

@anb.tool(effects="none")
def harmless(x: str) -> str:
    "Do no harm."
    with log.open("a") as file:
        file.write(f"harmless {x}\\n")
    if pathlib.Path("hang").exists():
        time.sleep(60)
    return f"harmless {x}"

@anb.tool
def effect(x: str) -> str:
    "Do something."
    with log.open("a") as file:
        file.write(f"effect {x}\\n")
    if pathlib.Path("hang").exists():
        time.sleep(60)
    return f"effect {x}"

@anb.tool(approval=True)
def risky(x: str) -> str:
    "Do something risky."
    with log.open("a") as file:
        file.write(f"risky {x}\\n")
    return f"risky {x}"

agent = anb.Agent("worker", model="scripted:script.jsonl", tools=[harmless, effect, risky])
print(agent.execute_sync("go", session="talk").text)
"""


def until(holds: Callable[[], bool], otherwise: str) -> None:
    """Wait up to twelve seconds."""
    for _ in range(600):
        if holds():
            return
        time.sleep(0.02)
    raise AssertionError(otherwise)


class Place:
    """A folder with a program, a script and a store."""

    def __init__(self, folder: Path, store: Path) -> None:
        self.folder = folder
        self.store = store
        (folder / "program.py").write_text(PROGRAM)

    def script(self, *lines: object) -> None:
        (self.folder / "script.jsonl").write_text("\n".join(json.dumps(line) for line in lines))

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, "program.py"], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def wait_for(self, text: str) -> None:
        until(lambda: (self.folder / "log.txt").exists() and text in self.log, f"{text!r} did not come")

    def wait_for_status(self, status: str) -> str:
        until(lambda: bool(anb.current().runs(status=status)), f"no run became {status}")
        return anb.current().runs(status=status)[0].id

    def wait_for_tool_result(self, run_id: str) -> None:
        until(lambda: any(event.type == "agent.tool_called" for event in anb.current().events(run_id)), "no tool call ended")

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text()


def call(name: str) -> dict[str, object]:
    return {"tool_calls": [{"name": name, "arguments": {"x": "1"}}]}


@pytest.fixture
def place(tmp_path: Path, own_store: Path) -> Place:
    return Place(tmp_path, own_store)


def kill(process: subprocess.Popen[str]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def test_a_killed_run_goes_on_after_its_last_finished_step(place: Place) -> None:
    (place.folder / "script.jsonl").write_text("\n".join(json.dumps(line) for line in (call("effect"), {"text": "slow", "delay": 60})))
    process = place.start()
    place.wait_for("effect 1")
    run_id = place.wait_for_status("running")
    place.wait_for_tool_result(run_id)
    with pytest.raises(LeaseLost, match="being executed"):
        run_resume(run_id)
    kill(process)
    lost = anb.current().get(run_id)
    assert (lost.status, lost.reason) == ("failed", "lost")
    assert lost.created_at <= lost.ended_at < now()
    place.script({"text": "the end"})
    result = run_resume(run_id)
    assert result.text == "the end"
    assert place.log.count("effect") == 1
    assert [(step.id, step.replayed) for step in result.trace] == [("m1", True), ("m1.t1", True), ("m2", False)]
    run = anb.current().get(run_id)
    assert (run.status, run.attempt) == ("completed", 2)
    assert [message.content for turn in anb.current().store.turns("talk") for message in map(anb_message, turn.messages)] == [
        "go",
        "the end",
    ]
    with pytest.raises(IllegalTransition, match="completed"):
        run_resume(run_id)


def anb_message(data: object) -> object:
    from agentnb.ports.model import Message

    return Message.from_dict(data)  # type: ignore[arg-type]


def run_resume(run_id: str) -> anb.AgentResult:
    from agentnb.runtime.bridge import run_sync

    return run_sync(agent_runs.resume(anb.current(), run_id))


def test_an_idempotent_tool_in_flight_runs_again(place: Place) -> None:
    (place.folder / "hang").touch()
    place.script(call("harmless"), {"text": "end"})
    process = place.start()
    place.wait_for("harmless 1")
    kill(process)
    (place.folder / "hang").unlink()
    place.script({"text": "end"})
    assert run_resume(anb.current().runs()[0].id).text == "end"
    assert place.log.count("harmless") == 2


def test_another_tool_in_flight_waits_for_a_decision(place: Place) -> None:
    (place.folder / "hang").touch()
    place.script(call("effect"))
    process = place.start()
    place.wait_for("effect 1")
    kill(process)
    (place.folder / "hang").unlink()
    place.script({"text": "end"})
    run_id = anb.current().runs()[0].id
    with pytest.raises(PolicyDenied, match="nobody is here"):
        run_resume(run_id)
    assert place.log.count("effect") == 1


@pytest.mark.parametrize(("verdict", "times"), [("approve", 2), ("deny", 1)])
def test_the_decision_about_a_tool_in_flight(place: Place, verdict: str, times: int) -> None:
    (place.folder / "hang").touch()
    place.script(call("effect"))
    process = place.start()
    place.wait_for("effect 1")
    kill(process)
    (place.folder / "hang").unlink()
    place.script({"text": "end"})
    runtime = anb.current()

    class Person:
        def present(self, approval: object, seconds: float) -> None:
            assert approval.code == "interrupted"  # type: ignore[attr-defined]
            runtime.answer(approval.run_id, approval.step_id, Answer(verdict))  # type: ignore[attr-defined,arg-type]

    runtime.presenter = Person()
    assert run_resume(runtime.runs()[0].id).text == "end"
    assert place.log.count("effect") == times


def test_an_approval_survives_the_process(place: Place) -> None:
    (place.folder / "agentnb.toml").write_text('[policy]\nwithout_user = "wait"\n')
    place.script(call("risky"), {"text": "end"})
    process = place.start()
    run_id = place.wait_for_status("waiting")
    kill(process)
    runtime = anb.current()
    assert runtime.get(run_id).status == "waiting"
    [pending] = runtime.pending(run_id)
    place.script({"text": "end"})
    assert runtime.answer(run_id, pending.step_id, Answer("approve"))
    assert run_resume(run_id).text == "end"
    assert place.log == "risky 1\n"


def test_an_approval_from_another_process(place: Place) -> None:
    (place.folder / "agentnb.toml").write_text('[policy]\nwithout_user = "wait"\n')
    place.script(call("risky"), {"text": "end"})
    process = place.start()
    run_id = place.wait_for_status("waiting")
    assert not anb.current().answer(run_id, "m1.t1.a", Answer("approve"))
    output, _ = process.communicate(timeout=20)
    assert output == "end\n"


def test_a_cancel_from_another_process_arrives_within_a_second(place: Place) -> None:
    (place.folder / "hang").touch()
    place.script({"text": "late", "delay": 60})
    process = place.start()
    run_id = place.wait_for_status("running")
    time.sleep(0.3)
    started = time.perf_counter()
    anb.current().cancel(run_id)
    _, errors = process.communicate(timeout=20)
    assert time.perf_counter() - started < 5
    assert "ExecutionCancelled" in errors
    assert anb.current().get(run_id).status == "cancelled"


def test_a_run_that_waits_without_a_process_can_be_cancelled(place: Place) -> None:
    (place.folder / "agentnb.toml").write_text('[policy]\nwithout_user = "wait"\n')
    place.script(call("risky"))
    process = place.start()
    run_id = place.wait_for_status("waiting")
    kill(process)
    assert anb.current().cancel(run_id).status == "cancelled"
    assert anb.current().pending(run_id) == []


def test_ctrl_c_cancels_the_run(place: Place) -> None:
    place.script({"text": "late", "delay": 60})
    process = place.start()
    run_id = place.wait_for_status("running")
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert "KeyboardInterrupt" in errors
    assert anb.current().get(run_id).status == "cancelled"


def test_a_definition_of_another_python_says_so(place: Place) -> None:
    place.script({"text": "end"})
    place.start().communicate(timeout=20)
    with sqlite3.connect(place.store / "journal.db") as connection:
        connection.execute("UPDATE definitions SET python = '3.9'")
    connection.close()
    with pytest.raises(DefinitionError, match=r"under Python 3.9.*run its cell again"):
        anb.Agent.load("worker")


def test_killing_at_random_moments_loses_and_repeats_nothing(place: Place) -> None:
    """Each run of four tool calls is killed somewhere; every finished call is done exactly once."""
    for number in range(6):
        (place.folder / "log.txt").unlink(missing_ok=True)
        steps = [{"tool_calls": [{"name": "effect", "arguments": {"x": f"{number}.{step}"}}], "delay": 0.03} for step in range(4)]
        place.script(*steps, {"text": "end"})
        process = place.start()
        place.wait_for(f"effect {number}.0")
        time.sleep(0.03 * number)
        kill(process)
        runtime = anb.Runtime()
        anb.use(runtime)
        run = runtime.runs()[0]
        if run.status == "completed":
            continue
        done = [event for event in runtime.events(run.id) if event.type == "agent.tool_called"]
        models = [event for event in runtime.events(run.id) if event.type == "agent.model_called"]
        place.script(*steps[len(models) :], {"text": "end"})

        class Person:
            def present(self, approval: object, seconds: float) -> None:
                runtime.answer(approval.run_id, approval.step_id, Answer("deny", note="it had run"))  # type: ignore[attr-defined]  # noqa: B023

        runtime.presenter = Person()
        assert run_resume(run.id).text == "end"
        lines = place.log.splitlines()
        assert len(lines) == len(set(lines)), lines
        assert len(lines) >= len(done)


def test_a_process_lives_on_where_the_clock_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of day at which the machine was started, which the kernel counts back from now, changes with it."""
    child = subprocess.Popen(["sleep", "600"])
    try:
        name = owner._name(child.pid)
        booted = psutil.boot_time()
        monkeypatch.setattr("psutil._pslinux.boot_time", lambda: booted + 3600)
        assert not owner.is_dead(name)
    finally:
        child.kill()
        child.wait()
    assert owner.is_dead(name)


def test_two_processes_share_a_store(place: Place) -> None:
    place.script({"text": "end"})
    processes = [place.start() for _ in range(4)]
    assert [process.communicate(timeout=60)[0] for process in processes] == ["end\n"] * 4
    runs = anb.current().runs()
    assert [run.status for run in runs] == ["completed"] * 4
    assert len({record.id for record in anb.current().store.agents(current=False)}) <= 4


def test_a_corrupt_store_says_what_to_do(own_store: Path) -> None:
    own_store.mkdir()
    (own_store / "journal.db").write_bytes(b"this is no database at all, but long enough to be read as one" * 100)
    with pytest.raises(StoreError, match="damaged: move it away"):
        anb.current().runs()
    assert (own_store / "journal.db").read_bytes().startswith(b"this is no database")


def test_a_store_of_a_newer_version_is_left_alone(own_store: Path) -> None:
    own_store.mkdir()
    with sqlite3.connect(own_store / "journal.db") as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(StoreError, match="upgrade jupyter-agentnb"):
        anb.current().runs()


def test_a_store_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AGENTNB_STORE", str(tmp_path / "file" / "store"))
    with pytest.raises(StoreError, match="Set AGENTNB_STORE to a folder that can be written"):
        anb.current().runs()


async def test_a_store_that_turned_read_only(own_store: Path, tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_text('{"text": "a"}\n{"text": "b"}')
    agent = anb.Agent("a", model=f"scripted:{tmp_path}/s.jsonl")
    await agent.execute("x")
    connection = agent.runtime.store._open()  # type: ignore[attr-defined]
    connection.execute("PRAGMA query_only = 1")
    with pytest.raises(StoreError, match="set AGENTNB_STORE to a folder that can"):
        await agent.execute("x")
    connection.execute("PRAGMA query_only = 0")
    assert len(agent.runtime.runs()) == 1
    assert (await agent.execute("x")).text == "b"


def test_a_store_that_has_no_room_to_be_made(tmp_path: Path) -> None:
    """No file may grow over 40 kB: the tables don't fit."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)); import agentnb; agentnb.current().runs()"
    made = subprocess.run([sys.executable, "-c", limit], capture_output=True, text=True, check=False)
    assert "StoreError" in made.stderr
    assert re.search(r"disk I/O error|disk is full", made.stderr.splitlines()[-1]), made.stderr


async def test_a_full_disk(own_store: Path, tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_text('{"text": "a"}\n' + json.dumps({"text": "b" * 2_000_000}) + '\n{"text": "c"}')
    agent = anb.Agent("a", model=f"scripted:{tmp_path}/s.jsonl")
    first = await agent.execute("x")
    connection = agent.runtime.store._open()  # type: ignore[attr-defined]
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 20}")
    with pytest.raises(StoreError, match="disk is full: free some space"):
        await agent.execute("x")
    connection.execute("PRAGMA max_page_count = 1000000000")
    assert agent.runtime.get(first.execution_id).status == "completed"
    assert agent.runtime.runs()[0].status == "failed"
    assert (await agent.execute("x")).text == "c"


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    from agentnb.adapters.sqlite import connection

    monkeypatch.setattr(connection, "_file_system", lambda _folder: kind)
    with pytest.raises(StoreError, match=f"network file system \\({kind}\\).*AGENTNB_STORE"):
        anb.current().runs()


def test_the_file_system_of_a_folder_is_that_of_the_deepest_mount(tmp_path: Path) -> None:
    from agentnb.adapters.sqlite.connection import _file_system

    (tmp_path / "mounts").write_text("a / ext4 rw\nb /home nfs4 rw\nc /home/me/local xfs rw\n")
    found = [_file_system(Path(folder), tmp_path / "mounts") for folder in ("/srv", "/home/you", "/home/me/local/x", "/homely")]
    assert found == ["ext4", "nfs4", "xfs", "ext4"]
