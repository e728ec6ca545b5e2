"""Cells tagged ``once``: in the kernel, keeps what they have assigned, and gives it back to a later kernel in their place."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from typing import Any

from agentnb.workflows.kinds.call import StepFailed
from agentnb.workflows.notebooks.values import decoded, encoded

TAG = "once"
_CONTAINERS = (list, dict, set)


def capture(shell: Any, source: str) -> str:
    """What the cell has assigned, as JSON: ``{"values": {…}, "refused": {name: why}}``; ``{"problem": why}`` where it can't be read.

    Lists, mappings and sets that it only reads are kept too, where they can be: it may have changed them.
    """
    namespace: Mapping[str, Any] = shell.user_ns
    try:
        tree = ast.parse(shell.transform_cell(source))
    except SyntaxError as error:
        return json.dumps({"problem": f"the cell can't be read: {error.msg}"})
    values: dict[str, Any] = {}
    refused: dict[str, str] = {}
    assigned = _assigned(tree) & namespace.keys()
    changed = {name for name in _read(tree) & namespace.keys() if isinstance(namespace[name], _CONTAINERS)}
    for name in sorted(assigned | changed):
        try:
            values[name] = encoded(name, namespace[name])
        except StepFailed as error:
            if name in assigned:
                refused[name] = str(error)
    return json.dumps({"values": values, "refused": refused})


def settled(found: Mapping[str, Any], later: str) -> dict[str, Any]:
    """What is kept of a cell: a value that can't be is missed only where a later cell names it."""
    if "problem" in found:
        return dict(found)
    missed = next((why for name, why in found["refused"].items() if re.search(rf"\b{re.escape(name)}\b", later)), None)
    return {"values": found["values"]} if missed is None else {"problem": missed}


def restore(shell: Any, text: str) -> None:
    """Assign what a cell had assigned when it ran.

    Raises:
        StepFailed: A value can't be loaded here.
    """
    shell.user_ns.update({name: decoded(name, value) for name, value in json.loads(text).items()})


def capturing(source: str) -> str:
    """The expression that captures, for a kernel."""
    return f"__import__('agentnb.jobs.once', fromlist=['capture']).capture(get_ipython(), {source!r})"


def restoring(values: Mapping[str, Any]) -> str:
    """The line that restores, for a kernel."""
    return f"__import__('agentnb.jobs.once', fromlist=['restore']).restore(get_ipython(), {json.dumps(values)!r})"


def _assigned(tree: ast.AST) -> set[str]:
    """Names that the cell binds in the notebook's namespace; those within functions and classes are their own."""
    names: set[str] = set()
    queue = list(ast.iter_child_nodes(tree))
    while queue:
        node = queue.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
            continue
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(item.asname or item.name).split(".")[0] for item in node.names}
        queue.extend(ast.iter_child_nodes(node))
    return {name for name in names if not name.startswith("_")}


def _read(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
