"""``%agentnb optimize`` and ``%agentnb benchmark``: the command line's options; models, data and metrics may be variables."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentnb.notebook.arguments import CellParser, parsed
from agentnb.ports.benchmark import Measured
from agentnb.ports.optimizer import Optimized
from agentnb.runtime import performance

if TYPE_CHECKING:
    from agentnb.notebook.extension import Extension


def optimize_parser() -> CellParser:
    """The options of ``%agentnb optimize``."""
    options = CellParser(prog="%agentnb optimize", description="Make a model faster; MODEL, DATA and METRIC may be variables.")
    options.add_argument("model", help="a path, openvino:NAME, module:factory, or a variable")
    options.add_argument("--calibration", required=True, metavar="DATA", help="data such as the model will see")
    options.add_argument("-o", "--output", required=True, type=Path, help="folder to write")
    options.add_argument("--to", default="auto", help="auto, bf16, int8 or int4")
    options.add_argument("--evaluation", metavar="DATA", help="data to judge on; half of the calibration data by default")
    options.add_argument("--metric", default="", help="its name, module:function, or a variable that holds a function")
    options.add_argument(
        "--max-drop", type=float, default=0.01, help="what the mean of the metric may lose; of cosine a single sample five times as much"
    )
    options.add_argument("--sure", action="store_true", help="also the upper end of the drop's interval")
    options.add_argument("--device", default="CPU")
    options.add_argument("--budget", type=float, default=0.0, help="seconds after which no more recipes are begun")
    options.add_argument("--batch", type=int, default=1, help="samples in one inference when speed is measured")
    options.add_argument("--samples", type=int, default=2000, help="read at most so many of each set")
    options.add_argument("--pixels", default="imagenet", help="imagenet, unit, signed or raw")
    options.add_argument("--recipe", action="append", default=[], help="try only this one; may be given more than once")
    options.add_argument("--force", action="store_true", help="replace an earlier result")
    return options


def benchmark_parser() -> CellParser:
    """The options of ``%agentnb benchmark``."""
    options = CellParser(prog="%agentnb benchmark", description="Measure models in turn with their peers.")
    options.add_argument("models", nargs="+", help="paths, folders that optimize wrote, or variables")
    options.add_argument("--against", type=_words, default=[], help="onnxruntime,torch,llama.cpp")
    options.add_argument("--batch", type=_numbers, default=[1], help="1,8,32")
    options.add_argument("--length", type=_numbers, default=[64], help="tokens of a text: 16,64,256")
    options.add_argument("--hint", type=_words, default=["LATENCY"], help="LATENCY,THROUGHPUT")
    options.add_argument("--streams", type=_numbers, default=[0])
    options.add_argument("--threads", type=_numbers, default=[0])
    options.add_argument("--precision", type=_words, default=["default"], help="default,f32,bf16")
    options.add_argument("--device", default="CPU")
    options.add_argument("--repetitions", type=int, default=5)
    options.add_argument("--seconds", type=float, default=0.2, help="how long a turn lasts at least")
    options.add_argument("--tokens", type=int, default=64, help="what a language model generates")
    options.add_argument("--shape", type=_shape, action="append", default=[], help="NAME=1,3,224,224")
    options.add_argument("--no-peak", action="store_true", help="don't measure the machine's peak")
    return options


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def _shape(text: str) -> tuple[str, list[int]]:
    name, equals, numbers = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r}: write NAME=1,3,224,224")
    return name, _numbers(numbers)


def optimize(extension: Extension, rest: str) -> Optimized | None:
    """Optimize a model; what it gives shows its recipes as a table and as pictures."""
    found = parsed(optimize_parser(), rest)
    if found is None:
        return None
    only = tuple(found.pop("recipe"))
    for name in ("model", "calibration", "evaluation", "metric"):
        found[name] = _value(extension, found[name])
    return performance.optimize(found.pop("model"), only=only, **found)


def benchmark(extension: Extension, rest: str) -> Measured | None:
    """Measure models."""
    found = parsed(benchmark_parser(), rest)
    if found is None:
        return None
    plural = {"batch": "batches", "length": "lengths", "hint": "hints", "precision": "precisions"}
    models = [_value(extension, model) for model in found.pop("models")]
    shapes, peak = dict(found.pop("shape")), not found.pop("no_peak")
    return performance.benchmark(*models, shapes=shapes, peak=peak, **{plural.get(name, name): value for name, value in found.items()})


def _value(extension: Extension, word: str | None) -> Any:
    """A variable of the notebook where the word names one and no file; else the word."""
    if word and word.isidentifier() and word in extension.shell.user_ns and not Path(word).exists():
        return extension.shell.user_ns[word]
    return word


def measured_text(found: Measured) -> str:
    """A benchmark as a terminal shows it."""
    from agentnb.optimization.benchmark.report import markdown

    return markdown(found)


def measured_html(found: Measured) -> str:
    """A benchmark as a notebook shows it."""
    from agentnb.notebook.html import markdown as rendered
    from agentnb.optimization.benchmark.report import markdown, overview

    return rendered(markdown(found)) + "".join(overview(found))


def optimized_html(found: Optimized) -> str:
    """A result as a notebook shows it."""
    from agentnb.notebook.html import escape
    from agentnb.notebook.tables import optimized
    from agentnb.optimization.export import pictures

    line = f"{found.recipe}: {found.speedup:.2f} times as fast, loses {found.drop:.4f} ({found.interval[0]:.4f} to {found.interval[1]:.4f})"
    return f"<p><strong>{escape(line)}</strong><br>{escape(str(found.folder))}</p>{optimized(found)._repr_html_()}" + "".join(
        pictures(found.report).values()
    )
