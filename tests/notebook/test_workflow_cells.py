"""``%%workflow`` cells in a real kernel: plans, findings, runs with their live view, questions to people, running again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

import agentnb as anb
from agentnb.runtime import workflow_runs, workflow_signals
from tests.notebook.test_kernel import TOOLS, Kernel, Reply, call, script
from tests.notebook.test_kernel import press as approve
from tests.notebook.test_terminal import cell
from tests.notebook.test_terminal import terminal as terminal

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::DeprecationWarning", "ignore::ResourceWarning")

FUNCTIONS = f"""{TOOLS}
import asyncio
async def shout(text: str, seconds: float = 0.3) -> str:
    await asyncio.sleep(seconds)
    return text.upper()
"""
FLOW = """
name: My Flow
inputs: {city: {type: string}}
steps:
  look: {tool: lookup, input: {city: "${inputs.city}"}}
  say: {tool: shout, input: {text: "${steps.look.output}"}}
outputs: {said: "${steps.say.output}"}
"""
ASK = """
name: ask
steps:
  before: {tool: lookup, input: {city: Oslo}}
  review:
    human:
      prompt: "Fine, <b>you</b>?"
      assignee: ann
      form: {type: object, properties: {stars: {type: integer, maximum: 5}}, required: [stars]}
    input: {draft: "${steps.before.output}"}
outputs: {stars: "${steps.review.output.data.stars}", by: "${steps.review.output.note}"}
"""
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def kernel(tmp_path: Path, own_store: Path) -> Iterator[Kernel]:
    made = Kernel(tmp_path)
    made.run("%load_ext agentnb")
    made.run(FUNCTIONS)
    yield made
    made.stop()


def asks(message: dict[str, Any]) -> bool:
    return WIDGET in message["content"].get("data", {})


def widget(reply: Reply, trait: str = "graph") -> tuple[str, dict[str, Any]]:
    """The comm and the first state of the reply's last widget that has such a trait."""
    states = [(content["comm_id"], content["data"]["state"]) for content in reply.of("comm_open")]
    return [(comm, state) for comm, state in states if trait in state][-1]


def send(kernel: Kernel, comm_id: str, content: dict[str, Any]) -> None:
    data = {"method": "custom", "content": content}
    kernel.client.shell_channel.send(kernel.client.session.msg("comm_msg", {"comm_id": comm_id, "data": data}))


def messages(kernel: Kernel) -> Iterator[dict[str, Any]]:
    """What widgets are told, as it comes."""
    while True:
        message = kernel.client.get_iopub_msg(timeout=30)
        data = message["content"].get("data")
        if message["msg_type"] == "comm_msg" and data["method"] == "custom":
            yield data["content"]


def ask(kernel: Kernel, comm_id: str, name: str, **fields: Any) -> Any:
    """What a graph answers to a request of its page."""
    send(kernel, comm_id, {"kind": "request", "id": 7, "name": name, **fields})
    reply = next(content for content in messages(kernel) if content["kind"] == "reply")
    assert reply["id"] == 7
    return reply["error"] if "error" in reply else reply["value"]


def answer(kernel: Kernel, comm_id: str, details: dict[str, Any], verdict: str = "approve", note: str = "", **data: Any) -> Any:
    given = {"run": details["run"], "step": details["step"], "verdict": verdict, "data": data, "note": note}
    return ask(kernel, comm_id, "answer", answer=given)


def waits(kernel: Kernel, comm_id: str, path: str) -> dict[str, Any]:
    """What the sheet of a node shows, once it asks something."""
    for _ in range(100):
        found: dict[str, Any] = ask(kernel, comm_id, "details", path=path, part="")
        if found.get("question"):
            return found
        time.sleep(0.05)
    raise AssertionError(f"{path} asks nothing")


def ended(kernel: Kernel, run_id: str) -> anb.WorkflowRun:
    for _ in range(100):
        if anb.current().get(run_id).status not in ("running", "waiting"):
            break
        kernel.run("import asyncio; await asyncio.sleep(0.05)")
    return workflow_runs.get(anb.current(), run_id)


