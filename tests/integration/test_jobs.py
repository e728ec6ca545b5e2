"""Jobs in real kernels: what they give, and that their status is right whatever happens to them."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest

from agentnb import secrets
from agentnb.errors import AgentNBError, ConfigurationError, ExecutionError, IllegalTransition
from agentnb.jobs import run as running
from agentnb.jobs.attempt import kernel_folder
from agentnb.jobs.catalog import Catalog
from agentnb.jobs.journal import JobJournal
from agentnb.jobs.lost import end_lost_runs
from agentnb.jobs.output import OutputFile, OutputLost
from agentnb.jobs.resume import CannotResume
from agentnb.ports.store import Run, now
from agentnb.runtime import agent_runs, sweeping
from agentnb.runtime.bridge import run_sync
from agentnb.runtime.owner import LEASE_SECONDS
from agentnb.runtime.runtime import current
from tests.support.notebooks import Cell, texts, write_notebook

pytestmark = pytest.mark.timeout(120)
PRINTS = "print('hello')"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "papermill_jobs"
    made.mkdir()
    return made


def job(folder: Path, *cells: Cell, name: str = "j", **fields: Any) -> None:
    if cells:
        write_notebook(folder / f"{name}.ipynb", *cells)
    (folder / f"{name}.json").write_text(json.dumps({"name": name, "notebook": f"{name}.ipynb", **fields}))


def run(folder: Path, name: str = "j", **request: Any) -> tuple[Run, BaseException | None]:
    runtime = current()
    prepared = running.prepare(runtime, Catalog.of(folder).find(name), running.Request(**request))
    return running.run(runtime, prepared)


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "agentnb", "jobs", *words]


def kinds(run: Run) -> list[tuple[str, str]]:
    return [(event.type.removeprefix("job."), event.step_id) for event in current().events(run.id)]


def output(ended: Run) -> str:
    return str(ended.output["notebook"])


def test_a_job_runs_with_typed_parameters_and_leaves_everything_in_the_store(folder: Path) -> None:
    job(folder, ("count: int = 1\nwho = 'nobody'", "parameters"), "print(count + 1, who)", parameters={"who": "${name} ${run.date}"})
    done = subprocess.run(command("run", "j", "-p", "count=41", "--json"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["status"], told["parameters"]["count"]) == ("completed", 41)
    assert texts(told["output"])[-1] == f"42 j {time.strftime('%Y-%m-%d', time.gmtime())}\n"
    ended = current().store.run(told["id"])
    assert kinds(ended) == [
        ("started", ""),
        ("cell_started", "cell 1"),
        ("cell_completed", "cell 1"),
        ("cell_started", "parameters"),
        ("cell_completed", "parameters"),
        ("cell_started", "cell 2"),
        ("cell_completed", "cell 2"),
        ("completed", ""),
    ]
    assert current().events(ended.id)[0].data["versions"].keys() >= {"python", "agentnb", "papermill"}
    assert current().store.definition(ended.definition).spec["document"]["name"] == "j"
    shown = subprocess.run([sys.executable, "-m", "agentnb", "runs", "show", ended.id], capture_output=True, text=True, check=False)
    assert "✓ cell 2" in shown.stdout
    for verb in ("replay", "resume"):
        again = subprocess.run([sys.executable, "-m", "agentnb", "runs", verb, "last"], capture_output=True, text=True, check=False)
        assert "agentnb jobs run j" in again.stderr
    with pytest.raises(IllegalTransition, match="`agentnb jobs run j` runs it again"):
        run_sync(agent_runs.resume(current(), ended.id))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"count": "x"}, 'count = "x" doesn\'t fit.*Write a whole number'),
        ({"cuont": 1}, "no parameter 'cuont'. Did you mean count?"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_before_anything_runs(folder: Path, given: dict[str, Any], said: str) -> None:
    job(folder, ("count: int = 1", "parameters"))
    with pytest.raises(ConfigurationError, match=said):
        run(folder, parameters=given)
    assert current().runs() == []


def test_jobs_are_listed_beside_one_whose_schedule_is_wrong(folder: Path) -> None:
    job(folder, PRINTS, name="good", schedule={"cron": "0 6 * * *"})
    job(folder, PRINTS, name="minute", schedule={"cron": "61 * * * *"})
    job(folder, PRINTS, name="zone", schedule={"cron": "0 6 * * *", "timezone": "Mars/Base"})
    done = subprocess.run(command("list"), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count("the file is wrong")) == (0, 2), done.stderr
    due = subprocess.run(command("next", "--json"), capture_output=True, text=True, check=False)
    assert {found["name"] for found in json.loads(due.stdout)["firings"]} == {"good"}


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ({"nbformat": 3}, "nbformat isn't 4"),
        ({"metadata": {"kernelspec": None}}, "metadata.kernelspec is null"),
        ({"metadata": {"papermill": "odd"}}, 'metadata.papermill is "odd"'),
        ({"cells": [{"cell_type": "code", "metadata": {"tags": None}, "source": "1"}]}, "metadata.tags is null"),
    ],
)
def test_a_notebook_of_an_odd_shape_is_refused_before_anything_runs(folder: Path, odd: dict[str, Any], said: str) -> None:
    job(folder, PRINTS)
    file = folder / "j.ipynb"
    file.write_text(json.dumps({**json.loads(file.read_text()), **odd}))
    with pytest.raises(ConfigurationError, match=f"{re.escape(said)}. Open it in JupyterLab"):
        run(folder)


def test_a_notebook_that_names_no_kernel_has_the_default_one(folder: Path) -> None:
    job(folder, PRINTS)
    file = folder / "j.ipynb"
    file.write_text(json.dumps({**json.loads(file.read_text()), "metadata": {"kernelspec": {}}}))
    assert run(folder)[0].status == "completed"


def test_a_missing_notebook_a_missing_secret_and_a_missing_kernel(folder: Path) -> None:
    job(folder, name="gone")
    with pytest.raises(ConfigurationError, match=r"gone.json:1:\d+: notebook: gone.ipynb: there is no such file"):
        run(folder, "gone")
    job(folder, PRINTS, secrets=["NO_SUCH_KEY"])
    with pytest.raises(ConfigurationError, match="NO_SUCH_KEY"):
        run(folder)
    job(folder, PRINTS, kernel="no-such-kernel")
    ended, error = run(folder)
    assert ended.status == "failed"
    assert "the kernel 'no-such-kernel' is not installed here" in str(error)
    assert texts(output(ended)) == [""]


@pytest.mark.parametrize("text", ["", "[]", '{"cells": [{"cell_type": "code"}]}', '{"cells": [{}], "metadata": {}}', '{"cells": 1}'])
def test_what_is_no_notebook_is_refused_before_anything_runs(folder: Path, text: str) -> None:
    job(folder)
    (folder / "j.ipynb").write_text(text)
    with pytest.raises(ConfigurationError, match="j.ipynb"):
        run(folder)
    assert not current().runs(kind="job")


def test_a_kernel_that_dies_fails_the_job_and_the_notebook_says_so(folder: Path) -> None:
    job(folder, PRINTS, "import os\nos.kill(os.getpid(), 9)", "print('never')")
    ended, error = run(folder)
    assert (ended.status, ended.reason) == ("failed", "error")
    assert "the kernel died (killed by signal 9)" in str(error)
    notebook = nbformat.read(output(ended), as_version=4)
    assert [cell.metadata.papermill.status for cell in notebook.cells] == ["completed", "failed", "pending"]
    assert texts(output(ended))[0] == "hello\n"
    assert "KernelDied" in texts(output(ended))[1]
    assert kinds(ended)[-2:] == [("cell_failed", "cell 2"), ("failed", "")]


def test_a_cell_that_hangs_and_will_not_be_interrupted_is_killed_with_its_children(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentnb.jobs.guard.GRACE_SECONDS", 0.3)
    source = """
        import signal, subprocess, sys, time
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True)
        print(child.pid, flush=True)
        while True: time.sleep(1)
    """
    job(folder, "\n".join(line[8:] for line in source.strip("\n").splitlines()), timeout={"cell": "3s"})
    ended, error = run(folder)
    assert (ended.status, ended.reason) == ("failed", "timed_out")
    assert "cell 1 timed out after 3 s" in str(error)
    child = int(texts(output(ended))[0].split()[0])
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_a_cell_that_took_too_long_is_tried_again(folder: Path) -> None:
    hangs_once = "import os, time\nif not os.path.exists('seen'):\n    open('seen', 'w').close()\n    time.sleep(1000)\nprint('done')"
    job(folder, hangs_once, timeout={"cell": "3s"}, retry={"max_attempts": 2, "initial": "1ms"})
    ended, error = run(folder)
    assert (ended.status, error) == ("completed", None)
    assert [kind for kind, _ in kinds(ended)].count("cell_failed") == 1


def test_an_output_never_replaces_what_it_comes_from(folder: Path) -> None:
    job(folder, PRINTS, output="${name}.ipynb")
    with pytest.raises(ConfigurationError, match="would overwrite .*j.ipynb"):
        run(folder)


def test_the_mode_of_an_output_is_the_users_choice(folder: Path) -> None:
    job(folder, PRINTS)
    before = os.umask(0o077)
    try:
        ended, _ = run(folder)
    finally:
        os.umask(before)
    assert Path(output(ended)).stat().st_mode & 0o777 == 0o600


def test_what_cannot_begin_and_has_nobody_to_read_it_has_failed(folder: Path) -> None:
    """As under cron: a missing secret is a run that failed, of which people are told; what somebody asks for by hand is only refused."""
    tells = [{"webhook": {"url": "http://127.0.0.1:9/"}}]
    job(folder, PRINTS, secrets=["KEY_ONE", "KEY_TWO"], on_failure=tells)
    for words, runs in (("--dry-run",), 0), (("-p", "x=1"), 0), ((), 1):
        done = subprocess.run(command("run", "j", *words), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "needs KEY_ONE, KEY_TWO" in done.stderr
        assert len(current().runs(kind="job")) == runs
        assert ("somebody couldn't be told" in done.stderr) == (not words)
    [ended] = current().runs(kind="job")
    assert (ended.status, kinds(ended)) == ("failed", [("started", ""), ("failed", ""), ("notification_failed", "")])


def test_output_over_the_limit_is_left_out_and_said_so(folder: Path) -> None:
    job(folder, "for _ in range(100): print('y' * 1_000_000)", "print('after')", "raise ValueError('z' * 10)", max_output="50KB")
    ended, error = run(folder)
    assert str(error) == f"cell 3: ValueError: {'z' * 10}"
    found = texts(output(ended))
    assert found[0].endswith("[output over 50,000 characters is left out: raise max_output]\n")
    assert len(found[0]) < 50_100
    assert found[1] == "after\n"
    [event] = [event for event in current().events(ended.id) if event.data.get("output_left_out")]
    assert event.data["output_left_out"] == 100 * 1_000_001 - 50_000
    assert Path(output(ended)).stat().st_size < 100_000


def test_memory_over_the_limit_ends_the_job(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentnb.jobs.guard._MEMORY_SECONDS", 0.1)
    job(folder, "import time\nheld = bytearray(600_000_000)\ntime.sleep(1000)", resources={"memory": "500MB"})
    ended, error = run(folder)
    assert (ended.status, type(error).__name__) == ("failed", "LimitExceeded")


def test_cancelling_from_elsewhere_and_interrupting(folder: Path, tmp_path: Path) -> None:
    job(folder, "print('begun', flush=True)\nimport time\ntime.sleep(1000)")
    for stop in (_cancel, _terminate):
        process = subprocess.Popen(command("run", "j", "--json"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        begun = _wait_for(
            lambda: next((run for run in current().runs(kind="job", status="running") if ("cell_started", "cell 1") in kinds(run)), None)
        )
        stop(process, begun)
        told = json.loads(process.communicate(timeout=60)[0])
        assert process.returncode == 130
        assert (told["status"], told["reason"]) == ("cancelled", "cancelled")
        assert "begun\n" in texts(told["output"])[0] or "KeyboardInterrupt" in texts(told["output"])[0]


def _cancel(process: subprocess.Popen[str], begun: Run) -> None:
    current().cancel(begun.id)


def _terminate(process: subprocess.Popen[str], begun: Run) -> None:
    process.send_signal(signal.SIGTERM)


def _wait_for(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        value = found()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("it didn't come to that within a minute")


AGENT = "%%agent -m scripted:answers.jsonl -o answer\nwhat?"


def agent_notebook(*last: Cell) -> tuple[Cell, ...]:
    return (
        "%load_ext agentnb",
        AGENT,
        ("with open('mails.txt', 'a') as mails: mails.write('sent\\n')\nreceipt = {'to': 'you'}", "once"),
        *last,
    )


def test_after_a_failure_plain_cells_run_again_agents_replay_and_once_cells_do_not(folder: Path) -> None:
    (folder / "answers.jsonl").write_text('{"text": "the first answer"}\n{"text": "another answer"}\n')
    flaky = "import os\nassert os.path.exists('mended'), 'not yet'\nprint(answer.text, receipt)"
    job(folder, *agent_notebook("open('plain.txt', 'a').write('ran\\n')", flaky))
    ended, error = run(folder)
    assert str(error) == "cell 5: AssertionError: not yet"
    (folder / "mended").touch()
    again, error = run(folder, resume="")
    assert error is None
    assert texts(output(again))[4] == "the first answer {'to': 'you'}\n"
    assert (folder / "mails.txt").read_text() == "sent\n"
    assert (folder / "plain.txt").read_text() == "ran\n" * 2
    [restored] = [event for event in current().events(again.id) if event.data.get("restored")]
    assert restored.step_id == "cell 3"
    assert [run.usage["replayed"] for run in current().runs(kind="agent", job=again.id)] == [1]
    assert (ended.usage["model_calls"], again.usage["model_calls"], again.usage["replayed"]) == (1, 1, 1)
    with pytest.raises(CannotResume, match="completed, there is nothing to resume"):
        run(folder, resume="")


def test_a_retry_is_a_resumption(folder: Path) -> None:
    (folder / "answers.jsonl").write_text('{"text": "the first answer"}\n{"text": "another answer"}\n')
    flaky = "import os\nif not os.path.exists('mended'):\n    open('mended', 'w')\n    raise OSError('down')\nprint(answer.text, receipt)"
    job(folder, *agent_notebook(flaky), retry={"max_attempts": 3, "initial": "1ms"})
    ended, error = run(folder)
    assert error is None
    assert texts(output(ended))[3] == "the first answer {'to': 'you'}\n"
    assert (folder / "mails.txt").read_text() == "sent\n"
    assert ("retrying", "") in kinds(ended)


def test_what_cannot_be_resumed_is_refused(folder: Path) -> None:
    job(folder, ("raise ValueError('halfway')", "once"), "print('after')")
    ended, _ = run(folder)
    with pytest.raises(CannotResume, match="cell 1 is tagged once: it had failed, and nobody knows how far it got.*--redo 1"):
        run(folder, resume=ended.id)
    write_notebook(folder / "j.ipynb", ("print('mended')", "once"), "print('after')")
    with pytest.raises(CannotResume, match=r"j.ipynb has changed since run job_\w+ \(cell 1\)"):
        run(folder, resume=ended.id, redo=(1,))
    job(folder, "import threading", ("lock = threading.Lock()", "once"), "assert not lock")
    ended, _ = run(folder)
    with pytest.raises(CannotResume, match="cell 2 is tagged once: it has run, but its result isn't stored: lock is a lock"):
        run(folder, resume="")
    again, error = run(folder, resume="", redo=(2,))
    assert "AssertionError" in str(error)
    assert again.status == "failed"


def test_a_secret_is_neither_kept_nor_lost_by_a_resumption(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = 'quoted"and-very-secret'
    monkeypatch.setenv("HOOK_TOKEN", secret)
    secrets.refresh()
    checked = "import os\nprint(token)\nassert os.path.exists('go') and token == os.environ['HOOK_TOKEN']"
    job(folder, ("token = ''", "parameters"), checked, parameters={"token": "${env.HOOK_TOKEN}"})
    ended, _ = run(folder)
    written = Path(output(ended)).read_text()
    assert "[secret]" in written
    assert "very-secret" not in written
    nbformat.validate(nbformat.read(output(ended), 4))
    (folder / "go").touch()
    _, error = run(folder, resume="")
    assert error is None
    job(folder, ("token = ''", "parameters"), checked)
    (folder / "go").unlink()
    ended, _ = run(folder, parameters={"token": secret})
    with pytest.raises(CannotResume, match="secret in its parameter token, which isn't kept: give it again"):
        run(folder, resume="")
    (folder / "go").touch()
    _, error = run(folder, resume="", parameters={"token": secret})
    assert error is None


def test_a_lost_run_ended_when_it_was_last_known_to_be_executed(folder: Path) -> None:
    runtime = current()
    begun, renewed = "2026-11-20T12:00:00.000000Z", datetime(2026, 11, 20, 12, 1, tzinfo=UTC).timestamp()
    gone = Run("job_gone", "job", "j", "running", owner="elsewhere/1/1", lease_until=renewed + LEASE_SECONDS, created_at=begun)
    runtime.store.write(gone)
    assert runtime.get(gone.id).ended_at == "2026-11-20T12:01:00.000000Z"
    end_lost_runs(runtime, spare=())
    assert (runtime.get(gone.id).reason, runtime.get(gone.id).ended_at) == ("lost", "2026-11-20T12:01:00.000000Z")


def test_a_killed_process_is_lost_and_can_be_resumed(folder: Path) -> None:
    begins = "import os, subprocess, time\nif not os.path.exists('go'):\n"
    leaves = "    child = subprocess.Popen(['sleep', '600'], start_new_session=True)\n    open('child', 'w').write(str(child.pid))\n"
    waits = "    os.rename('child', 'left')\n    time.sleep(1000)\nprint(receipt)"
    job(folder, ("receipt = 7\nprint('mail')", "once"), begins + leaves + waits)
    process = subprocess.Popen(command("run", "j"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    begun = _wait_for(lambda: next((run for run in current().runs(kind="job") if ("cell_started", "cell 2") in kinds(run)), None))
    kernel = next(child.pid for child in psutil.Process(process.pid).children() if "ipykernel" in " ".join(child.cmdline()))
    _wait_for(lambda: (folder / "left").exists())
    process.kill()
    process.wait()
    lost = current().get(begun.id)
    assert (lost.status, lost.reason) == ("failed", "lost")
    assert lost.created_at <= lost.ended_at < now()
    _wait_for(lambda: not psutil.pid_exists(kernel))
    left, beginning = int((folder / "left").read_text()), kernel_folder(begun.id)
    assert psutil.pid_exists(left)
    assert [*Path(tempfile.gettempdir()).glob(f"{beginning}*")]
    (folder / "go").touch()
    again, error = run(folder, resume="")
    assert error is None
    assert texts(output(again))[1] == "7\n"
    assert not [*Path(tempfile.gettempdir()).glob(f"{beginning}*")]
    _wait_for(lambda: not psutil.pid_exists(left))


def test_the_workflow_of_a_killed_job_ends_and_is_not_begun_beside_itself(folder: Path) -> None:
    flow = {"name": "flow", "steps": {"slow": {"shell": {"command": "echo begun >> begun.txt; sleep 600"}}}}
    (folder / "flow.workflow.json").write_text(json.dumps(flow))
    (folder / "w.yaml").write_text("name: w\nworkflow: flow.workflow.json\n")
    process = subprocess.Popen(command("run", "w"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _wait_for(lambda: (folder / "begun.txt").exists())
    [child] = psutil.Process(process.pid).children()
    child.suspend()
    process.kill()
    process.wait()
    with pytest.raises(CannotResume, match=r"workflow workflow_\w+, which run job_\w+ has begun, still goes on"):
        run(folder, "w", resume="")
    child.resume()
    _wait_for(lambda: not psutil.pid_exists(child.pid))
    [flow_run] = current().runs(kind="workflow")
    assert (flow_run.status, sweeping.overdue(current())) == ("cancelled", [])
    assert (folder / "begun.txt").read_text() == "begun\n"


def test_what_a_job_has_begun_is_left_to_the_job_until_that_is_completed(folder: Path) -> None:
    runtime = current()
    for status, swept in (("failed", False), ("completed", True)):
        journal = JobJournal.begin(runtime, "j", {})
        journal.finish(None if status == "completed" else ExecutionError("no"), {})
        gone = Run(f"workflow_{status}", "workflow", "w", "running", owner=f"{os.uname().nodename}/999999/1", job=journal.run.id)
        runtime.store.write(gone)
        assert (gone.id in {run.id for run in sweeping.overdue(runtime)}) == swept


def _small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))


def test_a_disk_that_is_full_loses_nothing_that_was_there(folder: Path, tmp_path: Path) -> None:
    """No file may grow over 400 kB, for the job as for its kernel: what the operating system says is what it says of a full disk."""
    job(folder, "print('kept')", "print('y' * 500_000)", "print('after')")
    current().close()
    done = subprocess.run(command("run", "j"), preexec_fn=_small_files, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "can't be written: File too large" in done.stderr
    [ended] = current().runs(kind="job")
    assert (ended.status, ended.reason) == ("failed", "error")
    [kept] = (folder / "runs" / "j").glob("*.ipynb")
    assert len(texts(kept)) == 3
    assert not list((folder / "runs" / "j").glob(".*"))


def test_output_that_cannot_be_written_is_said_before_anything_runs(folder: Path) -> None:
    (folder / "runs").write_text("a file")
    job(folder, "open('ran', 'w')")
    ended, error = run(folder)
    assert "nothing was run" in str(error)
    assert ended.status == "failed"
    assert not (folder / "ran").exists()


def test_a_workflow_as_a_job(folder: Path) -> None:
    flow = {
        "name": "flow",
        "inputs": {"who": {"type": "string"}},
        "steps": {"greet": {"shell": {"command": ["echo", "hello ${inputs.who}"]}}},
        "outputs": {"said": "${steps.greet.output.stdout}"},
    }
    (folder / "flow.json").write_text(json.dumps(flow))
    (folder / "w.yaml").write_text("name: w\nworkflow: flow.json\nparameters: {who: '${name}'}\n")
    ended, error = run(folder, "w")
    assert error is None
    assert json.loads(Path(output(ended)).read_text())["outputs"] == {"said": "hello w\n"}
    with pytest.raises(ConfigurationError, match="doesn't fit"):
        run(folder, "w", parameters={"who": 3})
    flow["steps"]["greet"]["shell"]["command"] = ["false"]  # type: ignore[index]
    (folder / "flow.json").write_text(json.dumps(flow))
    ended, error = run(folder, "w")
    assert ended.status == "failed"
    assert isinstance(error, AgentNBError)


def test_steps_of_a_notebook_run_side_by_side(folder: Path) -> None:
    """Each of the two waits for the other: one after the other, they would never end."""
    wait = "import os, time\nopen('{mine}', 'w').close()\nwhile not os.path.exists('{other}'): time.sleep(0.01)\n{mine} = n + {add}"
    job(
        folder,
        ("n = 1", "parameters"),
        (wait.format(mine="left", other="right", add=1), "step:left"),
        (wait.format(mine="right", other="left", add=2), "step:right"),
        ("print(left * right)\nleft * right", "step:both"),
        steps=True,
        parameters={"n": 5},
        timeout="60s",
    )
    ended, error = run(folder)
    assert error is None
    found = texts(output(ended))
    assert any("step both: completed" in text and "42" in text for text in found)
    notebook = nbformat.read(output(ended), as_version=4)
    assert "<svg" in notebook.cells[1].outputs[0].data["text/html"]


def test_papermill_runs_notebooks_with_the_engine(folder: Path, tmp_path: Path) -> None:
    (folder / "answers.jsonl").write_text('{"text": "an answer"}\n')
    notebook = write_notebook(folder / "nb.ipynb", ("n = 1", "parameters"), "%load_ext agentnb", AGENT, "print(n, answer.text)", "1 / 0")
    done = _papermill(notebook, "out.ipynb", "-p", "n", "2", cwd=folder)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    [ended] = current().runs(kind="job")
    assert (ended.name, ended.status, ended.usage["model_calls"]) == ("nb", "failed", 1)
    assert ended.input["parameters"] == {"n": 2}
    assert "2 an answer\n" in texts(folder / "out.ipynb")
    (tmp_path / "agentnb.toml").write_text("[jobs]\ncell_timeout = '2s'\n")
    notebook = write_notebook(folder / "hang.ipynb", "import time\ntime.sleep(1000)")
    done = _papermill(notebook, "out2.ipynb", cwd=folder)
    assert done.returncode == 1
    assert "cell 1 timed out after 2 s" in done.stderr
    assert nbformat.read(folder / "out2.ipynb", as_version=4).cells[0].metadata.papermill.status == "failed"
    assert current().runs(kind="job", name="hang")[0].reason == "timed_out"


def _papermill(notebook: Path, out: str, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "papermill", str(notebook), out, "--engine", "agentnb", "--no-progress-bar", *words]
    return subprocess.run(line, cwd=cwd, capture_output=True, text=True, check=False, env=dict(os.environ))


def test_importing_papermill_stays_cheap() -> None:
    code = (
        "import papermill.engines as e, sys; assert 'agentnb' in e.papermill_engines._engines; print('agentnb.jobs.client' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "False\n", done.stderr


def test_serve_runs_what_is_due_and_survives_being_killed(folder: Path) -> None:
    """Every second, in real processes; the first scheduler is killed while a job of its goes on."""
    job(folder, "import time\ntime.sleep(2)", schedule={"cron": "* * * * * *", "misfire": "run_once"})
    lines: list[dict[str, Any]] = []
    for kill in (True, False):
        process = subprocess.Popen(command("serve", "--json", "--grace", "20"), stdout=subprocess.PIPE, text=True)
        reader = threading.Thread(target=lambda stream=process.stdout: lines.extend(json.loads(line) for line in stream or ()))
        reader.start()
        runs = len(current().runs(kind="job")) + 1
        _wait_for(lambda runs=runs: len(current().runs(kind="job")) >= runs)  # type: ignore[misc]
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        process.wait(60)
        reader.join()
        assert process.stdout is not None
        process.stdout.close()
    _wait_for(lambda: all(run.status == "completed" for run in current().runs(kind="job")))
    started = [line for line in lines if line.get("what") == "started"]
    assert len({line["run"] for line in started}) == len(started)
    assert {run.id for run in current().runs(kind="job")} <= {line["run"] for line in started}


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of an S3 of our own, which has a bucket of the name outputs."""
    import boto3

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    given = {"ENDPOINT_URL": address, "ACCESS_KEY_ID": "id", "SECRET_ACCESS_KEY": "of nobody", "DEFAULT_REGION": "us-east-1"}
    for name, value in given.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    server = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(lambda: _answers(port))
        client = boto3.client("s3")
        client.create_bucket(Bucket="outputs")
        yield client
        client.close()
    finally:
        server.kill()
        server.wait()


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def test_output_goes_to_a_bucket_whether_the_job_succeeds_or_not(folder: Path, bucket: Any) -> None:
    job(folder, PRINTS, name="good", output="s3://outputs/${name}/${run.id}.ipynb")
    job(folder, PRINTS, "1 / 0", name="bad", output="s3://outputs/${name}/${run.id}.ipynb")
    job(folder, PRINTS, name="lost", output="s3://not-there/${run.id}.ipynb")
    done = {name: subprocess.run(command("run", name), capture_output=True, text=True, check=False) for name in ("good", "bad", "lost")}
    assert [made.returncode for made in done.values()] == [0, 1, 1]
    for name in ("good", "bad"):
        key = done[name].stdout.strip().removeprefix("s3://outputs/")
        kept = nbformat.reads(bucket.get_object(Bucket="outputs", Key=key)["Body"].read().decode(), as_version=4)
        assert kept.cells[0].outputs[0].text == "hello\n"
    assert "NoSuchBucket" in done["lost"].stderr
    [spooled] = (current().settings.store / "jobs").glob("*.ipynb")
    assert texts(spooled) == ["hello\n"]


