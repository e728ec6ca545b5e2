"""``agentnb optimize``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from agentnb.cli.output import Json, exit_codes, put
from agentnb.notebook.tables import optimized
from agentnb.runtime import performance


def optimize(
    model: Annotated[
        str,
        typer.Argument(
            help=".onnx, .xml, .tflite, .gguf; folder of an IR or a safetensors encoder; openvino:NAME; module:factory (PyTorch)."
        ),
    ],
    calibration: Annotated[
        str, typer.Option(help="Data such as the model will see: .npz .npy .jsonl .txt, a folder of images, module:function.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")],
    to: Annotated[str, typer.Option(help="auto, bf16, int8 or int4.")] = "auto",
    evaluation: Annotated[str | None, typer.Option(help="Data to judge on; half of the calibration data by default.")] = None,
    metric: Annotated[
        str,
        typer.Option(
            help="cosine, closeness, agreement, accuracy, likelihood, or module:function of (output, target); the one that fits by default."
        ),
    ] = "",
    max_drop: Annotated[
        float, typer.Option(help="What the mean of the metric may lose; of cosine a single sample five times as much.")
    ] = 0.01,
    sure: Annotated[
        bool, typer.Option("--sure", help="Also the upper end of the drop's 95 % interval has to be within --max-drop.")
    ] = False,
    device: Annotated[str, typer.Option(help="OpenVINO's name of the device.")] = "CPU",
    budget: Annotated[float, typer.Option(help="Seconds after which no more recipes are begun; 0 for no limit.")] = 0.0,
    batch: Annotated[int, typer.Option(help="Samples in one inference when speed is measured.")] = 1,
    samples: Annotated[int, typer.Option(help="Read at most so many samples of each set.")] = 2000,
    pixels: Annotated[str, typer.Option(help="How images become numbers: imagenet, unit, signed or raw.")] = "imagenet",
    recipe: Annotated[list[str] | None, typer.Option(help="Try only this recipe; may be given more than once.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier result.")] = False,
    as_json: Json = False,
) -> None:
    """Make a model faster: try recipes, and write the fastest that passes the accuracy gate; interrupted, the same command goes on."""
    with exit_codes(as_json=as_json):
        found = performance.optimize(
            model,
            calibration=calibration,
            output=output,
            to=to,
            evaluation=evaluation,
            metric=metric,
            max_drop=max_drop,
            sure=sure,
            device=device,
            budget=budget,
            batch=batch,
            samples=samples,
            pixels=pixels,
            only=tuple(recipe or ()),
            force=force,
            progress=not as_json,
        )
        if as_json:
            put({"folder": found.folder.absolute(), **found.report})
            return
        speed = f"{found.speedup:.2f} times as fast as the original"
        drop = f"loses {found.drop:.4f} ({found.interval[0]:.4f} to {found.interval[1]:.4f})"
        sys.stdout.write(f"{optimized(found)!r}\n\n{found.recipe}: {speed}, {drop}; it is in {found.folder.absolute()}\n")
        if found.speedup <= 1:
            sys.stderr.write("nothing that passed the gate is faster than the original on this machine\n")