def last() -> anb.WorkflowRun:
    return workflow_runs.get(anb.current(), anb.current().runs(kind="workflow")[0].id)


def test_a_cell_shows_the_plan_and_binds_the_workflow(kernel: Kernel) -> None:
    [shown] = kernel.run(f"%%workflow{FLOW}").html
    assert "2 steps in 2 phases" in shown
    assert "takes city" in shown
    assert 'class="agentnb-graph"' in shown
    assert "data-status=" not in shown.replace("[data-status", "")
    assert kernel.run("my_flow").text == "<workflow My Flow: 2 steps>"
    assert "agentnb-graph" in kernel.run("my_flow").of("execute_result")[0]["data"]["text/html"]
    kernel.run(f"%%workflow other -o w{FLOW}")
    assert kernel.run("w is other, w.name").text == "(True, 'My Flow')"
    assert anb.current().runs() == []
    assert "--background" in kernel.run("%%workflow --help\n").text


def test_findings_have_the_lines_of_the_cell(kernel: Kernel) -> None:
    reply = kernel.run(
        '%%workflow w\nsteps:\n  a: {tool: nothing}\n  b:\n    tool: lookup\n    needs: [c]\n    input: {city: "${inputs.x}"}'
    )
    assert reply.content["ename"] == "WorkflowSpecError"
    lines = reply.content["traceback"]
    assert lines[0].startswith("WorkflowSpecError: line 3: steps.a.tool: no tool 'nothing'")
    assert [line for line in lines if "line 6: steps.b.needs[0]: there is no step c" in line]
    assert [line for line in lines if "line 7:" in line]
    assert "<td>6</td>" in reply.html[-1]
    assert kernel.run("w").status == "error"
    broken = kernel.run("%%workflow w\nsteps:\n  a: {tool: lookup, input: {city: x}\n  b: 1")
    assert "line 4" in broken.content["traceback"][0]
    python = kernel.run(
        "%%workflow w\n@wf.step\ndef one():\n    return 1\n\n@wf.step(when='steps.nope.output == 1')\ndef two(one):\n    pass"
    )
    assert "line 7: steps.two.when" in python.content["traceback"][0]


def test_a_run_is_shown_while_it_goes_on(kernel: Kernel) -> None:
    reply = kernel.run(f"%%workflow --run -i city=Rome -o r{FLOW}")
    assert reply.status == "ok", reply.content
    assert len(reply.of("display_data")) == 1
    running, done = reply.html[0], reply.html[-1]
    assert 'class="agentnb-workflow" data-status="running"' in running
    assert "data-agentnb-stop" in running
    assert "data-agentnb-stop" not in done
    assert any("1 of 2 steps" in shown and "<progress" in shown for shown in reply.html[:-1])
    assert len(reply.html) < 10
    assert 'class="agentnb-workflow" data-status="completed"' in done
    assert done.count('<summary class="agentnb-row" data-status="completed"') == 2
    assert "SUNNY IN ROME" in done
    assert "agentnb-report" in done
    plain = reply.of("update_display_data")[-1]["data"]["text/plain"]
    assert "✓ look" in plain
    assert '"said": "SUNNY IN ROME"' in plain
    assert kernel.run("r.outputs['said'], my_flow.name").text == "('SUNNY IN ROME', 'My Flow')"
    assert "agentnb-report" in kernel.run("r").of("execute_result")[0]["data"]["text/html"]


def test_inputs_are_values_of_variables_json_or_text(kernel: Kernel) -> None:
    kernel.run("people = ['ann', 'bob']\nplace = 'Rome'")
    source = (
        "inputs: {who: {type: array}, n: {type: integer}, zip: {type: string}, at: {type: string}}\n"
        'steps: {a: {tool: shout, input: {text: x, seconds: 0}}}\noutputs: {all: "${inputs}"}'
    )
    reply = kernel.run(f"%%workflow w --run -o r -i who={{people}} -p n=3 -i zip=0123 -i 'at=in {{place}}'\n{source}")
    assert reply.status == "ok", reply.content
    assert kernel.run("r.outputs['all']").text == "{'who': ['ann', 'bob'], 'n': 3, 'zip': '0123', 'at': 'in Rome'}"
    assert "zip: missing" in kernel.run("%%workflow w --run -i n=x\n").content["evalue"]


