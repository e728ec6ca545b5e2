"""A model that answers from a script: for tests, demonstrations and examples that must not depend on a real one.

A transcript is a file of JSON objects, one a line; empty lines and lines that start with ``#`` are passed over:

    {"when": "Lisbon", "tool_calls": [{"name": "weather", "arguments": {"city": "Lisbon"}}]}
    {"text": "It is sunny.", "usage": {"input_tokens": 12, "output_tokens": 4}}
    {"error": "overloaded", "retryable": true}

Each request takes the first line not yet used whose ``when`` occurs in the last message, or that has no ``when``.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from agentnb.errors import ConfigurationError, ProviderError, UnknownModel
from agentnb.ports.model import Emit, ModelInfo, ModelRequest, ModelResponse, Progress, ToolCall, Usage

_KEYS = ("text", "tool_calls", "error", "retryable", "retry_after", "finish_reason", "usage", "delay", "chunk_delay", "when")
_KINDS: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "tool_calls": (list,),
    "error": (str,),
    "retryable": (bool,),
    "retry_after": (int, float),
    "finish_reason": (str,),
    "usage": (Mapping,),
    "delay": (int, float),
    "chunk_delay": (int, float),
    "when": (str,),
}

Line = str | Mapping[str, Any] | ModelResponse
"""What a script answers: a text, an object as in a transcript, or a ready response."""


@dataclass(frozen=True, slots=True)
class _Turn:
    response: ModelResponse = field(default_factory=lambda: ModelResponse(""))
    error: ProviderError | None = None
    delay: float = 0.0
    chunk_delay: float = 0.0
    when: str = ""
    ask: Callable[[ModelRequest], Line] | None = None


class ScriptedModel:
    """Answers requests from a list, in order.

    Args:
        script: Texts, objects as in a transcript, ready responses, or functions that make one of these from the request.
        where: Where the script comes from, for messages.

    Attributes:
        requests: The requests received, in order.

    Raises:
        ConfigurationError: An object of the script is wrong.
    """

    def __init__(self, script: Iterable[Line | Callable[[ModelRequest], Line]], *, where: str = "the script") -> None:
        self.requests: list[ModelRequest] = []
        self._where = where
        self._turns = [_turn(line, f"{where}, entry {number}") for number, line in enumerate(script, 1)]
        self._unused = list(self._turns)

    def __repr__(self) -> str:
        return f"ScriptedModel({self._where}: {len(self._turns) - len(self._unused)} of {len(self._turns)} used)"

    async def generate(self, request: ModelRequest, emit: Emit | None = None) -> ModelResponse:
        """Answer with the next entry that fits; with ``emit``, word by word.

        Raises:
            ProviderError: The entry is an error, or no entry is left that fits.
            ConfigurationError: A function of the script made something that is no entry.
        """
        self.requests.append(request)
        turn = self._next(request)
        if turn.ask is not None:
            turn = _turn(turn.ask(request), f"{self._where}, request {len(self.requests)}")
        if turn.delay:
            await asyncio.sleep(turn.delay)
        if turn.error is not None:
            error = turn.error
            raise ProviderError(str(error), retryable=error.retryable, retry_after=error.retry_after)
        if emit is not None:
            await _write(turn, emit)
        return _numbered(turn.response, len(self.requests))

    def _next(self, request: ModelRequest) -> _Turn:
        asked = request.messages[-1].content if request.messages else ""
        for number, turn in enumerate(self._unused):
            if turn.when in asked:
                return self._unused.pop(number)
        left = f"none of the {len(self._unused)} left fits" if self._unused else "all are used"
        has = "1 entry" if len(self._turns) == 1 else f"{len(self._turns)} entries"
        raise ProviderError(f"{self._where} has {has} and {left}, but was asked {asked[-120:]!r}: add an entry to it")


class ScriptedProvider:
    """Models named by their transcript, for example ``scripted:demo.jsonl``; each model starts its transcript anew."""

    def model(self, name: str, **settings: Any) -> ScriptedModel:
        """The model that answers from a file; a relative path starts at the working folder.

        Raises:
            UnknownModel: There is no such file.
            ConfigurationError: A line of the file is wrong, or a setting was given.
        """
        for key in settings:
            raise ConfigurationError(f"[models.scripted] has no setting {key!r}; it has none at all")
        return ScriptedModel(_read(Path(name).expanduser()), where=name)

    def catalog(self) -> list[ModelInfo]:
        """Nothing: transcripts are files of your own."""
        return []

    def pull(self, name: str, progress: Progress) -> NoReturn:
        """Refuses: transcripts are written, not fetched.

        Raises:
            UnknownModel: Always.
        """
        raise UnknownModel(f"scripted:{name} is a file that you write, so there is nothing to fetch")


def _read(path: Path) -> list[Mapping[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise UnknownModel(f"scripted:{path} can't be read ({error.strerror}): name a file with one JSON object a line") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: not UTF-8") from None
    numbered = [(number, line.strip()) for number, line in enumerate(lines, 1)]
    return [_object(line, f"{path}:{number}") for number, line in numbered if line and not line.startswith("#")]


def _object(line: str, place: str) -> Mapping[str, Any]:
    try:
        data = json.loads(line)
    except ValueError as error:
        raise ConfigurationError(f"{place}: {error}") from None
    if not isinstance(data, dict):
        raise ConfigurationError(f"{place}: must be a JSON object, not {line[:60]!r}")
    _turn(data, place)
    return data


def _turn(line: Line | Callable[[ModelRequest], Line], place: str) -> _Turn:
    if isinstance(line, str):
        return _Turn(ModelResponse(line))
    if isinstance(line, ModelResponse):
        return _Turn(line)
    if isinstance(line, Mapping):
        _check(line, place)
        return _Turn(_response(line, place), _error(line), line.get("delay", 0), line.get("chunk_delay", 0), line.get("when", ""))
    if callable(line):
        return _Turn(ask=line)
    raise ConfigurationError(f"{place}: must be a text, an object, a ModelResponse or a function, not {line!r}")


def _check(line: Mapping[str, Any], place: str) -> None:
    for key, value in line.items():
        if key not in _KEYS:
            raise ConfigurationError(f"{place}: unknown key {key!r}; there are: {', '.join(_KEYS)}")
        if not isinstance(value, _KINDS[key]):
            raise ConfigurationError(f"{place}: {key} can't be {value!r}")
    if not line.keys() & {"text", "tool_calls", "error"}:
        raise ConfigurationError(f"{place}: needs text, tool_calls or error")


def _response(line: Mapping[str, Any], place: str) -> ModelResponse:
    calls = tuple(_call(call, f"{place}, tool_calls[{number}]") for number, call in enumerate(line.get("tool_calls", ())))
    try:
        usage = Usage(**line.get("usage", {}))
    except TypeError:
        raise ConfigurationError(f"{place}: usage can't be {line['usage']!r}; it has input_tokens, output_tokens, cached_tokens") from None
    return ModelResponse(line.get("text", ""), calls, usage, line.get("finish_reason", "tool_calls" if calls else "stop"))


def _call(call: object, place: str) -> ToolCall:
    if not isinstance(call, Mapping) or not isinstance(call.get("name"), str):
        raise ConfigurationError(f"{place}: must be an object with name and arguments, not {call!r}")
    arguments = call.get("arguments", {})
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return ToolCall(str(call.get("id", "")), call["name"], text)


def _numbered(response: ModelResponse, request: int) -> ModelResponse:
    calls = (replace(call, id=call.id or f"call_{request}_{number}") for number, call in enumerate(response.tool_calls))
    return replace(response, tool_calls=tuple(calls)) if response.tool_calls else response


def _error(line: Mapping[str, Any]) -> ProviderError | None:
    if "error" not in line:
        return None
    return ProviderError(line["error"], retryable=line.get("retryable", False), retry_after=line.get("retry_after"))


async def _write(turn: _Turn, emit: Emit) -> None:
    words: Sequence[str] = re.findall(r"\s*\S+\s*", turn.response.text) or [turn.response.text]
    for word in words:
        if turn.chunk_delay:
            await asyncio.sleep(turn.chunk_delay)
        if word:
            emit(word)
