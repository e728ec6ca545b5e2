"""The recipes that are tried: what is made of the weights and activations, and in which precision the rest is computed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from agentnb.errors import ConfigurationError

Goal = Literal["auto", "bf16", "int8", "int4"]
GOALS: tuple[Goal, ...] = ("auto", "bf16", "int8", "int4")


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to make a model faster.

    Attributes:
        name: How reports call it.
        family: Which ``--to`` asks for it.
        method: ``none`` leaves the weights; ``weights`` quantises them alone; ``ptq`` also the activations, by calibration.
        rest: What is computed in where nothing is quantised: ``f32`` or ``bf16``.
        mode: Of ``weights``: nncf's name of the format, such as ``int8_sym``.
        group: Of ``weights``: how many weights share a scale; 0 for a whole row.
        ratio: Of ``weights``: the part of the layers that gets 4 bits; the others get 8.
        aware: Of ``weights``: whether the data chooses the scales (AWQ and scale estimation).
        symmetric: Of ``ptq``: activations too are symmetric (nncf's preset PERFORMANCE); else only the weights are (MIXED).
        transformer: Of ``ptq``: patterns of transformers are known, and outliers are smoothed (SmoothQuant).
        smooth: Of ``transformer``: how much of the outliers moves from activations to weights (SmoothQuant's alpha); 0 is nncf's own 0.95.
        skip: Of ``ptq``: what stays as it is: ``ends`` (the first and the last layer), or types of operators.
    """

    name: str
    family: Literal["none", "bf16", "int8", "int4"]
    method: Literal["none", "weights", "ptq"] = "none"
    rest: Literal["f32", "bf16"] = "f32"
    mode: str = ""
    group: int = 0
    ratio: float = 1.0
    aware: bool = False
    symmetric: bool = True
    transformer: bool = False
    smooth: float = 0.0
    skip: tuple[str, ...] = ()

    @property
    def build(self) -> str:
        """Names the model that this makes; recipes that differ only in ``rest`` share it."""
        return "original" if self.method == "none" else self.name.partition("+")[0]

    def properties(self) -> dict[str, Any]:
        """What OpenVINO has to be told when the model is compiled."""
        return {"INFERENCE_PRECISION_HINT": self.rest}


BASELINE = Recipe("fp32", "none")

_QUANTISED = (
    Recipe("int8-weights-sym", "int8", "weights", mode="int8_sym"),
    Recipe("int8-weights-asym", "int8", "weights", mode="int8_asym"),
    Recipe("int8-transformer", "int8", "ptq", transformer=True, symmetric=False),
    Recipe("int8-transformer-smooth-80", "int8", "ptq", transformer=True, symmetric=False, smooth=0.8),
    Recipe("int8-default", "int8", "ptq"),
    Recipe("int8-mixed", "int8", "ptq", symmetric=False),
    Recipe("int8-mixed-skip-ends", "int8", "ptq", symmetric=False, skip=("ends",)),
    Recipe("int8-mixed-skip-depthwise", "int8", "ptq", symmetric=False, skip=("GroupConvolution",)),
    Recipe("int8-mixed-skip-ends-depthwise", "int8", "ptq", symmetric=False, skip=("ends", "GroupConvolution")),
    Recipe("int8-only-matmul", "int8", "ptq", symmetric=False, transformer=True, skip=("Convolution", "GroupConvolution")),
    Recipe("int4-sym-128", "int4", "weights", mode="int4_sym", group=128),
    Recipe("int4-asym-32", "int4", "weights", mode="int4_asym", group=32),
    Recipe("int4-asym-32-half", "int4", "weights", mode="int4_asym", group=32, ratio=0.5),
    Recipe("int4-asym-32-aware", "int4", "weights", mode="int4_asym", group=32, aware=True),
)
"""In the order in which they are tried: cheap ones and likely winners first."""


def candidates(goal: str, kind: str, *, bf16: bool, operators: frozenset[str]) -> list[Recipe]:
    """The recipes to try; ``auto`` begins with the original as it is, so that there is always a result.

    Args:
        goal: What ``--to`` says.
        kind: ``encoder``, ``llm`` or ``network``; a language model's activations stay as they are, for decoding waits for its weights.
        bf16: Whether the device computes in bfloat16.
        operators: Types of the model's operators; recipes that skip types it hasn't are left out.

    Raises:
        ConfigurationError: The goal is unknown, or the device can't do it.
    """
    if goal not in GOALS:
        raise ConfigurationError(f"--to {goal}: it is one of {', '.join(GOALS)}")
    if goal == "bf16" and not bf16:
        raise ConfigurationError(
            "this device doesn't compute in bfloat16 (`agentnb doctor --hardware` says what it does): use --to int8 or auto"
        )
    rests: tuple[Literal["f32", "bf16"], ...] = ("bf16", "f32") if bf16 else ("f32",)
    found = [BASELINE] if goal == "auto" else []
    found += [Recipe("bf16", "bf16", rest="bf16")] if bf16 and goal in ("auto", "bf16") else []
    for recipe in _QUANTISED:
        if goal in ("auto", recipe.family) and _fits(recipe, kind, operators):
            found += [replace(recipe, name=f"{recipe.name}+{rest}", rest=rest) for rest in rests]
    return found


def _fits(recipe: Recipe, kind: str, operators: frozenset[str]) -> bool:
    types = {part for part in recipe.skip if part != "ends"}
    if recipe.method == "ptq" and (kind == "llm" or types - operators):
        return False
    if recipe.smooth and kind != "encoder":
        return False
    if recipe.name == "int8-only-matmul":
        return "MatMul" in operators
    if kind == "encoder" and recipe.method == "ptq":
        return recipe.transformer or "ends" not in recipe.skip
    return recipe.family != "int4" or "MatMul" in operators
