"""Models made faster, and their speed measured: the work is a plugin's, what came of it is an event ``system.performance``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from agentnb import plugins
from agentnb.agents.identity import new_run_id
from agentnb.errors import ConfigurationError, UnknownName
from agentnb.names import nearest
from agentnb.ports.benchmark import BenchmarkTask, Measured
from agentnb.ports.optimizer import Optimized, Task
from agentnb.ports.progress import Progress
from agentnb.ports.store import Event, now
from agentnb.runtime.runtime import Runtime, current

_EVENT = "system.performance"


def optimize(
    model: Any,
    *,
    calibration: Any,
    output: Path | str,
    to: str = "auto",
    evaluation: Any = None,
    metric: Any = "",
    max_drop: float = 0.01,
    sure: bool = False,
    device: str = "CPU",
    budget: float = 0.0,
    batch: int = 1,
    samples: int = 2000,
    pixels: str = "imagenet",
    only: tuple[str, ...] = (),
    force: bool = False,
    progress: Progress | bool = True,
) -> Optimized:
    """Make a model faster: recipes are tried, and the fastest that passes the accuracy gate is written.

    Interrupted, the same call goes on where it was. No model that failed the gate is ever written.

    Args:
        model: A path (ONNX, OpenVINO IR, TensorFlow Lite, GGUF, a folder with a safetensors encoder), ``openvino:NAME`` of a fetched model,
            ``module:factory`` of a PyTorch module, or the module itself.
        calibration: Data such as the model will see: the path of an .npz, .npy, .jsonl or .txt file, of a folder of images,
            ``module:function``, or anything to iterate over; items are texts, arrays, dicts of arrays, or pairs of such and a target.
        output: The folder to write.
        to: ``auto``, ``bf16``, ``int8`` or ``int4``.
        evaluation: Data to judge on; by default every other sample of the calibration data, which then isn't calibrated by.
        metric: ``cosine``, ``closeness``, ``agreement``, ``accuracy``, ``likelihood``, ``module:function``, or a function of one sample's
            output and target that returns a number, more is better; empty for the one that fits.
        max_drop: What the mean of the metric may lose; of ``cosine`` a single sample may lose five times as much.
        sure: Require also the upper end of the drop's 95 % interval to be within ``max_drop``.
        device: OpenVINO's name of the device.
        budget: Seconds after which no more recipes are begun; 0 for no limit.
        batch: Samples in one inference when speed is measured.
        samples: At most so many samples are read from each set.
        pixels: How images become numbers: ``imagenet``, ``unit``, ``signed`` or ``raw``.
        only: Names of recipes, where not all are to be tried.
        force: Replace an earlier result.
        progress: A function of an ``agentnb.ports.progress.Step``, such as ``print``, that is told what goes on; or whether to show it.

    Raises:
        ConfigurationError: The model, the data, the metric or an option is wrong.
        GateRefused: No recipe lost as little as was asked for; nothing was written.
        OptimizationError: It can't be done, or can't be written.
        MissingExtra: nncf is not installed.
    """
    runtime = current()
    task = Task(
        located(runtime, model),
        calibration,
        Path(output),
        to,
        evaluation,
        metric,
        max_drop,
        sure,
        device,
        budget,
        batch,
        samples,
        pixels,
        only,
        force,
    )
    work = plugins.load("agentnb.optimizers", "openvino")
    with _shown(progress) as note:
        result: Optimized = work(task, note)
    record(runtime, "optimize", {"folder": str(result.folder.absolute()), **result.report})
    return result


def benchmark(
    *models: Any,
    against: Sequence[str] = (),
    device: str = "CPU",
    batches: Sequence[int] = (1,),
    lengths: Sequence[int] = (64,),
    hints: Sequence[str] = ("LATENCY",),
    streams: Sequence[int] = (0,),
    threads: Sequence[int] = (0,),
    precisions: Sequence[str] = ("default",),
    repetitions: int = 5,
    seconds: float = 0.2,
    tokens: int = 64,
    shapes: Mapping[str, Sequence[int]] | None = None,
    peak: bool = True,
    progress: Progress | bool = True,
) -> Measured:
    """Measure models, in turn with their peers, for every combination of what is listed.

    Args:
        *models: As ``optimize`` takes them, or folders that it wrote; the peers of such a folder run the model that it came from.
        against: ``onnxruntime``, ``torch``, ``llama.cpp``.
        device: OpenVINO's name of the device.
        batches: Samples in one inference.
        lengths: Tokens of a text; of a language model: of the prompt.
        hints: ``LATENCY``, ``THROUGHPUT``.
        streams: How many inferences run beside each other; 0 leaves it to the hint.
        threads: 0 leaves them to OpenVINO and to the peer.
        precisions: ``default``, ``f32``, ``bf16``.
        repetitions: Rounds in which each combination has its turn.
        seconds: How long a turn lasts at least.
        tokens: What a language model generates.
        shapes: Of inputs that the model leaves open, by their name; the first number is replaced by the batch.
        peak: Whether the machine's peak is measured too, so that shares of it can be told.
        progress: A function of an ``agentnb.ports.progress.Step``, such as ``print``, that is told what goes on; or whether to show it.

    Returns:
        A dict, ``{"id", "made_at", "machine", "task", "rows"}``, that a notebook shows as tables and pictures; the same is in the journal
        under that ID.

    Raises:
        ConfigurationError: A model or an option is wrong, or a peer can't run it.
        MissingExtra: A peer is not installed.
    """
    runtime = current()
    places = [located(runtime, model) for model in models]
    task = BenchmarkTask(
        tuple(places),
        tuple(against),
        device,
        tuple(batches),
        tuple(lengths),
        tuple(hints),
        tuple(streams),
        tuple(threads),
        tuple(precisions),
        repetitions,
        seconds,
        tokens,
        {name: tuple(shape) for name, shape in (shapes or {}).items()},
        peak,
        {place: model.removeprefix("openvino:") for model, place in zip(models, places, strict=True) if place is not model},
    )
    work = plugins.load("agentnb.benchmarks", "openvino")
    with _shown(progress) as note:
        found: dict[str, Any] = work(task, note)
    return Measured({"id": record(runtime, "benchmark", found), **found})


def _shown(progress: Progress | bool) -> AbstractContextManager[Progress]:
    if callable(progress):
        return nullcontext(progress)
    view: AbstractContextManager[Progress] = plugins.load("agentnb.views", "progress")() if progress else nullcontext(lambda _: None)
    return view


def located(runtime: Runtime, model: Any) -> Any:
    """The path of a fetched model that goes by ``openvino:NAME``; everything else as it is.

    Raises:
        ConfigurationError: It has not been fetched.
    """
    if not isinstance(model, str) or not model.startswith("openvino:") or Path(model).exists():
        return model
    known = {info.name: info for info in runtime.models.catalog()}
    found = known.get(model)
    if found is None and (near := nearest(model, known)):
        raise ConfigurationError(f"there is no model {model!r}: did you mean {near}?")
    if found is None or not found.path:
        raise ConfigurationError(f"{model} is not on this machine: `agentnb models list` shows what is, `agentnb models pull` fetches")
    return found.path


def record(runtime: Runtime, service: str, metrics: Mapping[str, Any]) -> str:
    """Keep figures in the journal; the ID under which they are found."""
    key = new_run_id("perf")
    data = {"event_type": _EVENT, "timestamp": now(), "service": service, "status": "completed", "metrics": dict(metrics), "alerts": []}
    runtime.store.write(Event(_EVENT, data, run_id=key))
    return key


def recorded(runtime: Runtime, name: str) -> Mapping[str, Any]:
    """Figures by their ID, from a JSON file, or from the folder that holds it.

    Raises:
        UnknownName: There are none.
        ConfigurationError: The file can't be read.
    """
    path = Path(name).expanduser()
    path = path / "report.json" if path.is_dir() else path
    if path.suffix == ".json" or path.is_file():
        try:
            found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{path} can't be read ({error}): name a file that `agentnb benchmark -o` wrote") from None
        return found
    for event in runtime.store.events(name):
        if event.type == _EVENT:
            metrics: Mapping[str, Any] = event.data["metrics"]
            return metrics
    raise UnknownName(f"no benchmark {name!r} in {runtime.store.location}: `agentnb benchmark list` shows those that are there")
