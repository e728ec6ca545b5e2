"""Asks every rule and decides: one refusal refuses, one question asks, no permission refuses, an error refuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, get_args

from agentnb.errors import PolicyDenied

Stage = Literal["input", "tool_call", "tool_result", "output", "memory_write", "webhook", "shell"]
Verdict = Literal["allow", "ask", "deny"]


class Check(NamedTuple):
    """What is about to happen.

    Attributes:
        text: What goes in or out: the prompt, the tool's arguments as JSON, its result, the answer; the URL and body of a webhook,
            the command of a shell step.
        agent: Name of the agent, or of the workflow.
        tool: Name of the tool at ``tool_call`` and ``tool_result``; ``METHOD host:port`` at ``webhook``.
        facts: What is known of the tool: ``declared`` (it belongs to the agent or the workflow), ``approval``, ``effects``. At ``webhook``:
            ``host`` and ``port``, and once the name is resolved ``address`` and whether that is ``public``.
    """

    stage: Stage
    text: str
    agent: str = ""
    tool: str = ""
    facts: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What one rule, or the whole chain, says; ``code`` is stable, ``reason`` is for people."""

    verdict: Verdict
    code: str
    reason: str = ""


class Rule(Protocol):
    """One entry of the chain."""

    stages: frozenset[Stage]
    """Where it wants to be asked."""

    def check(self, check: Check) -> Decision | None:
        """Its verdict, or None where it has nothing to say. What it raises counts as a refusal."""
        ...


_NOBODY = Decision("deny", "no_rule_allows", "no rule of the policy allows it")
_RANK: dict[Verdict, int] = {"deny": 0, "ask": 1, "allow": 2}
_STAGES: tuple[Stage, ...] = get_args(Stage)
_CAN_ASK: frozenset[Stage] = frozenset({"tool_call", "webhook", "shell"})


class PolicyEngine:
    """The chain: decides at each door, before the side effect."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules: dict[Stage, tuple[Rule, ...]] = {}
        for stage in _STAGES:
            self._rules[stage] = tuple(rule for rule in rules if stage in rule.stages)

    def decide(self, check: Check) -> Decision:
        """The strictest verdict of all rules; a refusal where none allows."""
        best = _NOBODY
        for rule in self._rules[check.stage]:
            decision = _ask(rule, check)
            if decision is None:
                continue
            if decision.verdict == "deny":
                return decision
            if best is _NOBODY or _RANK[decision.verdict] < _RANK[best.verdict]:
                best = decision
        return best

    def enforce(self, check: Check) -> Decision:
        """Like ``decide``, but a refusal is raised; so is a question where no call is in question, for nobody can be asked there.

        Raises:
            PolicyDenied: The chain refuses.
        """
        decision = self.decide(check)
        if decision.verdict == "deny" or (decision.verdict == "ask" and check.stage not in _CAN_ASK):
            raise PolicyDenied(check.stage, decision.code, decision.reason)
        return decision


def _ask(rule: Rule, check: Check) -> Decision | None:
    try:
        decision = rule.check(check)
        if decision is None or (isinstance(decision, Decision) and decision.verdict in _RANK):
            return decision
        return Decision("deny", "rule_failed", f"the rule {type(rule).__name__} gave no verdict but {decision!r}")
    except Exception as error:
        return Decision("deny", "rule_failed", f"the rule {type(rule).__name__} failed: {type(error).__name__}: {error}")
