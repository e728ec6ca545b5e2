"""What runs a network or an encoder: OpenVINO, and its peers. Each is loaded once, and gives work to repeat."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from agentnb.errors import ConfigurationError, MissingExtra
from agentnb.optimization.benchmark import flops
from agentnb.optimization.benchmark.cases import Setting
from agentnb.optimization.execution import Compiled
from agentnb.optimization.packages import core
from agentnb.optimization.sources import Source

_WAVES = 2
Result = TypeVar("Result")


@dataclass
class Work:
    """Something to repeat.

    Attributes:
        run: One repetition.
        inferences: How many inferences it has.
        latencies: Seconds of each, where a repetition is more than one; empty where the repetition's own time is it.
        precision: What most layers are computed in.
    """

    run: Callable[[], object]
    inferences: int = 1
    latencies: list[float] = field(default_factory=list)
    precision: str = "f32"


@dataclass(frozen=True)
class Loaded:
    """A model that is ready.

    Attributes:
        work: Makes the work for some inputs.
        seconds: What loading took; megabytes: by how much the process grew.
    """

    work: Callable[[Mapping[str, Any]], Work]
    seconds: float
    megabytes: float


def grown(load: Callable[[], Result]) -> tuple[Result, float, float]:
    """Load something; what it gave, the seconds it took, and the megabytes by which the process grew."""
    import psutil

    process = psutil.Process()
    before, start = process.memory_info().rss, time.perf_counter()
    found = load()
    seconds = time.perf_counter() - start
    return found, seconds, max(0.0, (process.memory_info().rss - before) / 1e6)


def openvino_engine(model: Any, kind: str, device: str, setting: Setting, recipe: Mapping[str, Any]) -> Loaded:
    """OpenVINO: one request after the other, or with THROUGHPUT as many at once as it says are best.

    Raises:
        OptimizationError: The device can't compile it.
    """

    def load() -> Callable[[Mapping[str, Any]], Work]:
        compiled = Compiled(core().read_model(model) if isinstance(model, Path) else model, kind, device, setting.properties(recipe))
        precision = flops.precision(compiled.compiled)
        if setting.hint == "THROUGHPUT":
            return lambda inputs: _wave(compiled.compiled, inputs, precision)
        return lambda inputs: Work(lambda: compiled.infer(inputs), precision=precision)

    return Loaded(*grown(load))


def _wave(compiled: Any, inputs: Mapping[str, Any], precision: str) -> Work:
    from openvino import AsyncInferQueue

    queue = AsyncInferQueue(compiled)
    count = _WAVES * len(queue)
    work = Work(lambda: None, count, precision=precision)
    queue.set_callback(lambda request, _: work.latencies.append(request.latency / 1000))

    def run() -> None:
        for _ in range(count):
            queue.start_async(dict(inputs), share_inputs=True)
        queue.wait_all()

    work.run = run
    return work


def onnxruntime_engine(source: Source, setting: Setting) -> Loaded:
    """ONNX Runtime on the model's ONNX file, with its defaults.

    Raises:
        ConfigurationError: The model was not read from ONNX.
        MissingExtra: It is not installed.
    """
    file = source.path
    if source.format != "onnx" or file is None:
        raise ConfigurationError(
            f"onnxruntime runs ONNX files, and {source.name} is {source.format}: name the .onnx file, or leave this peer out"
        )
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtra("onnxruntime") from None

    def load() -> Callable[[Mapping[str, Any]], Work]:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = setting.threads
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        names = {one.name for one in session.get_inputs()}
        return lambda inputs: Work(_runner(session, {name: value for name, value in inputs.items() if name in names}))

    return Loaded(*grown(load))


def _runner(session: Any, inputs: dict[str, Any]) -> Callable[[], object]:
    return lambda: session.run(None, inputs)


def torch_engine(source: Source, setting: Setting) -> Loaded:
    """PyTorch, eager, in float32: the module itself, or an encoder as transformers loads it.

    Raises:
        ConfigurationError: The model is neither.
        MissingExtra: torch or transformers is not installed.
    """
    try:
        import torch
    except ImportError:
        raise MissingExtra("torch") from None

    def load() -> Callable[[Mapping[str, Any]], Work]:
        module = source.original if source.original is not None else _transformer(source)
        module.eval()

        def work(inputs: Mapping[str, Any]) -> Work:
            tensors = {name: torch.from_numpy(value) for name, value in inputs.items()}

            def run() -> None:
                with torch.inference_mode():
                    module(**tensors) if source.original is None else module(*tensors.values())

            return Work(run)

        return work

    if setting.threads:
        torch.set_num_threads(setting.threads)
    return Loaded(*grown(load))


def _transformer(source: Source) -> Any:
    if source.format != "safetensors":
        raise ConfigurationError(
            f"torch runs PyTorch modules and safetensors encoders, and {source.name} is {source.format}: leave this peer out"
        )
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        import transformers
    except ImportError:
        raise MissingExtra("transformers") from None
    transformers.utils.logging.disable_progress_bar()
    return transformers.AutoModel.from_pretrained(str(source.path))


PEERS: dict[str, Callable[[Source, Setting], Loaded]] = {"onnxruntime": onnxruntime_engine, "torch": torch_engine}
