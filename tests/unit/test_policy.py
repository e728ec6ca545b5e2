from typing import Any

import pytest

from agentnb.errors import ConfigurationError, PolicyDenied
from agentnb.policy import Check, Decision, PolicyEngine, Stage
from agentnb.policy.rules import PolicySettings, default_engine, parse

STAGES: tuple[Stage, ...] = ("input", "tool_call", "tool_result", "output", "memory_write")


class Always:
    stages: frozenset[Stage] = frozenset(STAGES)

    def __init__(self, decision: Decision | Exception | None) -> None:
        self.decision = decision

    def check(self, check: Check) -> Decision | None:
        if isinstance(self.decision, Exception):
            raise self.decision
        return self.decision


ALLOW, ASK, DENY = Decision("allow", "a"), Decision("ask", "b"), Decision("deny", "c")


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ([], "deny"),
        ([None], "deny"),
        ([ALLOW], "allow"),
        ([ALLOW, None], "allow"),
        ([ALLOW, ASK], "ask"),
        ([ASK, ALLOW], "ask"),
        ([ALLOW, DENY], "deny"),
        ([ASK, DENY, ALLOW], "deny"),
        ([ALLOW, RuntimeError("broken")], "deny"),
    ],
)
def test_the_strictest_verdict_counts(stage: Stage, said: list[Any], verdict: str) -> None:
    engine = PolicyEngine([Always(decision) for decision in said])
    assert engine.decide(Check(stage, "x")).verdict == verdict


def test_a_refusal_carries_its_code() -> None:
    with pytest.raises(PolicyDenied, match="no rule") as caught:
        PolicyEngine([]).enforce(Check("input", "x"))
    assert (caught.value.stage, caught.value.code) == ("input", "no_rule_allows")


def test_sizes_are_bytes() -> None:
    engine = default_engine(PolicySettings(max_input_size=10))
    assert engine.decide(Check("input", "ä" * 5)).verdict == "allow"
    assert engine.decide(Check("input", "ä" * 5 + "a")).code == "too_large"
    assert engine.decide(Check("output", "a" * 11)).verdict == "allow"


def test_surrogates_have_a_size() -> None:
    assert default_engine(PolicySettings()).decide(Check("input", "\ud800")).verdict == "allow"


def tool_check(name: str = "t", **facts: Any) -> Check:
    return Check("tool_call", "{}", "agent", name, {"declared": True, **facts})


def test_tools() -> None:
    engine = default_engine(PolicySettings(allowed_tools=("t", "u"), denied_tools=("u",)))
    assert engine.decide(tool_check()).verdict == "allow"
    assert engine.decide(tool_check(approval=True)).verdict == "ask"
    assert engine.decide(tool_check("u")).code == "tool_denied"
    assert engine.decide(tool_check("v")).code == "tool_not_allowed"
    assert engine.decide(tool_check(declared=False)).code == "tool_not_declared"
    assert engine.decide(Check("tool_call", "{}", "agent", "t")).verdict == "deny"


def test_settings() -> None:
    settings = parse(
        {"max_input_size": "1.5KB", "max_output_size": 7, "denied_tools": ["x"], "without_user": "wait", "approval_timeout": 3}
    )
    assert settings == PolicySettings(1500, 7, None, ("x",), "wait", 3.0)


@pytest.mark.parametrize(
    "table",
    [
        {"max_input_size": "big"},
        {"max_input_size": True},
        {"max_input_size": 0},
        {"denied_tools": "x"},
        {"without_user": "maybe"},
        {"approval_timeout": 0},
        {"content_filters": ["pii"]},
    ],
)
def test_wrong_settings_name_their_key(table: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=f"policy.{next(iter(table))}"):
        parse(table)
