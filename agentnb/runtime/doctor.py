"""Says what is installed and found, and how to mend what is missing."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from urllib.parse import urlsplit

from agentnb import plugins
from agentnb.config import Settings
from agentnb.errors import AgentNBError
from agentnb.ports.checks import Finding
from agentnb.runtime.runtime import Runtime
from agentnb.secrets import bare_url

DISTRIBUTION = "jupyter-agentnb"
KEYS = ("OPENAI_API_KEY",)


def examine(settings: Settings) -> list[Finding]:
    """Look at everything; nothing is changed but that the store's folder is made."""
    findings = [
        _python(),
        *_packages(),
        _store(settings),
        _settings(settings),
        *_models(settings),
        *_keys(),
        *_servers(settings),
        _kernel(),
        _lab_extension(),
    ]
    for name in plugins.table("agentnb.checks"):
        try:
            findings += plugins.load("agentnb.checks", name)()
        except Exception as error:
            findings.append(
                Finding(
                    name,
                    ok=False,
                    value=f"{type(error).__name__}: {error}",
                    mend=f"reinstall: pip install --force-reinstall {DISTRIBUTION}",
                )
            )
    return findings


def hardware() -> list[Finding]:
    """The processor, the devices, and what each precision really runs in on each."""
    return [finding for name in plugins.table("agentnb.hardware") for finding in plugins.load("agentnb.hardware", name)()]


def _python() -> Finding:
    ok = sys.version_info >= (3, 11)
    return Finding("Python", ok, f"{platform.python_version()} ({sys.executable})", "" if ok else "agentnb needs Python 3.11 or newer")


def _packages() -> list[Finding]:
    try:
        lines = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return [Finding(DISTRIBUTION, ok=False, value="runs from a folder, not installed", mend="pip install .")]
    names = [line.split(">")[0].split("=")[0].strip() for line in lines if "extra ==" not in line]
    return [Finding(DISTRIBUTION, ok=True, value=version(DISTRIBUTION)), *(_package(name) for name in names)]


def _package(name: str) -> Finding:
    try:
        return Finding(name, ok=True, value=version(name))
    except PackageNotFoundError:
        return Finding(name, ok=False, value="not installed", mend=f"pip install {name}")


def _store(settings: Settings) -> Finding:
    try:
        runtime = Runtime(settings)
        count = sum(runtime.store.counts().values())
        runtime.close()
    except AgentNBError as error:
        return Finding("store", ok=False, value=str(settings.store), mend=str(error))
    return Finding("store", ok=True, value=f"{settings.store} ({count} runs)")


def _settings(settings: Settings) -> Finding:
    return Finding("settings", ok=True, value=f"{settings.file or 'no agentnb.toml, defaults'} (profile {settings.profile})")


def _models(settings: Settings) -> list[Finding]:
    found = []
    for info in Runtime(settings).models.catalog():
        if info.name == settings.model or info.installed:
            mend = "" if info.installed else f"agentnb models pull {info.name.partition(':')[2]}"
            found.append(Finding(f"model {info.name}", info.installed, info.path or ("ready" if info.installed else "not fetched"), mend))
    return found


def _keys() -> list[Finding]:
    return [Finding(key, ok=True, value="set" if os.environ.get(key) else "not set (only needed for that provider)") for key in KEYS]


def _servers(settings: Settings) -> list[Finding]:
    """Model servers that are named by an address: whether something listens there."""
    named = {provider: table["base_url"] for provider, table in settings.models.items() if "base_url" in table}
    named.update({provider: url for provider in named.keys() | {"openai"} if (url := os.environ.get(f"{provider.upper()}_BASE_URL"))})
    return [_server(provider, str(url)) for provider, url in sorted(named.items())]


def _server(provider: str, url: str) -> Finding:
    name, shown = f"server of {provider}", ""
    try:
        parts, shown = urlsplit(url), bare_url(url)
        with socket.create_connection((parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)), timeout=2):
            return Finding(name, ok=True, value=f"{shown} answers")
    except (OSError, ValueError) as error:
        return Finding(
            name,
            ok=False,
            value=f"{shown}: {error}",
            mend=f"start it, or correct {provider.upper()}_BASE_URL or models.{provider}.base_url",
        )


def _kernel() -> Finding:
    places = [Path(sys.prefix) / "share/jupyter/kernels/agentnb/kernel.json"]
    ok = any(place.is_file() for place in places)
    return Finding("kernel agentnb (Python)", ok, str(places[0].parent) if ok else "not found", "" if ok else "agentnb kernel install")


def _lab_extension() -> Finding:
    place = Path(sys.prefix) / "share/jupyter/labextensions/@agentnb/labextension/package.json"
    if not shutil.which("jupyter-lab", path=str(Path(sys.executable).parent)):
        return Finding(
            "JupyterLab extension", ok=False, value="JupyterLab is not installed beside this Python", mend="pip install jupyterlab"
        )
    ok = place.is_file()
    return Finding(
        "JupyterLab extension",
        ok,
        str(place.parent) if ok else "not found",
        "" if ok else "pip install . (from a checkout: -e leaves it out)",
    )
