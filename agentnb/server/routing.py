"""What a route is, what its function is given, and what it may give back."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict

from agentnb.server.keys import Answered, Key

if TYPE_CHECKING:
    from agentnb.ports.store import Record
    from agentnb.runtime.runtime import Runtime
    from agentnb.server.service import Service

Action = Literal["read", "write", "execute"]
_PARAMETER = re.compile(r"\{(\w+)\}")
Body = TypeVar("Body", bound=BaseModel)


class Request(BaseModel):
    """A query or a body; what it doesn't name is refused."""

    model_config = ConfigDict(extra="forbid")


class Data(BaseModel):
    """What is answered."""

    model_config = ConfigDict(from_attributes=True)


@dataclass(frozen=True, slots=True)
class Call:
    """What every function is given first.

    Attributes:
        user: The name of who asks.
        allowed: Whether an action on a resource is allowed to them.
        key: The request's idempotency key, where it has one.
    """

    service: Service
    user: str
    allowed: Callable[[str, str], Awaitable[bool]]
    key: Key | None = None

    @property
    def runtime(self) -> Runtime:
        return self.service.runtime

    def kept(self, status: int, body: BaseModel, location: str) -> list[Record]:
        """What remembers this answer under the request's key; to be written with what was done, so that a crash tears neither apart."""
        return [self.key.record(Answered(status, body.model_dump_json(by_alias=True), location))] if self.key else []


@dataclass(frozen=True, slots=True)
class Reply(Generic[Body]):
    """An answer with more than its body.

    Attributes:
        status: Instead of the route's own.
        location: Path of what was made, after the API's own.
        etag: Names this state of what is answered; who has it already is told so instead.
    """

    body: Body
    status: int = 0
    location: str = ""
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """An answer that is no JSON."""

    text: str
    content_type: str


@dataclass(frozen=True)
class Route:
    """One operation.

    The function's parameters say the rest: those of the path by name, ``query`` and ``body`` by their models; so does what it returns.

    Attributes:
        path: After ``agentnb/api/v1``, with ``{name}`` for its parameters.
        action: What Jupyter's authorizer is asked for; of ``resource``, after ``agentnb.``.
        status: Of the answer.
        stream: How the messages are sent that the function gives one after another, where it does.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    action: Action
    noun: str
    function: Callable[..., Any]
    status: int = 200
    stream: Literal["", "sse", "websocket"] = ""

    @property
    def resource(self) -> str:
        return f"agentnb.{self.noun}"

    @property
    def name(self) -> str:
        """Names the operation: ``runs_steps``, ``streams_of_all_sse``."""
        parts = (self.function.__module__.rpartition(".")[2], self.function.__name__.rstrip("_"), self.stream)
        return "_".join(filter(None, parts))

    @property
    def summary(self) -> str:
        return (self.function.__doc__ or "").strip().partition("\n")[0]

    @property
    def parameters(self) -> list[str]:
        return _PARAMETER.findall(self.path)

    @property
    def pattern(self) -> str:
        """As tornado matches it."""
        return _PARAMETER.sub(r"(?P<\1>[^/]+)", self.path)

    @cached_property
    def hints(self) -> Mapping[str, Any]:
        return get_type_hints(self.function)

    @property
    def query(self) -> type[BaseModel] | None:
        return self.hints.get("query")

    @property
    def body(self) -> type[BaseModel] | None:
        return self.hints.get("body")

    @property
    def keyed(self) -> bool:
        """Whether it is done once only for an idempotency key."""
        return self.method == "POST" and self.action != "read"

    @property
    def has_etag(self) -> bool:
        return get_origin(self.hints.get("return")) is Reply and self.method == "GET" and self.noun == "workflows"

    @property
    def response(self) -> Any:
        """The model of the answer's body; ``Text`` for one that is no JSON, None for none."""
        answer = self.hints.get("return")
        return get_args(answer)[0] if get_origin(answer) is Reply else answer
