from __future__ import annotations

import json
from typing import Any

import pytest

from agentnb.workflows.graph import CycleError
from agentnb.workflows.planning import plan
from agentnb.workflows.spec import WorkflowSpec, adapter


def dag(steps: dict[str, dict[str, Any]], **more: Any) -> WorkflowSpec:
    return adapter().validate_python({"name": "Flow", "steps": {name: {"tool": "t", **step} for name, step in steps.items()}, **more})


FOUR = {"A": {}, "B": {"needs": ["A"]}, "C": {"needs": ["B"]}, "D": {"needs": ["A", "B"]}}


def test_the_steps_of_a_phase_run_side_by_side() -> None:
    found = plan(dag(FOUR))
    assert found.phases == (("A",), ("B",), ("C", "D"))
    assert (found.width, found.steps, found.critical_path) == (2, 4, ("A", "B", "C"))


def test_references_count_as_needs() -> None:
    steps = {
        "a": {},
        "b": {"input": {"x": "${steps.a.output}"}},
        "c": {"when": "steps.b.output > 1"},
        "d": {"for_each": "${steps.c.output}"},
    }
    assert plan(dag(steps)).phases == (("a",), ("b",), ("c",), ("d",))


def test_references_of_each_kind_count_as_needs() -> None:
    spec = adapter().validate_python(
        {
            "name": "kinds",
            "steps": {
                "a": {"tool": "t"},
                "prompt": {"human": {"prompt": "${steps.a.output}?"}},
                "url": {"webhook": {"url": "http://localhost/${steps.prompt.output}"}},
                "header": {"webhook": {"event": "e", "headers": {"x": "${steps.url.output}"}}},
                "body": {"webhook": {"event": "e", "body": ["${steps.header.output}"]}},
                "env": {"shell": {"command": "true", "env": {"X": "${steps.body.output}"}}},
                "cwd": {"shell": {"command": "true", "cwd": "${steps.env.output}"}},
                "command": {"shell": {"command": ["echo", "${steps.cwd.output}"]}},
                "key": {"tool": "t", "cache": {"key": "${steps.command.output}"}},
            },
        }
    )
    assert [len(phase) for phase in plan(spec).phases] == [1] * 9


def test_a_handler_comes_after_the_steps_that_name_it_and_is_on_no_critical_path() -> None:
    spec = dag({"undo": {"handler": True}, "pay": {"on_error": {"compensate": "undo"}}, "ship": {"needs": ["pay"]}})
    found = plan(spec)
    assert found.phases == (("pay",), ("undo", "ship"))
    assert found.critical_path == ("pay", "ship")
    assert "2  undo (only on failure), ship" in found.to_text()


def test_durations_decide_the_critical_path() -> None:
    steps = {"a": {}, "b": {"needs": ["a"]}, "c": {"needs": ["a"]}}
    assert plan(dag(steps), {"c": 9.0}).critical_path == ("a", "c")


def test_a_circle_has_no_plan() -> None:
    with pytest.raises(CycleError, match="a → b → a"):
        plan(dag({"a": {"needs": ["b"]}, "b": {"needs": ["a"]}}))


def test_the_text_for_a_terminal() -> None:
    steps = {**FOUR, "D": {**FOUR["D"], "resources": {"gpu": 2}}}
    spec = dag(steps, resources={"max_parallel": 8, "pools": {"gpu": 4, "db": 1}})
    assert plan(spec).to_text().splitlines() == [
        "Flow: 4 steps in 3 phases, 2 side by side at most",
        "  1  A",
        "  2  B",
        "  3  C, D",
        "critical path: A → B → C",
        "at most 8 steps at a time",
        "pool gpu: 4 in all; D takes 2",
        "pool db: 1 in all",
    ]


def test_a_long_phase_is_shortened() -> None:
    text = plan(dag({f"s{number}": {} for number in range(100)})).to_text()
    assert "s18, … 80 more …, s99" in text
    assert "s19" not in text


def test_the_plan_as_data_goes_through_json() -> None:
    found = plan(dag(FOUR, resources={"pools": {"gpu": 1}})).to_dict()
    assert json.loads(json.dumps(found)) == found
    assert (found["phases"], found["critical_path"], found["pools"]) == ([["A"], ["B"], ["C", "D"]], ["A", "B", "C"], {"gpu": 1})


def test_a_state_machine_lists_its_states() -> None:
    spec = adapter().validate_python(
        {
            "name": "review",
            "kind": "state_machine",
            "initial": "ASK",
            "states": {
                "ASK": {
                    "step": {"human": {"prompt": "Good?"}},
                    "transitions": [{"to": "DONE", "on": "approved"}, {"to": "ASK", "after": "90s", "when": "attempts < 3"}],
                },
                "DONE": {"final": True},
            },
        }
    )
    found = plan(spec)
    assert (found.phases, found.steps) == ((), 1)
    assert found.to_text().splitlines() == [
        "review: 2 states, 1 step",
        "  ASK   → DONE on approved, ASK after 1m30s when attempts < 3",
        "  DONE  → ends",
    ]
