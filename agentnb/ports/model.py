"""The boundary to language models: a request, a response, and one method between them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from agentnb.secrets import to_json

Role = Literal["system", "user", "assistant", "tool"]

Emit = Callable[[str | None], None]
"""Receives each piece of text as the model writes it; None says: forget the pieces so far, the call starts anew."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model wants called; ``arguments`` is JSON text as the model wrote it, perhaps malformed."""

    id: str
    name: str
    arguments: str

    def as_dict(self) -> dict[str, Any]:
        return {"id": self.id, "name": self.name, "arguments": self.arguments}


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation; ``tool_call_id`` is set on the answers of tools only."""

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""

    def as_dict(self) -> dict[str, Any]:
        data: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.tool_calls:
            data["tool_calls"] = [call.as_dict() for call in self.tool_calls]
        if self.tool_call_id:
            data["tool_call_id"] = self.tool_call_id
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Message:
        calls = tuple(ToolCall(**call) for call in data.get("tool_calls", ()))
        return cls(data["role"], data["content"], calls, data.get("tool_call_id", ""))


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model sees it; ``parameters`` is the JSON Schema of one object."""

    name: str
    description: str
    parameters: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "description": self.description, "parameters": self.parameters}


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call of a model.

    Attributes:
        model: ``provider:model``, as the user wrote it.
        output_schema: JSON Schema that the answer's text must fit, or None for free text.
        options: Sampling settings: ``temperature``, ``max_tokens``, ``seed``, ``stop``, ``top_p``, ``frequency_penalty``,
            ``presence_penalty``; and ``tool_choice``, ``auto`` or ``required``, and ``parallel_tool_calls``, false for one call at most.
            A seed repeats what is drawn as far as the server's arithmetic does:
            batches and cached prefixes may round otherwise.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    output_schema: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        data: dict[str, Any] = {"model": self.model, "messages": [message.as_dict() for message in self.messages]}
        if self.tools:
            data["tools"] = [tool.as_dict() for tool in self.tools]
        if self.output_schema is not None:
            data["output_schema"] = self.output_schema
        if self.options:
            data["options"] = dict(self.options)
        return data

    def sha256(self) -> str:
        """Hex digest of the canonical JSON (sorted keys, no spaces, UTF-8): the key of cassettes and of resume."""
        return digest(self.as_dict())


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or more calls; ``cost`` in US dollars, or None where no price is known."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost: float | None = None

    def __add__(self, other: Usage) -> Usage:
        costs = [cost for cost in (self.cost, other.cost) if cost is not None]
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            sum(costs) if costs else None,
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cached_tokens": self.cached_tokens,
            "cost": self.cost,
        }


@dataclass(frozen=True, slots=True)
class ModelResponse:
    """What a model answered; ``finish_reason`` is ``stop``, ``length``, ``tool_calls`` or the provider's own word."""

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    finish_reason: str = "stop"

    def as_dict(self) -> dict[str, Any]:
        data: dict[str, Any] = {"text": self.text, "finish_reason": self.finish_reason, "usage": self.usage.as_dict()}
        if self.tool_calls:
            data["tool_calls"] = [call.as_dict() for call in self.tool_calls]
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ModelResponse:
        calls = tuple(ToolCall(**call) for call in data.get("tool_calls", ()))
        return cls(data["text"], calls, Usage(**data.get("usage", {})), data.get("finish_reason", "stop"))


class Model(Protocol):
    """A language model.

    Adapters are made by a factory ``(name, **settings) -> Model``, where ``name`` is what follows the provider's colon.
    ``generate`` may be awaited by many tasks, of several event loops, at once.
    """

    async def generate(self, request: ModelRequest, emit: Emit | None = None) -> ModelResponse:
        """Answer one request; with ``emit``, hand over the text while it is being written.

        Cancelling the awaiting task stops the generation.

        Raises:
            ProviderError: The provider failed; ``retryable`` says whether the same call may succeed later.
        """
        ...


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that a provider offers.

    Attributes:
        name: ``provider:model``.
        path: Where its files lie on this machine, or empty.
        size: Bytes that are, or were, to be fetched; of what lay here by itself, bytes on disk; 0 where unknown.
        installed: Whether it can be used without fetching anything.
        writes: Whether it answers in text; not so those that give vectors, or are there to be optimised.
        details: What else is known: source, SHA-256, context length …
    """

    name: str
    description: str = ""
    licence: str = ""
    path: str = ""
    size: int = 0
    installed: bool = False
    writes: bool = True
    details: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<model {self.name}, {'here' if self.installed else 'not fetched'}{f', {self.size / 1e6:,.0f} MB' if self.size else ''}>"


Progress = Callable[[str, int, int], None]
"""Receives what is being done, and how many bytes of how many are done."""


class Provider(Protocol):
    """Where models come from: one for each word before the colon of a model's name; made once a process, without arguments."""

    def model(self, name: str, **settings: Any) -> Model:
        """The model that follows the colon; settings are the keys of ``[models.PROVIDER]`` in agentnb.toml.

        Raises:
            UnknownModel: There is none of that name; the message says what there is, or how to get it.
            MissingKey: The provider needs a key.
        """
        ...

    def catalog(self) -> list[ModelInfo]:
        """The models that this provider knows of, without any network."""
        ...

    def pull(self, name: str, progress: Progress) -> ModelInfo:
        """Fetch a model onto this machine, verify it, and say where it lies; nothing is fetched twice.

        Raises:
            UnknownModel: This provider can't fetch one of that name.
            ProviderError: It can't be fetched, or what came is not what was asked for.
        """
        ...


class Embedder(Protocol):
    """A model that turns texts into vectors."""

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector a text, in the texts' order, all of one length.

        Raises:
            ProviderError: As for ``Model.generate``.
        """
        ...


def canonical(data: object) -> str:
    """JSON text that is the same for equal data: sorted keys, no spaces, no secrets."""
    return to_json(data, sort_keys=True)


def digest(data: object) -> str:
    """SHA-256, as hex, of the canonical JSON without its secrets: so it can be found again from what was written down."""
    return hashlib.sha256(canonical(data).encode("utf-8", "surrogatepass")).hexdigest()