def test_a_cell_in_python(kernel: Kernel) -> None:
    source = """n = await asyncio.sleep(0, 20)
@wf.step
async def one():
    return n
@wf.step(retry={'max_attempts': 2})
def two(one):
    return one + 1"""
    assert kernel.run(f"%%workflow sums --run -o r\n{source}").status == "ok"
    assert kernel.run("r.steps['two'].output, n, sums is wf").text == "(21, 20, True)"
    own = """import agentnb as anb
wf = anb.Workflow('own', inputs={'x': (int, 4)}, outputs={'x': '${inputs.x}'})
@wf.step
def a(x): return x"""
    assert kernel.run(f"%%workflow sums --run -o r\n{own}").status == "ok"
    assert kernel.run("r.name, r.outputs, sums.name").text == "('own', {'x': 4}, 'own')"
    reply = kernel.run("%%workflow bad\nx = wf.name\n1 / 0")
    assert reply.content["ename"] == "ZeroDivisionError"
    text = "\n".join(reply.content["traceback"])
    assert "workflow_source" not in text
    assert "3" in text
    assert "(line 2 of the cell)" in kernel.run("%%workflow bad\n@wf.step\ndef a(y): return y").content["traceback"][0]


def test_a_failure_is_short_and_its_picture_stays(kernel: Kernel) -> None:
    source = "@wf.step\ndef fine(): return 1\n@wf.step\ndef bad(fine): raise ValueError('no <b>')"
    reply = kernel.run(f"%%workflow w --run\n{source}")
    assert reply.content["ename"] == "StepError"
    assert len(reply.content["traceback"]) == 2
    assert f"%agentnb show {last().id}" in reply.content["traceback"][1]
    assert 'data-status="failed"' in reply.html[-1]
    assert "no &lt;b&gt;" in reply.html[-1]
    assert "no <b>" not in reply.html[-1]
    again = kernel.run(f"%%workflow w --rerun last -o r\n{source.replace('raise ValueError(', 'return (')}")
    assert again.status == "ok", again.content
    assert kernel.run("r.steps['fine'].source != '', r.steps['bad'].output").text == "(True, 'no <b>')"
    assert 'data-status="replayed"' in again.html[-1]


@pytest.mark.parametrize("delay", [0.0, 0.1])
def test_the_stop_button_cancels(kernel: Kernel, delay: float) -> None:
    msg_id = kernel.send("%%workflow w --run\nsteps: {slow: {tool: shout, input: {text: a, seconds: 30}}}")
    kernel.collect(msg_id, until=lambda message: "data-agentnb-stop" in str(message["content"].get("data", "")))
    time.sleep(delay)
    started = time.monotonic()
    kernel.manager.interrupt_kernel()
    reply = kernel.collect(msg_id)
    assert time.monotonic() - started < 3
    assert reply.content["ename"] == "KeyboardInterrupt"
    assert 'data-status="cancelled"' in reply.html[-1]
    assert last().status == "cancelled"
    assert kernel.run(f"%%workflow --run -i city=Rome{FLOW}").status == "ok"


def test_without_a_user_it_waits_and_says_how_to_go_on(kernel: Kernel) -> None:
    reply = kernel.run(f"%%workflow --run -o r{ASK}")
    assert reply.status == "ok"
    run = last()
    assert kernel.run("r.status").text == "'waiting'"
    assert 'class="agentnb-workflow" data-status="waiting"' in reply.html[-1]
    assert f"%agentnb show {run.id}" in reply.html[-1]
    assert "<b>you</b>" not in reply.html[-1]
    assert f"%agentnb show {run.id}" in reply.of("update_display_data")[-1]["data"]["text/plain"]
    assert workflow_signals.answer(anb.current(), run.id, "review", "approve", data={"stars": 4}, note="well")
    resumed = kernel.run(f"%agentnb resume {run.id}")
    assert 'data-status="completed"' in resumed.html[-1]
    assert last().outputs == {"stars": 4, "by": "well"}


