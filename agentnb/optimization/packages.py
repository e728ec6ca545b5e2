"""openvino and nncf: imported on first use, with their telemetry off; nncf takes seconds and hundreds of megabytes."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
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
    """Keep rich, by which nncf shows progress, quiet (in a notebook also its empty widget): we show our own."""
    import rich

    console = rich.get_console()
    before = console.quiet, console.is_jupyter
    console.quiet, console.is_jupyter = True, False
    try:
        yield
    finally:
        console.quiet, console.is_jupyter = before


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


def processor() -> str:
    """The processor's name."""
    return str(core().get_property("CPU", "FULL_DEVICE_NAME"))


def versions(*names: str) -> dict[str, str]:
    """Versions of Python and of those packages that are installed."""
    found = {"python": platform.python_version()}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
