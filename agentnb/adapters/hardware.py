"""What this machine can compute with: the processor's instruction sets, and the devices that OpenVINO sees."""

from __future__ import annotations

import os
from pathlib import Path

from agentnb.ports.checks import Finding

_SETS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX512-VNNI",
    "avx_vnni": "AVX-VNNI",
    "avx512_bf16": "BF16",
    "amx_bf16": "AMX-BF16",
    "amx_int8": "AMX-INT8",
}


def check() -> list[Finding]:
    """The processor, and OpenVINO's devices."""
    return [_processor(), *_devices()]


def _processor() -> Finding:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    fields = {line.split(":")[0].strip(): line.partition(":")[2].strip() for line in lines if ":" in line}
    flags = set(fields.get("flags", "").split())
    sets = ", ".join(name for flag, name in _SETS.items() if flag in flags) or "instruction sets unknown"
    return Finding("processor", ok=True, value=f"{fields.get('model name', 'unknown')}, {os.cpu_count()} cores, {sets}")


def _devices() -> list[Finding]:
    import openvino

    core = openvino.Core()
    found = []
    for device in core.available_devices:
        kinds = ", ".join(core.get_property(device, "OPTIMIZATION_CAPABILITIES"))
        found.append(Finding(f"OpenVINO device {device}", ok=True, value=f"{core.get_property(device, 'FULL_DEVICE_NAME')}: {kinds}"))
    return found or [Finding("OpenVINO devices", ok=False, value="none", mend="pip install --force-reinstall openvino")]