def test_a_question_in_the_cell(kernel: Kernel) -> None:
    msg_id = kernel.send(f"%%workflow --run -o r{ASK}", allow_stdin=True)
    shown = kernel.collect(msg_id, until=asks)
    comm, state = widget(shown)
    assert [node["id"] for node in state["graph"]["nodes"]] == ["before", "review"]
    assert state["actions"] == ["details", "answer", "cancel", "resume", "retry"]
    assert "agentnb-graph" in shown.html[-1]
    sheet = waits(kernel, comm, "review")
    question = sheet["question"]
    assert (question["assignee"], question["verdicts"]) == ("ann", ["approve", "reject"])
    assert json.loads(question["shown"]) == {"draft": "sunny in Oslo"}
    assert answer(kernel, comm, sheet, stars=9)["errors"] == {"stars": "9 is greater than the maximum of 5"}
    assert answer(kernel, comm, sheet)["errors"] == {"stars": "is missing"}
    assert answer(kernel, comm, sheet, verdict="maybe")["accepted"] is False
    assert "can't be done" in ask(kernel, comm, "format_disk")
    assert answer(kernel, comm, sheet, stars=3, note="ok") == {"accepted": True, "message": ""}
    done = kernel.collect(msg_id)
    assert done.status == "ok"
    assert 'data-status="completed"' in done.of("update_display_data")[-1]["data"]["text/html"]
    assert "agentnb-report" in done.html[-1]
    assert kernel.run("r.outputs").text == "{'stars': 3, 'by': 'ok'}"
    assert answer(kernel, comm, sheet, stars=3)["accepted"] is False


def test_a_graph_follows_its_run_and_does_what_its_buttons_say(kernel: Kernel) -> None:
    source = "@wf.step\ndef fine(): return 1\n@wf.step\nasync def slow(fine, s: float = 30): await asyncio.sleep(s)"
    msg_id = kernel.send(f"%%workflow w --run\n{source}", allow_stdin=True)
    comm, _ = widget(kernel.collect(msg_id, until=asks))
    send(kernel, comm, {"kind": "ready"})
    steps: dict[str, str] = {}
    for content in messages(kernel):
        changes = content.get("changes") or content.get("state") or {}
        steps |= {path: step["status"] for path, step in changes.get("steps", {}).items()}
        if steps == {"fine": "completed", "slow": "running"}:
            break
    assert ask(kernel, comm, "details", path="fine", part="")["output"] == {"json": 1}
    assert ask(kernel, comm, "cancel") is None
    reply = kernel.collect(msg_id)
    assert reply.status == "error"
    first = last()
    assert first.status == "cancelled"
    kernel.run("import asyncio\nw.to_dict()['steps']['slow']['input']['s'] = 0") if False else None
    kernel.run("real, asyncio.sleep = asyncio.sleep, lambda s: real(0)")
    assert ask(kernel, comm, "retry", steps=[]) is None
    kernel.run("asyncio.sleep = real")
    again = ended(kernel, last().id)
    assert again.id != first.id
    assert (again.status, again.rerun_of, again.steps["fine"].source) == ("completed", first.id, first.id)
    assert "nothing to resume" in ask(kernel, comm, "resume")


def test_a_graph_of_a_run_of_another_process(kernel: Kernel) -> None:
    workflow = anb.Workflow.from_yaml(ASK.replace("tool: lookup", "tool: python:json.dumps").replace("{city: Oslo}", "{obj: 1}"))
    run = workflow.run_sync()
    assert run.status == "waiting"
    _, state = widget(kernel.collect(kernel.send(f"%agentnb graph {run.id}", allow_stdin=True)))
    assert state["state"]["steps"]["review"]["status"] == "waiting"
    workflow_signals.answer(anb.current(), run.id, "review", "approve", data={"stars": 2})
    assert run_to_end(run.id).status == "completed"
    for content in messages(kernel):
        if content.get("changes", {}).get("run", {}).get("status") == "completed":
            break
    plan = kernel.collect(kernel.send(f"%%workflow{FLOW}", allow_stdin=True))
    assert widget(plan)[1]["actions"] == []
    assert widget(kernel.collect(kernel.send("my_flow.graph()", allow_stdin=True)))[1]["graph"]["name"] == "My Flow"
    assert "agentnb-graph" in kernel.run("my_flow.graph()").html[-1]
    assert kernel.run("my_flow.graph()").of("comm_open") == []


