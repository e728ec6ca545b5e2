"""The commands for workflows: in this process where that says enough, as a process where signals, terminals and deaths matter."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pexpect
import pytest
from click.testing import Result
from typer.testing import CliRunner

import agentnb as anb
from agentnb.cli.app import app
from agentnb.cli.completion import run_ids, workflow_files
from agentnb.runtime import templates

HUMAN = """
name: letter
inputs: {who: {type: string}, times: {type: integer, default: 1}}
steps:
  write: {tool: "python:helpers.write", input: {who: "${inputs.who}"}, idempotent: true}
  review:
    input: {letter: "${steps.write.output}", stamp: red}
    human:
      prompt: "Send ${steps.write.output}?"
      assignee: Bea
      form: {type: object, properties: {stamps: {type: integer, default: 2}}, required: [stamps]}
  send: {tool: "python:helpers.send", input: {text: "${steps.write.output}"}, needs: [review], when: steps.review.output.approved}
outputs:
  sent: ${steps.send.output}
  stamps: "${steps.review.output.approved ? steps.review.output.data.stamps : 0}"
  times: ${inputs.times}
"""
HELPERS = """
def write(who):
    return f"Dear {who}"
def send(text):
    with open("sent.txt", "a") as file:
        file.write(text + "\\n")
    return True
def fail():
    raise ValueError("no paper")
"""


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "helpers.py").write_text(HELPERS)
    (tmp_path / "letter.yaml").write_text(HUMAN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")


def agentnb(*words: str, code: int = 0) -> Result:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == code, (done.output, done.exception)
    return done


def parsed(*words: str, code: int = 0) -> Any:
    return json.loads(agentnb(*words, "--json", code=code).stdout)


def process(*words: str, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "from agentnb.cli import main; main()", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def until(status: str, seconds: float = 20) -> str:
    """The newest run, once it has that status."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = anb.current().runs(limit=1)
        if found and found[0].status == status:
            return found[0].id
        time.sleep(0.02)
    raise AssertionError(f"no run is {status}: {anb.current().runs()}")


