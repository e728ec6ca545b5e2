"""Questions where there is no widget: approvals and what steps ask, on the terminal or in the notebook's input field."""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Mapping
from typing import Any

from agentnb.agents import schemas
from agentnb.agents.execution import Answer, Approval
from agentnb.errors import AgentNBError
from agentnb.notebook.formats import duration, printable
from agentnb.runtime.runtime import Runtime
from agentnb.workflows.trace import StepRecord

_YES, _NO = ("y", "yes", "true", "1"), ("n", "no", "false", "0")
_KEEP = object()


class Questions:
    """Collects questions from the executing thread; the main thread, which may ask the user, asks them."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._pending: queue.SimpleQueue[Approval | tuple[str, StepRecord]] = queue.SimpleQueue()

    def present(self, approval: Approval, seconds: float) -> None:
        self._pending.put(approval)

    def present_question(self, run_id: str, step: StepRecord) -> None:
        self._pending.put((run_id, step))

    def ask_pending(self) -> None:
        """Ask what is waiting; called on the main thread."""
        while not self._pending.empty():
            asked = self._pending.get()
            try:
                if isinstance(asked, Approval):
                    self._runtime.answer(asked.run_id, asked.step_id, ask(asked))
                else:
                    answer_step(self._runtime, *asked)
            except AgentNBError as error:
                print(error)  # noqa: T201


def ask(approval: Approval) -> Answer:
    """Ask the user on standard input; everything but a clear yes is a no."""
    print(f"\n{approval.agent} wants to call {approval.tool} ({approval.effects}): {approval.reason}")  # noqa: T201
    print(json.dumps(dict(approval.arguments), indent=2, ensure_ascii=False, default=str))  # noqa: T201
    try:
        said = input("Approve? [y/N] ").strip().lower()
    except EOFError:
        said = ""
    return Answer("approve" if said in ("y", "yes") else "deny")


def answer_step(runtime: Runtime, run_id: str, step: StepRecord) -> bool:
    """Ask what a step of a workflow asks, and hand the answer over; True where it takes a ``resume`` to go on.

    Raises:
        AgentNBError: It waits for nothing of the kind by now.
    """
    from agentnb.runtime import workflow_signals

    try:
        verdict, data, note = ask_question(step)
    except EOFError:
        print(f"\nNobody answered: {step.id!r} of run {run_id} keeps waiting")  # noqa: T201
        return False
    return workflow_signals.answer(runtime, run_id, step.id, verdict, data=data, note=note)


def ask_question(step: StepRecord) -> tuple[str, Any, str]:
    """Ask the user on standard input what a waiting step asks.

    Args:
        step: Its ``question`` says what: prompt, verdicts, form, who is asked and until when.

    Returns:
        The verdict, the data that the form asks for (None without one, and for a rejection), and a note, which may be empty.

    Raises:
        EOFError: Standard input is closed.
    """
    question = step.question or {}
    _introduce(step, question)
    verdict = _verdict(question["verdicts"])
    data = _form(question["form"]) if question.get("form") and verdict == "approve" else None
    return verdict, data, input("Note (may be empty): ").strip()


def _introduce(step: StepRecord, question: Mapping[str, Any]) -> None:
    due = question.get("due") or 0
    asked = question.get("assignee")
    left = f"{duration(max(due - time.time(), 0) * 1000)} left" if due else ""
    parts = [step.title or step.id, f"asks {asked}" if asked else "", left]
    print(printable(f"\n{' · '.join(part for part in parts if part)}\n{question['prompt']}"))  # noqa: T201
    if question.get("shown") is not None:
        print(printable(json.dumps(question["shown"], indent=2, ensure_ascii=False, default=str)))  # noqa: T201


def _verdict(verdicts: list[str]) -> str:
    """The verdict that was clearly said; asks until there is one."""
    if len(verdicts) == 1:
        return verdicts[0]
    words = {verdict: [verdict] for verdict in verdicts}
    if "approve" in words:
        words["approve"] += [*_YES]
        words["reject"] += [*_NO]
    while True:
        said = input(f"{', '.join(verdicts[:-1])} or {verdicts[-1]}? ").strip().lower()
        fitting = [verdict for verdict in verdicts if said in words[verdict] or (said and verdict.startswith(said))]
        if len(fitting) == 1:
            return fitting[0]


def _form(schema: Mapping[str, Any]) -> Any:
    """The answer to a form, field by field, until all of it fits."""
    while True:
        data = _value("answer", schema, required=True)
        problems = [f"{name}: {message}" if name else message for name, message in form_errors(schema, data).items()]
        if not problems:
            return data
        print(printable("\n".join(["That doesn't fit:", *problems])))  # noqa: T201


def form_errors(schema: Mapping[str, Any], data: Any) -> dict[str, str]:
    """What is wrong with an answer, by the field: ``address.city``; empty for the answer as a whole."""
    found: dict[str, str] = {}
    for misfit in schemas.misfits(schema, data):
        found.setdefault(".".join(map(str, misfit.path)), misfit.message)
    return found


def _value(name: str, schema: Mapping[str, Any], *, required: bool) -> Any:
    if schema.get("type") == "object" or "properties" in schema:
        needed = schema.get("required", ())
        if not required and needed and not _wants(schema.get("title") or name):
            return _KEEP
        found = {key: _value(key, part, required=key in needed) for key, part in schema.get("properties", {}).items()}
        return {key: value for key, value in found.items() if value is not _KEEP}
    _describe(name, schema)
    while True:
        said = _said(name, schema)
        if not said.strip():
            if "default" in schema:
                return schema["default"]
            if not required:
                return _KEEP
            continue
        try:
            value = _parsed(said, schema)
        except ValueError as error:
            print(f"  {error}")  # noqa: T201
            continue
        problems = form_errors(schema, value)
        if not problems:
            return value
        print(printable("\n".join(f"  {message}" for message in problems.values())))  # noqa: T201


def _wants(name: str) -> bool:
    return input(printable(f"Give {name}? [y/N] ")).strip().lower() in _YES


def _describe(name: str, schema: Mapping[str, Any]) -> None:
    if schema.get("description"):
        print(printable(f"  {schema['description']}"))  # noqa: T201
    for place, choice in enumerate(schema.get("enum", ()), 1):
        print(printable(f"  {place} {_text(choice)}"))  # noqa: T201


def _said(name: str, schema: Mapping[str, Any]) -> str:
    hint = f" [{_text(schema['default'])}]" if "default" in schema else _hint(schema)
    label = printable(f"{schema.get('title') or name}{hint}: ")
    if not is_long(schema):
        return input(label)
    print(label + "several lines; an empty one ends it")  # noqa: T201
    lines: list[str] = []
    while line := input("  "):
        lines.append(line)
    return "\n".join(lines)


def _hint(schema: Mapping[str, Any]) -> str:
    kinds = {"boolean": " (y/n)", "integer": " (a whole number)", "number": " (a number)", "array": " (with commas between)"}
    return " (number of the choice)" if "enum" in schema else kinds.get(str(schema.get("type")), "")


def is_long(schema: Mapping[str, Any]) -> bool:
    """Whether a text field should have several lines: ``format: textarea`` or ``multiline``, or room for more than 200 characters."""
    long = schema.get("format") in ("textarea", "multiline") or schema.get("maxLength", 0) > 200
    return schema.get("type") == "string" and long


def _parsed(said: str, schema: Mapping[str, Any]) -> Any:
    """The text as the value that the schema asks for.

    Raises:
        ValueError: It is none.
    """
    text, kind = said.strip(), schema.get("type")
    if "enum" in schema:
        return _choice(text, schema["enum"])
    if kind == "boolean":
        if text.lower() in _YES + _NO:
            return text.lower() in _YES
        raise ValueError("say y or n")
    if kind in ("integer", "number"):
        return _number(text, kind)
    if kind == "string":
        return said.strip() if not is_long(schema) else said
    if kind == "array" and not text.startswith("["):
        items = schema.get("items", {})
        return [_parsed(part, items if isinstance(items, Mapping) else {"type": "string"}) for part in text.split(",") if part.strip()]
    return _json(text)


def _choice(text: str, choices: list[Any]) -> Any:
    if text.isdigit() and 1 <= int(text) <= len(choices):
        return choices[int(text) - 1]
    found = [choice for choice in choices if _text(choice) == text]
    if not found:
        raise ValueError(f"choose one from 1 to {len(choices)}")
    return found[0]


def _number(text: str, kind: str) -> int | float:
    try:
        return int(text) if kind == "integer" else float(text)
    except ValueError:
        raise ValueError("a whole number, please" if kind == "integer" else "a number, please") from None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