def test_what_gives_access_to_an_output_is_not_shown(tmp_path: Path) -> None:
    assert OutputFile("abs://me.blob.core.windows.net/c/x.ipynb?sig=abc", tmp_path).shown == "abs://me.blob.core.windows.net/c/x.ipynb"
    assert OutputFile("/what/x?.ipynb", tmp_path).shown == "/what/x?.ipynb"


def test_a_secret_of_a_job_is_masked_whatever_its_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also by the kernel, whose agents write to the journal."""
    monkeypatch.setenv("DB_ADDRESS", "pg:nobody-may-see")
    masks = (
        "import os\nfrom agentnb import secrets\nprint(os.environ['DB_ADDRESS'], secrets.redact('pg:' + 'nobody-may-see') == secrets.MASK)"
    )
    job(folder, masks, secrets=["DB_ADDRESS"])
    ended, error = run(folder)
    assert error is None
    assert texts(output(ended)) == ["[secret] True\n"]


def test_output_for_a_bucket_needs_its_extra_and_is_kept_where_the_upload_fails(folder: Path, tmp_path: Path) -> None:
    job(folder, PRINTS, output="gs://bucket/${run.id}.ipynb")
    with pytest.raises(
        ConfigurationError, match=r"gcsfs is not installed: pip install 'jupyter-agentnb\[gs\]', or .* pip install '\.\[gs\]'"
    ):
        run(folder)
    output = OutputFile("gs://bucket/x.ipynb", tmp_path / "spool" / "x.ipynb")
    output.begin("{}")
    output.save('{"cells": []}')
    with pytest.raises(OutputLost, match="it is kept in .*x.ipynb"):
        output.finish()
    assert (tmp_path / "spool" / "x.ipynb").read_text() == '{"cells": []}'
