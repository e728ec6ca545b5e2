"""What this machine can compute with: the processor's instruction sets, OpenVINO's devices, and what each precision really runs in."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentnb import telemetry
from agentnb.errors import cause
from agentnb.ports.checks import Finding

_SETS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX512-VNNI",
    "avx_vnni": "AVX-VNNI",
    "avx512_bf16": "BF16",
    "avx512_fp16": "FP16",
    "amx_tile": "AMX",
    "amx_bf16": "AMX-BF16",
    "amx_int8": "AMX-INT8",
}
_MISSING = {
    "GPU": "none seen (an Intel GPU needs its OpenCL or Level Zero driver, and /dev/dri in a container)",
    "NPU": "none seen (Intel Core Ultra has one; it needs the intel-npu-driver)",
}
_ENDS = re.compile(r"_(bf16|f16|f32|i8|u8)$", re.IGNORECASE)
_ASKED = ("default", "f32", "bf16", "f16")


def check() -> list[Finding]:
    """The processor, and OpenVINO's devices."""
    fields = _processor()
    sets = ", ".join(name for flag, name in _SETS.items() if flag in _flags(fields)) or "instruction sets unknown"
    return [Finding("processor", ok=True, value=f"{_name(fields)}, {os.cpu_count()} cores, {sets}"), *_devices()]


def details() -> list[Finding]:
    """All of ``doctor --hardware``: each instruction set, each kind of device, and what a layer of each precision runs in on each."""
    import psutil

    fields = _processor()
    flags = _flags(fields)
    found = [
        Finding("processor", ok=True, value=_name(fields)),
        Finding(
            "cores",
            ok=True,
            value=f"{psutil.cpu_count(logical=False) or '?'} physical, {os.cpu_count()} logical, {_allowed()} for this process",
        ),
        Finding(
            "memory", ok=True, value=f"{psutil.virtual_memory().total / 1e9:.1f} GB, {psutil.virtual_memory().available / 1e9:.1f} GB free"
        ),
        *(
            Finding(name, ok=True, value="yes" if flag in flags else "no" if flags else "unknown", absent=flag not in flags)
            for flag, name in _SETS.items()
        ),
        *_devices(),
    ]
    core = _core()
    seen = {device.split(".")[0] for device in core.available_devices}
    found += [Finding(f"OpenVINO device {kind}", ok=True, value=why, absent=True) for kind, why in _MISSING.items() if kind not in seen]
    for device in core.available_devices:
        found += _precisions(core, device)
    return found


def _processor() -> Mapping[str, str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    return {line.split(":")[0].strip(): line.partition(":")[2].strip() for line in lines if ":" in line}


def _flags(fields: Mapping[str, str]) -> set[str]:
    return set(fields.get("flags", "").split())


def _name(fields: Mapping[str, str]) -> str:
    return fields.get("model name") or platform.processor() or "unknown"


def _allowed() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _core() -> Any:
    telemetry.mute()
    import openvino

    return openvino.Core()


def _devices() -> list[Finding]:
    core = _core()
    found = []
    for device in core.available_devices:
        kinds = ", ".join(core.get_property(device, "OPTIMIZATION_CAPABILITIES"))
        found.append(Finding(f"OpenVINO device {device}", ok=True, value=f"{core.get_property(device, 'FULL_DEVICE_NAME')}: {kinds}"))
    return found or [Finding("OpenVINO devices", ok=False, value="none", mend="pip install --force-reinstall openvino")]


def _precisions(core: Any, device: str) -> list[Finding]:
    """What a matrix product runs in, asked for in each precision: a small model is compiled, and the device's own graph is read."""
    made = [
        (f"{device}, asked for {asked}", _product(), {} if asked == "default" else {"INFERENCE_PRECISION_HINT": asked}) for asked in _ASKED
    ]
    made += [
        (f"{device}, activations and weights int8", _product(quantised=True), {}),
        (f"{device}, weights int8", _product(weights="i8"), {}),
        (f"{device}, weights int4", _product(weights="u4"), {}),
    ]
    return [Finding(name, ok=True, value=_runs_in(core, model, device, hint)) for name, model, hint in made]


def _runs_in(core: Any, model: Any, device: str, hint: Mapping[str, str]) -> str:
    try:
        compiled = core.compile_model(model, device, dict(hint))
        graph = compiled.get_runtime_model()
    except Exception as error:
        return f"not there ({cause(error)})"
    for node in graph.get_ops():
        info = node.get_rt_info()
        kind = info["layerType"].astype(str) if "layerType" in info else ""
        if kind in ("FullyConnected", "MatMul", "gemm", "fully_connected"):
            how = info["primitiveType"].astype(str) if "primitiveType" in info else ""
            ends = _ENDS.search(how)
            return f"computes in {ends.group(1) if ends else info['runtimePrecision'].astype(str)}{f' ({how})' if how else ''}"
    return "runs (the device doesn't say in what)"


def _product(*, weights: str = "f32", quantised: bool = False) -> Any:
    """``[64, 256] @ [256, 256]``."""
    import numpy as np
    from openvino import Model, Tensor, Type, opset15

    size = 256
    left = value = opset15.parameter([64, size], np.float32, "x")
    right = opset15.constant(np.random.default_rng(0).normal(0, 1, (size, size)).astype(np.float32))
    if quantised:
        edges = [opset15.constant(np.array(edge, np.float32)) for edge in (-4.0, 3.96875, -4.0, 3.96875)]
        value = opset15.fake_quantize(left, *edges, 256)
    if quantised or weights == "i8":
        whole = opset15.constant(np.random.default_rng(0).integers(-127, 128, (size, size)).astype(np.int8))
        right = opset15.multiply(opset15.convert(whole, "f32"), opset15.constant(np.full((size, 1), 0.01, np.float32)))
    if weights == "u4":
        packed = Tensor(np.random.default_rng(0).integers(0, 256, size * size // 2).astype(np.uint8), [size, size // 32, 32], Type.u4)
        scaled = opset15.multiply(
            opset15.subtract(opset15.convert(opset15.constant(packed), "f32"), opset15.constant(np.array(8, np.float32))),
            opset15.constant(np.full((size, size // 32, 1), 0.01, np.float32)),
        )
        right = opset15.reshape(scaled, opset15.constant(np.array([size, size])), special_zero=False)
    return Model([opset15.result(opset15.matmul(value, right, False, True))], [left], "product")
