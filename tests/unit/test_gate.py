"""The accuracy gate's arithmetic, metrics, and the order statistics of timings."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from agentnb.errors import ConfigurationError
from agentnb.optimization import gate, measurement, metrics, plots
from agentnb.optimization.measurement import Timing, interleaved
from agentnb.optimization.recipes import BASELINE, candidates


def test_large_numbers_can_be_read_in_pictures() -> None:
    curve = plots.lines("A second", {"net": [(1, 31_800.0), (4, 97_912.4)]}, "batch", "a second")
    assert ">97,912<" in curve
    assert ">48,956<" in curve
    assert ">97,912 /s<" in plots.bars("A second", [("net", 97_912.4, "0")], "/s")
    assert ">0.918 ×<" in plots.bars("Faster", [("net", 0.9178, "0")], "×")


def test_a_candidate_that_loses_nothing_passes_with_an_interval_that_doesnt_collapse() -> None:
    verdict = gate.judge([1.0] * 100, [1.0] * 100, 0.01)
    assert verdict.passed
    assert verdict.drop == 0
    assert verdict.low < 0 < verdict.high


def test_the_interval_of_paired_answers_is_that_of_agresti_and_min() -> None:
    """100 pairs, 10 lost and 2 won: ((b+½)-(c+½))/(n+2) ± z·sqrt(…)/(n+2), worked out by hand."""
    before = [1.0] * 10 + [0.0] * 2 + [1.0] * 88
    after = [0.0] * 10 + [1.0] * 2 + [1.0] * 88
    low, high = gate.interval(before, after, 1.959964)
    middle, margin = 8 / 102, 1.959964 * (13 - 64 / 102) ** 0.5 / 102
    assert (low, high) == pytest.approx((middle - margin, middle + margin))


@pytest.mark.parametrize(("lost", "passed"), [(1, True), (2, False)])
def test_the_mean_drop_decides(lost: int, passed: bool) -> None:
    verdict = gate.judge([1.0] * 100, [0.0] * lost + [1.0] * (100 - lost), 0.01)
    assert verdict.passed is passed
    assert bool(verdict.reason) is not passed


def test_a_single_sample_that_lost_much_is_told_of_though_the_mean_hides_it() -> None:
    scores = [0.998] * 7 + [0.87] + [0.998] * 192
    verdict = gate.judge([1.0] * 200, scores, 0.003)
    assert verdict.passed
    assert verdict.worst == pytest.approx(0.13)
    refused = gate.judge([1.0] * 200, scores, 0.003, tail=metrics.NAMED["cosine"].tail)
    assert not refused.passed
    assert refused.reason == "sample 7 of those judged lost 0.1300, more than 5 times 0.003"
    assert gate.judge([1.0] * 200, [0.998] * 200, 0.003, tail=metrics.NAMED["cosine"].tail).passed
    assert gate.judge([1.0] * 200, [0.0] + [1.0] * 199, 0.01, tail=metrics.NAMED["accuracy"].tail).passed


def test_sure_asks_for_the_upper_end() -> None:
    before, after = [1.0] * 100, [0.0] + [1.0] * 99
    assert gate.judge(before, after, 0.01).passed
    refused = gate.judge(before, after, 0.01, sure=True)
    assert not refused.passed
    assert "upper end" in refused.reason


def test_the_bootstrap_covers_the_true_difference() -> None:
    random = np.random.default_rng(5)
    covered = 0
    for _ in range(100):
        before = random.normal(0.9, 0.1, 60)
        low, high = gate.interval(before, before - 0.02 + random.normal(0, 0.03, 60), 1.959964)
        covered += low <= 0.02 <= high
    assert 88 <= covered <= 100


def test_hopeless_needs_enough_samples_and_a_clear_loss() -> None:
    assert not gate.hopeless([1.0] * 8, [0.0] * 8, 0.01)
    assert gate.hopeless([1.0] * 40, [0.0] * 40, 0.01)
    assert not gate.hopeless([1.0] * 40, [1.0] * 40, 0.01)


def test_metrics() -> None:
    output, other = np.array([[1.0, 2.0, 0.0]]), np.array([[0.0, 2.0, 1.0]])
    assert metrics.NAMED["cosine"].score(output, other) == pytest.approx(0.8)
    assert metrics.NAMED["cosine"].score(np.zeros(3), np.zeros(3)) == 1
    assert metrics.NAMED["agreement"].score(output, other.argmax(-1)) == 1
    assert metrics.NAMED["accuracy"].score(output, 1) == 1
    assert metrics.NAMED["accuracy"].score(output, 2) == 0
    assert metrics.NAMED["closeness"].score(output, output) == 1


def test_likelihood_is_relative_to_the_original() -> None:
    metric = metrics.NAMED["likelihood"]
    logits, inputs = np.log(np.array([[[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]])), {"input_ids": np.array([[0, 1]])}
    kept = metric.keep(logits, inputs, None)
    assert metric.score(logits, kept) == pytest.approx(1)
    assert metric.score(np.log(np.array([[[0.6, 0.2, 0.2], [0.1, 0.8, 0.1]]])), kept) == pytest.approx(0.8)


def test_a_metric_that_doesnt_fit_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="needs targets"):
        metrics.named("accuracy", "network", targets=False)
    with pytest.raises(ConfigurationError, match="for language models"):
        metrics.named("likelihood", "network", targets=False)
    with pytest.raises(ConfigurationError, match="there are: cosine"):
        metrics.named("nonsense", "network", targets=False)
    with pytest.raises(ConfigurationError, match="can't be imported"):
        metrics.named("no_module:score", "network", targets=False)


def test_percentiles_and_the_median_s_interval() -> None:
    timing = Timing(tuple(float(number) for number in range(1, 101)))
    assert [timing.percentile(percent) for percent in (50, 90, 99, 100)] == [50, 90, 99, 100]
    assert timing.interval() == (41, 61)
    assert Timing((3.0,)).interval() == (3.0, 3.0)


def test_each_has_its_turn_in_every_round() -> None:
    order: list[str] = []
    times = interleaved({name: lambda name=name: order.append(name) for name in "abc"}, 3, visit=0)
    assert {len(timing.seconds) for timing in times.values()} == {3}
    assert [set(order[place : place + 3]) for place in range(0, 12, 3)] == [set("abc")] * 4


def test_a_pass_over_several_inputs_is_told_by_the_inference(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that goes on a second each time that it is looked at."""
    seconds = itertools.count()
    monkeypatch.setattr(measurement, "time", SimpleNamespace(perf_counter=lambda: next(seconds)))
    assert interleaved({"a": lambda: None}, 2, visit=0, inferences=4)["a"].seconds == (0.25, 0.25)


