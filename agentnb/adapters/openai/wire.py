"""The chat-completions protocol: requests written, answers read and checked; no I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from agentnb.adapters.openai.strict import permits_strict
from agentnb.ports.model import Emit, Message, ModelRequest, ModelResponse, ToolCall, Usage


class Garbled(Exception):
    """What the server sent doesn't follow the protocol."""


class ServerError(Exception):
    """An error object came where an answer was due.

    Attributes:
        status: HTTP status that the object names, or 500.
        body: The error object.
    """

    def __init__(self, body: object) -> None:
        super().__init__()
        code = body.get("code") if isinstance(body, dict) else None
        self.status = code if isinstance(code, int) and 400 <= code < 600 else 500
        self.body = body


def write_request(model: str, request: ModelRequest, *, official: bool) -> dict[str, Any]:
    """The body of a request.

    OpenAI itself wants ``max_completion_tokens`` and takes objects only as the root of an output schema; other servers know
    ``max_tokens`` and take any schema.
    """
    body: dict[str, Any] = dict(request.options)
    if official and "max_tokens" in body:
        body["max_completion_tokens"] = body.pop("max_tokens")
    body["model"] = model
    body["messages"] = [_message(message) for message in request.messages]
    if request.tools:
        body["tools"] = [{"type": "function", "function": tool.as_dict()} for tool in request.tools]
    schema = request.output_schema
    if schema is not None and (not official or schema.get("type") == "object"):
        body["response_format"] = {"type": "json_schema", "json_schema": _output_format(schema)}
    return body


def _message(message: Message) -> dict[str, Any]:
    data: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        data["content"] = message.content or None
        data["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}} for call in message.tool_calls
        ]
    if message.tool_call_id:
        data["tool_call_id"] = message.tool_call_id
    return data


def _output_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", str(schema.get("title", "")))[:64].strip("_")
    return {"name": name or "answer", "schema": schema, "strict": permits_strict(schema)}


def read_completion(data: object) -> ModelResponse:
    """Read the answer to a request that was not streamed.

    Raises:
        Garbled: It is no chat completion.
        ServerError: It is an error object under status 200, as some gateways send it.
    """
    choice = _choice(data)
    if choice is None:
        raise Garbled("no choices")
    message = _mapping(choice.get("message"), "message")
    text, refused = _text(message)
    calls = _Calls()
    calls.add(message.get("tool_calls"))
    return _response(text, refused, calls.done(), choice.get("finish_reason"), _mapping(data, "body").get("usage"))


