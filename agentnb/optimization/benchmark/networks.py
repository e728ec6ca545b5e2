"""Networks and encoders: latency and throughput for each batch, length and setting, all engines in turn."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agentnb.errors import ConfigurationError
from agentnb.optimization.benchmark import cases, engines, flops
from agentnb.optimization.benchmark.cases import Setting
from agentnb.optimization.benchmark.subjects import Subject, identity
from agentnb.optimization.folders import weight_bytes
from agentnb.optimization.measurement import Timing, interleaved
from agentnb.optimization.sources import Source
from agentnb.ports.benchmark import BenchmarkTask
from agentnb.ports.progress import Progress, Step

_RUNS = {"onnxruntime": ("onnx",), "torch": ("torch", "safetensors")}
"""Formats of models that a peer runs."""
Engine = tuple[Subject, str, Setting, engines.Loaded]


def measure(
    task: BenchmarkTask, subjects: Sequence[Subject], settings: Sequence[Setting], device: str, progress: Progress
) -> list[dict[str, Any]]:
    """A row for each model, engine, batch, length and setting.

    Raises:
        ConfigurationError: A peer can't run any of the models, or a shape is open or of no input.
        MissingExtra: A peer is not installed.
    """
    names = {port.get_any_name() for subject in subjects for port in subject.source.model.inputs}
    if unknown := sorted(task.shapes.keys() - names):
        raise ConfigurationError(f"--shape {', '.join(unknown)}: there is no such input; there are: {', '.join(sorted(names))}")
    loaded: list[Engine] = []
    peers = [name for name in task.against if name != "llama.cpp"]
    for subject in subjects:
        for setting in settings:
            progress(Step(f"loading {subject.name}", len(loaded), len(subjects) * len(settings)))
            source = subject.source
            model = source.graph or source.model
            loaded.append((subject, "openvino", setting, engines.openvino_engine(model, source.kind, device, setting, subject.recipe)))
    for name, subject in _peers(peers, subjects):
        for threads in task.threads:
            setting = Setting("", 0, threads, "f32")
            loaded.append((subject, name, setting, engines.PEERS[name](subject.original, setting)))
    rows: list[dict[str, Any]] = []
    lengths = task.lengths if any("input_ids" in _names(subject.source) for subject in subjects) else (0,)
    sizes = list(itertools.product(task.batches, lengths))
    for number, (batch, length) in enumerate(sizes, 1):
        step = Step(f"batch {batch}" + (f", length {length}" if length else ""), 0, task.repetitions, "size", number, len(sizes))
        rows += _combination(task, loaded, (batch, length), step, progress)
        progress(replace(step, ended=True))
    return rows


def _peers(names: Sequence[str], subjects: Sequence[Subject]) -> list[tuple[str, Subject]]:
    """Which peer runs which original; one that several models came from is run once."""
    found: dict[tuple[str, str], Subject] = {}
    for name in names:
        for subject in subjects:
            if subject.original.format in _RUNS[name]:
                found.setdefault((name, subject.original.fingerprint), subject)
        if not any(key[0] == name for key in found):
            raise ConfigurationError(
                f"--against {name}: none of the models came from a format that {name} runs ({' or '.join(_RUNS[name])})"
            )
    return [(key[0], subject) for key, subject in found.items()]


def _names(source: Source) -> set[str]:
    return {name for port in source.model.inputs for name in port.get_names()}


def _combination(
    task: BenchmarkTask, loaded: Sequence[Engine], size: tuple[int, int], step: Step, progress: Progress
) -> list[dict[str, Any]]:
    batch, length = size
    work: dict[str, engines.Work] = {}
    sizes: dict[str, Mapping[str, tuple[int, ...]]] = {}
    for place, (subject, _, _, engine) in enumerate(loaded):
        graph = subject.source.model
        sizes[str(place)] = cases.shapes(graph, batch, length, task.shapes)
        work[str(place)] = engine.work(cases.inputs(graph, sizes[str(place)]))
    times = interleaved(
        {name: one.run for name, one in work.items()},
        task.repetitions,
        visit=task.seconds,
        tick=lambda done, _: progress(replace(step, done=done)),
    )
    rows = []
    for place, (subject, engine_name, setting, engine) in enumerate(loaded):
        one, timing = work[str(place)], times[str(place)]
        latencies = Timing(tuple(sorted(one.latencies))) if one.latencies else timing
        low, high = latencies.interval()
        operations = flops.operations(subject.source.model, sizes[str(place)])
        rows.append(
            {
                **identity(subject, engine_name, setting, batch, length),
                **{f"p{percent}_ms": round(latencies.percentile(percent) * 1000, 4) for percent in (50, 90, 99)},
                "low_ms": round(low * 1000, 4),
                "high_ms": round(high * 1000, 4),
                "throughput": round(batch * one.inferences / timing.median, 3),
                "load_s": round(engine.seconds, 3),
                "memory_mb": round(engine.megabytes, 1),
                "weights_mb": round(weight_bytes(subject.source.model) / 1e6, 2),
                "read_mb": round(flops.weights_read(subject.source.model, one.precision) / 1e6, 3),
                "repetitions": len(timing.seconds),
                "computed_in": one.precision,
                "gflops": round(operations * one.inferences / timing.median / 1e9, 2) if operations else None,
            }
        )
    return rows
