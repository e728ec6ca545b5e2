"""Shell steps, with real processes; what escapes elsewhere has to end here."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from agentnb import secrets
from agentnb.errors import PolicyDenied
from agentnb.policy import Check, Decision
from agentnb.policy.engine import PolicyEngine
from agentnb.policy.rules import default_engine, parse
from agentnb.workflows.kinds.call import Call, Question, Reply, StepFailed
from agentnb.workflows.kinds.shell import ShellStep
from agentnb.workflows.spec import Action

PYTHON = sys.executable
DETACHED = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open(sys.argv[1], "w").write(str(os.getpid()))
        {then}
    os._exit(0)
while not os.path.exists(sys.argv[1]): time.sleep(0.01)
{end}
"""


def make_call(folder: Path, shell: dict[str, Any], data: Any = None, policy: PolicyEngine | None = None, **parts: Any) -> Call:
    action = Action(shell=shell)  # type: ignore[arg-type]
    asked: list[Question] = []

    async def ask(question: Question) -> Reply:
        asked.append(question)
        return Reply("reject", by="ana", note="no")

    engine = policy or default_engine(parse({}))
    return Call(
        run_id="run1",
        workflow="flow",
        user="me",
        step_id="s",
        place="s",
        attempt=1,
        action=action,
        input=data,
        text=json.dumps(data),
        parts=parts,
        folder=folder,
        functions={},
        policy=engine,
        host=None,
        child="",
        continued=False,
        emit=lambda event: None,
        ask=ask,
    )


