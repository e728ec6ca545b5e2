"""One run's view of the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from agentnb.agents.trace import Step, steps_of
from agentnb.errors import AgentNBError
from agentnb.ports.model import Message
from agentnb.ports.store import Event, Fence, Record, Store


class Diverged(AgentNBError):
    """A run that is resumed or replayed asks for something else than was recorded."""

    def __init__(self, source: str, step_id: str, mend: str) -> None:
        super().__init__(f"{source} diverges at step {step_id}: the agent, its tools or its input are not what they were then. {mend}")


@dataclass(frozen=True)
class Past:
    """What is known of a run before it goes on.

    Attributes:
        steps: Its steps so far, by their ID.
        begun: How often each tool call was begun.
        replay_of: The run that is replayed, or empty where a run itself is resumed.
        live: Whether a replay may go on with real calls where it diverges.
    """

    steps: dict[str, Step] = field(default_factory=dict)
    begun: Counter[str] = field(default_factory=Counter)
    replay_of: str = ""
    live: bool = False

    @classmethod
    def of(cls, events: Sequence[Event]) -> Past:
        """The past of a run that is resumed."""
        begun = Counter(event.step_id for event in events if event.type == "agent.tool_started")
        return cls({step.id: step for step in steps_of(events)}, begun)

    @classmethod
    def replayed(cls, run_id: str, events: Sequence[Event], *, live: bool) -> Past:
        """The past that a replay plays again: no approvals, for those were given to that run alone."""
        steps = {step.id: step for step in steps_of(events) if step.kind != "approval" and step.status in ("completed", "failed")}
        return cls(steps, replay_of=run_id, live=live)

    @classmethod
    def continued(cls, run_id: str, events: Sequence[Event]) -> Past:
        """The past that a new run goes on from: what was finished, answers of people among it, and what had begun."""
        begun = Counter(event.step_id for event in events if event.type == "agent.tool_started")
        steps = {
            step.id: step for step in steps_of(events) if step.status == "completed" or (step.kind == "tool" and step.output is not None)
        }
        return cls(steps, begun, replay_of=run_id, live=True)


class RunJournal:
    """Writes under the run's fence, and knows which steps are done already."""

    def __init__(self, store: Store, fence: Fence, *, session: str = "", turn: str = "", past: Past | None = None) -> None:
        self._store = store
        self._fence = fence
        self._session = session
        self._turn = turn
        self._past = past or Past()

    @property
    def resumed(self) -> bool:
        """Whether an earlier process began this run."""
        return self._fence.attempt > 1

    def write(self, *records: Record) -> None:
        self._store.write(*records, fence=self._fence)

    def recorded(self, step_id: str, input_hash: str) -> Step | None:
        """The step of that name and input, where it is known.

        Raises:
            Diverged: It is known with another input, or a replay asks for one that isn't known.
        """
        step = self._past.steps.get(step_id)
        if step is not None and step.input_hash == input_hash:
            return step
        if self._past.replay_of and not self._past.live:
            raise Diverged(f"the replay of {self._past.replay_of}", step_id, "Go on with real calls from there: %agentnb replay RUN --live")
        if step is not None and step.status == "completed" and not self._past.replay_of:
            raise Diverged(f"run {self._fence.run_id}", step_id, "Nothing was called; run it again from the start")
        return None

    def begun(self, step_id: str) -> int:
        return self._past.begun[step_id]

    def history(self) -> list[Message]:
        """The conversation before this run: as its first model call saw it, where there was one."""
        first = self._past.steps.get("m1")
        if first is not None and first.status == "completed":
            seen = [Message.from_dict(message) for message in first.input]
            return [message for message in seen[:-1] if message.role != "system"]
        if not self._session:
            return []
        return [Message.from_dict(message) for turn in self._store.turns(self._session, self._turn) for message in turn.messages]