def run_to_end(run_id: str) -> anb.WorkflowRun:
    import asyncio

    return asyncio.run(workflow_runs.resume(anb.current(), run_id, workflow_runs.WorkflowOptions()))


def test_a_question_survives_the_kernel(kernel: Kernel) -> None:
    msg_id = kernel.send(f"%%workflow --run{ASK}", allow_stdin=True)
    waits(kernel, widget(kernel.collect(msg_id, until=asks))[0], "review")
    kernel.manager.restart_kernel(now=True)
    kernel.client.stop_channels()
    kernel.client = kernel.manager.client()
    kernel.client.start_channels()
    kernel.client.wait_for_ready(timeout=60)
    kernel.run("%load_ext agentnb")
    run = last()
    shown_id = kernel.send(f"%agentnb show {run.id}", allow_stdin=True)
    shown = kernel.collect(shown_id)
    comm, _ = widget(shown)
    assert answer(kernel, comm, waits(kernel, comm, "review"), stars=5)["message"] == "The run goes on here"
    displays = []
    while not displays or "agentnb-report" not in displays[-1][1]:
        message = kernel.client.get_iopub_msg(timeout=30)
        if message["msg_type"] in ("display_data", "update_display_data"):
            displays.append((message["parent_header"].get("msg_id"), message["content"]["data"]["text/html"]))
    assert len(shown.of("display_data")) == 1
    assert {parent for parent, _ in displays} == {shown_id}
    assert 'data-status="completed"' in displays[-2][1].partition(">")[0]
    done = ended(kernel, run.id)
    assert (done.status, done.outputs["stars"]) == ("completed", 5)
    assert done.steps["before"].attempts == 1


def test_an_approval_of_an_agent_that_a_step_runs(kernel: Kernel, tmp_path: Path) -> None:
    script(tmp_path, call("send", to="ann"), {"text": "done"})
    kernel.run("mailer = anb.Agent('the-mailer', model='scripted:s.jsonl', tools=[send])")
    source = 'steps: {mail: {agent: mailer, input: "go"}}\noutputs: {text: "${steps.mail.output.text}"}'
    msg_id = kernel.send(f"%%workflow w --run -o r\n{source}", allow_stdin=True)
    asked = kernel.collect(msg_id, until=lambda message: "Waiting for approval" in str(message["content"].get("data", "")))
    approve(kernel, widget(asked, "question")[0], "approve")
    reply = kernel.collect(msg_id)
    assert reply.status == "ok", reply.content
    assert kernel.run("r.outputs").text == "{'text': 'done'}"
    assert f"%agentnb show {last().steps['mail'].child}" in reply.of("update_display_data")[-1]["data"]["text/html"]
    assert last().id in kernel.run("%agentnb show").html[-1]
    assert kernel.run("anb.current().presenter").text == ""


def test_a_state_machine(kernel: Kernel) -> None:
    source = """kind: state_machine
initial: WORK
states:
  WORK: {step: {tool: shout, input: {text: x}}, transitions: [{to: WORK, when: "attempts < 3"}, {to: DONE}]}
  DONE: {final: true}"""
    reply = kernel.run(f"%%workflow loop --run -o r\n{source}")
    assert reply.status == "ok", reply.content
    assert "1, 2 · if attempts" in reply.html[-1]
    assert kernel.run("len(r.history)").text == "4"


