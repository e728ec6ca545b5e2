"""Cells in a real kernel: what they show, bind and raise; streaming, interrupts, background, approvals by the widget's own messages."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

import agentnb as anb
from agentnb.runtime import agent_runs

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::DeprecationWarning", "ignore::ResourceWarning")

TOOLS = """
import agentnb as anb, time
@anb.tool(effects="none")
def lookup(city: str) -> str:
    "Weather."
    return f"sunny in {city}"
@anb.tool(approval=True)
def send(to: str) -> str:
    "Send mail."
    return f"sent to {to}"
"""


class Reply:
    """What one execution brought."""

    def __init__(self, content: dict[str, Any], messages: list[dict[str, Any]]) -> None:
        self.status = content["status"]
        self.content = content
        self.messages = messages

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message["content"] for message in self.messages if message["msg_type"] == kind]

    @property
    def html(self) -> list[str]:
        shown = [*self.of("display_data"), *self.of("update_display_data")]
        ordered = [message["content"] for message in self.messages if message["content"] in shown]
        return [content["data"]["text/html"] for content in ordered if "text/html" in content["data"]]

    @property
    def text(self) -> str:
        streams = "".join(content["text"] for content in self.of("stream"))
        return streams + "".join(content["data"]["text/plain"] for content in self.of("execute_result"))


class Kernel:
    """One kernel, and a client of it."""

    def __init__(self, folder: Path) -> None:
        self.manager = KernelManager(kernel_name="python3", transport="ipc")
        self.manager.kernel_spec.argv[0] = sys.executable
        self.manager.start_kernel(cwd=str(folder))
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def send(self, code: str, cell_id: str = "", **options: Any) -> str:
        message = self.client.session.msg(
            "execute_request",
            {
                "code": code,
                "silent": False,
                "store_history": True,
                "user_expressions": {},
                "allow_stdin": options.get("allow_stdin", False),
                "stop_on_error": True,
            },
            metadata={"cellId": cell_id},
        )
        self.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def collect(self, msg_id: str, until: Any = None, timeout: float = 30) -> Reply:
        messages: list[dict[str, Any]] = []
        end = time.monotonic() + timeout
        while True:
            message = self.client.get_iopub_msg(timeout=max(0.1, end - time.monotonic()))
            if message["parent_header"].get("msg_id") != msg_id:
                continue
            messages.append(message)
            if until is not None and until(message):
                return Reply({"status": "running"}, messages)
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        while True:
            reply = self.client.get_shell_msg(timeout=10)
            if reply["parent_header"].get("msg_id") == msg_id:
                return Reply(reply["content"], messages)

    def run(self, code: str, cell_id: str = "", **options: Any) -> Reply:
        return self.collect(self.send(code, cell_id, **options))

    def stop(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


@pytest.fixture
def kernel(tmp_path: Path, own_store: Path) -> Iterator[Kernel]:
    made = Kernel(tmp_path)
    made.run("%load_ext agentnb")
    yield made
    made.stop()


def script(folder: Path, *lines: Any, name: str = "s.jsonl") -> None:
    (folder / name).write_text("\n".join(json.dumps(line) for line in lines))


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"tool_calls": [{"name": name, "arguments": arguments}]}


def test_a_cell_streams_binds_and_shows_its_trace(kernel: Kernel, tmp_path: Path) -> None:
    script(tmp_path, call("lookup", city="Rome"), {"text": "It is **sunny**, as " + "so " * 20 + "often.", "chunk_delay": 0.03})
    kernel.run(TOOLS)
    reply = kernel.run('%%agent w -m scripted:s.jsonl -t lookup -o answer\nWeather? {"keep": 1} <b>x</b>')
    assert reply.status == "ok", reply.content
    shown = reply.html
    assert 'data-status="running"' in shown[0]
    growing = [len(html) for html in shown if "sunny" in html and 'data-status="running"' in html]
    assert len(growing) >= 3
    assert growing == sorted(growing)
    assert "<strong>sunny</strong>" in shown[-1]
    assert "2 calls · 1 tool" in shown[-1]
    assert "lookup" in shown[-1]
    assert "<b>x</b>" not in shown[-1]
    assert len(reply.of("display_data")) == 1
    assert "sunny in Rome" in kernel.run("print(answer.trace[1].output, answer.status)").text


def test_values_show_themselves(kernel: Kernel, tmp_path: Path) -> None:
    script(tmp_path, call("lookup", city="Rome"), {"text": "It is sunny."})
    kernel.run(TOOLS)
    kernel.run("%%agent -m scripted:s.jsonl -t lookup -o answer\nWeather?")
    kernel.run("flow = anb.Workflow('w')\n@flow.step\ndef one() -> int:\n    return 1\nrun = await flow.run()")

    def shown(code: str) -> dict[str, str]:
        [result] = kernel.run(code).of("execute_result")
        return dict(result["data"])

    trace, step = shown("answer.trace"), shown("answer.trace[1]")
    assert "<step m1: model scripted:s.jsonl, completed" in trace["text/plain"].splitlines()[0]
    assert "asks for lookup>" in trace["text/plain"].splitlines()[0]
    assert "<step m1.t1: tool lookup, completed" in step["text/plain"]
    assert "{'city': 'Rome'} → 'sunny in Rome'>" in step["text/plain"]
    assert trace["text/html"].count('class="agentnb-step"') == 3
    assert '<details class="agentnb-step" open>' in step["text/html"]
    steps, record = shown("run.steps"), shown("run.steps['one']")
    assert steps["text/plain"].startswith("<step one: tool, completed in ")
    assert steps["text/html"].count('class="agentnb-step"') == 1
    assert '<details class="agentnb-step" open>' in record["text/html"]
    assert "<completed run exec_" in shown("anb.current().runs()")["text/plain"]
    assert "agent.tool_called: exec_" in shown("anb.current().events(answer.id)")["text/plain"]
    assert "READY, defined in notebook in" in shown("anb.current().agents.all()")["text/plain"]
    assert "<model openvino:smollm2-135m" in shown("anb.current().models.catalog()")["text/plain"]
    assert shown("flow.plan()")["text/plain"].startswith("w: 1 step in 1 phase")
    assert shown("flow.spec")["text/plain"] == "WorkflowSpec(name='w', steps={'one': Step(tool='one')})"
    assert shown("anb.Workflow('x').validate()")["text/plain"].startswith("[<error steps: ")


def test_variables_go_into_the_prompt(kernel: Kernel, tmp_path: Path) -> None:
    script(tmp_path, {"text": "ok"})
    kernel.run("import pathlib, pandas\ncity = 'Rome'\ndf = pandas.DataFrame({'a': [1]})\nnote = pathlib.Path('note.txt')")
    (tmp_path / "note.txt").write_text("from a file")
    (tmp_path / "more.md").write_text("more context")
    kernel.run("model, how = 'scripted:s.jsonl', 'Be \"brief\" in {city}.'")
    kernel.run("%%agent -m {model} -o r -c more.md --instructions '{how}'\n{city} {{city}} {df} {note} {unknown}")
    assert kernel.run("print(r.trace[0].input[0]['content'])").text == 'Be "brief" in {city}.\n'
    shown = kernel.run("print(r.trace[0].input[1]['content'])").text
    for part in ("Rome {city} Table of 1 rows", "| 1 |", "from a file {unknown}", "more context"):
        assert part in shown


def test_a_near_miss_warns(kernel: Kernel, tmp_path: Path) -> None:
    script(tmp_path, {"text": "ok"})
    kernel.run("document = 1")
    assert "did you mean {document}?" in kernel.run("%%agent -m scripted:s.jsonl\n{documnt}").text


def test_errors_are_cards_and_short_errors(kernel: Kernel, tmp_path: Path) -> None:
    script(tmp_path, {"error": "the provider is down"})
    reply = kernel.run("%%agent -m scripted:s.jsonl\nhi")
    assert (reply.status, reply.content["ename"]) == ("error", "ProviderError")
    assert "the provider is down" in reply.content["evalue"]
    assert len(reply.content["traceback"]) == 2
    assert "%agentnb show exec_" in reply.content["traceback"][1]
    assert 'class="agentnb-card" data-kind="error"' in reply.html[-1]
    for line, message in [
        ("-m nope:x", "providers: openai, openvino, scripted"),
        ("-t nothing", "no function of that name"),
        ("--schema Nothing", "no such class"),
        ("-c nothing", "neither a variable nor a file"),
        ("--bogus", "--help shows the options"),
        ("-m openai:gpt-x", "OPENAI_API_KEY"),
    ]:
        reply = kernel.run(f"%%agent {line}\nhi")
        assert reply.status == "error"
        assert message in reply.content["evalue"], reply.content


def test_structured_output_by_a_class_of_the_notebook(kernel: Kernel, tmp_path: Path) -> None:
    script(tmp_path, {"text": '{"name": "Rome"}'})
    kernel.run("import pydantic\nclass City(pydantic.BaseModel):\n    name: str")
    kernel.run("%%agent -m scripted:s.jsonl --schema City -o r\nhi")
    assert kernel.run("r.output").text == "City(name='Rome')"


def test_cells_of_one_name_share_a_conversation(kernel: Kernel, tmp_path: Path) -> None:
    script(tmp_path, *({"text": f"answer {number}"} for number in range(6)))
    kernel.run("a = __import__('agentnb').Agent('talk', model='scripted:s.jsonl')")
    kernel.run("%%agent talk\none", "c1")
    kernel.run("%%agent talk -o r\ntwo", "c2")
    contents = "[m['content'] for m in r.trace[0].input]"
    assert kernel.run(contents).text == "['one', 'answer 0', 'two']"
    kernel.run("%%agent talk\nONE", "c1")
    kernel.run("%%agent talk -o r\ntwo", "c2")
    assert kernel.run(contents).text == "['ONE', 'answer 2', 'two']"
    kernel.run("%%agent talk --fresh -o r\nalone", "c3")
    assert kernel.run(contents).text == "['alone']"


def test_a_cell_without_a_name_begins_a_conversation_that_another_may_go_on_with(kernel: Kernel, tmp_path: Path) -> None:
    script(tmp_path, *({"text": f"answer {number}"} for number in range(9)))
    contents = "[m['content'] for m in r.trace[0].input]"

    def heard(line: str, text: str, cell: str = "") -> str:
        assert kernel.run(f"%%agent -o r {line}\n{text}", cell).status == "ok"
        return kernel.run(contents).text

    first = kernel.run("%%agent --continue\nand then?", "c2")
    assert "run the cell first that this one goes on with" in first.content["evalue"]
    assert heard("-m scripted:s.jsonl", "one", "c1") == "['one']"
    assert heard("-m scripted:s.jsonl", "one", "c1") == "['one']"
    assert heard("--continue", "and then?", "c2") == "['one', 'answer 1', 'and then?']"
    assert heard("-m scripted:s.jsonl", "else", "c3") == "['else']"
    assert heard("--continue", "why?", "c2") == "['one', 'answer 1', 'why?']"
    assert heard("-m scripted:s.jsonl", "ONE", "c1") == "['ONE']"
    assert heard("--continue", "why?", "c2") == "['ONE', 'answer 5', 'why?']"
    assert heard("talk -m scripted:s.jsonl", "hello") == "['hello']"
    assert heard("--continue", "hello?") == "['hello', 'answer 7', 'hello?']"
    assert "not allowed with argument" in kernel.run("%%agent --continue --fresh\nhi").content["evalue"]


def test_the_stop_button_cancels(kernel: Kernel, tmp_path: Path) -> None:
    script(tmp_path, {"text": "a " * 500, "chunk_delay": 0.05}, {"text": "fine"})
    msg_id = kernel.send("%%agent -m scripted:s.jsonl\nhi")
    kernel.collect(msg_id, until=lambda message: "a a" in str(message["content"].get("data", "")))
    started = time.monotonic()
    kernel.manager.interrupt_kernel()
    reply = kernel.collect(msg_id)
    assert time.monotonic() - started < 2
    assert (reply.status, reply.content["ename"]) == ("error", "KeyboardInterrupt")
    assert 'data-status="cancelled"' in reply.html[-1]
    assert anb.current().runs()[0].status == "cancelled"
    assert kernel.run("%%agent -m scripted:s.jsonl --fresh\nhi").status == "ok"


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.1])
def test_interrupted_at_any_moment_the_kernel_stays_well(kernel: Kernel, tmp_path: Path, delay: float) -> None:
    script(tmp_path, {"text": "a " * 50, "chunk_delay": 0.02}, {"text": "fine"})
    msg_id = kernel.send("%%agent -m scripted:s.jsonl\nhi")
    time.sleep(delay)
    kernel.manager.interrupt_kernel()
    kernel.collect(msg_id)
    time.sleep(0.3)
    assert all(run.status in ("cancelled", "completed") for run in anb.current().runs())
    assert kernel.run("%%agent -m scripted:s.jsonl --fresh -o r\nhi").status == "ok"
    assert kernel.run("r.status").text == "'completed'"


@pytest.mark.parametrize("magic", ["%%time", "%%capture out"])
def test_under_other_magics(kernel: Kernel, tmp_path: Path, magic: str) -> None:
    script(tmp_path, {"text": "nested"})
    reply = kernel.run(f"{magic}\n%%agent -m scripted:s.jsonl -o r\nhi")
    assert reply.status == "ok", reply.content
    assert kernel.run("r.text").text == "'nested'"
    if "time" in magic:
        assert "Wall time" in reply.text
        assert "nested" in reply.html[-1]
    else:
        assert reply.html == []


def test_without_autoawait(kernel: Kernel, tmp_path: Path) -> None:
    script(tmp_path, {"text": "sync"})
    kernel.run("%autoawait False")
    assert "sync" in kernel.run("%%agent -m scripted:s.jsonl\nhi").html[-1]


def test_in_the_background(kernel: Kernel, tmp_path: Path) -> None:
    script(tmp_path, {"text": "slowly", "delay": 0.6}, {"text": "first"}, {"text": "x " * 100, "chunk_delay": 0.1})
    reply = kernel.run("%%agent -m scripted:s.jsonl -o r --background\nhi", allow_stdin=True)
    assert reply.status == "ok"
    assert "running" in kernel.run("r").text
    assert kernel.run("(await r).text").text == "'slowly'"
    assert kernel.run("r.text, (await r).text").text == "('slowly', 'slowly')"
    kernel.run("a = __import__('agentnb').Agent('second', model='scripted:s.jsonl')")
    kernel.run("%%agent second -o first\nhi")
    kernel.run("%%agent second -o r --background\nhi", allow_stdin=True)
    kernel.run("import asyncio\nr.stop()\nawait asyncio.sleep(0.2)")
    assert anb.current().runs()[0].status == "cancelled"


def card(reply: Reply) -> str:
    opened = [
        content
        for content in reply.of("comm_open")
        if content["data"]["state"].get("_view_name") == "AnyView" or "question" in content["data"]["state"]
    ]
    return str(opened[-1]["comm_id"])


def press(kernel: Kernel, comm_id: str, verdict: str, arguments: str | None = None) -> None:
    data = {"method": "custom", "content": {"verdict": verdict, "arguments": arguments}}
    kernel.client.shell_channel.send(kernel.client.session.msg("comm_msg", {"comm_id": comm_id, "data": data}))


@pytest.mark.parametrize(
    ("verdict", "arguments", "told"),
    [("approve", None, "sent to ann"), ("approve", '{"to": "bob"}', "sent to bob"), ("deny", None, "denied the call")],
)
def test_an_approval_in_the_cell(kernel: Kernel, tmp_path: Path, verdict: str, arguments: str | None, told: str) -> None:
    script(tmp_path, call("send", to="ann"), {"text": "done"})
    kernel.run(TOOLS)
    msg_id = kernel.send("%%agent -m scripted:s.jsonl -t send -o r\nhi", allow_stdin=True)
    asked = kernel.collect(msg_id, until=lambda message: "widget-view" in str(message["content"].get("data", {}).keys()))
    assert "Waiting for approval" in asked.html[-1]
    press(kernel, card(asked), verdict, arguments)
    assert kernel.collect(msg_id).status == "ok"
    steps = "[(s.kind, s.output) for s in r.trace if s.id == 'm1.t1']"
    assert told in kernel.run(steps).text


def test_an_approval_without_a_user_is_denied(kernel: Kernel, tmp_path: Path) -> None:
    script(tmp_path, call("send", to="ann"), {"text": "done"})
    kernel.run(TOOLS)
    reply = kernel.run("%%agent -m scripted:s.jsonl -t send\nhi")
    assert reply.content["ename"] == "PolicyDenied"
    assert 'data-kind="refusal"' in reply.html[-1]


def test_an_approval_survives_the_kernel(kernel: Kernel, tmp_path: Path) -> None:
    script(tmp_path, call("send", to="ann"), {"text": "done"})
    kernel.run(TOOLS)
    msg_id = kernel.send("%%agent -m scripted:s.jsonl -t send\nhi", allow_stdin=True)
    kernel.collect(msg_id, until=lambda message: "widget-view" in str(message["content"].get("data", {}).keys()))
    kernel.manager.restart_kernel(now=True)
    kernel.client.stop_channels()
    kernel.client = kernel.manager.client()
    kernel.client.start_channels()
    kernel.client.wait_for_ready(timeout=60)
    script(tmp_path, {"text": "done after the restart"})
    kernel.run("%load_ext agentnb")
    run = anb.current().runs()[0]
    assert run.status == "waiting"
    assert run.id in kernel.run("%agentnb runs waiting").text
    shown = kernel.run(f"%agentnb show {run.id}")
    press(kernel, card(shown), "approve")
    for _ in range(100):
        if anb.current().get(run.id).status == "completed":
            break
        kernel.run("import asyncio; await asyncio.sleep(0.05)")
    result = anb.current().result(run.id)
    assert (result.status, result.text, result.trace[-2].output) == ("completed", "done after the restart", "sent to ann")


def test_a_run_that_has_not_come_far_is_shown_without_empty_parts(kernel: Kernel, tmp_path: Path, own_store: Path) -> None:
    script(tmp_path, {"text": "in Italy"})
    agent = anb.Agent("assistant", model=f"scripted:{tmp_path / 's.jsonl'}").initialize()
    run = agent_runs.queue(anb.current(), agent, "Where is Rome?")
    shown = kernel.run(f"%agentnb show {run.id}")
    assert "queued</span> assistant</span>" in shown.html[-1]
    assert shown.text == "Prompt: Where is Rome?\n"


def test_looking_back(kernel: Kernel, tmp_path: Path) -> None:
    script(tmp_path, call("lookup", city="Rome"), {"text": "Sunny."})
    kernel.run(TOOLS)
    kernel.run("%%agent w -m scripted:s.jsonl -t lookup --record c.jsonl\nhi")
    run = anb.current().runs()[0]
    assert run.id in kernel.run("%agentnb runs").text
    assert run.id in kernel.run("runs = %agentnb runs\nruns[0].id").text
    shown = kernel.run("%agentnb show")
    assert "Sunny." in shown.html[-1]
    assert shown.text == "Prompt: hi\n"
    assert "replayed" in kernel.run(f"%agentnb replay {run.id}").html[-1]
    assert "lookup" in kernel.run("%agentnb sql SELECT name FROM steps WHERE kind = 'tool'").text
    assert "w" in kernel.run("%agentnb agents").text
    assert "smollm2-135m" in kernel.run("%agentnb models").text
    assert "%agentnb replay RUN" in kernel.run("%agentnb").text
    assert "no such command" in kernel.run("%agentnb nonsense").content["evalue"]
    assert kernel.run("%agentnb show exec_nope").content["ename"] == "RunNotFound"
    assert "check the quotes" in kernel.run("%agentnb replay 'unclosed").content["evalue"]
    assert "say which run" in kernel.run("%agentnb cancel").content["evalue"]
    assert "completed already" in kernel.run("%agentnb cancel last").content["evalue"]
    assert "max_steps" in kernel.run("%%agent w -m scripted:s.jsonl --max-steps 0\nhi").content["evalue"]
    replayed = kernel.run("%%agent w -m scripted:s.jsonl -t lookup --replay c.jsonl --fresh\nhi")
    assert "Sunny." in replayed.html[-1]
    missed = kernel.run("%%agent w -m scripted:s.jsonl -t lookup --replay c.jsonl --fresh\nsomething else")
    assert missed.content["ename"] == "CassetteMiss"


@pytest.mark.parametrize(
    ("code", "offered"),
    [
        ("%agentnb re", ["replay", "report", "rerun", "resume"]),
        ("x = %agentnb sh", ["show"]),
        ("%agentnb runs co", ["completed"]),
        ("%agentnb show la", ["last"]),
        ("%agentnb models ", ["pull"]),
        ("%agentnb doctor ", ["--hardware"]),
        ("%agentnb agents TE", ["TEXT_PROCESSING"]),
        ("%agentnb rerun last --from ", ["first", "second"]),
        ("%agentnb optimize --c", ["--calibration"]),
        ("%agentnb optimize openvino:smo", ["openvino:smollm2-135m"]),
        ("%agentnb benchmark openvino:minilm", ["openvino:minilm-l6-v2", "openvino:minilm"]),
        ("%%agent -m openvino:mini", []),
        ("%%agent -m openai:text", []),
        ("anb.", sorted(anb.__all__, key=str.lower)),
        ("%%agent --schema Nothing", []),
        ("%%agent --instructions ", []),
        ("%agentnb benchmark openvino:nothing", []),
        ("%%agent --max-", ["--max-steps", "--max-tokens"]),
        ("%%agent gu", ["guide"]),
        ("%%agent hel", ["helper"]),
        ("%%agent -m openvino:smo", ["openvino:smollm2-135m"]),
        ("%%agent -t ", ["lookup", "send", "plain"]),
        ("%%agent -t lookup,se", ["send"]),
        ("%%agent --schema ", ["City"]),
        ("%%agent -c doc", ["document"]),
        ("%%agent --replay s.", ["s.jsonl"]),
        ("%%agent\nSay {docu", ["document"]),
        ("%%workflow ", ["flow", "--help", "--run", "--input", "--output", "--rerun", "--from", "--record", "--replay", "--background"]),
        ("%%workflow flow --from ", ["first", "second"]),
        ("%%workflow flow -i ", ["city="]),
    ],
)
def test_completion(shared: Kernel, code: str, offered: list[str]) -> None:
    shared.client.complete(code, len(code))
    while (reply := shared.client.get_shell_msg(timeout=10))["msg_type"] != "complete_reply":
        pass
    assert reply["content"]["matches"] == offered
    assert "<unknown>" not in str(reply["content"]["metadata"])


def test_completion_after_a_run_that_isnt_there_is_quiet(shared: Kernel) -> None:
    line = "%agentnb rerun nope --from "
    found = f"agentnb.notebook.completion.matched(get_ipython().agentnb, {line!r}, 0, {len(line)})"
    assert shared.run(f"import agentnb.notebook.completion\n{found}").text == "('', [])"


@pytest.mark.parametrize(("magic", "said"), [("%%agent", "--continue"), ("%%workflow", "--rerun RUN"), ("%agentnb", "replay RUN [--live]")])
def test_a_question_mark_shows_the_help(shared: Kernel, magic: str, said: str) -> None:
    [page] = shared.run(f"{magic}?").content["payload"]
    assert said in page["data"]["text/plain"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel with something of everything, for tests that change nothing in it."""
    folder = tmp_path_factory.mktemp("shared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGENTNB_STORE", str(folder / "store"))
        patch.chdir(folder)
        patch.setenv("AGENTNB_MODEL", "scripted:s.jsonl")
        script(folder, *({"text": "one"} for _ in range(9)))
        made = Kernel(folder)
    made.run(f"%load_ext agentnb\n{TOOLS}\nimport pydantic\nclass City(pydantic.BaseModel):\n    name: str")
    made.run("helper, document = anb.Agent('helper'), 'text'\ndef plain(text: str) -> str:\n    return text")
    made.run("lookup")
    made.run("%%agent guide -m scripted:s.jsonl\nhi")
    steps = "{first: {tool: lookup, input: {city: '${inputs.city}'}}, second: {tool: lookup, input: {city: x}}}"
    assert made.run(f"%%workflow flow --run -i city=x\ninputs: {{city: {{type: string}}}}\nsteps: {steps}").status == "ok"
    yield made
    made.stop()


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("%%agent --modle x\nhi", "there is no option --modle; did you mean --model? %%agent --help shows the options"),
        (
            "%%agent -m scripted:s.jsonl How are you?",
            "'are you?' is too much: a value with spaces goes in quotes; what the cell is to do goes",
        ),
        ("%%agent -m scripted:s.jsonl\n\n  ", "the cell is empty: write below its first line what the agent is to do"),
        ("%%agent -t lokup\nhi", "there is no function of that name in the notebook; did you mean lookup?"),
        ("%%agent -t len\nhi", "there is no function of that name in the notebook; there are: lookup, plain, send"),
        ("%%agent -t lookup send\nhi", "send is a function, no agent: several tools go with commas between: -t lookup,send"),
        ("%%agent -t lookup, send\nhi", "-t lookup, send: no blanks around a comma: write -t lookup,send"),
        ("%%agent -t lookup ,send\nhi", "no blanks around a comma: write -t lookup,send"),
        ("%%agent --continue guide\nhi", "guide goes on with its conversation anyway: leave --continue out, or the name"),
        ("%%agent --continu\nhi", "there is no option --continu; did you mean --continue?"),
        ("%%agent {nosuch}\nhi", "%%agent: {nosuch}: there is no variable of that name; {{nosuch}} says that it is meant so"),
        ("%%agent --instructions 'of {documnt}'\nhi", "%%agent: {documnt}: there is no variable of that name; did you mean {document}?"),
        ("%%workflow w\nsteps: {a: {tool: lokup, input: {city: x}}}", "no tool 'lokup'; did you mean lookup?"),
        ("%%workflow w\nsteps: {a: {tool: nothing}}", "no tool 'nothing'; there are: lookup, send, plain."),
        ("%%agent -t anb\nhi", "-t anb: that is a module, no function"),
        ("%%agent --schema send\nhi", "--schema send: that is a function: give a pydantic model"),
        ("%%agent --schema Citty\nhi", "did you mean City?"),
        ("%%agent -c docment\nhi", "did you mean document?"),
        ("%agentnb shwo", "there is no such command; did you mean show?"),
        ("%agentnb sql", "write a query, such as %agentnb sql SELECT"),
        ("%agentnb stale folw last", "did you mean flow?"),
        ("%%workflow flow --rnu\nsteps: {}", "there is no option --rnu; did you mean --run?"),
        ("%%workflow", "the cell is empty: write the workflow's steps below its first line"),
        (
            "%%workflow send\nsteps: {a: {tool: send, input: {to: x}}}",
            "send is a function of this notebook, which the workflow would replace",
        ),
        ("%%workflow w\nsteps:\n  a: {tool: lookup\n\n", "line 3: steps.a: not valid YAML: while parsing a flow mapping"),
        ("%%workflow w\nhello world", "line 2: the document must be a mapping"),
        ("%%workflow w\n- a\n- b", "line 2: the document must be a mapping"),
        ("%%workflow w\n@wf.step\ndef one() -> int\n    return 1", "line 3 is no Python: expected ':': def one() -> int"),
    ],
)
def test_an_error_names_place_and_mend(shared: Kernel, cell: str, message: str) -> None:
    reply = shared.run(cell)
    assert reply.status == "error"
    assert message in "\n".join(reply.content["traceback"])
    assert "/agentnb/" not in "\n".join(reply.content["traceback"])


