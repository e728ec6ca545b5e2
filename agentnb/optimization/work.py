"""The whole of ``agentnb optimize``: read, search, write."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agentnb.errors import ConfigurationError, GateRefused
from agentnb.optimization import data, metrics, recipes
from agentnb.optimization.export import export, write_report
from agentnb.optimization.folders import check_free
from agentnb.optimization.packages import capabilities, known_device, processor, versions
from agentnb.optimization.report import Facts
from agentnb.optimization.search import Question, Search, milliseconds, timed_inputs
from agentnb.optimization.sources import Source, open_source
from agentnb.optimization.state import Outcome, State, alone
from agentnb.ports.optimizer import Optimized, Task
from agentnb.ports.progress import Progress, Step

_PACKAGES = ("jupyter-agentnb", "openvino", "nncf", "openvino-tokenizers", "numpy")


def optimize(task: Task, progress: Progress) -> Optimized:
    """Write the fastest model that passes the gate; see ``agentnb.ports.optimizer``."""
    _check(task)
    output = task.output.expanduser().resolve()
    check_free(output, force=task.force)
    device = known_device(task.device)
    progress(Step("reading the data and the model"))
    raw = data.read(task.calibration, limit=task.samples)
    source = open_source(task.model, lambda: _example(raw[0].value))
    samples = data.fit(raw, source, pixels=task.pixels)
    other = None if task.evaluation is None else data.fit(data.read(task.evaluation, limit=task.samples), source, pixels=task.pixels)
    calibration, evaluation = data.split(samples, other)
    metric = _metric(task.metric, source, targets=all(sample.target is not None for sample in evaluation))
    tried = _recipes(task, source, device)
    found = versions(*_PACKAGES)
    folder = output.with_name(f".{output.name}.search")
    key = _key(task, source, device, found, metric, data.digest(calibration) + data.digest(evaluation))
    question = Question(
        source,
        calibration,
        evaluation,
        timed_inputs(evaluation, task.batch, source.model),
        metric,
        task.max_drop,
        task.sure,
        device,
        time.monotonic() + (task.budget or math.inf),
    )
    with alone(folder), _kept(State(folder, key)) as state:
        for place in state.others:
            progress(Step(f"{place} keeps a search with other data or options, which go on there: delete it to drop it", ended=True))
        search = Search(question, state, progress)
        search.run(tried)
        winner, times = search.final()
        outcomes = [state.outcomes[recipe.name] for recipe in tried if recipe.name in state.outcomes]
        facts = Facts(source, metric, task, device, processor(), found, len(calibration), search.reference, milliseconds(times["fp32"]))
        if winner is None:
            raise _refused(task, outcomes, write_report(state.folder, facts, outcomes))
        return export(output, facts, outcomes, winner, state.build(winner.recipe))


@contextmanager
def _kept(state: State) -> Iterator[State]:
    """Leave what a search has found on the disk where it didn't come to its end, and say so; else remove it."""
    try:
        yield state
    except GateRefused:
        raise
    except BaseException as error:
        if state.outcomes:
            known = f"{len(state.outcomes)} recipe{'s' if len(state.outcomes) > 1 else ''}"
            error.add_note(
                f"{known} tried so far: kept in {state.folder}. Run the same again, and it goes on there; delete it to begin anew"
            )
        else:
            state.remove()
        raise
    state.remove()


def _check(task: Task) -> None:
    numbers = {"max_drop": task.max_drop, "budget": task.budget}
    for name, value in numbers.items():
        if not math.isfinite(value) or value < 0:
            raise ConfigurationError(f"{name} {value}: it has to be a number, 0 or more")
    for name, count in {"batch": task.batch, "samples": task.samples}.items():
        if count < 1:
            raise ConfigurationError(f"{name} {count}: it has to be 1 or more")
    if task.calibration is None:
        raise ConfigurationError("--calibration is missing: give data such as the model will see, by which recipes are judged too")


def _example(value: Any) -> dict[str, Any]:
    import numpy as np

    if isinstance(value, str | Path):
        raise ConfigurationError("a PyTorch module takes arrays: give the calibration data as .npz, or as a function that yields arrays")
    given = value if isinstance(value, dict) else {"input": value}
    return {str(name): np.asarray(array) for name, array in given.items()}


def _metric(metric: Any, source: Source, *, targets: bool) -> metrics.Metric:
    if callable(metric):
        return metrics.of_function(metric)
    return metrics.named(str(metric), source.kind, targets=targets)


def _recipes(task: Task, source: Source, device: str) -> list[recipes.Recipe]:
    found = recipes.candidates(task.to, source.kind, bf16="BF16" in capabilities(device), operators=source.operators)
    unknown = sorted(set(task.only) - {name for recipe in found for name in (recipe.name, recipe.build)})
    if unknown:
        raise ConfigurationError(f"no recipe {', '.join(unknown)} for this model; there are: {', '.join(recipe.name for recipe in found)}")
    return [recipe for recipe in found if not task.only or recipe.name in task.only or recipe.build in task.only]


def _key(task: Task, source: Source, device: str, packages: dict[str, str], metric: metrics.Metric, data_digest: str) -> str:
    """What outcomes depend on; another goal or another list of recipes takes over what is known of each."""
    parts = (
        source.fingerprint,
        data_digest,
        metric.name,
        metrics.written(metric.score),
        task.max_drop,
        task.sure,
        device,
        processor(),
        task.batch,
        sorted(packages.items()),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _refused(task: Task, outcomes: list[Outcome], report: Path) -> GateRefused:
    if not outcomes or all(outcome.status == "left out" for outcome in outcomes):
        return GateRefused("no recipe was tried: raise --budget", report)
    least = min(outcomes, key=lambda outcome: outcome.drop)
    if math.isinf(least.drop):
        return GateRefused(f"no recipe could be made ({outcomes[0].reason}), so nothing was written", report)
    return GateRefused(
        f"no recipe passed the gate, so nothing was written: {least.recipe.name} lost least, {least.drop:.4f} "
        f"where {task.max_drop:g} are allowed; try --to auto, other calibration data, or a larger --max-drop",
        report,
    )
