"""The boundary to what measures models: what is to be measured, and the figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from agentnb.ports.progress import Progress


@dataclass(frozen=True, slots=True)
class BenchmarkTask:
    """What to measure: every combination of what is listed.

    Attributes:
        models: Paths, as ``optimize`` takes them, or folders that it wrote.
        against: Peers: ``onnxruntime``, ``torch``, ``llama.cpp``.
        device: OpenVINO's name of the device.
        batches: Samples in one inference; lengths: tokens of a text (of a language model: of the prompt).
        hints: ``LATENCY``, ``THROUGHPUT``; streams: 0 leaves them to the hint; threads: 0 leaves them to OpenVINO (and to the peer).
        precisions: ``default`` (what OpenVINO, or the recipe of an optimized folder, takes), ``f32``, ``bf16``.
        repetitions: Rounds in which each combination has its turn.
        seconds: How long a turn lasts at least.
        tokens: What a language model generates.
        shapes: Of inputs that the model leaves open, by their name: the batch comes first and is replaced.
        peak: Whether the machine's peak is measured, so that shares of it can be told.
        names: How rows name models, by their path; others go by their file or folder.
    """

    models: tuple[Any, ...]
    against: tuple[str, ...] = ()
    device: str = "CPU"
    batches: tuple[int, ...] = (1,)
    lengths: tuple[int, ...] = (64,)
    hints: tuple[str, ...] = ("LATENCY",)
    streams: tuple[int, ...] = (0,)
    threads: tuple[int, ...] = (0,)
    precisions: tuple[str, ...] = ("default",)
    repetitions: int = 5
    seconds: float = 0.2
    tokens: int = 64
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    peak: bool = True
    names: Mapping[str, str] = field(default_factory=dict)


class Measured(dict[str, Any]):
    """What a benchmark found, ``{"id", "made_at", "machine", "task", "rows": […]}``: each row is one combination.

    In a notebook it shows itself as tables and pictures, once ``%load_ext agentnb`` has run.
    """


class Benchmark(Protocol):
    """Measures; gives ``{"format", "made_at", "machine", "task", "rows": […]}``, JSON."""

    def __call__(self, task: BenchmarkTask, progress: Progress) -> dict[str, Any]:
        """Do it.

        Raises:
            ConfigurationError: A model or an option is wrong, or a peer can't run it.
            MissingExtra: A peer is not installed.
        """
        ...
