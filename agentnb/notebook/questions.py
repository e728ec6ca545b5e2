"""Approvals where there is no widget: asked on the terminal, or in the notebook's input field."""

from __future__ import annotations

import json
import queue

from agentnb.agents.execution import Answer, Approval
from agentnb.errors import AgentNBError
from agentnb.runtime.runtime import Runtime


class Questions:
    """Collects approvals from the executing thread; the main thread, which may ask the user, asks them."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._pending: queue.SimpleQueue[Approval] = queue.SimpleQueue()

    def present(self, approval: Approval, seconds: float) -> None:
        self._pending.put(approval)

    def ask_pending(self) -> None:
        """Ask what is waiting; called on the main thread."""
        while not self._pending.empty():
            approval = self._pending.get()
            answer = ask(approval)
            try:
                self._runtime.answer(approval.run_id, approval.step_id, answer)
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
