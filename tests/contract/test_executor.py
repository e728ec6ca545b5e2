"""What every executor has to do, over the one that there is; and what that one promises beyond it."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from agentnb.adapters.processes import ProcessExecutor
from agentnb.errors import ExecutionError
from agentnb.ports.executor import Executor, RemoteError, call

FACTORIES = {"processes": lambda: ProcessExecutor(2)}


@pytest.fixture(scope="module", params=sorted(FACTORIES))
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    made = FACTORIES[request.param]()
    yield made
    made.close()


def until(condition: Any, seconds: float = 10) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it didn't happen"
        time.sleep(0.02)
    return found


async def until_async(condition: Any) -> Any:
    return await asyncio.to_thread(until, condition)


def fails(message: str) -> None:
    raise ValueError(message)


async def waits(value: int) -> int:
    await asyncio.sleep(0)
    return value


async def test_a_function_gets_its_arguments_and_gives_its_result(executor: Executor) -> None:
    factor = 3
    product, pid = await call(executor, lambda x: (x * factor, os.getpid()), {"x": 14})
    assert (product, pid == os.getpid()) == (42, False)
    assert await call(executor, waits, {"value": 5}) == 5
    assert len(await call(executor, lambda: "x" * 20_000_000, {})) == 20_000_000


async def test_what_it_raises_comes_back_with_its_traceback(executor: Executor) -> None:
    with pytest.raises(RemoteError, match="ValueError: no such thing") as caught:
        await call(executor, fails, {"message": "no such thing"})
    assert caught.value.type == "ValueError"
    assert "in fails" in caught.value.traceback
    with pytest.raises(RemoteError, match="SystemExit: 3"):
        await call(executor, lambda: sys.exit(3), {})


async def test_what_cant_be_sent_is_said(executor: Executor) -> None:
    lock = threading.Lock()
    with pytest.raises(ExecutionError, match=r"can't be sent to another process.*executor: thread"):
        await call(executor, lambda: lock, {})

    def locked() -> Any:
        import threading

        return threading.Lock()

    with pytest.raises(RemoteError, match=r"its result, a lock, can't be sent back.*return plain data"):
        await call(executor, locked, {})


async def test_cancelling_kills_that_function_and_no_other(executor: Executor, tmp_path: Path) -> None:
    def spin(file: str) -> None:
        import os
        import pathlib
        import subprocess

        child = subprocess.Popen(["sleep", "300"])
        pathlib.Path(file).write_text(f"{os.getpid()} {child.pid}")
        while True:
            pass

    other = asyncio.create_task(call(executor, lambda: __import__("time").sleep(1) or "kept", {}))
    doomed = asyncio.create_task(call(executor, spin, {"file": str(tmp_path / "pids")}))
    text = await until_async(lambda: (tmp_path / "pids").exists() and (tmp_path / "pids").read_text())
    doomed.cancel()
    with pytest.raises(asyncio.CancelledError):
        await doomed
    for pid in map(int, text.split()):
        await until_async(lambda pid=pid: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    assert await other == "kept"
    assert await asyncio.gather(*(call(executor, waits, {"value": n}) for n in range(8))) == list(range(8))


async def test_what_waits_for_a_worker_can_be_cancelled(executor: Executor) -> None:
    sleepers = [asyncio.create_task(call(executor, lambda: __import__("time").sleep(0.5), {})) for _ in range(2)]
    await asyncio.sleep(0.1)
    queued = asyncio.create_task(call(executor, waits, {"value": 1}))
    await asyncio.sleep(0.05)
    queued.cancel()
    with pytest.raises(asyncio.CancelledError):
        await queued
    await asyncio.gather(*sleepers)
    assert await call(executor, waits, {"value": 2}) == 2


@pytest.mark.parametrize(
    ("death", "said"),
    [
        (lambda: os._exit(7), "ended its process with code 7"),
        (lambda: os.kill(os.getpid(), signal.SIGSEGV), "SIGSEGV"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), r"SIGKILL.*out of memory"),
    ],
)
async def test_a_death_is_an_error_of_its_own_call(executor: Executor, death: Any, said: str) -> None:
    other = asyncio.create_task(call(executor, lambda: __import__("time").sleep(0.3) or "kept", {}))
    with pytest.raises(ExecutionError, match=said):
        await call(executor, death, {})
    assert await other == "kept"
    assert await call(executor, waits, {"value": 4}) == 4


def test_many_event_loops_share_it(executor: Executor) -> None:
    results: list[int] = []

    def work(n: int) -> None:
        results.append(asyncio.run(call(executor, waits, {"value": n})))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == list(range(6))


async def test_closed() -> None:
    executor = ProcessExecutor(1)
    running = asyncio.create_task(call(executor, lambda: __import__("time").sleep(60), {}))
    waiting = asyncio.create_task(call(executor, waits, {"value": 1}))
    await asyncio.sleep(0.3)
    executor.close()
    for task in (running, waiting):
        with pytest.raises(ExecutionError, match="closed"):
            await task
    with pytest.raises(ExecutionError, match="closed"):
        await call(executor, waits, {"value": 1})


async def test_a_changed_module_is_loaded_anew(executor: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "changing.py").write_text("def f():\n    return 1\n")
    import changing  # type: ignore[import-not-found]

    assert {await call(executor, changing.f, {}) for _ in range(3)} == {1}
    (tmp_path / "changing.py").write_text("def f():\n    return 2  # longer\n")
    assert {await call(executor, changing.f, {}) for _ in range(3)} == {2}


SCRIPT = """
import asyncio, os, sys
print("the script runs", flush=True)
from agentnb.adapters.processes import ProcessExecutor
from agentnb.ports.executor import call

class Point:
    def __init__(self, x): self.x = x

def double(point):
    print("a function prints")
    return Point(point.x * 2)

def spin(file):
    with open(file, "w") as out: out.write(str(os.getpid()))
    while True: pass

executor = ProcessExecutor(2)
if sys.argv[1:]:
    asyncio.run(call(executor, spin, {"file": sys.argv[1]}))
result = asyncio.run(call(executor, double, {"point": Point(21)}))
print(type(result) is Point, result.x)
"""


@pytest.mark.parametrize("how", ["script", "-c"])
def test_the_users_script_is_not_run_again(tmp_path: Path, how: str) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    start = [str(tmp_path / "script.py")] if how == "script" else ["-c", SCRIPT]
    done = subprocess.run([sys.executable, *start], env=_env(), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "the script runs\nTrue 42\n"), done.stderr
    assert done.stderr == "a function prints\n"


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent(tmp_path: Path, sent: signal.Signals) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path / "pid")]
    process = subprocess.Popen(command, env=_env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    pid = int(until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
    os.killpg(process.pid, sent)
    _, said = process.communicate(timeout=20)
    until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    assert said.count("Traceback") == (2 if sent is signal.SIGINT else 0), textwrap.indent(said, "  ")


def _env() -> dict[str, str]:
    import agentnb

    return {**os.environ, "PYTHONPATH": str(Path(agentnb.__file__).parents[1])}
