"""One run's view of the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agentnb.agents.trace import Step
from agentnb.errors import AgentNBError
from agentnb.ports.model import Message
from agentnb.ports.store import Fence, Record, Store


class Diverged(AgentNBError):
    """A replayed run asks for a step that the recorded run doesn't have."""

    def __init__(self, source: str, step_id: str) -> None:
        super().__init__(
            f"the replay of {source} diverges at step {step_id}: the agent, its tools or its input are not what they were then. "
            "Go on with real calls from there: %agentnb replay RUN --live"
        )


class RunJournal:
    """Writes under the run's fence, and knows which steps are done already.

    Args:
        done: Steps of an earlier attempt, or of the run that is replayed, by step ID.
        replay_of: The replayed run, where a step that is not in ``done`` is an error.
    """

    def __init__(
        self, store: Store, fence: Fence, *, session: str = "", turn: str = "", done: Mapping[str, Step] | None = None, replay_of: str = ""
    ) -> None:
        self._store = store
        self._fence = fence
        self._session = session
        self._turn = turn
        self._done = done or {}
        self._replay_of = replay_of

    def write(self, *records: Record) -> None:
        self._store.write(*records, fence=self._fence)

    def recorded(self, step_id: str, input_hash: str) -> Step | None:
        step = self._done.get(step_id)
        if step is not None and step.input_hash == input_hash:
            return step
        if self._replay_of:
            raise Diverged(self._replay_of, step_id)
        return None

    def history(self) -> list[Message]:
        if not self._session:
            return []
        return [Message.from_dict(message) for turn in self._store.turns(self._session, self._turn) for message in turn.messages]


def latest(steps: Sequence[Step]) -> dict[str, Step]:
    """Steps by their ID."""
    return {step.id: step for step in steps}