def test_a_new_agent_that_is_called_like_another_is_noted(shared: Kernel) -> None:
    assert "gudie is a new agent, with no instructions or tools; did you mean guide?" in shared.run("%%agent gudie\nhi").text


def test_help_of_one_command(shared: Kernel) -> None:
    for code in ("%agentnb help show", "%agentnb show --help"):
        assert shared.run(code).text.startswith("%agentnb show [RUN]")
        assert shared.run(code).text.count("\n") == 1
    assert "%agentnb replay RUN" in shared.run("%agentnb --help").text


def test_a_whole_notebook_from_a_cassette(tmp_path: Path, own_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path, {"text": "recorded"})
    monkeypatch.setenv("AGENTNB_RECORD", str(tmp_path / "c.jsonl"))
    first = Kernel(tmp_path)
    first.run("%load_ext agentnb")
    assert first.run("%%agent -m scripted:s.jsonl\nhi").status == "ok"
    first.stop()
    monkeypatch.delenv("AGENTNB_RECORD")
    monkeypatch.setenv("AGENTNB_REPLAY", str(tmp_path / "c.jsonl"))
    (tmp_path / "s.jsonl").unlink()
    second = Kernel(tmp_path)
    second.run("%load_ext agentnb")
    assert "recorded" in second.run("%%agent -m scripted:s.jsonl\nhi").html[-1]
    second.stop()


