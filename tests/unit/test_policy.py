from typing import Any

import pytest

from agentnb.errors import ConfigurationError, PolicyDenied
from agentnb.policy import Check, Decision, PolicyEngine, Stage
from agentnb.policy.rules import PolicySettings, default_engine, parse

STAGES: tuple[Stage, ...] = ("input", "tool_call", "tool_result", "output", "memory_write", "webhook", "shell")


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


def webhook_check(host: str, port: int = 443, **facts: Any) -> Check:
    return Check("webhook", "https://…", "flow", f"POST {host}:{port}", {"host": host, "port": port, **facts})


def test_webhooks_reach_public_hosts_and_those_that_are_named() -> None:
    engine = default_engine(PolicySettings(allowed_hosts=("10.0.0.7:80", "*.corp.example", "[::1]"), denied_hosts=("bad.example",)))
    private = {"address": "10.0.0.7", "public": False}
    assert engine.decide(webhook_check("api.example")).verdict == "allow"
    assert engine.decide(webhook_check("api.example", public=True)).verdict == "allow"
    assert engine.decide(webhook_check("api.example", **private)).code == "address_not_public"
    assert engine.decide(webhook_check("10.0.0.7", 80, **private)).verdict == "allow"
    assert engine.decide(webhook_check("10.0.0.7", 81, **private)).code == "address_not_public"
    assert engine.decide(webhook_check("A.Corp.example.", **private)).verdict == "allow"
    assert engine.decide(webhook_check("evilcorp.example", **private)).verdict == "deny"
    assert engine.decide(webhook_check("::1", address="::1", public=False)).verdict == "allow"
    assert engine.decide(webhook_check("BAD.example")).code == "host_denied"
    assert engine.decide(Check("webhook", "x")).code == "rule_failed"


def test_a_star_denies_all_hosts_that_are_not_named() -> None:
    engine = default_engine(PolicySettings(allowed_hosts=("*.example",), denied_hosts=("*", "bad.example")))
    assert engine.decide(webhook_check("a.example")).verdict == "allow"
    assert engine.decide(webhook_check("bad.example")).code == "host_denied"
    assert engine.decide(webhook_check("a.org")).code == "host_denied"


def test_shell_steps() -> None:
    declared = Check("shell", "ls", "flow", "s", {"declared": True})
    assert default_engine(PolicySettings()).decide(declared).verdict == "allow"
    assert default_engine(PolicySettings()).decide(Check("shell", "ls", "flow", "s")).code == "shell_not_declared"
    assert default_engine(PolicySettings(allow_shell=False)).decide(declared).code == "shell_denied"


def test_only_a_call_can_be_asked_about() -> None:
    engine = PolicyEngine([Always(ASK)])
    for stage in STAGES:
        if stage in ("tool_call", "webhook", "shell"):
            assert engine.enforce(Check(stage, "x")).verdict == "ask"
        else:
            with pytest.raises(PolicyDenied):
                engine.enforce(Check(stage, "x"))


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
        {"allowed_hosts": ["*"]},
        {"allowed_hosts": ["http://a"]},
        {"allowed_hosts": ["10.0.0.0/8"]},
        {"allowed_hosts": ["a:99999"]},
        {"denied_hosts": "a"},
        {"allow_shell": "no"},
    ],
)
def test_wrong_settings_name_their_key(table: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=f"policy.{next(iter(table))}"):
        parse(table)
