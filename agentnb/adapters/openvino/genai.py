"""The OpenVINO packages: imported on first use, with their telemetry off."""

from __future__ import annotations

from typing import Any

from agentnb import telemetry
from agentnb.errors import MissingExtra


def load() -> Any:
    """The module ``openvino_genai``.

    Raises:
        MissingExtra: It is not installed.
    """
    telemetry.mute()
    try:
        import openvino_genai
    except ImportError:
        raise MissingExtra("openvino-genai") from None
    return openvino_genai
