"""The question card: a widget that answers a waiting step of a workflow, in the running cell or later under ``%agentnb show``."""

from __future__ import annotations

import asyncio
import contextvars
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from agentnb.errors import AgentNBError
from agentnb.notebook import html
from agentnb.notebook.approval import show, show_pending
from agentnb.notebook.questions import form_errors
from agentnb.notebook.workflow_html import sentence
from agentnb.ports.store import FINAL
from agentnb.runtime import workflow_runs
from agentnb.runtime.approvals import Presenter
from agentnb.runtime.runtime import Runtime
from agentnb.secrets import redact
from agentnb.workflows.trace import StepRecord

_STATIC = Path(__file__).parent / "static"
_SHOWN = 20_000

Decide = Callable[[str, Any, str], str]


class QuestionCard(anywidget.AnyWidget):
    """What a step asks: the prompt, what it is about, a form made from its JSON Schema, a note, the verdicts, the time that is left.

    Args:
        run_id: The run that asks.
        step: Its waiting step.
        decide: Is given verdict, data and note, and returns what to say.
    """

    _esm = _STATIC / "question.js"
    _css = _STATIC / "question.css"

    question = traitlets.Dict().tag(sync=True)
    state = traitlets.Unicode("waiting").tag(sync=True)
    message = traitlets.Unicode("").tag(sync=True)
    errors = traitlets.Dict().tag(sync=True)

    def __init__(self, run_id: str, step: StepRecord, decide: Decide) -> None:
        asked = step.question or {}
        shown = asked.get("shown")
        super().__init__(
            question={
                "run": run_id,
                "step": step.title or step.id,
                "kind": asked["kind"],
                "prompt": redact(asked["prompt"]),
                "shown": "" if shown is None else redact(_text(shown)),
                "form": asked.get("form"),
                "verdicts": list(asked["verdicts"]),
                "assignee": asked.get("assignee") or "",
                "due": (asked.get("due") or 0) * 1000,
            }
        )
        self._decide = decide
        self.on_msg(self._answered)  # a trait would be held back by the page until the kernel is idle

    def static_html(self) -> str:
        """The card for a saved or exported notebook, where nobody can press a button."""
        who = f" {self.question['assignee']} is asked." if self.question["assignee"] else ""
        said = (
            f"{sentence(self.question['step'] + ': ' + self.question['prompt'])}{who} Answer it with %agentnb show {self.question['run']}"
        )
        return html.card("approval", "Waiting for an answer", said)

    def _answered(self, _card: Any, given: Any, _buffers: Any) -> None:
        if self.state != "waiting" or not isinstance(given, dict):
            return
        verdict, data = str(given.get("verdict", "")), given.get("data")
        form = self.question["form"] if verdict == "approve" else None
        found = form_errors(form, data) if form else {}
        self.errors = found
        if found:
            self.message = "Not sent: see the marked fields" if any(found) else f"Not sent: {found['']}"
            return
        try:
            said = self._decide(verdict, data if form else None, str(given.get("note", "")))
            self.message, self.state = said, verdict
        except AgentNBError as error:
            self.message, self.state = str(error), "void"


class QuestionPresenter:
    """Shows what steps of this process's runs ask, as cards in the cell that runs them; each question once.

    Args:
        runtime: Where the runs are kept.
        go_on: Is called after an answer where no process executes the run any more.
    """

    def __init__(self, runtime: Runtime, go_on: Callable[[], Any] | None = None) -> None:
        self._runtime = runtime
        self._go_on = go_on
        self._here = contextvars.copy_context()  # what goes on is shown in this cell: a click has no output area of its own
        self._shown: set[tuple[str, str, str, str]] = set()

    def present_question(self, run_id: str, step: StepRecord) -> None:
        asked = step.question or {}
        key = (run_id, step.id, asked.get("ticket", ""), asked.get("assignee") or "")
        if key in self._shown:
            return
        self._shown.add(key)
        show(QuestionCard(run_id, step, lambda verdict, data, note: self._decide(run_id, step.id, verdict, data, note)))

    def _decide(self, run_id: str, step_id: str, verdict: str, data: Any, note: str) -> str:
        ownerless = workflow_runs.answer(self._runtime, run_id, step_id, verdict, data=data, note=note)
        if ownerless and self._go_on is not None:
            asyncio.get_event_loop().call_soon(self._go_on, context=self._here)
            return "The run goes on here."
        return ""


def show_questions(runtime: Runtime, run_id: str, presenter: QuestionPresenter, go_on: Callable[[], Any]) -> int:
    """Show the cards of all that a run of a workflow waits for: what its steps ask, and the approvals of the agents that it runs.

    Args:
        runtime: Where the run is kept.
        run_id: Its ID.
        presenter: Shows the questions, and keeps those in mind that it has shown.
        go_on: Is called once an agent's approval was answered and nobody executes the run.

    Returns:
        How many there are.
    """
    asked = [(owner, step) for owner, step in workflow_runs.pending(runtime, run_id) if (step.question or {}).get("kind") != "callback"]
    for owner, step in asked:
        presenter.present_question(owner, step)
    return len(asked) + sum(show_pending(runtime, child, go_on) for child in agents_of(runtime, run_id))


def agents_of(runtime: Runtime, run_id: str) -> Iterator[str]:
    """The runs of agents that a run's unfinished steps have started, those of its sub-workflows included."""
    for record in workflow_runs.get(runtime, run_id).steps.values():
        if not record.child or record.status not in ("running", "waiting"):
            continue
        with suppress(AgentNBError):
            child = runtime.store.run(record.child)
            if child.kind == "workflow":
                yield from agents_of(runtime, child.id)
            elif child.status not in FINAL:
                yield child.id


_presenting: list[Presenter] = []


@contextmanager
def approvals_shown(runtime: Runtime, presenter: Presenter | None) -> Iterator[None]:
    """Have approvals of the agents that a workflow runs shown meanwhile; runs that overlap share what is there."""
    if presenter is None:
        yield
        return
    if not _presenting and runtime.presenter is not None:
        yield
        return
    _presenting.append(presenter)
    runtime.presenter = presenter
    try:
        yield
    finally:
        _presenting.remove(presenter)
        runtime.presenter = _presenting[-1] if _presenting else None


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text):,} characters in all)"
