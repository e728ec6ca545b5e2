"""Real runs for the tests of the API: an agent with a tool, a workflow that waits for a person, one that failed, a state machine."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from agentnb.agents.tools import tool
from agentnb.config import load
from agentnb.errors import AgentNBError
from agentnb.runtime.agent import Agent
from agentnb.runtime.runtime import Runtime
from agentnb.runtime.workflow import Workflow
from agentnb.testing import ScriptedModel

LETTER = """\
name: letter to all
inputs: {who: {type: string}}
steps:
  write: {tool: "python:helpers.write", input: {who: "${inputs.who}"}, idempotent: true}
  review:
    human:
      prompt: "Send ${steps.write.output}?"
      form: {type: object, properties: {stamps: {type: integer, default: 2}}, required: [stamps]}
  send: {tool: "python:helpers.send", input: {text: "${steps.write.output}"}, needs: [review], when: steps.review.output.approved}
outputs: {sent: "${steps.send.output}"}
"""
BROKEN = """\
name: broken
steps:
  fine: {tool: "python:helpers.write", input: {who: Ada}, idempotent: true}
  fail: {tool: "python:helpers.fail", needs: [fine]}
"""
MACHINE = """\
name: machine
kind: state_machine
initial: START
states:
  START: {transitions: [{to: WORK}]}
  WORK: {step: {tool: "python:helpers.write", input: {who: Bo}}, transitions: [{to: REST}]}
  REST: {transitions: [{to: DONE, on: wake}]}
  DONE: {final: true}
"""
HELPERS = """
import os

def write(who):
    return f"Dear {who}"

def send(text):
    with open("sent.txt", "a") as file:
        file.write(text + "\\n")
    return True

def fail():
    raise ValueError("no paper")
"""
ANSWERS = [{"tool_calls": [{"name": "population", "arguments": {"city": "Paris"}}]}, {"text": "2.1 million."}]


ASKING = {"tool_calls": [{"name": "launch", "arguments": {"what": "a balloon"}}]}


@tool(approval=True)
def launch(what: str) -> str:
    """Let something fly."""
    return f"{what} flies"


@tool(effects="none")
def population(city: str) -> str:
    """How many people live in a city."""
    return "2.1 million"


@dataclass(frozen=True)
class Runs:
    """The runtime that made them, and their IDs."""

    runtime: Runtime
    agent: str
    waiting: str
    failed: str
    machine: str


def make_runs(place: Path, store: Path) -> Runs:
    """Make all of them, with their files in ``place``."""
    for name, text in (("helpers.py", HELPERS), ("letter.workflow.yaml", LETTER), ("broken.yaml", BROKEN), ("machine.yaml", MACHINE)):
        (place / name).write_text(text)
    runtime = Runtime(load(place, store=store, model="scripted:test", user="ada"), models={"scripted:test": ScriptedModel(ANSWERS)})
    agent = Agent("geographer", tools=[population], capabilities=["TEXT_PROCESSING"], instructions="Answer.\nBriefly.", runtime=runtime)
    for name, tools, script in (("spawned", [population], ANSWERS), ("careful", [launch], [ASKING, {"text": "Done."}])):
        transcript = place / f"{name}.jsonl"
        transcript.write_text("\n".join(map(json.dumps, script)))
        Agent(name, model=f"scripted:{transcript}", tools=tools, runtime=runtime).initialize()
    answered = agent.execute_sync("How many people live in Paris?", session="s1")
    waiting = Workflow.load(place / "letter.workflow.yaml", runtime=runtime).run_sync({"who": "Ada"})
    failed = ""
    try:
        Workflow.load(place / "broken.yaml", runtime=runtime).run_sync()
    except AgentNBError as error:
        failed = error.run_id
    machine = Workflow.load(place / "machine.yaml", runtime=runtime).run_sync()
    return Runs(runtime, answered.execution_id, waiting.id, failed, machine.id)
