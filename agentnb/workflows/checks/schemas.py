"""The JSON Schemas in a document: of inputs, of forms, of agents' answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentnb.agents import schemas
from agentnb.names import nearest
from agentnb.workflows.checks.report import Report
from agentnb.workflows.documents import Path

TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")
_NOTES = frozenset({"type", "title", "description", "default", "examples"})
_ALIASES = {"str": "string", "text": "string", "int": "integer", "float": "number", "bool": "boolean", "list": "array", "dict": "object"}


def check_schemas(report: Report) -> None:
    """Every JSON Schema of the document, and the defaults of inputs against theirs."""
    for name, schema in report.spec.inputs.items():
        path: Path = ("inputs", name)
        if _check(report, path, schema) and "default" in schema:
            wrong = misfit(schema["default"], schema)
            if wrong:
                report.error(
                    (*path, "default"), f"the default doesn't fit: {wrong}", f"Write one that does, or change the schema of {name}"
                )
    for name, agent in report.spec.agents.items():
        if agent.output is not None:
            _check(report, ("agents", name, "output"), agent.output)
    for name, action in report.spec.actions().items():
        if action.human is not None and action.human.form is not None:
            _check(report, report.path(name, "human.form"), action.human.form)


def misfit(value: Any, schema: Mapping[str, Any], definitions: Mapping[str, Any] | None = None) -> str:
    """Why the value doesn't fit the JSON Schema, or an empty string; definitions are what its ``$ref`` name."""
    if schema.keys() <= _NOTES and schema.get("type") in TYPES:
        wanted = str(schema["type"])
        return (
            ""
            if fits(type_of(value), wanted) or _whole(value, wanted)
            else f"{value!r} is {article(type_of(value))}, not {article(wanted)}"
        )
    found = schemas.misfits({**schema, "$defs": definitions} if definitions else schema, value)
    return str(found[0]) if found else ""


def type_of(value: Any) -> str:
    """The JSON type of a plain value."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case Mapping():
            return "object"
        case _:
            return "array"


def fits(found: str, wanted: str) -> bool:
    """Whether values of the one type are also of the other."""
    return found == wanted or (found, wanted) == ("integer", "number")


def article(name: str) -> str:
    """``an integer``, ``a string``."""
    return name if name == "null" else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _whole(value: Any, wanted: str) -> bool:
    return wanted == "integer" and isinstance(value, float) and value.is_integer()


def _check(report: Report, path: Path, schema: Mapping[str, Any]) -> bool:
    if schema.keys() <= _NOTES and schema.get("type", "string") in TYPES:
        return True
    try:
        schemas.check(schema)
    except schemas.SchemaInvalid as error:
        misfit = error.misfit
        place = (*path, *misfit.path)
        if misfit.path and misfit.path[-1] == "type" and isinstance(misfit.instance, str):
            report.error(place, f"{misfit.instance!r} is no type of JSON Schema", _type_mend(misfit.instance))
        else:
            report.error(place, f"not valid JSON Schema: {misfit.message}", "Write it as in {type: string}")
        return False
    return True


def _type_mend(name: str) -> str:
    near = _ALIASES.get(name.lower()) or nearest(name, TYPES)
    return f"Did you mean {near}?" if near else f"Types are {', '.join(TYPES)}"
