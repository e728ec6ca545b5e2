"""The approval card: a widget that answers a waiting tool call, in the cell that asks or, after a restart, under ``%agentnb show``."""

from __future__ import annotations

import asyncio
import contextvars
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import anywidget
import traitlets
from IPython.display import display

from agentnb.agents.execution import Answer, Approval
from agentnb.errors import AgentNBError
from agentnb.notebook import html
from agentnb.ports.store import FINAL
from agentnb.runtime import workflow_runs
from agentnb.runtime.approvals import Presenter
from agentnb.runtime.runtime import Runtime

_STATIC = Path(__file__).parent / "static"


class ApprovalCard(anywidget.AnyWidget):
    """What will be done, with which arguments, the risk; Approve, Edit, Deny; the time that is left."""

    _esm = _STATIC / "approval.js"
    _css = _STATIC / "question.css"

    question = traitlets.Dict().tag(sync=True)
    state = traitlets.Unicode("waiting").tag(sync=True)
    message = traitlets.Unicode("").tag(sync=True)

    def __init__(self, approval: Approval, seconds: float, decide: Callable[[Answer], str]) -> None:
        super().__init__(
            question={
                "agent": approval.agent,
                "tool": approval.tool,
                "arguments": json.dumps(dict(approval.arguments), indent=2, ensure_ascii=False, default=str),
                "reason": approval.reason,
                "effects": approval.effects,
                "run": approval.run_id,
                "expires": (time.time() + seconds) * 1000,
            }
        )
        self._decide = decide
        self.on_msg(self._answered)  # a trait would be held back by the page until the kernel is idle

    def static_html(self) -> str:
        """The card for a saved or exported notebook, where nobody can press a button."""
        body = f"{self.question['agent']} wants to call {self.question['tool']} with {self.question['arguments']}"
        return html.card("approval", "Waiting for approval", f"{body}. Answer it with %agentnb show {self.question['run']}")

    def _answered(self, _card: Any, data: Any, _buffers: Any) -> None:
        if self.state != "waiting" or not isinstance(data, dict):
            return
        try:
            arguments = None if data.get("arguments") is None else json.loads(data["arguments"])
        except (ValueError, TypeError) as error:
            self.message = f"The arguments are not JSON: {error}"
            return
        if arguments is not None and not isinstance(arguments, dict):
            self.message = "The arguments must be a JSON object, in braces"
            return
        try:
            self.message = self._decide(
                Answer("approve" if data.get("verdict") == "approve" else "deny", arguments, note=str(data.get("note", "")))
            )
            self.state = "approved" if data.get("verdict") == "approve" else "denied"
        except AgentNBError as error:
            self.state, self.message = "void", str(error)


class Card(Protocol):
    """A widget with a static form."""

    def static_html(self) -> str: ...


def show(card: Card) -> None:
    """Display a card, with its static form beside it."""
    bundle = card._repr_mimebundle_()  # type: ignore[attr-defined]
    data = dict(bundle[0] if isinstance(bundle, tuple) else bundle or {})
    display({**data, "text/html": card.static_html()}, raw=True)


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


class CardPresenter:
    """Shows approvals of this process's runs as cards in the cell that asks."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def present(self, approval: Approval, seconds: float) -> None:
        show(ApprovalCard(approval, seconds, lambda answer: self._decide(approval, answer)))

    def _decide(self, approval: Approval, answer: Answer) -> str:
        self._runtime.answer(approval.run_id, approval.step_id, answer)
        return ""


def show_pending(runtime: Runtime, run_id: str, go_on: Callable[[], Any]) -> int:
    """Show the cards of all approvals that a run waits for; the answer goes on with it here, where its own process is gone.

    Args:
        runtime: Where the run is kept.
        run_id: Its ID.
        go_on: Is called once it was answered.

    Returns:
        How many there are.
    """
    events = runtime.pending(run_id)
    here = contextvars.copy_context()  # what goes on is shown in this cell: a click has no output area of its own
    for event in events:
        metadata = event.data["metadata"]
        approval = Approval(
            event.run_id, event.step_id, runtime.store.run(run_id).name, metadata["name"], event.data["input_data"],
            metadata["reason"], metadata["code"], metadata["effects"], event.input_hash,
        )  # fmt: skip

        def decide(answer: Answer, approval: Approval = approval) -> str:
            if runtime.answer(approval.run_id, approval.step_id, answer):
                asyncio.get_event_loop().call_soon(go_on, context=here)
                return "The run goes on here."
            return ""

        show(ApprovalCard(approval, runtime.policy_settings.approval_timeout, decide))
    return len(events)
