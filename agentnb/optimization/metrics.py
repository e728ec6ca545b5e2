"""What a model's answer to one sample is worth: named metrics, and the user's own functions."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from agentnb.errors import AgentNBError, ConfigurationError

Score = Callable[[Any, Any], float]
_PLAIN = (str, bytes, int, float, bool)


@dataclass(frozen=True, slots=True)
class Metric:
    """How one sample is scored; more is better.

    Attributes:
        score: Gets the output and what it is compared with.
        keep: What it is compared with, of the original's output, the sample's inputs and its target; of a large output only what is needed.
        tail: How many times what the mean may lose a single sample may; infinite where scores are too coarse to tell.
    """

    name: str
    score: Score
    keep: Callable[[Any, Mapping[str, Any], Any], Any]
    description: str
    tail: float = math.inf


def _whole(output: Any, inputs: Mapping[str, Any], target: Any) -> Any:
    return {name: part.copy() for name, part in output.items()} if isinstance(output, dict) else output.copy()


def _target(output: Any, inputs: Mapping[str, Any], target: Any) -> Any:
    return _whole(output, inputs, target) if target is None else target


def _lowest(score: Score) -> Score:
    """Of a model with several outputs, that of the output which is worst."""

    def over(output: Any, original: Any) -> float:
        if isinstance(output, dict):
            return min(score(part, original[name]) for name, part in output.items())
        return score(output, original)

    return over


def _cosine(output: Any, original: Any) -> float:
    import numpy as np

    first, second = np.asarray(output, np.float64).ravel(), np.asarray(original, np.float64).ravel()
    size = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / size if size else float(not first.any() and not second.any())


def _closeness(output: Any, original: Any) -> float:
    import numpy as np

    first, second = np.asarray(output, np.float64), np.asarray(original, np.float64)
    scale = float(np.sqrt(np.mean(second**2)))
    return max(0.0, 1.0 - float(np.sqrt(np.mean((first - second) ** 2))) / scale) if scale else float(not first.any())


def _likeliest(output: Any, inputs: Mapping[str, Any], target: Any) -> Any:
    import numpy as np

    if isinstance(output, dict):
        return {name: np.asarray(part).argmax(-1) for name, part in output.items()}
    return np.asarray(output).argmax(-1)


def _agreement(output: Any, likeliest: Any) -> float:
    import numpy as np

    return float(np.mean(np.asarray(output).argmax(-1) == likeliest))


def _accuracy(output: Any, target: Any) -> float:
    import numpy as np

    if isinstance(output, dict):
        raise ConfigurationError(
            f"--metric accuracy: the model has the outputs {', '.join(output)}: give a function that takes the right one"
        )
    return float(np.mean(np.asarray(output).argmax(-1).ravel() == np.asarray(target).ravel()))


def _tokens(output: Any, inputs: Mapping[str, Any], target: Any) -> tuple[Any, float]:
    return inputs["input_ids"], _log_probability(output, inputs["input_ids"])


def _log_probability(logits: Any, tokens: Any) -> float:
    """Mean of the logarithm of the probability that each token of a text has after those before it."""
    import numpy as np

    scores, wanted = np.asarray(logits, np.float64)[:, :-1], np.asarray(tokens)[:, 1:]
    scores = scores - scores.max(-1, keepdims=True)
    chosen = np.take_along_axis(scores, wanted[..., None], -1)[..., 0]
    return float(np.mean(chosen - np.log(np.exp(scores).sum(-1))))


def _likelihood(output: Any, kept: tuple[Any, float]) -> float:
    import numpy as np

    return float(np.exp(_log_probability(output, kept[0]) - kept[1]))


_COSINE_TAIL = 5.0
"""MiniLM's sound recipes lose twice the mean on the worst of 200 texts; one that breaks inputs of a single length loses 20 times it."""

NAMED = {
    metric.name: metric
    for metric in (
        Metric("cosine", _lowest(_cosine), _whole, "cosine to the original's output (of an encoder: of the pooled vector)", _COSINE_TAIL),
        Metric("closeness", _lowest(_closeness), _whole, "1 less the root mean square error, relative to the original's output"),
        Metric("agreement", _lowest(_agreement), _likeliest, "part of the positions at which the likeliest class is the original's"),
        Metric("accuracy", _accuracy, _target, "part of the targets that the likeliest class meets"),
        Metric("likelihood", _likelihood, _tokens, "of a language model: how likely texts are for it, a token, the original being 1"),
    )
}