def scripted(tmp_path: Path, *lines: Any, name: str = "s") -> str:
    (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return f"scripted:{tmp_path}/{name}.jsonl"


def test_a_person_answers_later() -> None:
    waiting = agentnb("workflow", "run", "letter.yaml", "-i", "who=Ann")
    [run] = parsed("runs", "list", "--kind", "workflow")["runs"]
    assert (run["status"], waiting.stdout) == ("waiting", "")
    assert f"agentnb runs signal {run['id']} review approve|reject --data JSON" in waiting.stderr
    assert waiting.stderr.count("Send Dear Ann?") == 1
    asked = '⏸ review waits: Send Dear Ann? (asks Bea)\n    shown: {"letter": "Dear Ann", "stamp": "red"}\n    agentnb runs signal'
    assert asked in waiting.stderr
    assert asked in agentnb("runs", "show", run["id"]).stdout
    assert parsed("runs", "show", run["id"])["waits"][0]["prompt"] == "Send Dear Ann?"
    assert "doesn't fit its form" in agentnb("runs", "signal", run["id"], "review", "approve", code=2).stderr
    assert "say what the answer" in agentnb("runs", "signal", run["id"], "review", code=2).stderr
    assert "approve, reject, not 'skip'" in agentnb("runs", "signal", run["id"], "review", "skip", code=2).stderr
    assert "it waits for: review" in agentnb("runs", "signal", run["id"], "nope", "approve", code=2).stderr
    assert "not JSON" in agentnb("runs", "signal", run["id"], "review", "approve", "--data", "{3", code=2).stderr
    done = agentnb("runs", "signal", run["id"], "review", "approve", "--data", '{"stamps": 3}', "--note", "well put")
    assert done.stdout == "sent: true\nstamps: 3\ntimes: 1\n"
    answered = f'approved by {anb.current().settings.user} {{"stamps": 3}} (well put)'
    assert re.search(rf"✓ review human .* {re.escape(answered)}$", done.stderr, re.MULTILINE)
    shown = agentnb("runs", "show", run["id"]).stdout
    assert (
        f'      asked: Send Dear Ann? (asks Bea)\n      shown: {{"letter": "Dear Ann", "stamp": "red"}}\n      answered: {answered}\n'
        in shown
    )
    [step] = [step for step in parsed("runs", "show", run["id"])["steps"] if step["id"] == "review"]
    assert (step["input"]["stamp"], step["question"]["prompt"], step["output"]["note"]) == ("red", "Send Dear Ann?", "well put")
    assert "✓ send tool" in done.stderr
    assert Path("sent.txt").read_text() == "Dear Ann\n"
    assert agentnb("runs", "list", "--kind", "agent").stdout.startswith("No such runs")
    assert "letter" in agentnb("runs", "list", "--kind", "workflow").stdout


def test_a_rejection() -> None:
    run = parsed("workflow", "run", "letter.yaml", "-i", "who=Ann")["id"]
    data = parsed("runs", "signal", run, "review", "deny", "--note", "no")
    assert data["outputs"]["sent"] is None
    assert [(step["id"], step["status"]) for step in data["steps"]] == [
        ("write", "completed"),
        ("review", "completed"),
        ("send", "skipped"),
    ]
    assert not Path("sent.txt").exists()


def test_inputs_are_what_their_schemas_say() -> None:
    assert parsed("workflow", "run", "letter.yaml", "-i", "who=2026", "-i", "times=3")["inputs"] == {"who": "2026", "times": 3}
    assert "who: missing" in agentnb("workflow", "run", "letter.yaml", code=2).stderr
    assert "whom: unknown; there are: who, times" in agentnb("workflow", "run", "letter.yaml", "-i", "whom=x", "-i", "who=y", code=2).stderr
    assert "times: " in agentnb("run", "letter.yaml", "-i", "who=a", "-i", "times=x", code=2).stderr
    assert "write key=value" in agentnb("run", "letter.yaml", "-i", "who", code=2).stderr
    assert "--session goes with an agent" in agentnb("run", "letter.yaml", "--session", "s", code=2).stderr
    assert parsed("run", "letter.yaml", "-p", "who=Ann")["status"] == "waiting"


def test_validate() -> None:
    Path("bad.yaml").write_text("name: bad\nsteps:\n  a: {tool: 'python:helpers.nope'}\n  b: {tool: 'python:helpers.write', needs: [c]}\n")
    done = agentnb("workflow", "validate", "letter.yaml", "bad.yaml", "gone.yaml", code=2)
    assert "letter.yaml: ok\n" in done.stdout
    assert "bad.yaml:3:" in done.stdout
    assert "steps.b.needs[0]: there is no step c" in done.stdout
    assert "gone.yaml" in done.stdout
    data = parsed("workflow", "validate", "bad.yaml", code=2)
    assert data["ok"] is False
    assert {(finding["file"], finding["line"], finding["field"]) for finding in data["findings"]} >= {("bad.yaml", 3, "steps.a.tool")}
    assert parsed("workflow", "validate", "letter.yaml") == {"ok": True, "findings": []}
    refused = agentnb("workflow", "run", "bad.yaml", code=2)
    assert "bad.yaml:4:" in refused.stderr
    assert anb.current().runs() == []


def test_plan_graph_and_schema(tmp_path: Path) -> None:
    assert parsed("workflow", "plan", "letter.yaml")["phases"] == [["write"], ["review"], ["send"]]
    assert "critical path: write → review → send" in agentnb("workflow", "plan", "letter.yaml").stdout
    assert agentnb("workflow", "graph", "letter.yaml").stdout == agentnb("workflow", "plan", "letter.yaml").stdout
    mermaid = agentnb("workflow", "graph", "letter.yaml", "--format", "mermaid").stdout
    assert mermaid.startswith("flowchart TD\n")
    assert "  n0 --> n1\n" in mermaid
    dot = parsed("workflow", "graph", "letter.yaml", "--format", "dot")
    assert dot["format"] == "dot"
    assert '  "review" -> "send";\n' in dot["graph"]
    agentnb("workflow", "graph", "letter.yaml", "-f", "svg", "-o", "g.svg")
    assert "<svg" in Path("g.svg").read_text()
    agentnb("workflow", "new", "-t", "review")
    machine = agentnb("workflow", "graph", "review.workflow.yaml", "-f", "mermaid").stdout
    assert '-->|"after 7d"|' in machine
    assert "peripheries=2" in agentnb("workflow", "graph", "review.workflow.yaml", "-f", "dot").stdout
    assert json.loads(agentnb("workflow", "schema").stdout)["$defs"].keys() >= {"Step", "State"}
    agentnb("workflow", "schema", "-o", "schema.json")
    assert "steps" in json.loads(Path("schema.json").read_text())["properties"]
    assert "can't be written" in agentnb("workflow", "schema", "-o", str(tmp_path), code=2).stderr


def test_new() -> None:
    assert agentnb("workflow", "new", "--list").stdout.count("\n") == len(templates.templates())
    made = agentnb("workflow", "new", "My orders!", "-t", "etl")
    assert "agentnb workflow run My_orders.workflow.yaml" in made.stdout
    assert anb.Workflow.load("My_orders.workflow.yaml").name == "My orders!"
    Path("My_orders.workflow.yaml").write_text("mine")
    assert "is there already" in agentnb("workflow", "new", "My orders!", "-t", "etl", code=2).stderr
    assert Path("My_orders.workflow.yaml").read_text() == "mine"
    assert parsed("workflow", "new", "My orders!", "-t", "etl", "--force")["files"] == ["My_orders.workflow.yaml"]
    assert "There are etl, nested" in agentnb("workflow", "new", "-t", "nope", code=2).stderr
    assert "Did you mean" in agentnb("workflow", "vaildate", "x", code=2).stderr


BROKEN = """
name: broken
steps:
  write: {tool: "python:helpers.write", input: {who: Ann}, idempotent: true}
  print: {tool: "python:helpers.fail", needs: [write]}
"""


def test_a_failure_and_running_again() -> None:
    Path("broken.yaml").write_text(BROKEN)
    failed = agentnb("workflow", "run", "broken.yaml", code=1)
    assert "✕ print tool" in failed.stderr
    assert "ValueError: no paper" in failed.stderr
    run = until("failed")
    assert f"agentnb runs report {run}" in failed.stderr
    error = parsed("workflow", "run", "broken.yaml", code=1)["error"]
    assert (error["type"], error["run"][:9]) == ("StepError", "workflow_")
    assert agentnb("workflow", "stale", "broken.yaml", run).stdout == "print\n"
    assert f"run {run} is failed: running it again" in agentnb("workflow", "resume", run, code=1).stderr
    assert "print didn't finish" in agentnb("runs", "replay", run, code=2).stderr
    Path("broken.yaml").write_text(
        BROKEN.replace("fail}", 'send", input: {text: "${steps.write.output}"}').replace('fail"', 'send", input: {text: hi}')
    )
    again = parsed("workflow", "run", "broken.yaml", "--rerun", run)
    assert again["rerun_of"] == run
    assert [(step["id"], step["source"] == run) for step in again["steps"]] == [("write", True), ("print", False)]
    assert parsed("workflow", "stale", "broken.yaml", again["id"]) == {"stale": []}
    replayed = parsed("runs", "replay", again["id"])
    assert {step["source"] for step in replayed["steps"]} == {again["id"]}
    assert "nothing to resume" in agentnb("workflow", "resume", again["id"], code=1).stderr
    fresh = parsed("workflow", "resume", again["id"], "--from", "write")
    assert {step["source"] for step in fresh["steps"]} == {""}
    assert "no step 'nope'" in agentnb("workflow", "resume", again["id"], "--from", "nope", code=2).stderr
    assert "--from goes with --rerun" in agentnb("workflow", "run", "broken.yaml", "--from", "print", code=2).stderr
    difference = parsed("runs", "diff", run, again["id"])
    assert "print" in json.dumps(difference)
    assert "print" in agentnb("runs", "diff", run, again["id"]).stdout


def test_reports_events_and_cancelling() -> None:
    run = parsed("workflow", "run", "letter.yaml", "-i", "who=Ann")["id"]
    assert "review" in agentnb("runs", "report", run).stdout
    assert parsed("runs", "report", run)["run_id"] == run
    assert agentnb("runs", "report", run, "--format", "markdown").stdout.startswith("# letter")
    agentnb("runs", "report", run, "-f", "html", "-o", "r.html")
    assert "agentnb-report" in Path("r.html").read_text()
    assert "workflow.step_waiting" in agentnb("runs", "events", run).stdout
    assert parsed("runs", "cancel", run)["status"] == "cancelled"
    assert "⊘ letter cancelled" in agentnb("runs", "show", run).stdout


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ("{shell: {command: [sleep, '5']}, timeout: 200ms}", 4),
        ("{webhook: {url: 'http://127.0.0.1:9/', method: GET}}", 3),
        ("{shell: {command: [/bin/sh, -c, exit 7]}}", 1),
    ],
)
def test_exit_codes(step: str, code: int) -> None:
    Path("w.yaml").write_text(f"name: w\nsteps:\n  a: {step}\n")
    agentnb("workflow", "run", "w.yaml", code=code)
    assert parsed("run", "w.yaml", code=code)["error"]["type"] == "StepError"


