"""Which conversation each ``%%agent`` cell of a kernel takes part in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentnb.errors import ConfigurationError

if TYPE_CHECKING:
    from agentnb.runtime.agent import Agent


@dataclass
class Conversation:
    """One conversation; ``cell`` is the ID of the cell that began it, or empty where cells have none."""

    cell: str
    agent: Agent
    session: str


class Conversations:
    """The conversations of one kernel. A cell that began one begins it anew when it is run again; those that went on with it follow."""

    def __init__(self) -> None:
        self._of_cell: dict[str, Conversation] = {}
        self._latest: Conversation | None = None

    def begin(self, cell: str, agent: Agent, session: str) -> None:
        """Note what a cell begins."""
        known = self._of_cell.get(cell)
        if known is None or known.cell != cell:
            known = Conversation(cell, agent, session)
        known.agent, known.session = agent, session
        self._join(cell, known)

    def go_on(self, cell: str) -> Conversation:
        """The conversation that a cell goes on with: its own where it is run again, else the latest.

        Raises:
            ConfigurationError: There is none.
        """
        found = self._of_cell.get(cell) or self._latest
        if found is None:
            raise ConfigurationError(
                "%%agent --continue: there is no conversation in this kernel yet: run the cell first that this one goes on with"
            )
        self._join(cell, found)
        return found

    def _join(self, cell: str, conversation: Conversation) -> None:
        self._latest = conversation
        if cell:
            self._of_cell[cell] = conversation
