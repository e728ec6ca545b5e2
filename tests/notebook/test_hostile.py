"""What people do to a kernel: they interrupt, restart, go on, print, nest, and paste too much."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import agentnb as anb
from tests.notebook.test_kernel import Kernel, call, kernel, script

__all__ = ["kernel"]
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::DeprecationWarning", "ignore::ResourceWarning")

FUNCTIONS = """
import asyncio, pathlib, sys, time
import agentnb as anb

def first(x: str) -> str:
    return x + "1"

def sleeps(x: str) -> str:
    "Sleep."
    time.sleep(30 if pathlib.Path("slow").exists() else 0)
    return x + "2"

async def never(x: str) -> str:
    "Wait."
    await asyncio.Event().wait()

def prints(x: str) -> str:
    "Print."
    print("printed", x)
    print("to stderr", file=sys.stderr)
    return "ok"

def exits(x: str) -> str:
    "Exit."
    sys.exit(3)

def frame(x: str):
    "A table."
    import pandas
    return pandas.DataFrame({"city": ["Rome"] * 500})

def figure(x: str):
    "No text."
    class Figure:
        def __repr__(self): return "Figure(640x480)"
    return Figure()

def huge(x: str) -> str:
    "Too much."
    return "z" * 3_000_000

def asks(x: str) -> str:
    "Ask another agent."
    return anb.Agent("inner", model="scripted:inner.jsonl").execute_sync("hi").text
"""
FLOW = """%%workflow w --run
steps:
  a: {tool: first, input: {x: q}}
  b: {tool: sleeps, input: {x: "${steps.a.output}"}}
outputs: {o: "${steps.b.output}"}
"""
SHOWN = "(r.trace[1].status, r.trace[1].output)"


@pytest.fixture
def ready(kernel: Kernel) -> Kernel:
    kernel.run(FUNCTIONS)
    return kernel


def restarted(kernel: Kernel) -> None:
    kernel.manager.restart_kernel(now=True)
    kernel.client.stop_channels()
    kernel.client = kernel.manager.client()
    kernel.client.start_channels()
    kernel.client.wait_for_ready(timeout=60)
    kernel.run("%load_ext agentnb")


def until(status: str) -> None:
    """Wait until the newest run has the status, and is at its second step."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        runs = anb.current().runs()
        if runs and runs[0].status == status and len(anb.current().events(runs[0].id)) > 2:
            time.sleep(0.3)
            return
        time.sleep(0.05)
    pytest.fail(f"no run is {status}")


@pytest.mark.parametrize("tool", ["never", "sleeps"])
@pytest.mark.parametrize("how", ["{cell}", "%%time\n{cell}", "get_ipython().run_cell_magic('agent', {line!r}, 'go')"])
def test_a_tool_that_never_returns_is_interrupted(ready: Kernel, tmp_path: Path, tool: str, how: str) -> None:
    (tmp_path / "slow").touch()
    script(tmp_path, call(tool, x="1"), {"text": "fine"})
    line = f"-m scripted:s.jsonl --fresh -t {tool}"
    msg_id = ready.send(how.format(cell=f"%%agent {line}\ngo", line=line))
    until("running")
    started = time.monotonic()
    ready.manager.interrupt_kernel()
    reply = ready.collect(msg_id)
    assert time.monotonic() - started < 5
    assert (reply.content["ename"], reply.content["traceback"]) == ("KeyboardInterrupt", ["cancelled"])
    assert "Traceback" not in reply.text
    assert 'data-status="cancelled"' in reply.html[-1]
    assert anb.current().runs()[0].status == "cancelled"
    again = ready.run(f"%%time\n%%agent {line} -o r\ngo")
    assert (again.status, ready.run("r.text").text) == ("ok", "'fine'")


def test_a_rerun_is_interrupted(ready: Kernel, tmp_path: Path) -> None:
    assert ready.run(FLOW).status == "ok"
    (tmp_path / "slow").touch()
    msg_id = ready.send("%agentnb rerun last --from b")
    until("running")
    started = time.monotonic()
    ready.manager.interrupt_kernel()
    reply = ready.collect(msg_id)
    assert time.monotonic() - started < 5
    assert reply.content["traceback"] == ["cancelled"]
    assert anb.current().runs()[0].status == "cancelled"


def test_a_kernel_restarted_within_a_workflow_goes_on_with_it(ready: Kernel, tmp_path: Path) -> None:
    (tmp_path / "slow").touch()
    ready.send(FLOW)
    until("running")
    restarted(ready)
    (tmp_path / "slow").unlink()
    run = anb.current().runs()[0]
    assert (run.status, run.reason) == ("failed", "lost")
    assert 'data-status="waiting"' in ready.run(f"%agentnb resume {run.id}").html[-1]
    assert ready.run(f"import agentnb as anb\nrun = await anb.resume({run.id!r})\nrun.waiting[0].id").text == "'b'"
    done = ready.run("done = await run.answer('b', 'retry')\ndone.status, done.outputs, done.steps['a'].attempts")
    assert done.text == "('completed', {'o': 'q12'}, 1)"


@pytest.mark.parametrize(
    ("tool", "shown"),
    [
        ("prints", "('completed', 'ok')"),
        ("exits", "('failed', 'Error: exits raised SystemExit: 3')"),
        ("figure", "('completed', 'Figure(640x480)')"),
        ("asks", "('completed', 'inner answer')"),
    ],
)
def test_whatever_a_tool_does_the_agent_goes_on(ready: Kernel, tmp_path: Path, tool: str, shown: str) -> None:
    script(tmp_path, {"text": "inner answer"}, name="inner.jsonl")
    script(tmp_path, call(tool, x="1"), {"text": "done"})
    reply = ready.run(f"%%agent -m scripted:s.jsonl -t {tool} -o r\ngo")
    assert reply.status == "ok", reply.content
    assert ready.run(SHOWN).text == shown
    assert ("printed 1\nto stderr" in reply.text) == (tool == "prints")