def test_ctrl_c_cancels() -> None:
    Path("w.yaml").write_text("name: w\nsteps:\n  a: {shell: {command: [sleep, '30']}}\n")
    running = process("workflow", "run", "w.yaml")
    run = until("running")
    while not anb.current().events(run, 1):
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=20)
    assert (running.returncode, f"run {run} is cancelled" in said) == (130, True), said
    assert anb.current().get(run).status == "cancelled"


def test_answered_by_another_process() -> None:
    waiting = process("workflow", "run", "letter.yaml", "-i", "who=Ann", "--wait", stdin=subprocess.DEVNULL)
    run = until("waiting")
    assert agentnb("runs", "signal", run, "review", "approve", "--data", '{"stamps": 1}').stdout == "review: approve\n"
    out, said = waiting.communicate(timeout=20)
    assert (waiting.returncode, out) == (0, "sent: true\nstamps: 1\ntimes: 1\n"), said
    assert f"agentnb runs signal {run} review approve|reject --data JSON" in said


def test_on_a_terminal() -> None:
    words = ["-c", "from agentnb.cli import main; main()", "workflow", "run", "letter.yaml", "-i", "who=Ann"]
    terminal = pexpect.spawn(sys.executable, words, encoding="utf-8", timeout=20, dimensions=(30, 120), env=dict(os.environ, TERM="xterm"))
    terminal.expect("Send Dear Ann")
    terminal.expect("approve or reject")
    terminal.sendline("perhaps")
    terminal.expect("approve or reject")
    terminal.sendline("y")
    terminal.expect(r"stamps \[2\]")
    terminal.sendline("many")
    terminal.expect("a whole number, please")
    terminal.sendline("")
    terminal.expect("Note")
    terminal.sendline("")
    terminal.expect("stamps: 2")
    terminal.expect("letter completed")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0


