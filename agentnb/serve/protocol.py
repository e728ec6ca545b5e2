"""OpenAI's chat completions and embeddings: what clients send, checked; what they get; no I/O.

The protocol: https://platform.openai.com/docs/api-reference/chat.
"""

from __future__ import annotations

import base64
import json
import re
import struct
import time
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agentnb.agents import schemas
from agentnb.agents.conversation import Conversation
from agentnb.errors import ConfigurationError
from agentnb.ports.model import Message, Role, ToolCall, ToolSpec
from agentnb.runtime.results import AgentResult
from agentnb.serve import fields

_MAX_TEXTS = 2048
_MAX_SCHEMA = 100_000
"""Characters of a JSON Schema."""
_BRANCH = re.compile(r"(str|float|list\[.*|constrained-.*|literal\[.*|_\w+)$")
"""What pydantic adds to the place of a field that may be of several types."""


class BadRequest(ConfigurationError):
    """A request can't be served as it stands; ``param`` is the field that is wrong."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _given(cls, data: Any) -> Any:
        """Null is as good as left out: many clients write all fields that they know."""
        return {name: value for name, value in data.items() if value is not None} if isinstance(data, dict) else data


class _Text(_Part):
    type: str
    text: str = ""


class _Function(_Part):
    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w.-]+$")]
    arguments: str = "{}"


class _Call(_Part):
    id: str
    type: Literal["function"] = "function"
    function: _Function


class _Message(_Part):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[_Text] | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str = ""
    function_call: Any = None
    audio: Any = None


class _Definition(_Part):
    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w.-]+$")]
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=lambda: {"properties": {}})


class _Tool(_Part):
    type: Literal["function"]
    function: _Definition


class _Named(_Part):
    name: str


class _Choice(_Part):
    type: Literal["function"]
    function: _Named


class _Schema(_Part):
    name: str = ""
    schema_: dict[str, Any] = Field(alias="schema", default_factory=dict)


class _Format(_Part):
    type: Literal["text", "json_schema", "json_object"]
    json_schema: _Schema | None = None


class _StreamOptions(_Part):
    include_usage: bool = False


class _Body(_Part):
    """A whole request: also what isn't honoured is looked at, see ``fields``."""

    model_config = ConfigDict(extra="allow")


class ChatRequest(_Body):
    """The body of ``POST /v1/chat/completions``."""

    model: Annotated[str, Field(min_length=1)]
    messages: Annotated[list[_Message], Field(min_length=1)]
    tools: list[_Tool] | None = None
    tool_choice: Literal["none", "auto", "required"] | _Choice | None = None
    response_format: _Format | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    stop: str | Annotated[list[str], Field(max_length=16)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    parallel_tool_calls: bool | None = None

    def conversation(self) -> Conversation:
        """The conversation that is to be gone on with.

        Raises:
            BadRequest: It asks for something that isn't there, or contradicts itself.
        """
        tools = tuple(_spec(tool.function, f"tools.{number}.function.parameters") for number, tool in enumerate(self.tools or ()))
        names = [tool.name for tool in tools]
        for number, name in enumerate(names):
            if name in names[:number]:
                raise BadRequest(f"two tools are called {name!r}", f"tools.{number}")
        options = self._options()
        if tools and self.parallel_tool_calls is False:
            options["parallel_tool_calls"] = False
        if self.tool_choice == "none":
            tools = ()
        elif isinstance(self.tool_choice, _Choice):
            wanted = self.tool_choice.function.name
            tools = tuple(tool for tool in tools if tool.name == wanted)
            options["tool_choice"] = "required"
            if not tools:
                raise BadRequest(f"tool_choice names {wanted!r}, which is not among the tools", "tool_choice")
        elif self.tool_choice == "required":
            options["tool_choice"] = "required"
            if not tools:
                raise BadRequest("tool_choice is required, but there are no tools", "tool_choice")
        messages = tuple(_message(message, f"messages.{number}") for number, message in enumerate(self.messages))
        if messages[-1].role not in ("user", "tool"):
            raise BadRequest("the last message must be the user's or a tool's", f"messages.{len(messages) - 1}")
        return Conversation(messages, tools, self._schema(), options)

    def _options(self) -> dict[str, Any]:
        options = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_completion_tokens or self.max_tokens,
            "seed": self.seed,
            "stop": self.stop,
            "presence_penalty": self.presence_penalty or None,
            "frequency_penalty": self.frequency_penalty or None,
        }
        return {key: value for key, value in options.items() if value is not None}

    def _schema(self) -> dict[str, Any] | None:
        form = self.response_format
        if form is None or form.type == "text":
            return None
        if form.type == "json_object":
            return {"type": "object", "additionalProperties": True}
        if form.json_schema is None:
            raise BadRequest("json_schema is missing", "response_format.json_schema")
        return _of_object(form.json_schema.schema_, "response_format.json_schema.schema", None)


