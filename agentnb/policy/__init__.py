"""One chain of rules around every model call, tool call, tool result, output and memory write."""

from agentnb.policy.engine import Check, Decision, PolicyEngine, Rule, Stage

__all__ = ["Check", "Decision", "PolicyEngine", "Rule", "Stage"]
