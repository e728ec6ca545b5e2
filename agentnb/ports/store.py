"""The boundary to the store: records that are written in transactions, and what can be asked for.

The journal of events is the truth; runs and agents are kept beside it, in the same transactions, so that they can be found.
Times are RFC 3339 UTC text, leases are seconds since the epoch.
"""

from __future__ import annotations

import reprlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple, Protocol

from agentnb.secrets import redact

Status = Literal["queued", "running", "waiting", "completed", "failed", "cancelled"]
Reason = Literal["", "error", "timed_out", "policy", "cancelled", "lost"]
FINAL: frozenset[str] = frozenset({"completed", "failed", "cancelled"})


def now() -> str:
    """The time as RFC 3339 UTC text with microseconds."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{_second(seconds)}.{nanoseconds // 1000:06d}Z"


def rfc3339(seconds: float) -> str:
    """Seconds since the epoch as such text."""
    whole, part = divmod(round(seconds * 1_000_000), 1_000_000)
    return f"{_second(whole)}.{part:06d}Z"


class _Brief(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 3, 80, 80

    def repr_str(self, x: str, level: int) -> str:
        return super().repr_str(redact(x), level)

    def repr_instance(self, x: Any, level: int) -> str:
        try:
            text = redact(repr(x))
        except Exception:
            return super().repr_instance(x, level)
        return text if len(text) <= self.maxother else f"{text[: self.maxother]}…"


brief = _Brief().repr
"""A value as the ``repr`` of what holds it shows it: shortened, without secrets."""


@lru_cache(2)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


class Event(NamedTuple):
    """Something that happened.

    Attributes:
        type: For example ``agent.executed``; the word before the point gives the topic.
        data: The event's flat JSON, ``event_type`` and ``timestamp`` included.
        step_id: Which step of the run, where there is one.
        input_hash: SHA-256 of what the step was given: with ``step_id`` it is the key by which a run resumes.
        seq: Its place in the journal, given by the store; grows without end, and never names two events.
    """

    type: str
    data: Mapping[str, Any]
    run_id: str = ""
    step_id: str = ""
    input_hash: str = ""
    seq: int = 0

    @property
    def topic(self) -> str:
        return _topic(self.type)

    def __repr__(self) -> str:
        parts = [
            self.run_id,
            self.step_id and f"step {self.step_id}",
            str(self.data.get("status", "")),
            str(self.data.get("timestamp", "")),
        ]
        return f"<event {self.seq} {self.type}: {', '.join(filter(None, parts))}>"


@lru_cache(1000)
def _topic(type_: str) -> str:
    kind, _, rest = type_.partition(".")
    return f"external.{rest}" if kind == "external" else f"{kind}.events"


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of an agent, a workflow or a job.

    Attributes:
        definition: Hash of the definition that it started with.
        owner: The process that executes it, or empty; its claim holds until ``lease_until``.
        attempt: How often it was claimed; who has an older number may no longer write.
        error: ``{"type", "message"}`` of a run that failed, or None.
        usage: Totals: ``input_tokens``, ``output_tokens``, ``cached_tokens``, ``cost``, ``model_calls``, ``tool_calls``, ``replayed``,
            ``cut_off``.
        job: Run of the job that it is a part of, or empty; ``parent`` is the workflow that it is a step of, or what it replays.
        wake_at: Seconds since the epoch at which a run that waits is due, by a timer or a deadline; 0 for none.
    """

    id: str
    kind: Literal["agent", "workflow", "job"]
    name: str
    status: Status
    definition: str = ""
    agent_id: str = ""
    reason: Reason = ""
    session: str = ""
    user: str = ""
    parent: str = ""
    input: Any = None
    output: Any = None
    error: Mapping[str, str] | None = None
    owner: str = ""
    lease_until: float = 0.0
    attempt: int = 0
    created_at: str = ""
    ended_at: str = ""
    usage: Mapping[str, Any] = field(default_factory=dict)
    wake_at: float = 0.0
    job: str = ""

    def __repr__(self) -> str:
        why = f" ({self.reason})" if self.reason else ""
        return f"<{self.status}{why} run {self.id} of the {self.kind} {self.name}, begun {self.created_at}>"


