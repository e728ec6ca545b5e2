"""What pydantic says of a document, as one finding a place; and the document without what doesn't fit."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from agentnb.names import did_you_mean, nearest
from agentnb.workflows.checks.report import holds, value_at
from agentnb.workflows.documents import Finding, Path
from agentnb.workflows.spec import CEL_KEYWORDS, KINDS, STEP_ID, WorkflowSpec

_CHOICES = {
    "timeout": "a duration such as 30s, or {attempt: 30s, step: 5m}",
    "on_error": "fail, continue, {goto: STEP} or {compensate: STEP}",
    "cache": "true, false, or a mapping such as {ttl: 1h}",
    "wait_for_callback": "true, false, or {timeout: 1h}",
    "command": "a text, or a list of texts",
}
_WORDS = (
    ("Value error, ", ""),
    ("Assertion failed, ", ""),
    ("Input should be a valid dictionary", "must be a mapping"),
    ("Input should be a valid tuple", "must be a list"),
    ("Input should be a valid string", "must be a text"),
    ("Input should be a valid", "must be a valid"),
    ("Input should", "must"),
    ("String should", "must"),
    ("List should", "must"),
    ("Tuple should", "must"),
)
_FIRST_KEYS = {"shell": "command", "human": "prompt", "webhook": "url"}
_OF_JOBS = (("notebook",), ("schedule",))
_PLACEHOLDER = {"shell": {"command": "true"}}


def shape_findings(errors: Iterable[ErrorDetails], data: Mapping[str, Any], model: type[BaseModel] = WorkflowSpec) -> list[Finding]:
    """One finding a place, in the words of the document; ``model`` is what it should have the shape of."""
    places: dict[Path, list[ErrorDetails]] = defaultdict(list)
    for error in errors:
        if not error["loc"] and error["type"] == "value_error":
            continue
        places[_place(error, data)].append(error)
    return [_finding(path, found, data, model) for path, found in places.items() if not _other_member(path, places, data)]


def _other_member(path: Path, places: Iterable[Path], data: Mapping[str, Any]) -> bool:
    """Whether it is only said by that member of a union which the mapping there isn't meant for."""
    if not path or path[-1] not in _CHOICES or not isinstance(value_at(data, path), Mapping):
        return False
    return any(len(other) > len(path) and other[: len(path)] == path for other in places)


def word_findings(data: Mapping[str, Any]) -> list[Finding]:
    """What the shape allows, and yet isn't possible: IDs that expressions can't read, and a body that isn't of the kind."""
    findings = [
        Finding(
            f"{name!r} is a word of CEL, so that no expression could read {root}.{name}", f"Rename it, for example {name}_", (key, name)
        )
        for key, root in (("steps", "steps"), ("states", "steps"), ("inputs", "inputs"))
        if isinstance(data.get(key), Mapping)
        for name in CEL_KEYWORDS.intersection(name for name in data[key] if isinstance(name, str))
    ]
    kind = data.get("kind", "dag")
    for key in ("states", "initial") if kind == "dag" else ("steps",) if kind == "state_machine" else ():
        if data.get(key):
            mend = "Write kind: state_machine" if kind == "dag" else "Write states: instead, or kind: dag"
            findings.append(Finding(f"a {kind} has no {key}", mend, (key,)))
    return findings


def _place(error: ErrorDetails, data: Any) -> Path:
    """The error's place in the document: pydantic's own path also names the members of unions that it tried."""
    place: list[str | int] = []
    for part in error["loc"]:
        if holds(data, part):
            data = data[part]
        elif place and place[-1] in _CHOICES and not (isinstance(data, Mapping) and place[-1] != "on_error"):
            break
        else:
            continue
        place.append(part)
    return tuple(place)


def _finding(path: Path, errors: list[ErrorDetails], data: Mapping[str, Any], model: type[BaseModel]) -> Finding:
    error = next((error for error in errors if error["loc"][-1:] == ("[key]",)), errors[0])
    value = value_at(data, path)
    if error["loc"][-1:] == ("[key]",):
        return _key_finding(path)
    if error["type"] == "extra_forbidden" and model is WorkflowSpec and path in _OF_JOBS:
        return Finding(f"unknown key {path[-1]!r} in a workflow", "Is this a job's file? `agentnb jobs validate FILE` checks it", path)
    if error["type"] == "extra_forbidden":
        return Finding(f"unknown key {str(path[-1])!r}", did_you_mean(str(path[-1]), _keys(path[:-1], model), "Its keys are"), path)
    if path and path[-1] in _CHOICES and not (isinstance(value, Mapping) and path[-1] != "on_error"):
        return Finding(f"must be {_CHOICES[str(path[-1])]}, not {_shown(value)}", "", path)
    missing = [str(error["loc"][-1]) for error in errors if error["type"] == "missing"]
    if missing:
        return Finding(f"needs {' and '.join(missing)}", f"Add {missing[0]}: …", path)
    return _worded(path, error, value)