def test_two_kernels_on_one_store(tmp_path: Path, own_store: Path) -> None:
    script(tmp_path, *({"text": f"{number}"} for number in range(9)))
    kernels = [Kernel(tmp_path), Kernel(tmp_path)]
    for kernel in kernels:
        kernel.run("%load_ext agentnb")
    for _ in range(3):
        ids = [(kernel, kernel.send("%%agent same -m scripted:s.jsonl\nhi")) for kernel in kernels]
        assert [kernel.collect(msg_id).status for kernel, msg_id in ids] == ["ok", "ok"]
    assert [run.status for run in anb.current().runs()] == ["completed"] * 6
    assert len({run.session for run in anb.current().runs()}) == 2
    for kernel in kernels:
        kernel.stop()


def test_unloading_takes_everything_away(kernel: Kernel) -> None:
    kernel.run("%unload_ext agentnb")
    assert kernel.run("%agentnb runs").status == "error"
    kernel.run("%load_ext agentnb")
    assert kernel.run("%agentnb runs").status == "ok"


def test_in_the_background_where_nobody_watches_the_cell_waits_and_fails(kernel: Kernel, tmp_path: Path) -> None:
    script(tmp_path, {"text": "done", "delay": 0.2}, {"error": "it is down"})
    reply = kernel.run("%%agent -m scripted:s.jsonl -o r --background\nhi")
    assert 'data-status="completed"' in reply.html[-1]
    assert kernel.run("(await r).text").text == "'done'"
    assert kernel.run("%%agent -m scripted:s.jsonl --background\nhi").content["ename"] == "ProviderError"


def test_what_else_is_in_the_store_changes_no_notebook(kernel: Kernel, tmp_path: Path, own_store: Path) -> None:
    script(tmp_path, *({"text": f"{number}"} for number in range(9)))
    anb.Agent("shared", model="scripted:s.jsonl", instructions="Say BANANA.").initialize()
    kernel.run("%%agent shared -m scripted:s.jsonl -o r\nhi")
    assert kernel.run("[m['role'] for m in r.trace[0].input]").text == "['user']"
    kernel.run("%%agent guide -m scripted:s.jsonl --instructions 'Be brief.'\none")
    kernel.run("%%agent guide -o r\ntwo")
    assert (
        kernel.run("r.trace[0].name, [m['role'] for m in r.trace[0].input]").text
        == "('scripted:s.jsonl', ['system', 'user', 'assistant', 'user'])"
    )