@dataclass(frozen=True, slots=True)
class RunChange:
    """New values of some fields of a run."""

    id: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AgentRecord:
    """A registered agent; ``origin`` is the notebook, file or session in which its name is defined."""

    id: str
    name: str
    origin: str
    definition: str
    state: str
    capabilities: tuple[str, ...] = ()
    created_at: str = ""

    def __repr__(self) -> str:
        return f"<agent {self.name}, {self.id}: {self.state}, defined in {self.origin}>"


@dataclass(frozen=True, slots=True)
class AgentState:
    """A registered agent's new state of the lifecycle."""

    id: str
    state: str


@dataclass(frozen=True, slots=True)
class Definition:
    """What an agent, a workflow or a job is made of, kept under the hash of its content.

    Attributes:
        kind: A ``draft`` is a workflow of which nothing was found yet that it names.
        spec: JSON object.
        code: cloudpickle of the functions that can't be imported, or empty.
        python: Version that wrote ``code``, as ``3.11``.
        used_at: When it was last written, which each run does; given by the store.
    """

    hash: str
    kind: Literal["agent", "workflow", "draft", "job"]
    name: str
    spec: Mapping[str, Any]
    code: bytes = b""
    python: str = ""
    used_at: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and its answer in a conversation; writing one with a key that is there replaces it in its place."""

    session: str
    key: str
    run_id: str
    messages: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that a person or another process tells a run: ``cancel``, ``answer:STEP``, or the name of an event, with a payload."""

    run_id: str
    name: str
    payload: Any = None
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Cached:
    """A step's result that is kept; writing one with a key that is there replaces it.

    Attributes:
        expires: Seconds since the epoch, or 0 for never.
    """

    key: str
    value: Any
    run_id: str
    expires: float = 0.0


Trigger = Literal["cron", "event"]
FiringStatus = Literal["watched", "claimed", "queued", "started", "ended", "skipped", "missed"]


@dataclass(frozen=True, slots=True)
class Firing:
    """One time that a job was due: a row that can be written once only, by whichever scheduler is first.

    Attributes:
        job: The job's name.
        trigger: ``cron``, or ``event`` for events of the journal.
        position: When it was due, in seconds since the epoch; of an event, its place in the journal.
        status: ``watched`` (the schedule holds from here on), ``claimed`` (a scheduler is about to start it), ``queued`` (waits for an
            earlier run), ``started``, ``ended``, ``skipped`` (an earlier run was still going on), ``missed`` (nobody was there in time).
        run_id: The run that it starts: whoever starts it writes a run of that ID, which can be there once.
        owner: The scheduler that claimed it, until ``lease_until``.
        note: Why it was skipped or missed, or the file of the job where it is watched.
    """

    job: str
    trigger: Trigger
    position: float
    status: FiringStatus
    run_id: str = ""
    owner: str = ""
    lease_until: float = 0.0
    attempt: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class FiringChange:
    """New values of some fields of a firing."""

    firing: Firing
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Offer:
    """Firings of one job that are to be written, if its newest one of their trigger is still that at ``after`` (None: there is none)."""

    after: float | None
    firings: tuple[Firing, ...]
    events: tuple[Event, ...] = ()


Record = Event | Run | RunChange | AgentRecord | AgentState | Definition | Turn | Signal | Cached | FiringChange


@dataclass(frozen=True, slots=True)
class Fence:
    """Writes only as long as this attempt still owns the run."""

    run_id: str
    attempt: int