def _worded(path: Path, error: ErrorDetails, value: Any) -> Finding:
    message = re.sub(r" or instance of \w+$", "", error["msg"])
    for theirs, ours in _WORDS:
        message = message.replace(theirs, ours)
    if error["type"] not in ("value_error", "assertion_error"):
        message = f"{message}, not {_shown(value)}"
    return Finding(message, _mend(path, error, value), path)


def _mend(path: Path, error: ErrorDetails, value: Any) -> str:
    if error["type"] == "model_type" and isinstance(value, str) and path[-1] in _FIRST_KEYS:
        return f"Write {path[-1]}: {{{_FIRST_KEYS[str(path[-1])]}: {json.dumps(value, ensure_ascii=False)}}}"
    if error["type"] == "string_type" and isinstance(value, int | float):
        return f'Write it in quotes: "{json.dumps(value)}"'
    if error["type"] == "dict_type" and value is None:
        return "Write NAME: … below it, indented"
    if error["type"] == "tuple_type" and isinstance(value, str):
        return f"Write [{value}]"
    if error["type"] == "literal_error" and isinstance(value, str):
        near = nearest(value, re.findall(r"'([^']*)'", error["msg"]))
        return f"Did you mean {near}?" if near else ""
    return ""


def _key_finding(path: Path) -> Finding:
    name = str(path[-1])
    other = re.sub(r"\W", "_", name, flags=re.ASCII)[:100] or "_"
    other = f"_{other}" if other[0].isdigit() else other
    why = f", since steps.{name} would be a subtraction" if "-" in name and path[0] in ("steps", "states") else ""
    return Finding(
        f"{name!r} is no ID: letters, digits and _ only, no digit first, at most 100{why}", f"Rename it, for example {other}", path
    )


def _shown(value: Any) -> str:
    text = (
        "a mapping"
        if isinstance(value, Mapping)
        else "a list"
        if isinstance(value, list | tuple)
        else "null"
        if value is None
        else repr(value)
    )
    return text if len(text) <= 60 else f"{text[:60]}…"


def _keys(path: Path, model: type[BaseModel]) -> tuple[str, ...]:
    """The keys that the mapping at that place may have."""
    found: list[Any] = [model]
    for part in path:
        found = [inner for kind in found for inner in _inside(kind, part)]
    return tuple(key for kind in found if isinstance(kind, type) and issubclass(kind, BaseModel) for key in kind.model_fields)


def _inside(kind: Any, part: str | int) -> Iterator[Any]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield from _members(_fields(kind).get(str(part)))
    elif get_origin(kind) in (dict, tuple):
        yield from _members(get_args(kind)[1 if get_origin(kind) is dict else 0])


def _members(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Annotated:
        yield from _members(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    elif annotation not in (None, NoneType):
        yield annotation


@cache
def _fields(kind: type[BaseModel]) -> Mapping[str, Any]:
    return {name: field.annotation for name, field in kind.model_fields.items()}


def salvaged(data: Mapping[str, Any], findings: Iterable[Finding]) -> tuple[dict[str, Any], frozenset[str]]:
    """The document without what doesn't fit, for rules that can do without; and the steps and states that lost something."""
    kept = {key: dict(value) if isinstance(value, Mapping) else value for key, value in data.items()}
    broken: set[str] = set()
    for path in (finding.path for finding in findings):
        section = kept.get(str(path[0])) if path else None
        if path[:1] in (("steps",), ("states",)) and isinstance(section, dict):
            broken.update(map(str, path[1:2]))
            for name in path[1:2]:
                _lessen(section, name, path[2:3])
        elif path:
            _drop(kept, path)
    kept.setdefault("name", "workflow")
    kept["kind"] = "state_machine" if kept.get("states") else "dag"
    for key in ("steps",) if kept["kind"] == "state_machine" else ("states", "initial"):
        kept.pop(key, None)
    for name in broken.intersection(kept.get("steps") or ()):
        kept["steps"][name] = _with_one_kind(kept["steps"][name])
    return kept, frozenset(broken)


def _drop(kept: dict[str, Any], path: Path) -> None:
    inner = kept.get(str(path[0]))
    if len(path) > 1 and isinstance(inner, dict) and path[0] != "resources":
        inner.pop(path[1], None)
    else:
        kept.pop(str(path[0]), None)


def _lessen(parts: dict[Any, Any], name: str | int, field: Path) -> None:
    """Take the field out of the step or state, or all of it where the name itself doesn't fit."""
    part = parts.get(name)
    if not isinstance(part, Mapping) or not isinstance(name, str) or not re.fullmatch(STEP_ID, name):
        parts.pop(name, None)
    elif field:
        parts[name] = {key: value for key, value in part.items() if key != field[0]}


def _with_one_kind(step: Mapping[str, Any]) -> dict[str, Any]:
    kinds = [kind for kind in KINDS if step.get(kind) is not None]
    return dict(step) if len(kinds) == 1 else {key: value for key, value in step.items() if key not in KINDS} | _PLACEHOLDER
