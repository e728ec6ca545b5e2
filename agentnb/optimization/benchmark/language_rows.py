"""Rows of language models: reading a prompt and writing tokens apart, all engines in turn."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agentnb.optimization.benchmark import flops, language
from agentnb.optimization.benchmark.cases import Setting
from agentnb.optimization.benchmark.engines import grown
from agentnb.optimization.benchmark.subjects import Subject, identity
from agentnb.optimization.folders import weight_bytes
from agentnb.optimization.measurement import Timing
from agentnb.ports.benchmark import BenchmarkTask
from agentnb.ports.progress import Progress, Step


@dataclass
class Engine:
    """One engine with a model loaded, and what it has spent on the present length."""

    name: str
    setting: Setting
    generate: language.Generate
    seconds: float
    megabytes: float
    spent: list[language.Spent] = field(default_factory=list)


def measure(task: BenchmarkTask, subject: Subject, settings: Sequence[Setting], device: str, progress: Progress) -> list[dict[str, Any]]:
    """A row for each engine, prompt length and setting.

    Raises:
        ConfigurationError: llama.cpp can't run the model.
        MissingExtra: llama.cpp is not installed.
        OptimizationError: OpenVINO can't load the model.
    """
    loaded: list[Engine] = []
    makers = _makers(task, subject, settings, device)
    for name, setting, make in makers:
        progress(Step(f"loading {subject.name}", len(loaded), len(makers)))
        loaded.append(Engine(name, setting, *grown(make)))
    rows = []
    for number, length in enumerate(task.lengths, 1):
        step = Step(f"{subject.name}, prompt of {length}", 0, task.repetitions, "size", number, len(task.lengths))
        _rounds(task, loaded, length, step, progress)
        progress(replace(step, ended=True))
        rows += [_row(subject, engine, length) for engine in loaded]
    return rows


def _makers(
    task: BenchmarkTask, subject: Subject, settings: Sequence[Setting], device: str
) -> list[tuple[str, Setting, Callable[[], language.Generate]]]:
    context = max(task.lengths) + task.tokens + 8

    def ours(setting: Setting) -> Callable[[], language.Generate]:
        return lambda: language.openvino_language(subject.source, device, setting, subject.recipe)

    def peers(setting: Setting) -> Callable[[], language.Generate]:
        return lambda: language.llama_cpp_language(subject.original, setting, context)

    others = [Setting("", 0, threads, "default") for threads in task.threads] if "llama.cpp" in task.against else []
    return [
        *(("openvino", setting, ours(setting)) for setting in settings),
        *(("llama.cpp", setting, peers(setting)) for setting in others),
    ]


def _rounds(task: BenchmarkTask, loaded: Sequence[Engine], length: int, step: Step, progress: Progress) -> None:
    """Each engine has its turn in every round; the first round is a warm-up."""
    order = list(loaded)
    for engine in loaded:
        engine.spent.clear()
    for number in range(task.repetitions + 1):
        random.Random(number).shuffle(order)
        for engine in order:
            found = engine.generate(language.prompt(length, 1000 * length + number), task.tokens)
            if number:
                engine.spent.append(found)
        progress(replace(step, done=number))


def _row(subject: Subject, engine: Engine, length: int) -> dict[str, Any]:
    first = Timing(tuple(sorted(one.prefill for one in engine.spent)))
    each = Timing(tuple(sorted(one.decode / one.tokens for one in engine.spent)))
    (first_low, first_high), (low, high) = first.interval(), each.interval()
    return {
        **identity(subject, engine.name, engine.setting, 1, length),
        "prefill_tokens_s": round(length / first.median, 2),
        "decode_tokens_s": round(1 / each.median, 2),
        "first_token_ms": round(first.median * 1000, 2),
        "first_low_ms": round(first_low * 1000, 2),
        "first_high_ms": round(first_high * 1000, 2),
        **{f"p{percent}_ms": round(each.percentile(percent) * 1000, 4) for percent in (50, 90, 99)},
        "low_ms": round(low * 1000, 4),
        "high_ms": round(high * 1000, 4),
        "throughput": round(1 / each.median, 2),
        "load_s": round(engine.seconds, 3),
        "memory_mb": round(engine.megabytes, 1),
        "weights_mb": round(weight_bytes(subject.source.model) / 1e6, 2),
        "read_mb": round(flops.weights_read(subject.source.model, engine.setting.precision) / 1e6, 3),
        "repetitions": len(engine.spent),
        "computed_in": engine.setting.precision,
        "gflops": None,
    }
