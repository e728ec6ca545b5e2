"""Every error that agentnb raises on purpose, each with its cause and its mend in the message."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from agentnb.names import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path


_PLACE = re.compile(r"^\[[\d:]+\] \S+:\d+: (Check failed: .* is false: )?")
"""How xgrammar begins its errors."""


class AgentNBError(Exception):
    """Base of all errors of agentnb.

    Attributes:
        run_id: The run in which it happened, or an empty string.
        usage: What that run had used until then: tokens, cost, calls.
        reason: What a run that ends with it is said to have failed of: ``error``, ``timed_out``, ``policy`` or ``cancelled``.
    """

    run_id: str = ""
    reason: Literal["error", "timed_out", "policy", "cancelled"] = "error"
    usage: Mapping[str, Any] = MappingProxyType({})


def described(error: BaseException) -> dict[str, str]:
    """An error as the journal keeps it."""
    return {"type": type(error).__name__, "message": str(error) or type(error).__name__}


def cause(error: BaseException) -> str:
    """The last telling line of an error of native code, without the places in its sources."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("Exception from", "Check ", "FrontEnd API failed"))]
    return _PLACE.sub("", (telling or lines or [type(error).__name__])[-1]).rstrip(".!")


def kind_of(value: object) -> str:
    """``an int``, ``a list``: what a value is, in a message."""
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeioAEIO' else 'a'} {name}"


def no_attribute(owner: str, name: str, known: Iterable[str]) -> AttributeError:
    """The error of an attribute that isn't there, with the one that was probably meant."""
    near = nearest(name, list(known)) if not name.startswith("_") else ""
    hint = f"; did you mean {near}?" if near else ""
    return AttributeError(
        f"{owner} has no attribute {name!r}{hint}", name=""
    )  # by its name Python would look for one too, and say it twice


class ConfigurationError(AgentNBError):
    """A setting, a definition or an argument is wrong."""


class DefinitionError(ConfigurationError):
    """A stored definition can't be loaded in this process."""


class MissingExtra(ConfigurationError):
    """A package that only some features need is not installed."""

    def __init__(self, package: str, extra: str | None = None) -> None:
        what = f"'jupyter-agentnb[{extra}]', or in a clone of agentnb pip install '.[{extra}]'" if extra else f"'{package}'"
        super().__init__(f"{package} is not installed: pip install {what}")


class MissingKey(ConfigurationError):
    """A provider needs an API key and none is set."""

    def __init__(self, provider: str, variable: str) -> None:
        super().__init__(f"{provider} needs an API key: set the environment variable {variable} before the kernel starts")


class UnknownModel(ConfigurationError):
    """No provider has a model of that name.

    Attributes:
        fetch: The full name of the model that has to be fetched; empty where that is no mend.
    """

    def __init__(self, message: str, fetch: str = "") -> None:
        super().__init__(message)
        self.fetch = fetch


class UnknownName(ConfigurationError):
    """No agent, tool, run or definition goes by that name."""


class RunNotFound(UnknownName):
    """No run has that ID."""

    def __init__(self, run_id: str, where: str) -> None:
        super().__init__(f"no run {run_id!r} in {where}: `agentnb runs list` shows the runs that are there")


class IllegalTransition(AgentNBError):
    """An agent or a run was told to go to a state that it can't reach from where it is."""


class NotWaiting(ConfigurationError):
    """A run was answered that doesn't wait for this, or that was answered already."""


class StoreError(AgentNBError):
    """The store can't be opened, read or written."""


class LeaseLost(AgentNBError):
    """Another process has taken this run over; this one must stop writing to it."""


class PolicyDenied(AgentNBError):
    """The policy refused; nothing of what was asked has been done.

    Attributes:
        stage: Where it was refused: ``input``, ``tool_call``, ``tool_result``, ``output`` or ``memory_write``.
        code: The reason code of the rule, for example ``tool_not_allowed``.
    """

    reason = "policy"

    def __init__(self, stage: str, code: str, reason: str) -> None:
        super().__init__(f"refused by policy at {stage} ({code}): {reason}")
        self.stage = stage
        self.code = code


class ExecutionError(AgentNBError):
    """An execution ended without a result."""


class StepLimitExceeded(ExecutionError):
    """The model kept calling tools and never answered."""

    def __init__(self, limit: int) -> None:
        calls = "1 model call" if limit == 1 else f"{limit} model calls"
        super().__init__(f"no answer after {calls}: raise max_steps, or tell the agent in its instructions when to stop")


class ExecutionTimeout(ExecutionError):
    """The execution took longer than it may."""

    reason = "timed_out"

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(f"{what} timed out after {seconds:g} s: raise its timeout, or give it less to do")


class ExecutionCancelled(ExecutionError):
    """Someone cancelled the run."""

    reason = "cancelled"


class CellFailed(ExecutionError):
    """A cell of a job's notebook failed; ``reason`` is that of the error which it raised."""

    def __init__(self, cell: str, name: str, message: str, reason: Literal["error", "timed_out", "policy", "cancelled"] = "error") -> None:
        super().__init__(f"{cell}: {name}: {message}" if message else f"{cell}: {name}")
        self.reason = reason


class KernelDied(ExecutionError):
    """The process of a notebook's kernel ended by itself."""


class LimitExceeded(ExecutionError):
    """A job used more than its limits allow."""


class OutputInvalid(ExecutionError):
    """The model's answer doesn't fit the output schema, also after it was asked to repair it."""

    def __init__(self, attempts: int, findings: Sequence[str], text: str) -> None:
        shown = text if len(text) <= 200 else f"{text[:200]}…"
        super().__init__(
            f"the answer doesn't fit the output schema after {attempts} attempts: {'; '.join(findings)}. "
            f"The model wrote {shown!r}: use a stronger model, or a simpler schema"
        )


class ProviderError(AgentNBError):
    """A model provider failed.

    Attributes:
        retryable: Whether the same call may succeed later.
        retry_after: Seconds that the provider asked to wait, or None.
    """

    def __init__(self, message: str, *, retryable: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.retry_after = retry_after


class RateLimited(ProviderError):
    """The provider refuses more calls for now."""


class ContextOverflow(ProviderError):
    """The prompt is longer than the model can read."""


class OptimizationError(AgentNBError):
    """A model can't be made faster, or what was made can't be written; nothing is left at the result's place."""


class GateRefused(OptimizationError):
    """No recipe lost as little as was asked for, so nothing was written.

    Attributes:
        report: Path of the report that says what each recipe lost.
    """

    def __init__(self, message: str, report: Path | str) -> None:
        super().__init__(f"{message}; {report} says what each recipe gained and lost")
        self.report = report


class CassetteMiss(AgentNBError):
    """A replayed call is not on the cassette."""

    def __init__(self, cassette: Path | str, prompt: str, *, known: bool = False) -> None:
        why = ""
        if known:
            why = " (it is recorded, but with another conversation, model, tools or instructions: replay in the same place, or use --fresh)"
        super().__init__(
            f"no recorded answer in {cassette} for the call that ends in {prompt[-120:]!r}{why}: record it again with --record {cassette}"
        )
