"""The benchmark as a whole: load, measure in turn, and put each figure beside its peers' and the machine's peak."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from agentnb.errors import ConfigurationError
from agentnb.optimization.benchmark import cases, language_rows, peak
from agentnb.optimization.benchmark import networks as networks_
from agentnb.optimization.benchmark.subjects import subject_of
from agentnb.optimization.packages import known_device, processor, versions
from agentnb.ports.benchmark import BenchmarkTask
from agentnb.ports.progress import Progress, Step

FORMAT = 1
FIELDS = {
    "p50_ms, p90_ms, p99_ms": "milliseconds that so many percent of the inferences, or of a language model's tokens, didn't exceed",
    "low_ms, high_ms": "95 % interval of the median",
    "throughput": "samples, or tokens of a language model, a second",
    "ratios": "how many times as much as each peer does in the same time, in the same run",
    "load_s, memory_mb": "what loading took, and by how much this process grew meanwhile",
    "weights_mb": "size of the weights in the file",
    "read_mb": "weights that one inference reads, in the precision that they are computed in",
    "gflops": "billions of multiplications and additions a second",
    "computed_in": "what most layers really run in",
    "peak_share": "gflops as a part of a large matrix product's in that precision, measured in this run",
    "memory_share": "speed at which weights are read, as a part of reading main memory, measured in this run; above 1 the cache holds them",
}
"""What the figures of a row are."""
PEERS = ("onnxruntime", "torch", "llama.cpp")
_PACKAGES = ("jupyter-agentnb", "openvino", "openvino-genai", "onnxruntime", "torch", "transformers", "llama-cpp-python", "numpy")


def benchmark(task: BenchmarkTask, progress: Progress) -> dict[str, Any]:
    """Measure; see ``agentnb.ports.benchmark``."""
    _check(task)
    device = known_device(task.device)
    subjects = [subject_of(model, task.names.get(str(model), "")) for model in task.models]
    settings = list(cases.settings(task))
    roof = peak.measure(device, lambda done, total: progress(Step("measuring the machine's peak", done, total))) if task.peak else {}
    rows: list[dict[str, Any]] = []
    networks = [one for one in subjects if one.source.kind != "llm"]
    if networks:
        rows += networks_.measure(task, networks, settings, device, progress)
    for one in subjects:
        if one.source.kind == "llm":
            rows += language_rows.measure(task, one, settings, device, progress)
    _compare(rows)
    _share(rows, roof)
    return {
        "format": FORMAT,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _machine(device, roof),
        "task": asdict(replace(task, models=tuple(one.name for one in subjects), names={})),
        "fields": FIELDS,
        "rows": rows,
    }


def _check(task: BenchmarkTask) -> None:
    for name in task.against:
        if name not in PEERS:
            raise ConfigurationError(f"--against {name}: there is no such peer; there are: {', '.join(PEERS)}")
    counts = {"batch": task.batches, "length": task.lengths, "repetitions": (task.repetitions,), "tokens": (task.tokens,)}
    for name, values in counts.items():
        if not values or min(values) < 1:
            raise ConfigurationError(f"--{name}: it has to be 1 or more")
    if task.tokens < 2 or not task.seconds > 0 or not math.isfinite(task.seconds) or not task.models:
        raise ConfigurationError("a benchmark needs a model, --tokens of 2 or more, and --seconds above 0")


def _compare(rows: Sequence[dict[str, Any]]) -> None:
    """Put each row's ratios to its peers into it: how many times as much it does in the same time."""
    for row in rows:
        row["ratios"] = {}
        for peer in rows:
            same = all(row[key] == peer[key] for key in ("original", "batch", "length", "threads"))
            if row["engine"] != "openvino" or peer["engine"] == "openvino" or not same:
                continue
            row["ratios"][peer["engine"]] = round(row["throughput"] / peer["throughput"], 3)
            if "prefill_tokens_s" in row:
                row["ratios"][f"{peer['engine']} prefill"] = round(row["prefill_tokens_s"] / peer["prefill_tokens_s"], 3)


def _share(rows: Sequence[dict[str, Any]], roof: Mapping[str, float]) -> None:
    """Put the share of the machine's peak into each row: of the precision it is computed in, and of reading memory.

    The second may be above 1: the weights stay in the processor's cache then, and memory is no limit.
    """
    for row in rows:
        top = roof.get(row["computed_in"])
        row["peak_share"] = round(row["gflops"] / top, 4) if top and row["gflops"] else None
        passes = row["throughput"] / row["batch"]
        row["memory_share"] = round(row["read_mb"] / 1000 * passes / roof["memory"], 4) if roof else None


def _machine(device: str, roof: Mapping[str, float]) -> dict[str, Any]:
    import psutil

    return {
        "device": device,
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": platform.platform(),
        "load": [round(value, 2) for value in os.getloadavg()] if hasattr(os, "getloadavg") else [],
        "versions": versions(*_PACKAGES),
        "peak": dict(roof),
    }
