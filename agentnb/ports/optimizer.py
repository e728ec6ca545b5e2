"""The boundary to what makes models faster: what it is asked for, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from agentnb.ports.progress import Progress


@dataclass(frozen=True, slots=True)
class Task:
    """What an optimizer is asked for.

    Attributes:
        model: A path, ``module:factory`` of a PyTorch module, or the module itself.
        to: ``auto``, ``bf16``, ``int8`` or ``int4``.
        calibration: Data to calibrate by: a path, ``module:function``, or anything to iterate over.
        evaluation: Data to judge on; by default half of the calibration data, which is then not calibrated by.
        metric: Its name, ``module:function``, or a function of one sample's output and target; empty for the one that fits.
        max_drop: What the mean of the metric may lose; of ``cosine`` a single sample may lose five times as much.
        sure: Require also the upper end of the drop's interval to be within ``max_drop``.
        output: The folder to write.
        device: OpenVINO's name of the device.
        budget: Seconds after which no more recipes are begun; 0 for no limit.
        batch: Samples in one inference when speed is measured.
        samples: At most so many samples are read from each set.
        pixels: How images become numbers: ``imagenet``, ``unit``, ``signed`` or ``raw``.
        only: Names of recipes, where not all are to be tried.
        force: Whether an earlier result may be replaced.
    """

    model: Any
    calibration: Any
    output: Path
    to: str = "auto"
    evaluation: Any = None
    metric: Any = ""
    max_drop: float = 0.01
    sure: bool = False
    device: str = "CPU"
    budget: float = 0.0
    batch: int = 1
    samples: int = 2000
    pixels: str = "imagenet"
    only: tuple[str, ...] = ()
    force: bool = False


@dataclass(frozen=True, slots=True)
class Optimized:
    """What an optimizer wrote.

    Attributes:
        folder: The model, its tokenizer, ``agentnb.json``, and the report as JSON, Markdown and pictures.
        recipe: Name of the recipe.
        speedup: Against the original in float32, in the same rounds.
        drop: What the mean of the metric lost; interval: its 95 % interval.
        report: What ``report.json`` says.
    """

    folder: Path
    recipe: str
    speedup: float
    drop: float
    interval: tuple[float, float]
    report: Mapping[str, Any] = field(default_factory=dict, repr=False)


class Optimizer(Protocol):
    """Writes the fastest model that passes the gate, or nothing."""

    def __call__(self, task: Task, progress: Progress) -> Optimized:
        """Do it.

        Raises:
            ConfigurationError: The model, the data, the metric or an option is wrong.
            GateRefused: No recipe lost as little as was asked for.
            OptimizationError: It can't be done, or can't be written.
        """
        ...
