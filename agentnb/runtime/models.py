"""Opens models by name, each once a process, with all that wraps them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentnb import plugins
from agentnb.config import Settings
from agentnb.errors import ConfigurationError, UnknownModel
from agentnb.models.cassette import Cassette, RecordingModel, ReplayingModel
from agentnb.models.prices import priced
from agentnb.models.resilience import FIRST_WAIT, RETRIES, ResilientModel
from agentnb.names import nearest
from agentnb.ports.model import Embedder, Emit, Model, ModelInfo, ModelRequest, ModelResponse, Progress, Provider

_WRAPPING = {"retries", "first_wait"}


class Models:
    """The models of one process, by ``provider:model``; those that are given are used instead of the providers'."""

    def __init__(self, settings: Settings, given: Mapping[str, Model] | None = None) -> None:
        self._settings = settings
        self._providers: dict[str, Provider] = {}
        self._models: dict[str, Model] = dict(given or {})
        self._cassette: Cassette | None = None

    def open(self, name: str, *, record: Path | None = None, replay: Path | None = None) -> Model:
        """A model that retries, counts and prices; recording or replaying where that is asked for, here or in the settings.

        Raises:
            UnknownModel: There is no such provider or model.
            MissingKey: Its provider needs a key.
        """
        if replay is not None:
            return ReplayingModel(Cassette(replay))
        if self._settings.replay is not None:
            return ReplayingModel(self._shared_cassette(self._settings.replay))
        if name not in self._models:
            self._models[name] = self._made(name)
        model = self._models[name]
        record = record or self._settings.record
        return RecordingModel(model, record) if record is not None else model

    def embedder(self, name: str) -> Embedder:
        """An embedding model.

        Raises:
            ConfigurationError: The provider has none.
        """
        provider, word, rest = self._provider(name)
        make = getattr(provider, "embedder", None)
        if make is None:
            raise ConfigurationError(f"{word} offers no embeddings yet: use openai: with a base_url")
        embedder: Embedder = make(rest, **self._table(word)[0])
        return embedder

    def catalog(self) -> list[ModelInfo]:
        """What all providers know of, without any network."""
        return [info for word in plugins.table("agentnb.models") for info in self._provider(f"{word}:")[0].catalog()]

    def pull(self, name: str, progress: Progress) -> ModelInfo:
        """Fetch a model onto this machine; a name without a provider is one of ``openvino``."""
        provider, _, rest = self._provider(name if ":" in name else f"openvino:{name}")
        return provider.pull(rest, progress)

    def _made(self, name: str) -> Model:
        provider, word, rest = self._provider(name)
        settings, wrapping = self._table(word)
        model = provider.model(rest, **settings)
        if word == "scripted":
            return model
        wrapped = ResilientModel(
            model, name, retries=int(wrapping.get("retries", RETRIES)), first_wait=float(wrapping.get("first_wait", FIRST_WAIT))
        )
        elsewhere = settings.get("base_url") or os.environ.get(f"{word.upper()}_BASE_URL")
        return wrapped if elsewhere else _PricedModel(wrapped, name)

    def _provider(self, name: str) -> tuple[Provider, str, str]:
        word, colon, rest = name.partition(":")
        known = plugins.table("agentnb.models")
        if not colon or word not in known:
            near = nearest(name, [info.name for info in self.catalog()])
            raise UnknownModel(
                f"unknown model {name!r}: did you mean {near}?"
                if near
                else f"unknown model {name!r}: write provider:model, such as {self._settings.model}; providers: {', '.join(sorted(known))}"
            )
        if word not in self._providers:
            self._providers[word] = plugins.load("agentnb.models", word)()
        return self._providers[word], word, rest

    def _table(self, word: str) -> tuple[dict[str, Any], dict[str, Any]]:
        table = self._settings.models.get(word, {})
        return {key: value for key, value in table.items() if key not in _WRAPPING}, {key: table[key] for key in _WRAPPING & table.keys()}

    def _shared_cassette(self, file: Path) -> Cassette:
        if self._cassette is None:
            self._cassette = Cassette(file)
        return self._cassette


class _PricedModel:
    def __init__(self, model: Model, name: str) -> None:
        self._model = model
        self._name = name

    async def generate(self, request: ModelRequest, emit: Emit | None = None) -> ModelResponse:
        from dataclasses import replace

        response = await self._model.generate(request, emit)
        return replace(response, usage=priced(self._name, response.usage))