def test_a_table_that_a_tool_gives_is_read_as_one_in_a_prompt(ready: Kernel, tmp_path: Path) -> None:
    script(tmp_path, call("frame", x="1"), {"text": "done"})
    ready.run("%%agent -m scripted:s.jsonl -t frame -o r\ngo")
    assert "Table of 500 rows, the first 20 shown and 1 columns" in ready.run("r.trace[1].output").text
    assert ready.run("r.trace[1].output == r.trace[2].input[0]['content']").text == "True"


def test_a_lot_of_text_is_not_saved_twice_in_the_notebook(ready: Kernel, tmp_path: Path) -> None:
    script(tmp_path, call("huge", x="1"), {"text": "done"})
    reply = ready.run(f"%%agent -m scripted:s.jsonl -t huge -o r\n{'word ' * 200_000}")
    assert reply.status == "ok", reply.content
    assert len(reply.html[-1]) < 200_000
    assert ready.run("len(r.trace[0].input[0]['content']), len(r.trace[1].output)").text == "(999999, 3000000)"


@pytest.mark.parametrize("text", ["", "   ", "\n\t\n "])
def test_a_cell_without_a_word(ready: Kernel, tmp_path: Path, text: str) -> None:
    script(tmp_path, {"text": "not asked"})
    reply = ready.run(f"%%agent -m scripted:s.jsonl\n{text}")
    assert (reply.content["ename"], "what the agent is to do" in reply.content["evalue"]) == ("ConfigurationError", True)
    assert not anb.current().runs()
    assert "write its steps" in ready.run(f"%%workflow w\n{text}").content["evalue"]


def test_unicode_goes_through(ready: Kernel, tmp_path: Path) -> None:
    script(tmp_path, {"text": "日本 🎉 \u202e ünï"})
    ready.run("größe = '☃'")
    reply = ready.run("%%agent -m scripted:s.jsonl -o r\n{größe} 𝕏 \u202e \x00 日本")
    assert reply.status == "ok", reply.content
    assert ready.run("print(r.trace[0].input[0]['content'].startswith('☃ 𝕏'), r.text)").text == "True 日本 🎉 \u202e ünï\n"


def test_in_a_loop_in_a_function_and_in_a_coroutine(ready: Kernel, tmp_path: Path) -> None:
    script(tmp_path, *({"text": f"answer {number}"} for number in range(5)))
    magic = "get_ipython().run_cell_magic('agent', '-m scripted:s.jsonl --fresh -o r', '{word} {outside}')"
    said = "r.trace[0].input[0]['content'], r.text"
    ready.run("outside = 'out'")
    assert ready.run(f"for word in 'ab':\n    {magic}\n    print({said})").text == "a out answer 0\nb out answer 1\n"
    assert ready.run(f"def ask(word):\n    {magic}\n    return {said}\nask('within')").text == "('within out', 'answer 2')"
    assert ready.run(f"async def ask(word):\n    {magic}\n    return {said}\nawait ask('awaited')").text == "('awaited out', 'answer 3')"
    threaded = "import asyncio, threading\nmade = anb.Agent('z', model='scripted:s.jsonl')\nfound = []\n"
    threaded += "thread = threading.Thread(target=lambda: found.append(asyncio.run(made.execute('hi')).text))\n"
    assert ready.run(f"{threaded}thread.start(); thread.join(); found").text == "['answer 4']"


def test_names_that_are_none(ready: Kernel, tmp_path: Path) -> None:
    script(tmp_path, {"text": "ok"}, {"text": "ok"})
    noted = ready.run("%%agent -m scripted:s.jsonl -o r\nDear {customer}, {{x}}")
    assert (noted.status, noted.text) == (
        "ok",
        "{customer} stays as written: there is no variable of that name; {{customer}} says that it is meant so\n",
    )
    assert ready.run("r.trace[0].input[0]['content']").text == "'Dear {customer}, {x}'"
    assert "that is no name for a variable" in ready.run("%%agent -m scripted:s.jsonl -o class\nhi").content["evalue"]
    ready.run("inputs = 1")
    source = 'steps: {a: {tool: first, input: {x: "${inputs.x}"}}}\ninputs: {x: {type: string}}\noutputs: {o: "${steps.a.output}"}'
    assert "did you mean {inputs}?" in ready.run(f"%%workflow w --run -i x={{imputs}}\n{source}").content["evalue"]
    assert "write {{nothing}} for the text" in ready.run(f"%%workflow w --run -i x={{nothing}}\n{source}").content["evalue"]
    assert ready.run(f"%%workflow w --run -i x={{{{nothing}}}} -o r\n{source}").status == "ok"
    assert ready.run("r.outputs").text == "{'o': '{nothing}1'}"


def test_a_recording_that_cant_be_written_is_said_at_once(ready: Kernel, tmp_path: Path) -> None:
    script(tmp_path, {"text": "not asked"})
    (tmp_path / "file").touch()
    reply = ready.run("%%agent -m scripted:s.jsonl --record file/c.jsonl\nhi")
    assert "can't be written" in reply.content["evalue"]
    assert "not asked" not in "".join(reply.html)
    assert ready.run("%%agent -m scripted:s.jsonl -o r\nhi").status == "ok"
