"""What an executor is given: the run, what is known of it, and each step that is to be performed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from agentnb.policy import PolicyEngine
from agentnb.ports.store import Cached
from agentnb.workflows.callables import Function
from agentnb.workflows.claims import Claims
from agentnb.workflows.graph import CompiledStep
from agentnb.workflows.kinds.call import Kind
from agentnb.workflows.ledger import Ledger
from agentnb.workflows.spec import Action, WorkflowSpec
from agentnb.workflows.trace import Identity, StepRecord


class Inbox(Protocol):
    """What the run is told."""

    def answers(self, name: str) -> asyncio.Queue[Any]: ...


class Presenter(Protocol):
    """A surface with a person in front of it."""

    def present_question(self, run_id: str, step: StepRecord) -> None:
        """Show what ``step.question`` asks, and return at once; the answer comes through ``workflow_signals.answer``."""
        ...


@dataclass(frozen=True)
class Past:
    """What is known before a run begins or goes on.

    Attributes:
        own: Steps of this very run, by earlier processes.
        visits: A state machine's ``workflow.state_entered`` events so far, by earlier processes.
        heard: How often a state machine has taken an event of a name, also where no transition was for it.
        source: Run that is run again, and steps: what it came to.
        fresh: Steps that are run anew in any case.
    """

    own: Mapping[str, StepRecord] = field(default_factory=dict)
    visits: Sequence[Mapping[str, Any]] = ()
    heard: Mapping[str, int] = field(default_factory=dict)
    source: str = ""
    steps: Mapping[str, StepRecord] = field(default_factory=dict)
    fresh: frozenset[str] = frozenset()

    def repeated(self, key: str, record: StepRecord) -> StepRecord | None:
        """The same step of the run that is run again, where its input and its definition are the same."""
        found = self.steps.get(record.id)
        if found is None or key in self.fresh or found.status != "completed":
            return None
        return found if (found.input_hash, found.fingerprint) == (record.input_hash, record.fingerprint) else None


@dataclass
class Job:
    """A run that is to be executed, and what it may use."""

    spec: WorkflowSpec
    compiled: Mapping[str, CompiledStep]
    identity: Identity
    inputs: Mapping[str, Any]
    env: Mapping[str, str]
    functions: Mapping[str, Function]
    fingerprints: Mapping[str, str]
    folder: Path
    policy: PolicyEngine
    ledger: Ledger
    inbox: Inbox
    kinds: Mapping[str, Kind]
    cached: Callable[[str], Cached | None]
    host: Any = None
    claims: Claims = field(default_factory=Claims)
    past: Past = field(default_factory=Past)
    presenter: Presenter | None = None


class Instance:
    """A step that is to be performed: one of the spec, an item of a fan-out, or a visit of a state.

    Attributes:
        key: Its place in the spec.
        values: What its expressions see besides steps, inputs, env and run.
        cache_key: Under which its result is kept for others; empty where it isn't.
        continued: The status in which an earlier process left it, or empty.
        limit: The time-out of the attempt that goes on. whole: That of all attempts together.
    """

    __slots__ = ("action", "cache_key", "compiled", "continued", "idempotent", "key", "limit", "parts", "record", "text", "values", "whole")

    def __init__(self, key: str, record: StepRecord, action: Action, compiled: CompiledStep, values: Mapping[str, Any]) -> None:
        self.key = key
        self.record = record
        self.action = action
        self.compiled = compiled
        self.values = values
        self.parts: Mapping[str, Any] = {}
        self.text = ""
        self.cache_key = ""
        self.continued = ""
        self.idempotent = False
        self.limit: asyncio.Timeout | None = None
        self.whole: asyncio.Timeout | None = None