def _of_object(schema: dict[str, Any], place: str, code: str | None) -> dict[str, Any]:
    """The JSON Schema of an object, checked."""
    if schema.get("type") != "object":
        raise BadRequest(f"{place} must be the JSON Schema of an object: {{type: object, properties: …}}", place, code)
    if (size := len(json.dumps(schema))) > _MAX_SCHEMA:
        raise BadRequest(f"{place} has {size} characters, {_MAX_SCHEMA} are read at most: simplify it", place, code)
    try:
        schemas.check(schema)
    except schemas.SchemaInvalid as error:
        raise BadRequest(f"{place} is no JSON Schema: {error}", place, code) from None
    return schema


def _spec(function: _Definition, place: str) -> ToolSpec:
    parameters = _of_object({"type": "object", **function.parameters}, place, "invalid_function_parameters")
    return ToolSpec(function.name, function.description, parameters)


def _message(message: _Message, place: str) -> Message:
    calls = tuple(ToolCall(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ())
    if calls and message.role != "assistant":
        raise BadRequest("only messages of the assistant have tool_calls", f"{place}.tool_calls")
    if message.function_call is not None:
        raise BadRequest("function_call is the old form: use tool_calls", f"{place}.function_call", "unsupported_parameter")
    if message.audio is not None:
        raise BadRequest("only text is read, not audio", f"{place}.audio", "unsupported_content")
    if message.role == "tool" and not message.tool_call_id:
        raise BadRequest("a tool's message needs tool_call_id", f"{place}.tool_call_id")
    if message.content is None and message.role != "assistant":
        raise BadRequest(f"a message of the {message.role} needs content", f"{place}.content")
    role: Role = "system" if message.role == "developer" else message.role
    return Message(role, _text(message.content, f"{place}.content"), calls, message.tool_call_id if role == "tool" else "")


def _text(content: str | list[_Text] | None, place: str) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    for number, part in enumerate(content):
        if part.type != "text":
            raise BadRequest(f"only text is read, not {part.type}", f"{place}.{number}", "unsupported_content")
    return "".join(part.text for part in content)


class EmbeddingsRequest(_Body):
    """The body of ``POST /v1/embeddings``."""

    model: Annotated[str, Field(min_length=1)]
    input: str | Annotated[list[str | int | list[int]], Field(min_length=1, max_length=_MAX_TEXTS)]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Field(ge=1)] | None = None

    def texts(self) -> list[str]:
        """What is to be embedded.

        Raises:
            BadRequest: It isn't text.
        """
        given = [self.input] if isinstance(self.input, str) else self.input
        texts = [text for text in given if isinstance(text, str)]
        if len(texts) < len(given):
            raise BadRequest(
                "token IDs aren't read, for they mean nothing to another tokenizer: send texts "
                "(LangChain's OpenAIEmbeddings does with check_embedding_ctx_length=False)",
                "input",
                "unsupported_input",
            )
        return texts


