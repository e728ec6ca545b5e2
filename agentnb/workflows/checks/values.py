"""What steps are given against what they take: names, and types as far as a document tells them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from agentnb.names import did_you_mean
from agentnb.workflows.checks.report import Report
from agentnb.workflows.checks.schemas import TYPES, fits, misfit, type_of
from agentnb.workflows.documents import Path

_INPUT = re.compile(r"\$\{\s*inputs\.([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*)*)\s*\}")
_EXACT = re.compile(r"\$\{(?:[^{}\"']|\"[^\"]*\"|'[^']*')*\}")
_CASTS = {
    ("string", "integer"): "int",
    ("number", "integer"): "int",
    ("boolean", "integer"): "int",
    ("string", "number"): "double",
    ("integer", "string"): "string",
    ("number", "string"): "string",
    ("boolean", "string"): "string",
    ("string", "boolean"): "bool",
}


class Parameters:
    """What a tool or a workflow takes.

    Args:
        who: For messages: ``the tool search``.
        schema: JSON Schema; its ``properties``, ``required`` and ``additionalProperties`` count.
    """

    def __init__(self, who: str, schema: Mapping[str, Any]) -> None:
        self.who = who
        self.schema = schema
        self.properties: Mapping[str, Any] = schema.get("properties") or {}
        self.required: tuple[str, ...] = tuple(schema.get("required") or ())
        self.closed = schema.get("additionalProperties") is False
        self._fitting: dict[tuple[str, type, Any], str] = {}

    def types(self, name: str) -> frozenset[str]:
        return types_of(self.properties.get(name), self.schema)

    def misfit(self, name: str, value: Any) -> str:
        """Why a constant doesn't fit, or an empty string; the same scalar is looked at once."""
        if isinstance(value, Mapping | list):
            return misfit(value, self.properties[name], self.schema.get("$defs"))
        key = (name, type(value), value)
        if key not in self._fitting:
            self._fitting[key] = misfit(value, self.properties[name], self.schema.get("$defs"))
        return self._fitting[key]


def check_arguments(report: Report, path: Path, given: Any, parameters: Parameters) -> None:
    """A step's input, as it is written, against what it takes; the path is the step's."""
    place: Path = (*path, "input")
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        if not (isinstance(given, str) and _EXACT.fullmatch(given.strip())):
            report.error(place, f"{parameters.who} takes a mapping as input, not {_written(given)}", "Write input: {NAME: …}")
        return
    for name in parameters.required:
        if name not in given:
            types = parameters.types(name)
            what = f"{name} ({_or(types)})" if types else name
            report.error(place, f"{parameters.who} needs {what}", f"Add input: {{{name}: …}}")
    for name, value in given.items():
        if name in parameters.properties:
            _check_value(report, (*place, name), name, value, parameters)
        elif parameters.closed:
            mend = did_you_mean(name, parameters.properties, "It takes") or "Take it away"
            report.error((*place, name), f"{parameters.who} takes no {name}", mend)


def types_of(schema: Any, root: Mapping[str, Any] | None = None) -> frozenset[str]:
    """The JSON types that the schema allows; empty where that can't be told."""
    if not isinstance(schema, Mapping):
        return frozenset()
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return types_of(((root or {}).get("$defs") or {}).get(name), None)
    kind = schema.get("type")
    if kind is not None:
        return frozenset([kind] if isinstance(kind, str) else kind).intersection(TYPES)
    if "enum" in schema or "const" in schema:
        return frozenset(map(type_of, schema.get("enum", [schema.get("const")])))
    parts = [types_of(part, root) for part in schema.get("anyOf") or schema.get("oneOf") or ()]
    return frozenset[str]().union(*parts) if parts and all(parts) else frozenset()


def _check_value(report: Report, path: Path, name: str, value: Any, parameters: Parameters) -> None:
    schema = parameters.properties[name]
    if not isinstance(schema, Mapping) or not schema:
        return
    if not _dynamic(value):
        wrong = parameters.misfit(name, value)
        if wrong:
            wanted = parameters.types(name)
            needs = f"{parameters.who} needs {_or(wanted) or 'something else'} as {name}"
            report.error(path, f"{needs}: {wrong}", _constant_mend(value, wanted))
    elif isinstance(value, str):
        wanted = parameters.types(name)
        if wanted:
            _check_text(report, path, f"{parameters.who} needs {_or(wanted)} as {name}", value, wanted)


def _check_text(report: Report, path: Path, needs: str, value: str, wanted: frozenset[str]) -> None:
    match = _INPUT.fullmatch(value.strip())
    if match:
        _check_reference(report, path, needs, match, wanted)
    elif not _EXACT.match(value) and "string" not in wanted:
        report.error(path, f"{needs}, has string: text around ${{…}} makes a text", "Write ${…} alone")


def _check_reference(report: Report, path: Path, needs: str, match: re.Match[str], wanted: frozenset[str]) -> None:
    """A value that is one input, or a part of one, against the types that are wanted."""
    schema: Any = report.spec.inputs.get(match[1])
    for part in match[2].split(".")[1:]:
        schema = (schema.get("properties") or {}).get(part) if isinstance(schema, Mapping) else None
    found = types_of(schema)
    if not found or any(fits(one, other) or fits(other, one) for one in found for other in wanted):
        return
    source = f"inputs.{match[1]}{match[2]}"
    message = f"{needs}, has {_or(found)}: {source} is declared {{type: {_or(found, ' | ')}}}"
    report.error(path, message, _cast(source, found, wanted))


def _cast(source: str, found: frozenset[str], wanted: frozenset[str]) -> str:
    one = next(iter(wanted)) if len(wanted) == 1 else ""
    cast = next((_CASTS[kind, other] for kind in sorted(found) for other in sorted(wanted) if (kind, other) in _CASTS), "")
    if cast:
        return f"Cast it: ${{{cast}({source})}}"
    if one == "array":
        return f"Write ${{[{source}]}}"
    return f"Declare {source} as {{type: {one or _or(wanted, ' | ')}}}"


def _constant_mend(value: Any, wanted: frozenset[str]) -> str:
    if isinstance(value, str) and any(fits(type_of(_parsed(value)), one) for one in wanted - {"string", "null"}):
        return f"Write it without quotes: {value}"
    if wanted == {"string"} and isinstance(value, int | float):
        return f'Write it in quotes: "{json.dumps(value)}"'
    return f"Write [{value}]" if wanted == {"array"} and not isinstance(value, Mapping) else ""


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _dynamic(value: Any) -> bool:
    if isinstance(value, str):
        return "${" in value
    if isinstance(value, Mapping):
        return any(_dynamic(part) for part in value.values())
    return isinstance(value, list) and any(_dynamic(part) for part in value)


def _or(types: frozenset[str], by: str = " or ") -> str:
    return by.join(sorted(types, key=TYPES.index))


def _written(value: Any) -> str:
    return "a list" if isinstance(value, list) else f"the {type_of(value)} {value!r}"
