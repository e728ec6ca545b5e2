"""What people were asked and shown, and what they answered, in the words of the commands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_LONGEST = 500
"""Characters of what is shown; ``--json`` has all of it."""


def asked_text(question: Mapping[str, Any]) -> str:
    """What is asked, and whom."""
    who = f" (asks {question['assignee']})" if question.get("assignee") else ""
    return f"{question['prompt']}{who}"


def shown_text(question: Mapping[str, Any]) -> str:
    """What is to be looked at, on one line; empty where there is nothing."""
    return _short(question["shown"]) if question.get("shown") not in (None, {}, [], "") else ""


def answer_text(question: Mapping[str, Any], output: Any) -> str:
    """What a person answered, out of the step's output; empty where no person was asked."""
    if question.get("kind") != "human" or not isinstance(output, Mapping):
        return ""
    parts = [
        "approved" if output["approved"] else "rejected",
        f"by {output['by']}" if output["by"] else "",
        _short(output["data"]) if output["data"] not in (None, {}) else "",
        f"({output['note']})" if output["note"] else "",
    ]
    return " ".join(part for part in parts if part)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
