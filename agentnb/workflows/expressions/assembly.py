"""The part of an expression that is left to CEL, put together word by word."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agentnb.workflows.expressions.syntax import CelNode, Node, Slot, loops_in, reads
from agentnb.workflows.expressions.tokens import ExpressionError, Token

if TYPE_CHECKING:
    import cel

MAX_OPERATORS = 300
MAX_CHOICES = 24
"""How many ``?:`` may follow one another."""

COPYING = frozenset({"+", "==", "!=", "<", "<=", ">", ">=", "in"})
"""Operators that may read or copy all of their operands."""


@dataclass(slots=True)
class Output:
    """The text for CEL, as far as it is written."""

    parts: list[str | Node] = field(default_factory=list)
    functions: set[str] = field(default_factory=set)
    operators: int = 0
    copies: int = 0
    tokens: int = 0

    def word(self, token: Token) -> None:
        self.parts.append(token.text)
        self.tokens += 1
        self.operators += token.kind == "operator" and token.text not in ",)]}:"
        self.copies += token.text in COPYING

    def node(self, text: str, whole: str, loops: tuple[str, ...]) -> Node:
        """What has been written: the node itself where it is only one, else what CEL makes of it.

        Raises:
            ExpressionError: It is no valid CEL, or larger than it may be.
        """
        if len(self.parts) == 1 and not isinstance(self.parts[0], str):
            return self.parts[0]
        if self.operators > MAX_OPERATORS:
            raise ExpressionError(f"it has {self.operators} operators, at most {MAX_OPERATORS} are allowed: use `in [...]`, or a tool")
        if self.parts.count("?") > MAX_CHOICES:
            raise ExpressionError(f"it has more than {MAX_CHOICES} of ?: ; do it in a tool")
        names: dict[Node, list[str]] = {}
        words: list[str] = []
        for part in self.parts:
            if isinstance(part, str):
                words.append(part)
                continue
            used = names.setdefault(part, [])
            used.append(f"__m{len(names)}" if loops_in(part) else f"__v{len(names)}")
            words.append(used[0] + ("( )" if used[0].startswith("__m") else ""))
        slots = tuple(Slot(used[0], node, len(used), reads(node) & frozenset(loops)) for node, used in names.items())
        program = _program(" ".join(words), text, whole)
        return CelNode(program, slots, frozenset(self.functions), 60 + 2 * self.tokens, self.copies, text)


def _program(code: str, text: str, whole: str) -> cel.Program:
    import cel

    try:
        return cel.compile(code)
    except ValueError as error:
        said = _said(whole) or _said(text) or str(error)
    place, _, reason = said.partition("ERROR: <input>:")[2].partition(": ")
    raise ExpressionError(f"it is no valid CEL: {reason.splitlines()[0] if reason else said} (line:column {place})")


def _said(text: str) -> str:
    """What CEL finds wrong in a text, or nothing."""
    import cel

    try:
        cel.compile(text)
    except ValueError as error:
        return str(error)
    return ""
