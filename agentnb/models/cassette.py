"""Records model calls to a file and answers them from it, without network, key or model.

A cassette is JSON Lines: one call a line, ``{"key", "recording", "request", "response"}``, where ``key`` is the SHA-256 of the canonical
request, and ``recording`` names the process that recorded it. Secrets are masked in it. Recording appends; of calls that are equal those of
the newest recording count, and are answered in their order; the last answer then holds.
"""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from pathlib import Path
from typing import Any

from agentnb.errors import CassetteMiss, ConfigurationError
from agentnb.ports.model import Emit, Model, ModelRequest, ModelResponse
from agentnb.secrets import redact, to_json

_RECORDING = uuid.uuid4().hex[:8]


class RecordingModel:
    """Wraps a model; every answer is appended to the cassette before it is handed on.

    Raises:
        ConfigurationError: The cassette can't be written; said before any model is called.
    """

    def __init__(self, model: Model, file: Path) -> None:
        self._model = model
        self._file = file
        append(file, "")

    async def generate(self, request: ModelRequest, emit: Emit | None = None) -> ModelResponse:
        response = await self._model.generate(request, emit)
        line = {"key": request.sha256(), "recording": _RECORDING, "request": request.as_dict(), "response": response.as_dict()}
        append(self._file, to_json(line) + "\n")
        return response


def append(file: Path, text: str) -> None:
    """Write to the end of a cassette; with no text, see whether that can be done.

    Raises:
        ConfigurationError: It can't.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8", errors="replace") as cassette:
            cassette.write(text)
    except OSError as error:
        raise ConfigurationError(f"the cassette {file} can't be written: {error.strerror}. Name another file to record to") from error


class Cassette:
    """A cassette that was read; one for each place that replays it, because it remembers what was played."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._answers: dict[str, list[ModelResponse]] = defaultdict(list)
        self._recordings: dict[str, str] = {}
        self._prompts: set[str] = set()
        self._played: dict[str, int] = defaultdict(int)
        try:
            lines = file.read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or error
            raise ConfigurationError(f"the cassette {file} can't be read: {why}. Record one with --record {file}") from error
        for number, line in enumerate(lines, start=1):
            if line.strip():
                self._add(number, line)

    def answer(self, request: ModelRequest) -> ModelResponse:
        """The recorded answer to an equal request.

        Raises:
            CassetteMiss: There is none.
        """
        key = request.sha256()
        answers = self._answers.get(key)
        if not answers:
            prompt = request.messages[-1].content if request.messages else ""
            raise CassetteMiss(self.file, prompt, known=redact(prompt) in self._prompts)
        place = min(self._played[key], len(answers) - 1)
        self._played[key] += 1
        return answers[place]

    def _add(self, number: int, line: str) -> None:
        try:
            data: dict[str, Any] = json.loads(line)
            key, recording = data["key"], data.get("recording", "")
            if self._recordings.setdefault(key, recording) != recording:
                self._answers.pop(key, None)
                self._recordings[key] = recording
            self._answers[key].append(ModelResponse.from_dict(data["response"]))
            self._prompts.update(message["content"] for message in data.get("request", {}).get("messages", ())[-1:])
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"{self.file}:{number}: not a line of a cassette ({type(error).__name__}: {error}): record it again"
            ) from None


class ReplayingModel:
    """Answers from a cassette only; no model is ever called."""

    def __init__(self, cassette: Cassette) -> None:
        self._cassette = cassette

    async def generate(self, request: ModelRequest, emit: Emit | None = None) -> ModelResponse:
        response = self._cassette.answer(request)
        if emit is not None and response.text:
            emit(response.text)
        return response
