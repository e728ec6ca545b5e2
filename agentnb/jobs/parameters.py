"""The parameters of a notebook: what its cell tagged ``parameters`` says of them, and whether values fit."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from agentnb.agents.schemas import misfits
from agentnb.names import did_you_mean
from agentnb.workflows.notebooks.cells import PARAMETERS, CellProblem, Notebook, python_of, read
from agentnb.workflows.notebooks.parameters import inputs_of

Schemas = Mapping[str, Mapping[str, Any]]


def of_file(path: Path) -> Schemas:
    """JSON Schema by name; of a parameter that is computed, the schema of anything.

    Raises:
        WorkflowSpecError: There is no such notebook, or it is none.
    """
    return of_notebook(read(path))


def of_notebook(notebook: Notebook) -> Schemas:
    """JSON Schema by name, from the first cell that is tagged ``parameters``."""
    cell = next((cell for cell in notebook.cells if PARAMETERS in cell.tags), None)
    if cell is None:
        return {}
    try:
        code = python_of(cell)
    except CellProblem:
        return {}
    found: dict[str, Mapping[str, Any]] = {}
    for part in code.tree.body:
        try:
            found |= inputs_of(replace(code, tree=ast.Module([part], [])))
        except CellProblem:
            found |= {name: {} for name in _assigned(part)}
    return found


def _assigned(part: ast.stmt) -> list[str]:
    targets = part.targets if isinstance(part, ast.Assign) else [part.target] if isinstance(part, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def problems(schemas: Schemas, given: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """What doesn't fit, by name, with its mend."""
    found: dict[str, tuple[str, str]] = {}
    for name, value in given.items():
        if name not in schemas:
            mend = did_you_mean(name, list(schemas)) if schemas else "Tag the cell that sets the defaults: parameters"
            found[name] = (f"the notebook has no parameter {name!r}", mend)
        elif schemas[name] and (wrong := misfits(_accepted(schemas[name]), value)):
            shown = json.dumps(value, ensure_ascii=False, default=str)[:60]
            found[name] = (f"{name} = {shown} doesn't fit: {'; '.join(map(str, wrong))}", f"Write {_kind(schemas[name])}")
    return found


def typed(schemas: Schemas, pairs: Mapping[str, str]) -> dict[str, Any]:
    """Texts of the command line as the parameters want them: JSON where it is JSON, but text where text is asked for."""
    found: dict[str, Any] = {}
    for name, text in pairs.items():
        found[name] = text
        if schemas.get(name, {}).get("type") != "string":
            try:
                found[name] = json.loads(text)
            except ValueError:
                continue
    return found


def _accepted(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "default"}


def _kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    kind = schema.get("type", "what the notebook expects")
    words = {"integer": "a whole number", "number": "a number", "string": "a text", "boolean": "true or false"}
    return words.get(kind, f"a value of the type {kind}") if isinstance(kind, str) else f"one of the types {', '.join(map(str, kind))}"
