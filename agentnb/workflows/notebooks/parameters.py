"""The cell tagged ``parameters`` as the inputs of a workflow."""

from __future__ import annotations

import ast
import json
import math
import re
from typing import Any

from agentnb.workflows.notebooks.cells import CellProblem, Code
from agentnb.workflows.spec import CEL_KEYWORDS, STEP_ID

_TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "list": "array", "dict": "object", "None": "null"}
_CONTAINERS = {"List": "list", "Dict": "dict", "Sequence": "list", "Mapping": "dict"}


def inputs_of(code: Code) -> dict[str, dict[str, Any]]:
    """JSON Schema by name: the type of the annotation, or else of the value, and the value as the default.

    Raises:
        CellProblem: A line is no assignment of a literal.
    """
    found: dict[str, dict[str, Any]] = {}
    for part in code.tree.body:
        if isinstance(part, ast.Pass) or (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)):
            continue
        target, annotation, value = _assignment(part)
        name = target.id
        if not re.fullmatch(STEP_ID, name) or name in CEL_KEYWORDS:
            raise CellProblem(
                f"{name!r} can't be the name of an input", "Use ASCII letters, digits and _, and no keyword of CEL", part.lineno
            )
        schema = _schema(annotation) if annotation is not None else {}
        if value is not None:
            default = _literal(name, value)
            schema = {**(schema if annotation is not None else _of_value(default)), "default": default}
        found[name] = schema
    return found


def _assignment(part: ast.stmt) -> tuple[ast.Name, ast.expr | None, ast.expr | None]:
    if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
        return part.target, part.annotation, part.value
    if isinstance(part, ast.Assign) and len(part.targets) == 1 and isinstance(part.targets[0], ast.Name):
        return part.targets[0], None, part.value
    raise CellProblem(
        f"`{ast.unparse(part)[:60]}` is no parameter",
        "Keep only lines like NAME = literal here; move the rest into a setup cell",
        part.lineno,
    )


def _literal(name: str, node: ast.expr) -> Any:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        mend = "Write text, a number, True, False, None, a list or a dict, and compute the rest in a step"
        raise CellProblem(f"the parameter {name} is computed: `{ast.unparse(node)[:60]}`", mend, node.lineno) from None
    try:
        if not _is_json(value) or json.loads(json.dumps(value, allow_nan=False)) != value:
            raise ValueError
    except (ValueError, TypeError, RecursionError):
        mend = "Use a list instead of a tuple or a set, text as keys, and text instead of bytes"
        raise CellProblem(f"the parameter {name} has a value that JSON can't hold", mend, node.lineno) from None
    return value


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(_is_json, value))
    return value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))


def _of_value(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if isinstance(value, list):
        kinds = {type(item).__name__ for item in value}
        items = _TYPES[kinds.pop()] if len(kinds) == 1 else ""
        return {"type": "array", "items": {"type": items}} if items else {"type": "array"}
    return {"type": _TYPES[type(value).__name__]}


def _schema(node: ast.expr) -> dict[str, Any]:
    """The JSON Schema of an annotation; of one that isn't known, the schema of anything."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return _schema(ast.parse(node.value, mode="eval").body)
        except SyntaxError:
            return {}
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _any_of([node.left, node.right])
    if isinstance(node, ast.Subscript):
        return _generic(_name(node.value), node.slice)
    name = _name(node)
    name = _CONTAINERS.get(name, name)
    return {"type": _TYPES[name]} if name in _TYPES else {}


def _generic(name: str, inner: ast.expr) -> dict[str, Any]:
    parts = list(inner.elts) if isinstance(inner, ast.Tuple) else [inner]
    name = _CONTAINERS.get(name, name)
    if name == "list":
        items = _schema(inner)
        return {"type": "array", "items": items} if items else {"type": "array"}
    if name == "dict":
        values = _schema(parts[1]) if len(parts) == 2 else {}
        return {"type": "object", "additionalProperties": values} if values else {"type": "object"}
    if name == "Optional":
        return _any_of([inner, ast.Constant(None)])
    if name == "Union":
        return _any_of(parts)
    if name == "Literal" and all(isinstance(part, ast.Constant) for part in parts):
        return {"enum": [part.value for part in parts if isinstance(part, ast.Constant)]}
    return _schema(parts[0]) if name == "Annotated" else {}


def _any_of(parts: list[ast.expr]) -> dict[str, Any]:
    found = [_schema(part) for part in parts]
    if not all(found):
        return {}
    types = [schema.get("type") for schema in found]
    if all(len(schema) == 1 and isinstance(kind, str) for schema, kind in zip(found, types, strict=True)):
        return {"type": types}
    return {"anyOf": found}


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Constant) and node.value is None:
        return "None"
    return node.id if isinstance(node, ast.Name) else ""