def test_recipes_fit_the_model_and_the_device() -> None:
    operators = frozenset({"MatMul", "Convolution"})
    everything = candidates("auto", "network", bf16=True, operators=operators)
    assert everything[0] == BASELINE
    assert not any("depthwise" in recipe.name for recipe in everything)
    assert {
        kind
        for kind in ("encoder", "network", "llm")
        if any(one.smooth for one in candidates("auto", kind, bf16=True, operators=operators))
    } == {"encoder"}
    assert {recipe.rest for recipe in candidates("int8", "network", bf16=False, operators=operators)} == {"f32"}
    assert all(recipe.method != "ptq" for recipe in candidates("auto", "llm", bf16=True, operators=operators))
    assert len({recipe.name for recipe in everything}) == len(everything)
    with pytest.raises(ConfigurationError, match="bfloat16"):
        candidates("bf16", "network", bf16=False, operators=operators)
    with pytest.raises(ConfigurationError, match="auto, bf16, int8, int4"):
        candidates("int2", "network", bf16=True, operators=operators)


def test_pictures_are_well_formed_and_escape_names() -> None:
    from xml.etree import ElementTree

    row = {"recipe": {"name": "a<b&c"}, "status": "rejected", "verdict": {"drop": 0.9, "low": -1.0, "high": float("inf")}}
    for picture in (
        plots.bars("speed <&>", [("a<b", 2.0, "chosen"), ("c", 0.0, "3")], "×", line=1),
        plots.gate("loss", [row], 0.01),
        plots.gate("none", [], 0.0),
        plots.lines("curves", {"a<": [(1, 2), (8, 4)], "b": [(1, 0)]}, "batch", "a second"),
    ):
        ElementTree.fromstring(picture)
