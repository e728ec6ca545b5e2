"""The command line as a process: what it prints, as text and as JSON, and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import agentnb as anb


def agentnb(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    code = "from agentnb.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, input=stdin, env={**os.environ, "COLUMNS": "200"}, check=False
    )


def parsed(*words: str) -> Any:
    done = agentnb(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def helper(tmp_path: Path) -> anb.Agent:
    lines = [{"tool_calls": [{"name": "lookup", "arguments": {"city": "Rome"}}]}, {"text": "Sunny in Rome."}]
    (tmp_path / "s.jsonl").write_text("\n".join(map(json.dumps, lines)))

    @anb.tool(effects="none")
    def lookup(city: str) -> str:
        """Weather."""
        return f"sunny in {city}"

    agent = anb.Agent("helper", model=f"scripted:{tmp_path}/s.jsonl", tools=[lookup], capabilities=["TEXT_PROCESSING"])
    agent.initialize()
    return agent


def test_asking_an_agent_of_the_store(helper: anb.Agent) -> None:
    done = agentnb("agents", "run", "helper", "weather?")
    assert (done.returncode, done.stderr) == (0, "")
    assert "[lookup completed" in done.stdout
    assert "Sunny in Rome.\n" in done.stdout
    assert "2 calls · 1 tool" in done.stdout
    assert parsed("run", "helper", "-i", "prompt=weather?", "-p", "day=3")["text"] == "Sunny in Rome."
    assert json.loads(agentnb("agents", "run", "helper", "-", "--json", stdin="weather?").stdout)["status"] == "completed"


def test_looking_at_runs(helper: anb.Agent) -> None:
    run_id = parsed("agents", "run", "helper", "weather?")["id"]
    [run] = parsed("runs", "list")["runs"]
    assert run.keys() >= {"id", "name", "kind", "status", "started_at"}
    assert (run["id"], run["name"], run["kind"], run["status"]) == (run_id, "helper", "agent", "completed")
    assert run_id in agentnb("runs", "list").stdout
    assert [step["id"] for step in parsed("runs", "show", run_id)["trace"]] == ["m1", "m1.t1", "m2"]
    assert "m1.t1 tool lookup completed" in agentnb("runs", "show", run_id[:20]).stdout
    events = parsed("runs", "events", run_id)["events"]
    assert events[0]["event_type"] == "agent.executing"
    assert len(parsed("runs", "events", run_id, "--after", str(events[1]["seq"]))["events"]) == len(events) - 2
    assert parsed("runs", "replay", run_id)["usage"]["replayed"] == 3
    assert parsed("runs", "list", "--limit", "1", "--status", "completed")["runs"][0]["id"] != run_id


def test_agents(helper: anb.Agent) -> None:
    [agent] = parsed("agents", "list", "--capability", "TEXT_PROCESSING")["agents"]
    assert (agent["name"], agent["state"]) == ("helper", "READY")
    assert parsed("agents", "show", "helper")["definition"]["tools"][0]["name"] == "lookup"
    assert parsed("agents", "delete", "helper")["deleted"] == agent["id"]
    assert agentnb("agents", "list").stdout.startswith("No agents yet")


def test_sql(helper: anb.Agent) -> None:
    assert "run an agent first" not in agentnb("sql", "SELECT 1").stderr
    helper.execute_sync("x")
    assert parsed("sql", "SELECT name, count(*) AS n FROM steps WHERE kind = 'tool' GROUP BY name")["rows"] == [{"name": "lookup", "n": 1}]
    for query, message in [
        ("DELETE FROM runs", "read-only"),
        ("SELECT 1; SELECT 2", "one SELECT at a time"),
        ("SELEC", "syntax error"),
        ("SELECT nope FROM runs", "nope"),
        ("SELECT * FROM read_text('/etc/hostname')", "disabled"),
        ("COPY (SELECT 1) TO 'x.csv'", "read-only"),
        ("SELECT * FROM secret", "Tables: runs"),
    ]:
        done = agentnb("sql", query)
        assert done.returncode == 2, (query, done)
        assert message in done.stderr
    assert helper.runtime.runs()


def test_models() -> None:
    names = [info["name"] for info in parsed("models", "list")["models"]]
    assert "openvino:smollm2-135m" in names
    assert parsed("models", "show", "smollm2-135m")["licence"] == "Apache-2.0"
    assert agentnb("models", "show", "nope").returncode == 2
    assert "nothing to fetch" in agentnb("models", "pull", "openai:gpt-5").stderr


def test_doctor(tmp_path: Path, own_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-abcdefghijklmnopqrstuvwx")
    done = agentnb("doctor", "--json")
    found = {finding["name"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert found["Python"]["ok"]
    assert str(own_store) in found["store"]["value"]
    assert "OpenVINO device CPU" in found
    assert found["processor"]["value"]
    assert found["OPENAI_API_KEY"]["value"] == "set"
    assert "sk-abc" not in done.stdout
    monkeypatch.setenv("AGENTNB_CACHE", str(tmp_path / "empty"))
    monkeypatch.setenv("OPENAI_BASE_URL", "http://user:hunter2hunter2@127.0.0.1:9/v1?key=hunter3")
    done = agentnb("doctor")
    assert done.returncode == 1
    assert "hunter" not in done.stdout
    assert "mend: agentnb models pull smollm2-135m" in done.stdout
    assert "✕ server of openai: http://127.0.0.1:9/v1" in done.stdout


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ({"error": "it is down"}, 1, "ProviderError: it is down"),
        ({"text": "late", "delay": 5}, 4, "timed out after 0.2 s"),
        ({"tool_calls": [{"name": "send", "arguments": {}}]}, 3, "PolicyDenied: refused by policy at tool_call"),
    ],
)
def test_exit_codes(tmp_path: Path, line: dict[str, Any], code: int, message: str) -> None:
    (tmp_path / "s.jsonl").write_text(json.dumps(line))

    @anb.tool(approval=True)
    def send() -> str:
        """Send."""
        return "sent"

    anb.Agent("a", model=f"scripted:{tmp_path}/s.jsonl", tools=[send], timeout=0.2 if code == 4 else None).initialize()
    done = agentnb("agents", "run", "a", "go")
    assert done.returncode == code, done
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    data = json.loads(agentnb("agents", "run", "a", "go", "--json").stdout)
    assert data["error"]["run"].startswith("exec_")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["agents", "show", "nope"], "agentnb agents list"),
        (["runs", "show", "nope"], "agentnb runs list"),
        (["runs", "signal", "nope", "m1", "perhaps"], "approve or deny"),
        (["runs", "list", "--status", "complete"], "there is no status 'complete'. Did you mean completed?"),
        (["runs", "signal", "nope", "m1", "aprove"], "not 'aprove', did you mean approve?"),
        (["runs", "show", "last"], "agentnb runs list"),
        (["workflow", "new", "--template", "elt"], "no template 'elt'. Did you mean etl?"),
        (["models", "pull", "smolm"], "can't fetch 'smolm', did you mean smollm2-135m?"),
        (["models", "show", "minlm"], "did you mean openvino:minilm?"),
        (["benchmark", "openvino:minlm"], "there is no model 'openvino:minlm': did you mean openvino:minilm?"),
        (["run", "nope"], "nothing to do"),
        (["run", "nope", "-i", "x"], "write key=value"),
        (["nonsense"], "No such command"),
    ],
)
def test_wrong_usage_exits_with_2(words: list[str], message: str) -> None:
    done = agentnb(*words)
    assert done.returncode == 2, done
    assert message in done.stderr


@pytest.mark.parametrize(
    ("name", "model", "message"),
    [
        ("helpr", "scripted:s.jsonl", "did you mean helper?"),
        ("helper", "gpt-5-mini", "unknown model 'gpt-5-mini': did you mean openai:gpt-5-mini?"),
        ("helper", "openvino:smollm", "no local model 'smollm', did you mean openvino:smollm2-135m?"),
    ],
)
def test_what_was_probably_meant(helper: anb.Agent, name: str, model: str, message: str) -> None:
    done = agentnb("agents", "run", name, "hi", "--model", model)
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr


def test_last_is_the_newest_run(helper: anb.Agent) -> None:
    first, second = (parsed("agents", "run", "helper", "weather?")["id"] for _ in range(2))
    assert parsed("runs", "show", "last")["id"] == second
    assert parsed("runs", "events", "last") == parsed("runs", "events", second)
    assert parsed("runs", "diff", first, "last") == parsed("runs", "diff", first, second)
    assert parsed("runs", "delete", "last")["deleted"] == [second]
    assert parsed("runs", "show", "last")["id"] == first
    assert "agentnb runs list" in agentnb("runs", "report", "last").stderr, "none of a workflow"


def test_a_wrong_settings_file_names_the_place(tmp_path: Path) -> None:
    (tmp_path / "agentnb.toml").write_text("[policy]\ncontent_filters = ['pii']\n")
    done = agentnb("runs", "list")
    assert (done.returncode, "policy.content_filters: unknown key" in done.stderr) == (2, True)


def test_version_and_help() -> None:
    assert agentnb("--version").stdout == f"agentnb {anb.__version__}\n"
    for command in ("run", "agents", "runs", "models", "sql", "doctor", "demo", "kernel"):
        assert command in agentnb("--help").stdout


def test_the_kernel_is_installed_where_it_is_told(tmp_path: Path) -> None:
    place = parsed("kernel", "install", "--prefix", str(tmp_path))["path"]
    assert json.loads(Path(place, "kernel.json").read_text())["display_name"] == "agentnb (Python)"


def test_answering_an_approval(tmp_path: Path) -> None:
    (tmp_path / "agentnb.toml").write_text('[policy]\nwithout_user = "wait"\n')
    lines = [{"tool_calls": [{"name": "send", "arguments": {"to": "ann"}}]}, {"text": "done"}]
    (tmp_path / "s.jsonl").write_text("\n".join(map(json.dumps, lines)))
    program = """