def test_looking_back(kernel: Kernel) -> None:
    assert "--from needs --rerun" in kernel.run("%%workflow my_flow --from say\n").content["evalue"]
    kernel.run(f"%%workflow --run -i city=Rome{FLOW}")
    first = last()
    assert first.id in kernel.run("%agentnb runs completed").text
    assert "agentnb-graph" in kernel.run("%agentnb graph").html[-1]
    assert "SUNNY" in kernel.run(f"%agentnb show {first.id}").html[-1]
    assert "report" in kernel.run(f"%agentnb report {first.id}").text
    assert "nothing is stale" in kernel.run(f"%agentnb stale my_flow {first.id}").html[-1]
    kernel.run(f"%%workflow{FLOW.replace('{text:', '{seconds: 0, text:')}")
    stale = kernel.run(f"%agentnb stale my_flow {first.id}").html[-1]
    assert "1 of 2 steps is stale" in stale
    assert stale.count("<g transform") > 2
    assert 'data-status="stale"' in stale
    kernel.run(f"%%workflow my_flow --rerun {first.id} -o r\n")
    assert kernel.run("[bool(step.source) for step in r.steps.values()]").text == "[True, False]"
    assert 'data-status="completed"' in kernel.run(f"%agentnb rerun {first.id} --from look").html[-1]
    assert "agentnb-diff" in kernel.run(f"%agentnb diff {first.id} {last().id}").of("execute_result")[0]["data"]["text/html"]
    assert "it waits" not in kernel.run(f"%agentnb cancel {first.id}").content["evalue"]
    assert "%agentnb rerun" in kernel.run(f"%agentnb replay {first.id}").content["evalue"]


@pytest.mark.parametrize("magic", ["%%time\n", "%%capture out\n", ""])
def test_where_nobody_can_await(kernel: Kernel, magic: str) -> None:
    if not magic:
        kernel.run("%autoawait False")
    reply = kernel.run(f"{magic}%%workflow --run -i city=Rome -o r{FLOW}")
    assert reply.status == "ok", reply.content
    assert kernel.run("r.outputs").text == "{'said': 'SUNNY IN ROME'}"
    assert ("SUNNY" in "".join(reply.html)) == ("capture" not in magic)


def test_in_the_background(kernel: Kernel) -> None:
    reply = kernel.run(f"%%workflow --run -i city=Rome -o r --background{FLOW}", allow_stdin=True)
    assert reply.status == "ok", reply.content
    assert "running" in kernel.run("r").text
    assert kernel.run("(await r).outputs").text == "{'said': 'SUNNY IN ROME'}"
    assert kernel.run("(await r).status").text == "'completed'"


def test_a_file_and_completion(kernel: Kernel, tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(FLOW)
    assert kernel.run("%%workflow f.yaml --run -i city=Rome\n").status == "ok"
    assert "neither a workflow" in kernel.run("%%workflow nothing\n").content["evalue"]

    def complete(code: str) -> list[str]:
        kernel.client.complete(code, len(code))
        while True:
            reply = kernel.client.get_shell_msg(timeout=10)
            if reply["msg_type"] == "complete_reply":
                return list(reply["content"]["matches"])

    assert any("--rerun" in match for match in complete("%%workflow --rer"))
    assert any(last().id in match for match in complete("%agentnb graph wor"))
    assert "stale" in complete("%agentnb sta")


def test_in_a_terminal_it_asks_at_the_prompt(terminal: pexpect.spawn[str], tmp_path: Path) -> None:
    (tmp_path / "tools.py").write_text("def lookup(city: str) -> str:\n    return f'sunny in {city}'\n")
    (tmp_path / "ask.yaml").write_text(ASK.replace("tool: lookup", "tool: python:tools.lookup"))
    cell(terminal, "%%workflow ask.yaml --run -o r", "")
    terminal.expect("✓ before")
    terminal.expect(r"approve or reject\?")
    terminal.sendline("y")
    terminal.expect("stars")
    terminal.sendline("many")
    terminal.expect("a whole number, please")
    terminal.sendline("2")
    terminal.expect("Note")
    terminal.sendline("fine")
    terminal.expect('"stars": 2')
    assert last().outputs == {"stars": 2, "by": "fine"}