async def run(folder: Path, command: Any, data: Any = None, **shell: Any) -> dict[str, Any]:
    output: dict[str, Any] = (await ShellStep().run(make_call(folder, {"command": command, **shell}, data))).output
    return output


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def until(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + 10
    while not (found := condition()):
        assert time.monotonic() < end, "it didn't happen"
        await asyncio.sleep(0.01)
    return found


async def test_texts_go_to_the_shell_and_lists_do_not(tmp_path: Path) -> None:
    assert await run(tmp_path, "echo a | tr a b; echo c >&2") == {"stdout": "b\n", "stderr": "c\n", "code": 0}
    assert (await run(tmp_path, ["printf", "%s,", "$HOME", "a b", "; ls"]))["stdout"] == "$HOME,a b,; ls,"
    assert (await run(tmp_path, ["printf", r"\377x"]))["stdout"] == "\ufffdx"


async def test_input_is_json_on_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL_TEST_VALUE", "hidden-0123456789")
    data = {"n": [1, "ä"], "key": "secret:SHELL_TEST_VALUE"}
    output = await run(tmp_path, ["cat"], data)
    assert json.loads(output["stdout"]) == {"n": [1, "ä"], "key": "hidden-0123456789"}
    assert "hidden" not in secrets.to_json(output)
    assert (await run(tmp_path, ["cat"]))["stdout"] == ""
    assert (await run(tmp_path, ["true"], "x" * 1_000_000))["code"] == 0


async def test_the_environment_is_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    env = dict(line.split("=", 1) for line in (await run(tmp_path, ["env"], env={"GREETING": "hi"}))["stdout"].splitlines())
    assert (env["GREETING"], env["AGENTNB_IDEMPOTENCY_KEY"], env["PATH"]) == ("hi", "run1:s", os.environ["PATH"])
    assert "OPENAI_API_KEY" not in env
    call = make_call(tmp_path, {"command": ["env"]}, **{"shell.env": {"TOKEN": "secret:OPENAI_API_KEY", "N": 3}})
    assert {"TOKEN=sk-0123456789", "N=3"} <= {*(await ShellStep().run(call)).output["stdout"].splitlines()}


async def test_the_folder(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    assert (await run(tmp_path, ["pwd"], cwd="sub"))["stdout"].strip() == str(tmp_path / "sub")
    with pytest.raises(StepFailed, match=r"shell\.cwd: there is no folder"):
        await run(tmp_path, ["pwd"], cwd="nowhere")


async def test_failures_say_why(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"the command ended with code 3: disk full") as caught:
        await run(tmp_path, "echo disk full >&2; exit 3")
    assert caught.value.retryable
    with pytest.raises(StepFailed, match=r"sh was ended by SIGSEGV"):
        await run(tmp_path, ["sh", "-c", "kill -SEGV $$"])
    with pytest.raises(StepFailed, match="there is no program 'no-such-thing' on the PATH") as caught:
        await run(tmp_path, ["no-such-thing"])
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("code", "limits", "said"),
    [
        ("while True: print('x' * 1000)", {"output": "100KB"}, r"printed more than 100,000 bytes.*shell\.limits\.output"),
        ("while True: pass", {"cpu": "300ms"}, r"used more than 0\.3s of processor time.*shell\.limits\.cpu"),
        (
            "import os, time\nfor _ in range(3):\n if os.fork() == 0: break\nx = b'x' * 60_000_000\ntime.sleep(60)",
            {"memory": "150MB"},
            r"used more than 150,000,000 bytes of memory.*shell\.limits\.memory",
        ),
        (
            "import os, time\nfor _ in range(9):\n if os.fork() == 0: break\ntime.sleep(60)",
            {"processes": 5},
            r"started more than 5 processes.*shell\.limits\.processes",
        ),
    ],
)
async def test_limits_hold_for_all_processes_together(tmp_path: Path, code: str, limits: dict[str, Any], said: str) -> None:
    before = time.monotonic()
    with pytest.raises(StepFailed, match=said) as caught:
        await run(tmp_path, [PYTHON, "-c", code], limits=limits)
    assert not caught.value.retryable
    assert time.monotonic() - before < 30


async def test_one_process_cant_take_more_memory_at_once(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="MemoryError"):
        await run(tmp_path, [PYTHON, "-c", "x = bytearray(4_000_000_000)"], limits={"memory": "200MB"})
    reserved = "import mmap, time; x = mmap.mmap(-1, 500_000_000, flags=mmap.MAP_PRIVATE | mmap.MAP_ANON); time.sleep(0.2)"
    assert (await run(tmp_path, [PYTHON, "-c", reserved], limits={"memory": "200MB"}))["code"] == 0
    with pytest.raises(StepFailed, match="(?i)file too large|file size limit"):
        await run(tmp_path, "head -c 100000 /dev/zero > file", limits={"file_size": "10KB"})
    assert (tmp_path / "file").stat().st_size <= 10_000


async def test_what_forks_share_counts_once(tmp_path: Path) -> None:
    code = "import os, time\nx = b'x' * 60_000_000\nfor _ in range(3):\n if os.fork() == 0: break\ntime.sleep(0.4)"
    assert (await run(tmp_path, [PYTHON, "-c", code], limits={"memory": "150MB"}))["code"] == 0


async def test_a_detached_grandchild_ends_with_the_step(tmp_path: Path) -> None:
    code = DETACHED.format(then="os.execve('/bin/sleep', ['sleep', '300'], {})", end="")
    assert (await run(tmp_path, [PYTHON, "-c", code, str(tmp_path / "pid")]))["code"] == 0
    assert gone(int((tmp_path / "pid").read_text()))


async def test_cancelling_ends_everything_before_it_returns(tmp_path: Path) -> None:
    code = DETACHED.format(then="os.execve('/bin/sleep', ['sleep', '300'], {})", end="time.sleep(300)")
    task = asyncio.create_task(run(tmp_path, [PYTHON, "-c", code, str(tmp_path / "pid")]))
    pid = int(await until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gone(pid)


async def test_who_ends_the_watch_ends_itself(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="must not kill its parent"):
        await run(tmp_path, f"setsid sleep 300 & echo $! > {tmp_path}/pid; kill -9 $PPID; sleep 300")
    pid = int((tmp_path / "pid").read_text())
    await until(lambda: gone(pid))


async def test_a_shower_of_short_processes_is_still_watched(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="of processor time"):
        await run(tmp_path, "while :; do /bin/true & done", limits={"cpu": "500ms", "processes": 5000})


def test_commands_end_with_their_killed_parent(tmp_path: Path) -> None:
    script = f"""
import asyncio, pathlib, sys
sys.path[:0] = {[str(Path(__file__).parent), str(Path(__file__).parents[2])]!r}
from test_shell_steps import run
asyncio.run(run(pathlib.Path({str(tmp_path)!r}), "setsid sleep 300 & echo $! > pid.new; mv pid.new pid; sleep 300"))
"""
    process = subprocess.Popen([PYTHON, "-c", script], stderr=subprocess.PIPE)

    async def wait_for_pid() -> int:
        return int(await until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))

    pid = asyncio.run(wait_for_pid())
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)

    async def wait_for_end() -> None:
        await until(lambda: gone(pid))

    asyncio.run(wait_for_end())


async def test_pipes_break_as_in_a_terminal(tmp_path: Path) -> None:
    assert (await run(tmp_path, "yes | head -n 1"))["stdout"] == "y\n"


class Asks:
    stages = frozenset({"shell"})

    def check(self, check: Check) -> Decision | None:
        return Decision("ask", "dangerous", f"it says {check.text}")


async def test_the_policy_comes_first(tmp_path: Path) -> None:
    with pytest.raises(PolicyDenied, match="allow_shell"):
        await ShellStep().run(make_call(tmp_path, {"command": "touch done"}, policy=default_engine(parse({"allow_shell": False}))))
    with pytest.raises(StepFailed, match="ana rejected"):
        await ShellStep().run(make_call(tmp_path, {"command": "touch done"}, policy=PolicyEngine([Asks()])))  # type: ignore[list-item]
    assert not (tmp_path / "done").exists()