class Store(Protocol):
    """Keeps everything; many processes may have it open at once. Every method raises StoreError where it can't be read or written."""

    @property
    def location(self) -> str:
        """Where it is, for people."""
        ...

    def write(self, *records: Record, fence: Fence | None = None, sync: bool = False) -> None:
        """Write all of it in one transaction, or nothing; with ``sync`` it is on the disk, not only with the operating system.

        Raises:
            LeaseLost: The fence's run belongs to a later attempt.
        """
        ...

    def reserve_agent(self, record: AgentRecord, *others: Record) -> bool:
        """Write a new agent and the other records; False, with nothing written, where its ID is taken."""
        ...

    def events(self, run_id: str = "", after: int = 0, limit: int | None = None, types: Sequence[str] = ()) -> list[Event]:
        """Events in the journal's order, of one run or of all; of these types only, where some are given."""
        ...

    def position(self) -> int:
        """The number of the newest event; 0 where there is none."""
        ...

    def run(self, run_id: str) -> Run:
        """One run by its ID, or by the beginning of it where only one starts so.

        Raises:
            RunNotFound: There is none, or more than one.
        """
        ...

    def runs(
        self,
        *,
        kind: str = "",
        status: str = "",
        name: str = "",
        agent_id: str = "",
        session: str = "",
        parent: str = "",
        job: str = "",
        since: str = "",
        until: str = "",
        before: tuple[str, str] | None = None,
        limit: int = 50,
        whole: bool = True,
    ) -> list[Run]:
        """Runs, newest first.

        Args:
            kind: Only those of this kind; the same holds for the other fields.
            status: As it is kept.
            name: Of the agent, the workflow or the job.
            agent_id: Of the agent.
            session: Of this conversation.
            parent: The run that they are part of.
            job: Run of the job that has started them.
            since: Only those that were created then or later.
            until: Only those that were created before.
            before: ``(created_at, id)`` of a run: only those that come after it in this order.
            limit: At most so many.
            whole: With their input and output, which may be large.
        """
        ...

    def counts(self) -> dict[tuple[str, str], int]:
        """How many runs there are, by kind and status."""
        ...

    def delete_runs(self, run_ids: Sequence[str], *others: Record) -> None:
        """Forget runs that have ended, with their events, signals, turns of conversations and kept results; write the other records.

        Raises:
            RunNotFound: One isn't there. Nothing was deleted then; the same holds below.
            IllegalTransition: One hasn't ended.
        """
        ...

    def claim(self, run_id: str, owner: str, until: float, *, expect_attempt: int) -> Run:
        """Take a run over: the attempt number grows by one.

        Raises:
            LeaseLost: Somebody else was quicker: its attempt number is no longer the expected one, or it has ended.
        """
        ...

    def renew(self, run_ids: Sequence[str], owner: str, until: float) -> None:
        """Prolong the leases of runs that are unfinished and still the owner's."""
        ...

    def definition(self, key: str) -> Definition:
        """A definition by its hash.

        Raises:
            UnknownName: There is none.
        """
        ...

    def definitions(
        self, kind: str, *, name: str = "", current: bool = True, before: tuple[str, str] | None = None, limit: int = 50
    ) -> list[Definition]:
        """Definitions without their code, those first that were used last; ``current`` keeps only the first one of each name.

        Args:
            kind: ``agent`` or ``workflow``.
            name: Only those of this name.
            current: Whether to leave out earlier versions.
            before: ``(used_at, hash)`` of a definition: only those that come after it in this order.
            limit: At most so many.
        """
        ...

    def agents(self, *, name: str = "", agent_id: str = "", current: bool = True) -> list[AgentRecord]:
        """Agents, newest first; ``current`` leaves out those whose name was given to a newer one of the same origin."""
        ...

    def delete_agent(self, agent_id: str, *others: Record) -> None:
        """Forget an agent (its runs stay), and write the other records with it."""
        ...

    def turns(self, session: str, before: str = "") -> list[Turn]:
        """A conversation in order; ``before`` leaves out the turn of that key and all after it."""
        ...

    def signals(self, run_id: str, after: int = 0) -> list[Signal]:
        """What a run was told, oldest first."""
        ...

    def cached(self, key: str) -> Cached | None:
        """A kept result that holds still."""
        ...

    def reserve(self, cached: Cached) -> bool:
        """Keep a result; False, with nothing written, where one of its key is kept and holds still."""
        ...

    def due(self, moment: float, limit: int = 100) -> list[Run]:
        """Unfinished runs that nobody executes and that have something to do at that time: a timer is due, or the lease has run out."""
        ...

    def offer(self, offers: Sequence[Offer]) -> list[bool]:
        """Write the firings of each job that nobody else has fired meanwhile, all in one transaction; which ones were written."""
        ...

    def firings(self, *, job: str = "", statuses: Sequence[str] = (), limit: int = 100) -> list[Firing]:
        """Firings, newest first."""
        ...

    def newest_firings(self) -> list[Firing]:
        """The newest firing of each job and trigger."""
        ...

    def take_firing(self, firing: Firing, owner: str, until: float) -> Firing | None:
        """Claim a firing as it was read; None where somebody else has changed it meanwhile."""
        ...

    def renew_firings(self, owner: str, until: float) -> None:
        """Prolong the leases of the firings that this owner has claimed or queued."""
        ...

    def version(self) -> int:
        """A number that changes whenever another connection has written: cheap to ask."""
        ...

    def close(self) -> None:
        """Close it; a later call opens it again."""
        ...
