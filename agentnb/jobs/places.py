"""The ``${…}`` of job files: names of the run, filled in when it starts. No more than names: a job computes in its notebook."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from agentnb.errors import ConfigurationError

NAMES = ("name", "run.id", "run.date", "run.time", "run.trigger", "env.NAME")
OUTCOME = ("run.status", "run.reason", "run.error", "run.output", "run.duration")
"""What notifications may read besides."""

_PLACE = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")


class UnknownPlace(ConfigurationError):
    """A ``${…}`` names nothing that is there."""


def values(name: str, run_id: str, moment: float, zone: str, trigger: str) -> dict[str, Any]:
    """What places mean; ``moment`` is the time for which the run is, in seconds since the epoch."""
    local = datetime.fromtimestamp(moment, UTC).astimezone(ZoneInfo(zone))
    run = {"id": run_id, "date": local.date().isoformat(), "time": local.isoformat(timespec="seconds"), "trigger": trigger}
    return {"name": name, "run": run}


def fill(value: Any, known: Mapping[str, Any], environment: Mapping[str, str]) -> Any:
    """The value with its places filled; a text that is one place keeps the type of what stands there.

    Raises:
        UnknownPlace: One isn't known.
    """
    if isinstance(value, str):
        return _text(value, known, environment)
    if isinstance(value, Mapping):
        return {key: fill(item, known, environment) for key, item in value.items()}
    return [fill(item, known, environment) for item in value] if isinstance(value, list | tuple) else value


def is_constant(value: Any) -> bool:
    """Whether there is no place in it."""
    if isinstance(value, str):
        return "${" not in value
    if isinstance(value, Mapping):
        return all(map(is_constant, value.values()))
    return all(map(is_constant, value)) if isinstance(value, list | tuple) else True


def problem(value: Any, *, outcome: bool = False) -> str:
    """What is wrong with the places in it, or nothing."""
    known = values("name", "id", 0.0, "UTC", "manual")
    if outcome:
        known["run"] |= {name.removeprefix("run."): "" for name in OUTCOME}
    try:
        fill(value, known, _Anything())
    except UnknownPlace as error:
        return str(error)
    return ""


class _Anything(dict[str, str]):
    """An environment in which everything is set."""

    def __missing__(self, key: str) -> str:
        return ""

    def __contains__(self, key: object) -> bool:
        return True


def _text(text: str, known: Mapping[str, Any], environment: Mapping[str, str]) -> Any:
    whole = _PLACE.fullmatch(text)
    if whole and whole[1] is not None:
        return _found(whole[1], known, environment)

    def written(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        if match[1] is None:
            raise UnknownPlace(f"{text[:60]!r}: the brace after ${{ isn't closed; $${{ stands for the text ${{")
        found = _found(match[1], known, environment)
        return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)

    return _PLACE.sub(written, text)


def _found(path: str, known: Mapping[str, Any], environment: Mapping[str, str]) -> Any:
    root, _, rest = path.strip().partition(".")
    if root == "env" and rest:
        if rest in environment:
            return environment[rest]
        raise UnknownPlace(f"${{{path}}}: the environment variable {rest} is not set")
    value: Any = known.get(root)
    if rest:
        value = value.get(rest) if isinstance(value, Mapping) else None
    if value is None or isinstance(value, Mapping):
        raise UnknownPlace(f"${{{path}}} is not known here: there are {', '.join(f'${{{name}}}' for name in NAMES)}")
    return value
