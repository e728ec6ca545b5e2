"""Makes what a recipe describes, by nncf."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from agentnb.errors import OptimizationError, cause
from agentnb.optimization.data import Sample
from agentnb.optimization.folders import weight_bytes
from agentnb.optimization.packages import nncf, without_bars
from agentnb.optimization.recipes import Recipe
from agentnb.optimization.sources import Source

SUBSET = 300
"""Samples that a calibration reads at most: nncf's own default."""

_LAYERS = frozenset({"Convolution", "GroupConvolution", "ConvolutionBackpropData", "MatMul"})


def build(recipe: Recipe, source: Source, calibration: Sequence[Sample], tick: Callable[[int, int], None]) -> Any:
    """The ``ov.Model`` that a recipe makes; the source's own model stays as it is.

    Args:
        recipe: What to make.
        source: Of what.
        calibration: What it is calibrated by.
        tick: Told how many samples were read, and of how many.

    Raises:
        OptimizationError: nncf can't do that to this model.
        MissingExtra: nncf is not installed.
    """
    if recipe.method == "none":
        return source.model
    package = nncf()
    try:
        with without_bars():
            return (
                _weights(package, recipe, source, calibration, tick)
                if recipe.method == "weights"
                else _ptq(package, recipe, source, calibration, tick)
            )
    except (KeyboardInterrupt, MemoryError, OptimizationError):
        raise
    except Exception as error:
        raise OptimizationError(f"nncf can't do it: {cause(error)}") from error


def _dataset(package: Any, samples: Sequence[Sample], tick: Callable[[int, int], None]) -> Any:
    """The samples as nncf reads them, which is more than once."""
    total, seen = min(len(samples), SUBSET), set()

    def inputs(numbered: tuple[int, Sample]) -> dict[str, Any]:
        seen.add(numbered[0])
        tick(len(seen), total)
        return dict(numbered[1].inputs)

    return package.Dataset(list(enumerate(samples[:total])), inputs)


def _ptq(package: Any, recipe: Recipe, source: Source, samples: Sequence[Sample], tick: Callable[[int, int], None]) -> Any:
    presets, ignored = package.QuantizationPreset, _ignored(recipe, source.model)
    given: dict[str, Any] = {}
    if recipe.smooth:
        alphas = package.AdvancedSmoothQuantParameters(matmul=recipe.smooth)
        given["advanced_parameters"] = package.AdvancedQuantizationParameters(smooth_quant_alphas=alphas)
    return package.quantize(
        source.model,
        _dataset(package, samples, tick),
        preset=presets.PERFORMANCE if recipe.symmetric else presets.MIXED,
        model_type=package.ModelType.TRANSFORMER if recipe.transformer else None,
        subset_size=min(len(samples), SUBSET),
        ignored_scope=package.IgnoredScope(names=ignored, types=_types(recipe), validate=False) if recipe.skip else None,
        **given,
    )


def _types(recipe: Recipe) -> list[str]:
    return [part for part in recipe.skip if part != "ends"]


def _ignored(recipe: Recipe, model: Any) -> list[str]:
    if "ends" not in recipe.skip:
        return []
    layers = [node.get_friendly_name() for node in model.get_ordered_ops() if node.get_type_name() in _LAYERS]
    return [layers[0], layers[-1]] if layers else []


def _weights(package: Any, recipe: Recipe, source: Source, samples: Sequence[Sample], tick: Callable[[int, int], None]) -> Any:
    given: dict[str, Any] = {}
    if recipe.mode.startswith("int4"):
        given = {"ratio": recipe.ratio, "group_size": recipe.group}
    if recipe.aware:
        given |= {"dataset": _dataset(package, samples, tick), "awq": True, "scale_estimation": True, "subset_size": min(len(samples), 128)}
    model = source.model.clone()
    before = weight_bytes(model)
    model = package.compress_weights(model, mode=package.CompressWeightsMode(recipe.mode), **given)
    if weight_bytes(model) == before:
        raise OptimizationError("the weights are quantised already, so that nothing changes")
    return model
