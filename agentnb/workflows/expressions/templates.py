"""Expressions of workflows: ``${…}`` in values, and the bare CEL of ``when``.

CEL is https://cel.dev: an expression reads its scope, calls functions of a fixed library, and always ends. Nothing of Python can be
reached from it, and what one evaluation may cost is bounded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from typing import Any

from agentnb.workflows.expressions.evaluation import evaluate
from agentnb.workflows.expressions.parsing import compiled
from agentnb.workflows.expressions.paths import Scope
from agentnb.workflows.expressions.syntax import ROOTS, Expression, Reference
from agentnb.workflows.expressions.tokens import ExpressionError, Placeholder, shown, split
from agentnb.workflows.expressions.values import type_name

__all__ = ["ROOTS", "Condition", "ExpressionError", "Reference", "Scope", "Template", "reference_errors"]

_MENDS = {
    "item": "it is there only in a step with for_each: add for_each, or read inputs or steps",
    "index": "it is there only in a step with for_each: add for_each",
    "attempts": "it is there only in a state machine: use retry: {max_attempts: 3} for a step of a dag",
    "event": "it is there only in a state machine",
}

_Resolve = Callable[[Scope], Any]


class Template:
    """A JSON-like value with ``${…}`` in its texts.

    A text that is one ``${…}`` becomes its value; with text around, values are written into it, as JSON where they are no text.
    ``$${`` stands for the text ``${``. Keys of mappings stay as they are.

    Attributes:
        references: What its expressions read.
        constant: Whether there is no expression in it.
    """

    __slots__ = ("_resolve", "constant", "references")

    def __init__(self, value: Any) -> None:
        """Compile it.

        Raises:
            ExpressionError: An expression in it isn't valid.
        """
        found: list[Expression] = []
        resolver = _resolver(value, found)
        self.references: tuple[Reference, ...] = tuple(dict.fromkeys(reference for part in found for reference in part.references))
        self.constant = not found
        self._resolve: _Resolve = resolver

    def resolve(self, scope: Scope) -> Any:
        """The value, its expressions evaluated.

        Raises:
            ExpressionError: One can't be evaluated.
        """
        return self._resolve(scope)


class Condition:
    """A ``when``: an expression that is true or false.

    Attributes:
        references: What it reads.
    """

    __slots__ = ("_expression", "references")

    def __init__(self, text: str) -> None:
        """Compile it.

        Raises:
            ExpressionError: It isn't valid.
        """
        if text.lstrip().startswith("${"):
            raise ExpressionError(f"{shown(text)}: a condition is an expression already: write it without ${{ and }}")
        self._expression = compiled(text)
        self.references: tuple[Reference, ...] = self._expression.references

    def test(self, scope: Scope) -> bool:
        """Whether it holds.

        Raises:
            ExpressionError: It can't be evaluated, or is neither true nor false.
        """
        value = evaluate(self._expression, scope)
        if isinstance(value, bool):
            return value
        raise ExpressionError(
            f"{shown(self._expression.text)}: it is of the type {type_name(value)}, but a condition is true or false: compare it, "
            "for example with == or !="
        )


def reference_errors(references: Collection[Reference], allowed_roots: Collection[str]) -> list[str]:
    """A message with its mend for each root that is read and isn't there."""
    wrong = dict.fromkeys(reference.root for reference in references if reference.root not in allowed_roots)
    readable = f"there are {', '.join(root for root in ROOTS if root in allowed_roots)}"
    return [f"{root} can't be read here: {_MENDS.get(root, readable)}" for root in wrong]


def _resolver(value: Any, found: list[Expression]) -> _Resolve:
    """What resolves a value; the expressions that it holds are added to ``found``."""
    before = len(found)
    if isinstance(value, str):
        return _text(split(value), found) if "${" in value else lambda _: value
    if isinstance(value, dict):
        parts = {key: _resolver(item, found) for key, item in value.items()}
        if len(found) > before or "${" in str(value):
            return lambda scope: {key: part(scope) for key, part in parts.items()}
    elif isinstance(value, list | tuple):
        items = [_resolver(item, found) for item in value]
        if len(found) > before or "${" in str(value):
            return lambda scope: [item(scope) for item in items]
    return lambda _: value


def _text(parts: Sequence[str | Placeholder], found: list[Expression]) -> _Resolve:
    made = [part if isinstance(part, str) else compiled(part.text) for part in parts]
    found += [part for part in made if isinstance(part, Expression)]
    if len(made) == 1 and isinstance(made[0], Expression):
        only = made[0]
        return lambda scope: evaluate(only, scope)
    if all(isinstance(part, str) for part in made):
        text = "".join(part for part in made if isinstance(part, str))
        return lambda _: text
    return lambda scope: "".join(part if isinstance(part, str) else _written(evaluate(part, scope)) for part in made)


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
