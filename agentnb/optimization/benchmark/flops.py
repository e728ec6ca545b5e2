"""How much a graph computes and reads, and in which precision the device really computes it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from math import prod
from typing import Any

_PRECISIONS = {"u8": "int8", "i8": "int8", "u4": "int8", "i4": "int8", "bf16": "bf16", "f16": "f16", "f32": "f32"}
_ENDS = re.compile(r"_(bf16|f16|f32|i8|u8)$", re.IGNORECASE)
"""How primitives say what they compute in; the layer's own precision is that of its weights, where these alone are quantised."""
_COMPUTING = frozenset({"FullyConnected", "MatMul", "Convolution", "Deconvolution", "GroupConvolution"})


def operations(model: Any, shapes: Mapping[str, tuple[int, ...]]) -> float | None:
    """Floating-point operations of one inference: two for each multiplication in matrix products and convolutions.

    Args:
        model: An ``ov.Model``; it is not changed.
        shapes: Of all its inputs.

    Returns:
        None where the shapes stay open.
    """
    graph = model.clone()
    try:
        graph.reshape({port: list(shapes[port.get_any_name()]) for port in graph.inputs})
    except Exception:
        return None
    total = 0.0
    for node in graph.get_ops():
        count = _COUNTS.get(node.get_type_name())
        if count is None:
            continue
        if any(port.get_partial_shape().is_dynamic for port in (*node.inputs(), *node.outputs())):
            return None
        total += count(node)
    return total


def _matmul(node: Any) -> float:
    left = list(node.input(0).get_shape())
    inner = left[-2] if node.get_attributes().get("transpose_a") and len(left) > 1 else left[-1]
    return float(2 * prod(node.output(0).get_shape()) * inner)


def _convolution(node: Any) -> float:
    return float(2 * prod(node.output(0).get_shape()) * prod(list(node.input(1).get_shape())[1:]))


def _grouped(node: Any) -> float:
    return float(2 * prod(node.output(0).get_shape()) * prod(list(node.input(1).get_shape())[2:]))


_COUNTS = {"MatMul": _matmul, "Convolution": _convolution, "GroupConvolution": _grouped}


_PASSED = frozenset({"Convert", "Multiply", "Subtract", "Reshape", "Transpose", "FakeQuantize"})
_WIDTHS = {"f32": 4, "bf16": 2, "f16": 2}


def weights_read(model: Any, computed_in: str) -> float:
    """Bytes of weights that one inference reads: each matrix and kernel once; tables of which it looks rows up are left out.

    Weights in floating point are held in the precision that is computed in; quantised ones are read as they are.
    """
    found = {
        constant.get_friendly_name(): constant for node in model.get_ops() if node.get_type_name() in _COUNTS for constant in _weights(node)
    }
    return float(sum(_bytes(constant, computed_in) for constant in found.values()))


def _weights(node: Any) -> list[Any]:
    return [constant for value in node.input_values() for constant in _constants(value.get_node()) or ()]


def _constants(node: Any) -> list[Any] | None:
    """The constants that a value is made of; None where it is made of something else too."""
    kind = node.get_type_name()
    if kind == "Constant":
        return [node]
    parts = [_constants(value.get_node()) for value in node.input_values()] if kind in _PASSED else [None]
    return None if None in parts else [constant for part in parts for constant in part or ()]


def _bytes(constant: Any, computed_in: str) -> float:
    width = _WIDTHS.get(computed_in) if constant.get_element_type().is_real() else None
    return float(width * prod(constant.get_output_shape(0)) if width else constant.get_byte_size())


def precision(compiled: Any) -> str:
    """What most of the computing layers run in: ``int8``, ``bf16``, ``f16`` or ``f32``, as the device's own graph says."""
    found: Counter[str] = Counter()
    for node in compiled.get_runtime_model().get_ops():
        info = node.get_rt_info()
        if "layerType" in info and info["layerType"].astype(str) in _COMPUTING:
            ends = _ENDS.search(info["primitiveType"].astype(str)) if "primitiveType" in info else None
            kind = ends.group(1) if ends else info["runtimePrecision"].astype(str) if "runtimePrecision" in info else ""
            found[_PRECISIONS.get(kind.lower(), kind.lower() or "f32")] += 1
    return found.most_common(1)[0][0] if found else "f32"