def written(score: Score) -> str:
    """What a metric computes, as far as it can be seen from outside: the file or cell around it, and the plain values that it uses."""
    if isinstance(score, partial):
        given = (*score.args, *(value for _, value in sorted(score.keywords.items())))
        return repr((written(score.func), sorted(score.keywords), [value for value in given if isinstance(value, _PLAIN)]))
    function = inspect.unwrap(score) if inspect.isroutine(score) else type(score)
    try:
        source = "".join(inspect.findsource(function)[0])
    except (OSError, TypeError):
        code = getattr(function, "__code__", None)
        source = repr((code.co_code, code.co_names, [one for one in code.co_consts if isinstance(one, _PLAIN)])) if code else ""
    held = dict(getattr(score, "__dict__", {}))
    if inspect.isfunction(function):
        used = inspect.getclosurevars(function)
        held |= {**used.globals, **used.nonlocals, "": function.__defaults__}
    return repr((source, sorted((name, repr(value)) for name, value in held.items() if isinstance(value, _PLAIN) or not name)))


def of_function(score: Score, name: str = "") -> Metric:
    """A metric of the user's: gets the output and the target, or the original's output where the data has no target."""
    return Metric(name or getattr(score, "__qualname__", type(score).__name__), score, _target, "the user's function")


def named(name: str, kind: str, *, targets: bool) -> Metric:
    """A metric by its name, or a function as ``module:function`` (also ``python:module.function``).

    A function gets the output of one sample (an array, or a dict of arrays where the model has several outputs) and its target, and
    returns a number: more is better.

    Args:
        name: Empty for the one that fits: ``accuracy`` where the data has targets, ``likelihood`` of a language model, else ``cosine``.
        kind: Of the model.
        targets: Whether the data has targets.

    Raises:
        ConfigurationError: There is no such metric, or it doesn't fit the model or the data.
    """
    if not name:
        name = "likelihood" if kind == "llm" else "accuracy" if targets else "cosine"
    if name in NAMED:
        if name == "accuracy" and not targets:
            raise ConfigurationError(
                "--metric accuracy needs targets: `targets` in the .npz, `target` in each line of the .jsonl, or (inputs, target) pairs"
            )
        if name == "likelihood" and kind != "llm":
            raise ConfigurationError("--metric likelihood is for language models: use cosine, agreement, accuracy, or a function of yours")
        return NAMED[name]
    return of_function(function(name, "--metric"), name)


def function(name: str, option: str) -> Any:
    """What ``module:function`` names; the working folder is importable.

    Raises:
        ConfigurationError: It can't be imported.
    """
    path = name.removeprefix("python:")
    module, colon, attribute = path.partition(":")
    if not colon:
        module, _, attribute = path.rpartition(".")
    if not module or not attribute:
        raise ConfigurationError(
            f"{option} {name!r}: there is no such name; there are: {', '.join(NAMED)}, or a function as module:function"
        )
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        return getattr(import_module(module), attribute)
    except Exception as error:
        raise ConfigurationError(f"{option} {name}: can't be imported ({type(error).__name__}: {error})") from error
    finally:
        sys.path.remove(here)


def scored(metric: Metric, number: int, output: Any, against: Any) -> float:
    """One sample's score.

    Raises:
        ConfigurationError: The metric raised, or gave no finite number.
    """
    import numpy as np

    try:
        value = float(metric.score(output, against))
    except AgentNBError:
        raise
    except Exception as error:
        raise ConfigurationError(
            f"the metric {metric.name} raised on sample {number}: {type(error).__name__}: {error} "
            f"(output {_shape(output)}): mend the metric"
        ) from error
    if not np.isfinite(value):
        raise ConfigurationError(
            f"the metric {metric.name} gave {value} on sample {number}: it has to give a finite number for every sample"
        )
    return value


def _shape(output: Any) -> str:
    if isinstance(output, dict):
        return ", ".join(f"{name} {_shape(value)}" for name, value in output.items())
    return f"{getattr(output, 'dtype', type(output).__name__)} of {list(getattr(output, 'shape', []))}"