import agentnb as anb
@anb.tool(approval=True)
def send(to: str) -> str:
    "Send."
    return f"sent to {to}"
print(anb.Agent("a", model="scripted:s.jsonl", tools=[send]).execute_sync("go").trace[-2].output)
"""
    waiting = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    for _ in range(200):
        runs = parsed("runs", "list", "--status", "waiting")["runs"]
        if runs:
            break
    assert "waits for an approval: agentnb runs signal" in agentnb("runs", "show", runs[0]["id"]).stdout
    done = agentnb("runs", "signal", runs[0]["id"], "m1.t1.a", "approve", "--arguments", '{"to": "bob"}')
    assert done.stdout == "m1.t1.a: approve\n"
    assert waiting.communicate(timeout=20)[0] == "sent to bob\n"
    assert agentnb("runs", "signal", runs[0]["id"], "m1.t1.a", "approve").returncode == 2


def test_a_name_means_the_agent_that_was_defined_last(helper: anb.Agent) -> None:
    newer = anb.Agent("helper", model=helper.spec.model, instructions="other", origin="other.ipynb").agent_id
    done = agentnb("agents", "run", "helper", "weather?")
    assert done.returncode == 0, done.stderr
    assert f"2 agents are called 'helper': took {newer}, the newest\n" in done.stderr
    assert "are called" not in agentnb("agents", "run", helper.agent_id, "weather?").stderr
    assert "took" in agentnb("agents", "delete", "helper").stderr
    assert agentnb("agents", "show", "helper").stderr == ""
    assert parsed("agents", "show", "helper")["id"] == helper.agent_id
