"""What commands are given: runs, and ``-i key=value``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from agentnb.errors import ConfigurationError, RunNotFound
from agentnb.runtime.runtime import current

if TYPE_CHECKING:
    from agentnb.workflows.spec import WorkflowSpec


def run_named(name: str, kind: str = "") -> str:
    """The run that is meant: ``last`` is the newest, of that kind; as a step of a workflow it means the workflow's.

    Raises:
        RunNotFound: There is none yet.
    """
    if name != "last":
        return name
    runtime = current()
    found = runtime.runs(kind=kind, limit=1)
    if not found:
        raise RunNotFound(f"last {kind}".rstrip(), runtime.store.location)
    return runtime.outermost(found[0]).id


def parse_inputs(pairs: Iterable[str]) -> dict[str, object]:
    """``key=value`` pairs; a value that is JSON is read as such.

    Raises:
        ConfigurationError: One has no ``=``.
    """
    values: dict[str, object] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise ConfigurationError(f"-i {pair!r}: write key=value")
        try:
            values[key] = json.loads(value)
        except ValueError:
            values[key] = value
    return values


def typed_inputs(pairs: Iterable[str], spec: WorkflowSpec) -> dict[str, Any]:
    """``key=value`` pairs as the inputs' schemas want them: JSON where it is JSON, but text where text is asked for.

    Raises:
        ConfigurationError: One has no ``=``.
    """
    pairs = list(pairs)
    raw = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    values = parse_inputs(pairs)
    texts = {name for name, schema in spec.inputs.items() if schema.get("type") == "string"}
    return {name: raw[name] if name in texts and not isinstance(value, str) else value for name, value in values.items()}


def parsed(text: str, option: str) -> Any:
    """An option's JSON; None where nothing was given.

    Raises:
        ConfigurationError: It is no JSON.
    """
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"{option}: not JSON: {error}. Text stands in double quotes there, the whole in single ones") from None