def test_the_last_state_has_ended_on_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(
        "name: two\nkind: state_machine\ninitial: A\nstates: {A: {transitions: [{to: B}]}, B: {final: true}}"
    )
    words = ["-c", "from agentnb.cli import main; main()", "workflow", "run", "two.yaml"]
    terminal = pexpect.spawn(sys.executable, words, encoding="utf-8", timeout=20, dimensions=(30, 120), env=dict(os.environ, TERM="xterm"))
    terminal.expect(pexpect.EOF)
    assert "✓  B@1" in terminal.before.rpartition("A@1")[2]


def test_interrupting_a_question() -> None:
    words = ["-c", "from agentnb.cli import main; main()", "run", "letter.yaml", "-i", "who=Ann"]
    terminal = pexpect.spawn(sys.executable, words, encoding="utf-8", timeout=20, dimensions=(30, 120), env=dict(os.environ, TERM="xterm"))
    terminal.expect("approve or reject")
    terminal.sendintr()
    terminal.expect("is cancelled")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert (terminal.exitstatus, anb.current().runs(limit=1)[0].status) == (130, "cancelled")


def test_lost_runs() -> None:
    assert agentnb("workflow", "resume", "--due").stdout == "nothing is due\n"
    Path("slow.yaml").write_text("name: slow\nsteps:\n  a: {shell: {command: [sleep, '0.5']}, idempotent: true}\n")
    killed = process("workflow", "run", "slow.yaml")
    lost = until("running")
    killed.kill()
    killed.communicate()
    assert "its process is gone" in agentnb("runs", "show", lost).stdout
    assert [run["id"] for run in parsed("workflow", "resume", "--due")["resumed"]] == [lost]
    assert anb.current().get(lost).status == "completed"


