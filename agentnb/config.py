"""Settings: defaults < profile < agentnb.toml < AGENTNB_* environment < arguments."""

from __future__ import annotations

import getpass
import math
import os
import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from agentnb.errors import ConfigurationError

DEFAULT_MODEL = "openvino:smollm2-135m"

PROFILES: dict[str, dict[str, Any]] = {
    "development": {},
    "staging": {"synchronous": "full"},
    "production": {"synchronous": "full"},
    "devcloud": {},
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What this process was told.

    Attributes:
        store: Folder of the journal and everything else that is kept.
        cache: Folder of fetched models; can be deleted at any time.
        model: Model of agents that name none.
        profile: ``development``, ``staging``, ``production`` or ``devcloud``.
        synchronous: ``normal`` survives a killed process, ``full`` also a power loss.
        timeout: Seconds that one execution may take.
        max_steps: Model calls that one execution may take.
        user: Who is acting; ends up in events.
        job: Run of the job that this process is a part of, or empty; what it starts is kept as that run's.
        resume: Earlier runs of that job, separated by commas: what they had finished is taken from the journal.
        without_user: What becomes of an approval where nobody can be asked, instead of what ``[policy]`` says; empty for that.
        record: Cassette to which every model call of the process is recorded, or None.
        replay: Cassette from which every model call of the process is answered, or None.
        jobs: The table ``[jobs]``: limits of notebooks that papermill runs with our engine.
        policy: The table ``[policy]``, checked by ``agentnb.policy``.
        models: The tables ``[models.PROVIDER]``, handed to the provider.
        file: The agentnb.toml that was read, or None.
    """

    store: Path
    cache: Path
    model: str = DEFAULT_MODEL
    profile: str = "development"
    synchronous: str = "normal"
    timeout: float = 300.0
    max_steps: int = 10
    user: str = ""
    job: str = ""
    resume: str = ""
    without_user: str = ""
    record: Path | None = None
    replay: Path | None = None
    jobs: dict[str, Any] = field(default_factory=dict)
    policy: dict[str, Any] = field(default_factory=dict)
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    file: Path | None = None


_PATHS = {"store", "cache", "record", "replay"}
_NUMBERS: dict[str, type] = {"timeout": float, "max_steps": int}
_CHOICES = {"profile": tuple(PROFILES), "synchronous": ("normal", "full"), "without_user": ("deny", "approve", "wait")}
_TABLES = {"policy", "models", "jobs"}
_KEYS = {f.name for f in fields(Settings)} - {"file"}


def load(start: Path | None = None, **arguments: Any) -> Settings:
    """Read the settings that hold in a folder.

    Args:
        start: Folder from which agentnb.toml is searched upwards; the working folder by default.
        **arguments: Fields of ``Settings``; what is None counts as not given.

    Raises:
        ConfigurationError: A key is unknown or a value is wrong; the message names the place.
    """
    given = {key: value for key, value in arguments.items() if value is not None}
    file = find_file(start or Path.cwd())
    written = _read(file) if file else {}
    environment = _environment()
    profile = given.get("profile") or environment.get("profile") or written.get("profile") or "development"
    if profile not in PROFILES:
        raise ConfigurationError(f"unknown profile {profile!r}; there are: {', '.join(PROFILES)}")
    merged = {**PROFILES[profile], **written, **environment, **given, "profile": profile}
    base = Settings(store=_default_store(file), cache=_user_dir("cache"), user=_user(), file=file)
    return replace(base, **merged)


def find_file(start: Path) -> Path | None:
    """The nearest agentnb.toml in a folder or above it."""
    for folder in (start, *start.parents):
        if (folder / "agentnb.toml").is_file():
            return folder / "agentnb.toml"
    return None


def _read(file: Path) -> dict[str, Any]:
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: {error}") from None
    tables = data.get("models")
    for provider, table in tables.items() if isinstance(tables, dict) else ():
        if isinstance(table, dict) and "api_key" in table:
            raise ConfigurationError(
                f"{file}: models.{provider}.api_key: keys don't belong in files; set {provider.upper()}_API_KEY in the environment"
            )
    return {key: _checked(key, value, str(file), file.parent) for key, value in data.items()}


def _environment() -> dict[str, Any]:
    found = {key: os.environ.get(f"AGENTNB_{key.upper()}") for key in _KEYS - _TABLES}
    return {key: _checked(key, value, f"AGENTNB_{key.upper()}", Path.cwd()) for key, value in found.items() if value}


def _checked(key: str, value: Any, place: str, folder: Path) -> Any:
    if key not in _KEYS:
        raise ConfigurationError(f"{place}: unknown key {key!r}; there are: {', '.join(sorted(_KEYS))}")
    if key in _TABLES:
        if not isinstance(value, dict):
            raise ConfigurationError(f"{place}: {key} must be a table, not {value!r}")
        for name, table in value.items() if key == "models" else ():
            if not isinstance(table, dict):
                raise ConfigurationError(f"{place}: models.{name} must be a table, not {table!r}")
        return value
    if key in _PATHS:
        return folder / Path(str(value)).expanduser()
    if key in _CHOICES and value not in _CHOICES[key]:
        raise ConfigurationError(f"{place}: {key} must be one of {', '.join(_CHOICES[key])}, not {value!r}")
    if key in _NUMBERS:
        return _number(key, value, place)
    if not isinstance(value, str):
        raise ConfigurationError(f"{place}: {key} must be text, not {value!r}")
    return value


def _number(key: str, value: Any, place: str) -> int | float:
    kind = _NUMBERS[key]
    try:
        number = kind(value) if not isinstance(value, bool) and (kind is float or not isinstance(value, float)) else 0
    except (TypeError, ValueError):
        number = 0
    if not number > 0 or not math.isfinite(number):
        raise ConfigurationError(f"{place}: {key} must be a{' whole' if kind is int else ''} number above 0, not {value!r}")
    return number


def _default_store(file: Path | None) -> Path:
    return file.parent / ".agentnb" if file else _user_dir("data")


def _user_dir(kind: str) -> Path:
    import platformdirs

    folder = platformdirs.user_cache_path if kind == "cache" else platformdirs.user_data_path
    return folder("agentnb", appauthor=False)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
