"""Telemetry of the packages that send some: off, unless the user opts in."""

from __future__ import annotations

import os
import sys
from types import ModuleType


class _Silent:
    """Takes the place of every class of openvino_telemetry; whatever it is told, nothing leaves this machine."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        pass

    def start_session(self, *args: object, **kwargs: object) -> None:
        pass

    end_session = force_shutdown = send_event = send_error = send_stack_trace = start_session


def mute() -> None:
    """Keep openvino and nncf from sending anything, unless the user opted in by ``AGENTNB_TELEMETRY=1``.

    Only has an effect before the first import of ``openvino_telemetry``.
    """
    if os.environ.get("AGENTNB_TELEMETRY") == "1" or "openvino_telemetry" in sys.modules:
        return
    for name in ("openvino_telemetry", "openvino_telemetry.backend", "openvino_telemetry.backend.backend_ga4"):
        module = ModuleType(name)
        module.__dict__.update(Telemetry=_Silent, TelemetryBackend=_Silent, GA4Backend=_Silent, __path__=[])
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)