def test_an_interrupted_step_waits_for_a_decision() -> None:
    Path("slow.yaml").write_text("name: slow\nsteps:\n  a: {shell: {command: [sleep, '0.5']}}\n")
    killed = process("workflow", "run", "slow.yaml")
    run = until("running")
    while not anb.current().events(run, 1):
        time.sleep(0.02)
    killed.kill()
    killed.communicate()
    assert f"agentnb runs signal {run} a retry|skip|fail" in agentnb("runs", "resume", run).stderr
    assert parsed("runs", "signal", run, "a", "skip")["steps"][0]["reason"] == "decision"


def test_due_timers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentnb.workflows.dag.PATIENCE_SECONDS", 0.0)
    Path("w.yaml").write_text("name: w\nsteps:\n  ask: {human: {prompt: Well?, timeout: 1s, on_timeout: approve}}\n")
    waiting = parsed("workflow", "run", "w.yaml")
    assert waiting["status"] == "waiting"
    watching = process("workflow", "resume", "--due", "--watch", "--json")
    assert watching.stdout is not None
    assert json.loads(watching.stdout.readline()) == {"id": waiting["id"], "name": "w", "status": "completed", "reason": ""}
    watching.send_signal(signal.SIGINT)
    watching.communicate(timeout=20)
    assert watching.returncode == 130
    assert "name a run, or say --due" in agentnb("workflow", "resume", code=2).stderr
    assert "--watch goes with --due" in agentnb("workflow", "resume", "x", "--watch", code=2).stderr


def test_completion() -> None:
    run = parsed("workflow", "run", "letter.yaml", "-i", "who=Ann")["id"]
    assert run_ids(run[:15]) == [(run, "letter, waiting")]
    assert run_ids("exec_") == []
    assert workflow_files("le") == ["letter.yaml"]
    Path("flows").mkdir()
    Path("flows/a.yml").touch()
    Path("flows/a.txt").touch()
    assert (workflow_files("fl"), workflow_files("flows/"), workflow_files("gone/x")) == (["flows/"], ["flows/a.yml"], [])


def test_template_support(tmp_path: Path) -> None:
    agentnb("workflow", "new", "-t", "support")
    model = scripted(tmp_path, {"text": '{"mood": "angry", "money": true}'}, {"text": "We are sorry."})
    run = parsed("workflow", "run", "support.workflow.yaml", "-m", model)
    assert [(wait["step"], wait["assignee"]) for wait in run["waits"]] == [("review", "support-lead")]
    done = parsed("runs", "signal", run["id"], "review", "approve", "--data", '{"refund": 5}')
    assert done["outputs"] == {"mood": "angry", "sent": True, "reply": "We are sorry."}
    model = scripted(tmp_path, {"text": '{"mood": "happy", "money": false}'}, {"error": "down"}, name="calm")
    calm = parsed("run", "support.workflow.yaml", "-m", model, "-i", "ticket=Where is it?")
    assert calm["outputs"]["reply"].startswith("Thank you for your message of 3 words")
    assert calm["outputs"]["sent"] is False


def test_template_research(tmp_path: Path) -> None:
    agentnb("workflow", "new", "-t", "research")
    model = scripted(tmp_path, {"when": "warehouse", "text": "Three notes."})
    run = parsed("workflow", "run", "research.workflow.yaml", "-m", model)
    assert run["outputs"]["summary"] == "Three notes."
    assert [note[0]["title"] for note in run["outputs"]["notes"]] == ["Late parcels", "Paying back", "Changing an address"]
    assert parsed("workflow", "run", "research.workflow.yaml", "-i", "questions=[]")["outputs"]["summary"] == "nothing was found"


