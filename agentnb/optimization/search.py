"""Tries recipes, one after the other: makes each, judges it by the gate, and measures it beside the original."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agentnb.errors import ConfigurationError, OptimizationError
from agentnb.optimization import gate, quantise
from agentnb.optimization.data import Sample
from agentnb.optimization.execution import Compiled, finite
from agentnb.optimization.folders import save
from agentnb.optimization.measurement import Timing, interleaved
from agentnb.optimization.metrics import Metric, scored
from agentnb.optimization.recipes import BASELINE, Recipe
from agentnb.optimization.sources import Source
from agentnb.optimization.state import Outcome, State
from agentnb.ports.progress import Best, Progress, Step

_ROUNDS, _FINAL_ROUNDS = 4, 12
_FINALISTS = 3
_TIMED = 4
_WORTH = 0.85


@dataclass(frozen=True)
class Question:
    """What a search is to find out.

    Attributes:
        calibration: Samples that quantisation reads; evaluation: samples that the gate judges on; timed: inputs for speed.
        deadline: By ``time.monotonic()``; no recipe is begun after it.
    """

    source: Source
    calibration: Sequence[Sample]
    evaluation: Sequence[Sample]
    timed: Sequence[Mapping[str, Any]]
    metric: Metric
    max_drop: float
    sure: bool
    device: str
    deadline: float


def timed_inputs(samples: Sequence[Sample], batch: int, model: Any) -> list[Mapping[str, Any]]:
    """Some inputs to measure speed with: single samples, or batches of samples of one shape (repeated where there are too few).

    Raises:
        ConfigurationError: The model takes no such batch.
    """
    import numpy as np

    if batch == 1:
        return [sample.inputs for sample in samples[:_TIMED]]
    for port in model.inputs:
        wanted = port.get_partial_shape()
        if wanted.rank.is_static and len(wanted) and wanted[0].is_static:
            raise ConfigurationError(f"--batch {batch}: the model takes {wanted} only: leave --batch out, or export it with an open batch")
    shape = {name: value.shape for name, value in samples[0].inputs.items()}
    alike = [sample.inputs for sample in samples if {name: value.shape for name, value in sample.inputs.items()} == shape]
    chosen = [alike[place % len(alike)] for place in range(batch)]
    return [{name: np.concatenate([one[name] for one in chosen]) for name in shape}]


class Search:
    """One search; what it finds is kept in ``state`` after each recipe."""

    def __init__(self, question: Question, state: State, progress: Progress) -> None:
        """Compile the original and score it.

        Raises:
            OptimizationError: The device can't run the original.
            ConfigurationError: The metric raised.
        """
        self._question = question
        self._state = state
        self._progress = progress
        self._original = Compiled(question.source.model, question.source.kind, question.device, BASELINE.properties())
        self._names: list[str] = []
        self._number = 0
        self._kept: list[Any] = []
        self.reference: list[float] = []
        for number, sample in enumerate(question.evaluation):
            output = self._original.answer(sample.inputs)
            if not finite(output):
                raise OptimizationError(
                    f"the original model's output isn't finite on sample {number}: it is broken before anything was done to it"
                )
            against = question.metric.keep(output, sample.inputs, sample.target)
            self.reference.append(scored(question.metric, number, output, against))
            self._kept.append(against)
            self._tell("original: judging", number + 1, len(question.evaluation))

    def run(self, recipes: Sequence[Recipe]) -> None:
        """Try all that are not known yet; the result is one of them."""
        self._names = [recipe.name for recipe in recipes]
        for self._number, recipe in enumerate(recipes, 1):
            known = self._state.outcomes.get(recipe.name)
            if known is not None:
                self._tell(f"{_said(known)}, known from before", ended=True)
                continue
            if time.monotonic() > self._question.deadline:
                outcome = self._state.outcomes[recipe.name] = Outcome(recipe, "left out", "the time was over before its turn")
            else:
                begin = time.monotonic()
                outcome = self._try(recipe)
                self._state.add(replace(outcome, seconds=round(time.monotonic() - begin, 2)))
                self._tidy(recipes)
            self._tell(_said(outcome), ended=True)

    def _tell(self, what: str, done: int = 0, total: int = 0, *, ended: bool = False) -> None:
        best = self._best()[:1]
        leader = _told(best[0]) if best else None
        place = ("recipe", self._number, len(self._names)) if self._number else ("", 0, 0)
        self._progress(Step(what, done, total, *place, leader, ended))

    def _try(self, recipe: Recipe) -> Outcome:
        try:
            size = self._make(recipe)
            if recipe == BASELINE:
                same = gate.judge(self.reference, self.reference, self._question.max_drop)
                return Outcome(recipe, "passed", "", same, 1.0, None, size)
            candidate = self._compiled(recipe)
            times = self._measure({recipe.name: candidate}, _ROUNDS)
            speedup, milliseconds = _speed(times, recipe.name)
            slower = self._slower(speedup)
            if slower:
                return Outcome(recipe, "left out", slower, None, speedup, milliseconds, size)
            verdict = self._judge(recipe, candidate)
        except OptimizationError as error:
            if isinstance(error.__cause__, OSError):  # what can't be written is the disk's fault, not a recipe's
                raise
            return Outcome(recipe, "failed", str(error))
        return Outcome(recipe, "passed" if verdict.passed else "rejected", verdict.reason, verdict, speedup, milliseconds, size)

    def _slower(self, speedup: float) -> str:
        """Where the time is limited: why a recipe isn't worth judging, or empty."""
        best = self._best()
        if math.isinf(self._question.deadline) or not best or speedup > _WORTH * best[0].speedup:
            return ""
        return f"slower than {best[0].recipe.name}, which passed; not judged, for the time is limited"

    def _make(self, recipe: Recipe) -> int:
        """Write the recipe's IR where it isn't there yet; its bytes."""
        file = self._state.build(recipe)
        if file.is_file() and file.with_suffix(".bin").is_file():
            return file.stat().st_size + file.with_suffix(".bin").stat().st_size
        model = quantise.build(
            recipe,
            self._question.source,
            self._question.calibration,
            lambda done, total: self._tell(f"{recipe.name}: calibrating", done, total),
        )
        self._tell(f"{recipe.name}: writing", 0, 1)
        part = file.parent.with_name(f".{file.parent.name}.part")
        self._state.drop(part.name)
        size = save(model, part / file.name)
        part.rename(file.parent)
        return size

    def _compiled(self, recipe: Recipe) -> Compiled:
        return Compiled(self._state.build(recipe), self._question.source.kind, self._question.device, recipe.properties())

    def _judge(self, recipe: Recipe, candidate: Compiled) -> gate.Verdict:
        question, scores = self._question, list[float]()
        for number, sample in enumerate(question.evaluation):
            output = candidate.answer(sample.inputs)
            if not finite(output):
                raise OptimizationError(f"its output isn't finite on sample {number}")
            scores.append(scored(question.metric, number, output, self._kept[number]))
            self._tell(f"{recipe.name}: judging", number + 1, len(question.evaluation))
            if number % 32 == 31 and gate.hopeless(self.reference[: number + 1], scores, question.max_drop):
                break
        reference = self.reference[: len(scores)]
        return gate.judge(reference, scores, question.max_drop, sure=question.sure, tail=question.metric.tail)

    def _measure(self, candidates: Mapping[str, Compiled], rounds: int) -> dict[str, Timing]:
        models = {BASELINE.name: self._original, **candidates}
        what = next(iter(candidates)) if len(candidates) == 1 else "finalists"
        return interleaved(
            {name: self._pass(model) for name, model in models.items()},
            rounds,
            inferences=len(self._question.timed),
            tick=lambda done, total: self._tell(f"{what}: measuring", done, total),
        )

    def _pass(self, model: Compiled) -> Callable[[], object]:
        inputs = self._question.timed

        def work() -> None:
            for one in inputs:
                model.infer(one)

        return work

    def _tidy(self, recipes: Sequence[Recipe]) -> None:
        """Remove models that can't be the result any more: their recipes are all known, and none is among the fastest."""
        waiting = {recipe.build for recipe in recipes if recipe.name not in self._state.outcomes}
        wanted = waiting | {outcome.recipe.build for outcome in self._best()}
        for outcome in self._state.outcomes.values():
            if outcome.recipe.build not in wanted:
                self._state.drop(outcome.recipe.build)

    def _best(self) -> list[Outcome]:
        passed = [self._state.outcomes[name] for name in self._names if name in self._state.outcomes]
        passed = [outcome for outcome in passed if outcome.status == "passed"]
        return sorted(passed, key=lambda outcome: -outcome.speedup)[:_FINALISTS]

    def final(self) -> tuple[Outcome | None, dict[str, Timing]]:
        """Measure the fastest that passed again, all beside each other; the fastest of these, or None where none passed."""
        best = self._best()
        if not best:
            return None, self._measure({}, _ROUNDS)
        for outcome in best:
            self._make(outcome.recipe)
        others = [outcome.recipe for outcome in best if outcome.recipe != BASELINE]
        times = self._measure({recipe.name: self._compiled(recipe) for recipe in others}, _FINAL_ROUNDS)
        for outcome in best:
            speedup, milliseconds = _speed(times, outcome.recipe.name)
            self._state.add(replace(outcome, speedup=speedup, milliseconds=milliseconds))
        winner = max((self._state.outcomes[outcome.recipe.name] for outcome in best), key=lambda outcome: outcome.speedup)
        self._progress(Step(f"finalists, measured again beside each other: {_told(winner)}: the result", ended=True))
        return winner, times


def _said(outcome: Outcome) -> str:
    """What came of a recipe, in a line."""
    if outcome.status == "passed":
        return f"{_told(outcome)}: passed"
    return f"{outcome.recipe.name}: {outcome.status}, {outcome.reason}"


def _told(outcome: Outcome) -> Best:
    return Best(outcome.recipe.name, outcome.speedup, outcome.drop)


def _speed(times: Mapping[str, Timing], name: str) -> tuple[float, dict[str, float]]:
    timing = times[name]
    return round(times[BASELINE.name].median / timing.median, 3), milliseconds(timing)


def milliseconds(timing: Timing) -> dict[str, float]:
    """Percentiles for reports."""
    return {f"p{percent}": round(timing.percentile(percent) * 1000, 4) for percent in (50, 90, 99)}
