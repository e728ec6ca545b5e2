"""openvino and nncf: imported on first use, with their telemetry off; nncf takes seconds and hundreds of megabytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from agentnb import telemetry
from agentnb.errors import ConfigurationError, MissingExtra


def openvino() -> Any:
    """The module ``openvino``."""
    telemetry.mute()
    try:
        import openvino
    except ImportError:
        raise MissingExtra("openvino") from None
    return openvino


@cache
def core() -> Any:
    """The one ``openvino.Core`` of this process; openvino_tokenizers' operators are known to it where that is installed."""
    module = openvino()
    with suppress(ImportError):
        import openvino_tokenizers  # noqa: F401
    return module.Core()


def nncf() -> Any:
    """The module ``nncf``, without its log.

    Raises:
        MissingExtra: It is not installed.
    """
    telemetry.mute()
    try:
        import nncf
    except ImportError:
        raise MissingExtra("nncf", "optimize") from None
    import logging

    nncf.set_log_level(logging.ERROR)
    return nncf


@contextmanager
def without_bars() -> Iterator[None]:
    """Keep rich, by which nncf shows progress, quiet: we show our own."""
    import rich

    console = rich.get_console()
    before, console.quiet = console.quiet, True
    try:
        yield
    finally:
        console.quiet = before


def known_device(name: str) -> str:
    """The device's name as OpenVINO writes it.

    Raises:
        ConfigurationError: OpenVINO sees no such device.
    """
    found = core().available_devices
    known = {*found, *(device.partition(".")[0] for device in found)}
    wanted = name.upper()
    auto, _, named = wanted.partition(":")
    if not (wanted == "AUTO" or known.issuperset(named.split(",") if auto == "AUTO" else [wanted])):
        raise ConfigurationError(
            f"OpenVINO sees no device {name!r} here; it sees: {', '.join(found)}, and AUTO chooses (`agentnb doctor --hardware` says more)"
        )
    return wanted


def capabilities(device: str) -> set[str]:
    """What a device computes in; of AUTO, what all do that it chooses from."""
    names = device.removeprefix("AUTO").removeprefix(":").split(",") if device.startswith("AUTO:") else [device]
    return set.intersection(*(set(core().get_property(name, "OPTIMIZATION_CAPABILITIES")) for name in names))


def cause(error: BaseException) -> str:
    """The last telling line of a native error, without the places in its sources."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("Exception from", "Check ", "FrontEnd API failed"))]
    return (telling or lines or [type(error).__name__])[-1].rstrip(".!")
