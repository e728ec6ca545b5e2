"""Runs that are written down before anybody executes them, and runs that are forgotten."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import agentnb as anb
from agentnb.cli.app import app
from agentnb.errors import ConfigurationError, DefinitionError, IllegalTransition, LeaseLost, PolicyDenied
from agentnb.ports.store import RunChange
from agentnb.runtime import agent_runs, sweeping, workflow_runs
from agentnb.runtime.runtime import Runtime
from agentnb.runtime.workflow_definitions import draft
from agentnb.runtime.workflow_runs import WorkflowOptions
from agentnb.testing import scripted_runtime
from agentnb.workflows.spec import WorkflowError

LETTER = """\
name: letter
inputs: {who: {type: string}, stamps: {type: integer, default: 1}}
steps:
  write: {tool: "python:letters.write", input: {who: "${inputs.who}"}, idempotent: true}
outputs: {text: "${steps.write.output}"}
"""
OPTIONS = WorkflowOptions(attended=False)


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with scripted_runtime(["Hello."]) as made:
        yield made


@pytest.fixture(autouse=True)
def letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "letters.py").write_text("def write(who):\n    return f'Dear {who}'\n")
    monkeypatch.syspath_prepend(tmp_path)


def queued(runtime: Runtime, place: Path, text: str = LETTER, **inputs: object) -> str:
    spec = anb.Workflow.from_yaml(text, runtime=runtime).spec
    return workflow_runs.queue(runtime, draft(spec, place), inputs, user="ada").id


def left_alone(runtime: Runtime, run_id: str) -> None:
    runtime.store.write(RunChange(run_id, {"owner": "", "lease_until": 0.0}))


async def test_an_agent_is_begun_by_whoever_resumes_its_run(runtime: Runtime) -> None:
    agent = anb.Agent("greeter").initialize()
    run = agent_runs.queue(runtime, agent, "Hi", session="s", user="ada")
    assert (runtime.get(run.id).status, runtime.get(run.id).user) == ("queued", "ada")
    result = await agent_runs.resume(runtime, run.id)
    assert (result.text, result.execution_id, runtime.get(run.id).attempt) == ("Hello.", run.id, 1)
    types = [event.type for event in runtime.events(run.id)]
    assert (types[:2], "agent.resumed" in types) == (["agent.queued", "agent.executing"], False)
    with pytest.raises(IllegalTransition):
        await agent_runs.resume(runtime, run.id)


async def test_what_a_draft_names_is_found_where_it_is_run(runtime: Runtime, tmp_path: Path) -> None:
    run_id = queued(runtime, tmp_path, who="Ada")
    assert runtime.get(run_id).input == {"who": "Ada", "stamps": 1}
    run = await workflow_runs.resume(runtime, run_id, OPTIONS)
    assert (run.id, run.outputs, run.inputs["stamps"]) == (run_id, {"text": "Dear Ada"}, 1)
    assert runtime.store.definition(runtime.get(run_id).definition).kind == "workflow"
    assert [found.name for found in runtime.store.definitions("workflow")] == ["letter"]


async def test_what_is_not_there_fails_the_run_with_the_reason(runtime: Runtime, tmp_path: Path) -> None:
    run_id = queued(runtime, tmp_path, LETTER.replace("letters.write", "nowhere.write"), who="Ada")
    with pytest.raises(WorkflowError, match="nowhere"):
        await workflow_runs.resume(runtime, run_id, OPTIONS)
    run = runtime.get(run_id)
    assert (run.status, run.reason) == ("failed", "error")
    assert "nowhere" in (run.error or {})["message"]
    assert [event.type for event in runtime.events(run_id)] == ["workflow.queued", "workflow.failed"]


async def test_an_agent_that_cannot_be_loaded_fails_its_run(runtime: Runtime) -> None:
    agent = anb.Agent("greeter").initialize()
    run = agent_runs.queue(runtime, agent, "Hi")
    broken = replace(runtime.store.definition(agent.definition), hash="broken", spec={"name": "x", "functions": {"f": "nowhere:f"}})
    runtime.store.write(broken, RunChange(run.id, {"definition": "broken"}))
    with pytest.raises(DefinitionError):
        await agent_runs.resume(runtime, run.id)
    assert runtime.get(run.id).status == "failed"


async def test_the_policy_reads_the_inputs_before_anything_begins(runtime: Runtime, tmp_path: Path) -> None:
    run_id = queued(runtime, tmp_path, who="x" * 11_000_000)
    with pytest.raises(PolicyDenied):
        await workflow_runs.resume(runtime, run_id, OPTIONS)
    assert runtime.get(run_id).reason == "policy"


def test_inputs_and_steps_are_checked_before_anything_is_written(runtime: Runtime, tmp_path: Path) -> None:
    with pytest.raises(WorkflowError, match="who: missing"):
        queued(runtime, tmp_path)
    spec = anb.Workflow.from_yaml(LETTER, runtime=runtime).spec
    with pytest.raises(WorkflowError, match="no step 'nope'"):
        workflow_runs.queue(runtime, draft(spec, tmp_path), {"who": "A"}, rerun_of="x", start=["nope"])
    assert runtime.runs() == []


async def test_a_rerun_is_queued_like_a_run(runtime: Runtime, tmp_path: Path) -> None:
    first = await workflow_runs.resume(runtime, queued(runtime, tmp_path, who="Ada"), OPTIONS)
    definition = runtime.store.definition(runtime.get(first.id).definition)
    again = workflow_runs.queue(runtime, definition, {"who": "Ada"}, rerun_of=first.id)
    run = await workflow_runs.resume(runtime, again.id, OPTIONS)
    assert (run.rerun_of, run.steps["write"].source) == (first.id, first.id)
    fresh = workflow_runs.queue(runtime, definition, {"who": "Ada"}, rerun_of=first.id, start=["write"])
    assert not (await workflow_runs.resume(runtime, fresh.id, OPTIONS)).steps["write"].source


async def test_a_sweep_takes_what_was_queued_and_left_alone(runtime: Runtime, tmp_path: Path) -> None:
    workflow, agent = queued(runtime, tmp_path, who="Ada"), agent_runs.queue(runtime, anb.Agent("greeter").initialize(), "Hi").id
    for run_id in (workflow, agent):
        left_alone(runtime, run_id)
    assert set(await sweeping.sweep(runtime, OPTIONS)) == {workflow, agent}
    assert {run.status for run in runtime.runs()} == {"completed"}
    assert sweeping.overdue(runtime) == []


async def test_a_queued_run_is_begun_once(runtime: Runtime, tmp_path: Path) -> None:
    run_id = queued(runtime, tmp_path, who="Ada")
    run = runtime.store.run(run_id)
    await workflow_runs.resume(runtime, run_id, OPTIONS)
    with pytest.raises(LeaseLost):
        await workflow_runs._begin(runtime, run, OPTIONS)


def test_a_queued_run_is_cancelled_or_given_up(runtime: Runtime, tmp_path: Path) -> None:
    cancelled, given_up = queued(runtime, tmp_path, who="A"), queued(runtime, tmp_path, who="B")
    assert runtime.cancel(cancelled).status == "cancelled"
    runtime.give_up(given_up, ConfigurationError("no process"))
    assert (runtime.get(given_up).status, (runtime.get(given_up).error or {})["message"]) == ("failed", "no process")
    runtime.give_up(cancelled, ConfigurationError("too late"))
    assert runtime.get(cancelled).status == "cancelled"


async def test_a_run_is_forgotten_with_what_its_steps_have_started(runtime: Runtime) -> None:
    workflow = anb.Workflow("outer", runtime=runtime).add("ask", agent=anb.Agent("greeter"), input="Hi")
    run = await workflow.run()
    (child,) = runtime.runs(parent=run.id)
    with pytest.raises(IllegalTransition, match="delete that one"):
        runtime.delete(child.id)
    assert set(runtime.delete(run.id)) == {run.id, child.id}
    assert runtime.runs() == []
    assert {event.type for event in runtime.events() if event.run_id} == {"workflow.run_deleted", "agent.run_deleted"}


def test_runs_are_deleted_from_a_shell(runtime: Runtime, tmp_path: Path) -> None:
    run_id = queued(runtime, tmp_path, who="A")
    shell = CliRunner()
    refused = shell.invoke(app, ["runs", "delete", run_id])
    assert (refused.exit_code, "cancel it" in refused.output) == (1, True)
    runtime.cancel(run_id)
    deleted = shell.invoke(app, ["runs", "delete", run_id[:-2], "--json"])
    assert json.loads(deleted.stdout) == {"deleted": [run_id]}
    assert shell.invoke(app, ["runs", "delete", run_id]).exit_code == 2