def test_template_etl() -> None:
    agentnb("workflow", "new", "-t", "etl", "-o", "jobs/etl.workflow.yaml")
    run = parsed("workflow", "run", "jobs/etl.workflow.yaml")
    assert run["outputs"] == {"rows": 3, "sums": {"Rome": 15.0, "Oslo": 7.0}, "file": str(Path("jobs/data/result.json").resolve())}
    assert json.loads(Path("jobs/data/result.json").read_text())["sums"] == {"Rome": 15.0, "Oslo": 7.0}
    again = parsed("workflow", "run", "jobs/etl.workflow.yaml")
    assert {step["id"]: step["source"] for step in again["steps"]}["transform"] == "cache"
    Path("jobs/data/result.json").unlink()
    Path("jobs/data/result.json").mkdir()
    failed = agentnb("workflow", "run", "jobs/etl.workflow.yaml", code=1)
    assert "clean_up" in failed.stderr


def test_template_review(tmp_path: Path) -> None:
    agentnb("workflow", "new", "-t", "review")
    model = scripted(tmp_path, {"error": "down"}, {"text": "One."}, {"when": "Mind this: longer", "text": "Two."})
    run = parsed("workflow", "run", "review.workflow.yaml", "-m", model)
    assert [visit["state"] for visit in run["states"]] == ["START", "PROCESSING", "ERROR", "PROCESSING", "REVIEW"]
    assert {wait["kind"] for wait in run["waits"]} >= {"human"}
    rejected = parsed("runs", "signal", run["id"], "REVIEW", "reject", "--note", "longer")
    assert rejected["status"] == "waiting"
    done = agentnb("runs", "signal", run["id"], "REVIEW@2", "approve")
    assert done.stdout == "text: Two.\n"
    assert "→ APPROVED" in done.stderr


def test_sending_an_event(tmp_path: Path) -> None:
    agentnb("workflow", "new", "-t", "review")
    run = parsed("workflow", "run", "review.workflow.yaml", "-m", scripted(tmp_path, {"text": "One."}))["id"]
    assert "its events are: withdrawn" in agentnb("runs", "signal", run, "withdrawen", code=2).stderr
    assert "is an event" in agentnb("runs", "signal", run, "withdrawn", "approve", code=2).stderr
    done = parsed("runs", "signal", run, "withdrawn")
    assert (done["status"], done["states"][-1]["state"]) == ("completed", "WITHDRAWN")


def test_template_webhook(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    class Shop(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append((self.headers["Authorization"], json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Shop) as shop:
        Thread(target=shop.serve_forever, daemon=True).start()
        place = f"127.0.0.1:{shop.server_port}"
        Path("agentnb.toml").write_text(f'[policy]\nallowed_hosts = ["{place}"]\n')
        monkeypatch.setenv("SHOP_TOKEN", "a-secret-of-the-shop")
        agentnb("workflow", "new", "-t", "webhook")
        run = parsed("workflow", "run", "webhook.workflow.yaml", "-i", f"url=http://{place}/orders")
        shop.shutdown()
    assert asked == [("a-secret-of-the-shop", {"order": 1042, "state": "placed"})]
    assert [
        event["event_type"] for event in parsed("runs", "events", run["id"])["events"] if event["event_type"].startswith("external.")
    ] == [
        "external.order.placed",
        "external.payment.requested",
    ]
    assert "external.order.placed" in agentnb("runs", "events", run["id"]).stdout
    done = parsed("runs", "signal", run["id"], "paid", "--data", '{"paid": true}')
    assert done["outputs"] == {"order": 1042, "paid": True}


def test_template_nested(tmp_path: Path) -> None:
    agentnb("workflow", "new", "mine", "-t", "nested")
    part = Path("mine.part.workflow.yaml")
    part.write_text(part.read_text().replace("openvino:smollm2-135m", scripted(tmp_path, {"text": "Wait."}, {"text": "Send a picture."})))
    run = parsed("workflow", "run", "mine.workflow.yaml")
    assert run["outputs"]["words"] == [4, 8]
    assert sorted(run["outputs"]["advice"]) == ["Send a picture.", "Wait."]
    assert all(step["child"] for step in run["steps"] if step["id"] != "each")
