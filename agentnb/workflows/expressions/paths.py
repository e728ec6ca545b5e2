"""Plain paths such as ``steps.a.output.text``: looked up in the scope without CEL, in its order of errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentnb.workflows.expressions.syntax import PathNode
from agentnb.workflows.expressions.tokens import ExpressionError
from agentnb.workflows.expressions.values import type_name


@dataclass(frozen=True, slots=True)
class Scope:
    """What expressions see.

    Attributes:
        steps: By step ID; only the IDs that the expression names are looked up.
        values: The other roots by name.
    """

    steps: Mapping[str, Any]
    values: Mapping[str, Any]


def lookup(node: PathNode, scope: Scope, frame: Mapping[str, Any]) -> Any:
    base = node.base
    if base in frame:
        value = frame[base]  # type: ignore[index]
    elif base == "steps":
        return walk(scope.steps, node, scope)
    else:
        try:
            value = scope.values[base]  # type: ignore[index]
        except KeyError:
            raise ExpressionError(f"{base} is not known here: there are {', '.join(('steps', *scope.values))}") from None
    return walk(value, node, scope)


def walk(value: Any, node: PathNode, scope: Scope) -> Any:
    for place, key in enumerate(node.keys):
        if type(value) is dict and type(key) is str:
            try:
                value = value[key]
            except KeyError:
                raise _missing(value, node, place) from None
        else:
            value = _slow(value, key, node, place, scope)
    return value


def _slow(value: Any, key: str | int, node: PathNode, place: int, scope: Scope) -> Any:
    where = prefix(node, place)
    if value is None:
        raise ExpressionError(null_reason(node, place, scope) or f"{where} is null: test it first, for example `{where} == null ? … : …`")
    if isinstance(value, Mapping):
        try:
            return value[key]
        except KeyError:
            raise _missing(value, node, place) from None
    if isinstance(value, list | tuple):
        if isinstance(key, str):
            raise ExpressionError(f"{where} is a list, which has no {key!r}: take an item, {where}[0], or each, {where}.map(x, x.{key})")
        if 0 <= key < len(value):
            return value[key]
        raise ExpressionError(f"{where} has no item {key}: it has {len(value)}, counted from 0; test it first with size({where})")
    raise ExpressionError(f"{where} is of the type {type_name(value)}, in which there is no {key!r}: read {where} itself")


def null_reason(node: PathNode, place: int, scope: Scope) -> str:
    """Why a step's output is null."""
    if node.base != "steps" or node.keys[1:2] != ("output",) or place != 2:
        return ""
    name = str(node.keys[0])
    status = scope.steps[name].get("status", "unknown")
    return f"steps.{name}.output is null, because the step is {status}: test it first, steps.{name}.status == 'completed' ? … : …"


def _missing(value: Mapping[Any, Any], node: PathNode, place: int) -> ExpressionError:
    where, key = prefix(node, place), node.keys[place]
    if node.base == "steps" and place == 0:
        return ExpressionError(f"steps.{key} isn't there: the step has not run, or no step has this ID")
    known = ", ".join(str(name) for name in list(value)[:20]) or "no keys"
    return ExpressionError(f"{where} has no key {key!r}: it has {known}; test it first with has({where}.{key})")


def prefix(node: PathNode, place: int) -> str:
    base = node.base if isinstance(node.base, str) else node.base.text
    return base + "".join(f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{key!r}]" for key in node.keys[:place])
