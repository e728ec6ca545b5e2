"""Numbers, times and statuses as people read them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from agentnb.agents.trace import Step
from agentnb.runtime.results import AgentResult
from agentnb.runtime.shown import compact, count, duration, plural
from agentnb.secrets import redact

__all__ = ["GLYPHS", "ago", "count", "duration", "gist", "plural", "printable", "result_line", "usage_line"]

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
CUT = "cut off at max_tokens"

GLYPHS = {
    "queued": "○",
    "running": "◐",
    "waiting": "⏸",
    "completed": "✓",
    "failed": "✕",
    "cancelled": "⊘",
    "skipped": "–",
    "stale": "◇",
    "replayed": "⟲",
}


def ago(timestamp: str) -> str:
    """``just now``, ``5 min ago``, ``3 h ago``, ``2 d ago`` of an RFC 3339 time."""
    seconds = (datetime.now(UTC) - datetime.fromisoformat(timestamp)).total_seconds()
    for limit, size, word in ((60, 1, ""), (3_600, 60, "min"), (86_400, 3_600, "h"), (float("inf"), 86_400, "d")):
        if seconds < limit:
            return f"{int(seconds // size)} {word} ago" if word else "just now"
    return timestamp


def result_line(model: str, result: AgentResult) -> str:
    """``model · 3 calls · 2 tools, 1 failed · 4.1 s``: what an execution used."""
    return usage_line(model, result.usage, result.execution_time_ms, len(result.trace.failed))


def usage_line(model: str, usage: Mapping[str, Any], milliseconds: float | None, failed: int = 0) -> str:
    """``model · 3 calls · 2 tools · 1.2k tokens · $0.0012 · 4.1 s · replayed``; ``failed`` of the tool calls have.

    What is nothing is left out.
    """
    calls, tools = usage.get("model_calls", 0), usage.get("tool_calls", 0)
    tokens = usage.get("input_tokens", 0) + usage.get("output_tokens", 0)
    cost = usage.get("cost")
    parts = [
        model,
        plural(calls, "call") if calls else "",
        plural(tools, "tool") + (f", {failed} failed" if failed else "") if tools else "",
        plural(tokens, "token") if tokens else "",
        f"${cost:.4f}" if cost else "",
        duration(milliseconds) if milliseconds else "",
        "replayed" if usage.get("replayed") else "",
        CUT if usage.get("cut_off") else "",
    ]
    return " · ".join(part for part in parts if part)


def gist(step: Step) -> str:
    """What a step came to, in a few words: a tool's result or error; the tools that a model asked for, and its tokens."""
    if step.kind == "tool":
        return compact(step.error or step.output, 80) if step.error or step.output is not None else ""
    if step.kind != "model":
        return ""
    calls = step.output.get("tool_calls") or () if isinstance(step.output, Mapping) else ()
    names = ", ".join(str(call["name"]) for call in calls)
    tokens = step.usage and step.usage.input_tokens + step.usage.output_tokens  # a tool may be chosen without a word being written
    parts = (
        f"asks for {names}" if names else "",
        f"{count(step.usage.input_tokens)} → {count(step.usage.output_tokens)} tokens" if step.usage and tokens else "",
    )
    return " · ".join(part for part in parts if part)


def printable(text: str) -> str:
    """Text for a terminal: without secrets, and without the control sequences that a model could steer it by."""
    return _CONTROL.sub("", redact(text))
