"""What is measured: combinations, and inputs made for them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agentnb.errors import ConfigurationError
from agentnb.ports.benchmark import BenchmarkTask

_TOKENS = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
_WORDS = 1000


@dataclass(frozen=True, slots=True)
class Setting:
    """How a model is run."""

    hint: str
    streams: int
    threads: int
    precision: str

    def properties(self, recipe: Mapping[str, Any]) -> dict[str, Any]:
        """What OpenVINO is told; ``recipe`` is what an optimized folder asks for."""
        found = dict(recipe)
        found["PERFORMANCE_HINT"] = self.hint
        if self.precision != "default":
            found["INFERENCE_PRECISION_HINT"] = self.precision
        if self.streams:
            found["NUM_STREAMS"] = self.streams
        if self.threads:
            found["INFERENCE_NUM_THREADS"] = self.threads
        return found


def settings(task: BenchmarkTask) -> Iterator[Setting]:
    """All combinations.

    Raises:
        ConfigurationError: An option is unknown.
    """
    for hint in task.hints:
        if hint not in ("LATENCY", "THROUGHPUT"):
            raise ConfigurationError(f"--hint {hint}: it is LATENCY or THROUGHPUT")
    for precision in task.precisions:
        if precision not in ("default", "f32", "bf16"):
            raise ConfigurationError(f"--precision {precision}: it is default, f32 or bf16")
    for option, numbers in {"--streams": task.streams, "--threads": task.threads}.items():
        if any(number < 0 for number in numbers):
            raise ConfigurationError(f"{option}: it has to be 0 or more")
    return (Setting(*parts) for parts in itertools.product(task.hints, task.streams, task.threads, task.precisions))


def shapes(model: Any, batch: int, length: int, given: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Shapes of all inputs, for a batch and, of texts, a length.

    Raises:
        ConfigurationError: The model leaves more open than these say, or can't be run with that batch.
    """
    found = {port.get_any_name(): _shape(port, batch, length, given) for port in model.inputs}
    if batch > 1 and not any(batch in shape[:1] for shape in found.values()):
        port = model.inputs[0]
        raise ConfigurationError(
            f"--batch {batch}: {port.get_any_name()} is {port.get_partial_shape()}: leave --batch out, or export it with an open batch"
        )
    return found


def _shape(port: Any, batch: int, length: int, given: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    name, wanted = port.get_any_name(), port.get_partial_shape()
    if name in given:
        found = (batch, *given[name][1:])
    elif name in _TOKENS:
        found = (batch, length)
    else:
        found = tuple(
            batch if place == 0 and size.is_dynamic else -1 if size.is_dynamic else size.get_length() for place, size in enumerate(wanted)
        )
    if any(size < 1 for size in found):
        raise ConfigurationError(f"the model leaves the shape of {name} open ({wanted}): give one as --shape {name}=1,3,224,224")
    for size, part in zip(found, wanted, strict=True):
        if part.is_static and part.get_length() != size:
            raise ConfigurationError(
                f"{name} is {wanted} and can't be {list(found)}: use --batch {wanted[0]}, or export it with an open batch"
            )
    return found


def inputs(model: Any, found: Mapping[str, tuple[int, ...]], seed: int = 0) -> dict[str, Any]:
    """Random inputs of these shapes: tokens, all of them seen, or numbers around 0."""
    import numpy as np

    random = np.random.default_rng(seed)
    made: dict[str, Any] = {}
    for port in model.inputs:
        name, kind = port.get_any_name(), port.get_element_type().to_dtype()
        shape = found[name]
        value: Any
        if name == "input_ids":
            value = random.integers(min(999, _words(model) // 2), min(999 + _WORDS, _words(model)), shape)
        elif name == "attention_mask":
            value = np.ones(shape)
        elif name in ("token_type_ids", "beam_idx"):
            value = np.zeros(shape)
        else:
            value = random.normal(0, 1, shape) if np.dtype(kind).kind == "f" else random.integers(0, 2, shape)
        made[name] = value.astype(kind)
    return made


def _words(model: Any) -> int:
    """Rows of the largest table that tokens are looked up in."""
    sizes = [
        node.input_value(0).get_partial_shape()
        for node in model.get_ops()
        if node.get_type_name() == "Gather" and node.input_value(0).get_partial_shape().is_static
    ]
    return max((int(size[0].get_length()) for size in sizes if len(size) == 2), default=2 * _WORDS)