class StreamReader:
    """Puts a streamed answer together and hands its text on piece by piece."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._pieces: list[str] = []
        self._calls = _Calls()
        self._usage: object = None
        self._finish: object = None
        self._refused = False
        self._done = False

    def feed(self, data: bytes) -> None:
        """Take in one event.

        Raises:
            Garbled: It is no chunk of a chat completion.
            ServerError: The server gave up in the middle.
        """
        if data == b"[DONE]":
            self._done = True
            return
        chunk = parse(data)
        choice = _choice(chunk)
        self._usage = chunk.get("usage") or self._usage
        if choice is None:
            return
        self._finish = choice.get("finish_reason") or self._finish
        delta = choice.get("delta") or {}
        calls = _mapping(delta, "delta").get("tool_calls")
        if calls:
            self._calls.add(calls)
        text, refused = _text(delta)
        self._refused = self._refused or refused
        if text:
            self._pieces.append(text)
            self._emit(text)

    @property
    def done(self) -> bool:
        """Whether the server said that nothing more comes."""
        return self._done

    def response(self) -> ModelResponse:
        """The whole answer.

        Raises:
            Garbled: The stream ended before the answer did.
        """
        if not self._done and self._finish is None:
            raise Garbled("the stream ended before the answer did")
        return _response("".join(self._pieces), self._refused, self._calls.done(), self._finish, self._usage)

    def whole(self, data: object) -> ModelResponse:
        """Read the answer of a server that doesn't stream.

        Raises:
            Garbled: It is no chat completion.
            ServerError: It is an error object.
        """
        response = read_completion(data)
        if response.text:
            self._emit(response.text)
        return response


def read_embeddings(data: object, count: int) -> list[list[float]]:
    """The vectors in the order of the texts.

    Raises:
        Garbled: They are not ``count`` vectors of one length.
        ServerError: It is an error object under status 200.
    """
    items = _answer(data).get("data")
    if not isinstance(items, list) or len(items) != count:
        raise Garbled(f"not {count} embeddings")
    try:
        ordered = sorted(items, key=lambda item: item["index"])
        vectors = [[float(number) for number in item["embedding"]] for item in ordered]
    except (KeyError, TypeError, ValueError):
        raise Garbled("an embedding is no list of numbers") from None
    if len({len(vector) for vector in vectors}) > 1:
        raise Garbled("embeddings of different lengths")
    return vectors


def parse(data: bytes) -> Any:
    """JSON as the server sent it.

    Raises:
        Garbled: It is none.
    """
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise Garbled(f"no JSON: {data[:80].decode(errors='replace')!r}") from None


def _answer(data: object) -> Mapping[str, Any]:
    answer = _mapping(data, "body")
    if answer.get("error"):
        raise ServerError(answer["error"])
    return answer


def _choice(data: object) -> Mapping[str, Any] | None:
    choices = _answer(data).get("choices")
    if not choices:
        return None
    if not isinstance(choices, list):
        raise Garbled("choices is no list")
    return _mapping(choices[0], "choice")


def _mapping(data: object, what: str) -> Mapping[str, Any]:
    if isinstance(data, dict):
        return data
    raise Garbled(f"{what} is no object")


def _text(message: Mapping[str, Any]) -> tuple[str, bool]:
    """The text of a message or a delta, and whether it is a refusal."""
    content = message.get("content")
    if not content and message.get("refusal"):
        return str(message["refusal"]), True
    if content is None or isinstance(content, str):
        return content or "", False
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict)), False
    raise Garbled("content is no text")


class _Calls:
    """Tool calls, whole or in fragments; servers differ in whether they number them, and whether they repeat the ID."""

    def __init__(self) -> None:
        self._found: dict[object, list[str]] = {}

    def add(self, fragments: object) -> None:
        for fragment in fragments if isinstance(fragments, Sequence) else ():
            part = _mapping(fragment, "tool call")
            call = self._found.setdefault(self._key(part), ["", "", ""])
            function = _mapping(part.get("function") or {}, "function")
            call[0] = call[0] or str(part.get("id") or "")
            call[1] = call[1] or str(function.get("name") or "")
            arguments = function.get("arguments")
            call[2] += arguments if isinstance(arguments, str) else json.dumps(arguments) if arguments is not None else ""

    def _key(self, part: Mapping[str, Any]) -> object:
        index, id_ = part.get("index"), part.get("id")
        known = self._found.get(index)
        if id_ and (index is None or (known and known[0] not in {"", id_})):
            return id_
        if index is None and self._found:
            return next(reversed(self._found))
        return index

    def done(self) -> tuple[ToolCall, ...]:
        if not all(call[1] for call in self._found.values()):
            raise Garbled("a tool call without a name")
        return tuple(ToolCall(id_ or f"call_{uuid4().hex[:16]}", name, arguments or "{}") for id_, name, arguments in self._found.values())


def _response(text: str, refused: bool, calls: tuple[ToolCall, ...], finish: object, usage: object) -> ModelResponse:
    if not text.isascii():
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    reason = "refusal" if refused else str(finish or "stop")
    if calls and reason in {"stop", "function_call"}:
        reason = "tool_calls"
    return ModelResponse(text, calls, _usage(usage), reason)


def _usage(data: object) -> Usage:
    if not isinstance(data, dict):
        return Usage()
    details = data.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    return Usage(_count(data.get("prompt_tokens")), _count(data.get("completion_tokens")), _count(cached))


def _count(number: object) -> int:
    return int(number) if isinstance(number, int | float) else 0