def parsed(kind: type[ChatRequest] | type[EmbeddingsRequest], body: bytes) -> Any:
    """The body as a request of that kind.

    Raises:
        BadRequest: It is no JSON, or a field is missing, wrong or can't be honoured; the first that is found is named.
    """
    try:
        request = kind.model_validate_json(body)
    except ValidationError as error:
        first = _telling(error.errors(include_url=False, include_input=False))
        place = _place(first)
        if first["type"] == "json_invalid":
            raise BadRequest(f"the body is no JSON: {first['msg'].removeprefix('Invalid JSON: ')}", code="invalid_json") from None
        raise BadRequest(f"{place or 'body'}: {first['msg']}", place or None) from None
    for name, value in (request.model_extra or {}).items():
        if wrong := fields.objection(name, value):
            message, code = wrong
            raise BadRequest(message, name, code)
    return request


def _telling(found: Sequence[Any]) -> Any:
    """The first error; of a field that may be of several types, the one that isn't about its type."""
    place = found[0]["loc"][:1]
    return next((one for one in found if one["loc"][:1] == place and not one["type"].endswith("_type")), found[0])


def _place(error: Any) -> str:
    return ".".join(str(part) for part in error["loc"] if not _BRANCH.match(str(part)))


def finish_reason(result: AgentResult) -> str:
    if result.tool_calls:
        return "tool_calls"
    return "length" if result.usage.get("cut_off") else "stop"


def usage(result: AgentResult) -> dict[str, Any]:
    read, written = result.usage.get("input_tokens", 0), result.usage.get("output_tokens", 0)
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_tokens_details": {"cached_tokens": result.usage.get("cached_tokens", 0)},
    }


def completion(model: str, result: AgentResult) -> dict[str, Any]:
    """The answer that is given as a whole; its ID is the run's."""
    message: dict[str, Any] = {"role": "assistant", "content": result.text or None if result.tool_calls else result.text, "refusal": None}
    if result.tool_calls:
        message["tool_calls"] = [_call(call) for call in result.tool_calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason(result)}
    return {**_head(result.execution_id, "chat.completion", model), "choices": [choice], "usage": usage(result)}


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _head(run_id: str, kind: str, model: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{run_id}", "object": kind, "created": int(time.time()), "model": model}


class Chunks:
    """The events of one streamed answer."""

    def __init__(self, run_id: str, model: str) -> None:
        self._head = _head(run_id, "chat.completion.chunk", model)

    def first(self) -> bytes:
        return self._chunk({"role": "assistant", "content": ""})

    def text(self, piece: str) -> bytes:
        return self._chunk({"content": piece})

    def calls(self, calls: Sequence[ToolCall]) -> bytes:
        return self._chunk({"tool_calls": [{"index": number, **_call(call)} for number, call in enumerate(calls)]})

    def finish(self, reason: str) -> bytes:
        return self._chunk({}, reason)

    def usage(self, result: AgentResult) -> bytes:
        return event({**self._head, "choices": [], "usage": usage(result)})

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        return event({**self._head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]})


def event(data: Any) -> bytes:
    """One event of a stream; None ends it."""
    text = "[DONE]" if data is None else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"data: {text}\n\n".encode("utf-8", "replace")


def embeddings(request: EmbeddingsRequest, vectors: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Vectors as numbers, or as base64 of little-endian 32-bit floats; tokens are estimated at four characters.

    Raises:
        BadRequest: Other dimensions are asked for than the model's.
    """
    if request.dimensions not in (None, len(vectors[0])):
        raise BadRequest(
            f"vectors of {request.model} have {len(vectors[0])} numbers, not {request.dimensions}: leave dimensions out",
            "dimensions",
            "unsupported_parameter",
        )

    def written(vector: Sequence[float]) -> object:
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode() if request.encoding_format == "base64" else list(vector)

    tokens = sum(len(text) // 4 + 1 for text in request.texts())
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": number, "embedding": written(vector)} for number, vector in enumerate(vectors)],
        "model": request.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
