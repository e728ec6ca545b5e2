"""The words of expressions: where ``${…}`` ends, and what stands inside it.

The lexical rules are those of CEL's grammar (https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from agentnb.workflows.spec import WorkflowError

MAX_LENGTH = 10_000
"""Characters that one expression may have."""

Kind = Literal["string", "number", "name", "operator", "other"]

_TOKEN = re.compile(
    r"""
    (?P<skip>[ \t\r\n\f]+|//[^\n]*)
  | (?P<string>
        [bB]?[rR](?:\"{3}[\s\S]*?\"{3}|'{3}[\s\S]*?'{3}|"[^"\n\r]*"|'[^'\n\r]*')
      | [bB]?(?:\"{3}(?:\\[\s\S]|[^\\])*?\"{3}|'{3}(?:\\[\s\S]|[^\\])*?'{3}|"(?:\\.|[^"\\\n\r])*"|'(?:\\.|[^'\\\n\r])*')
    )
  | (?P<number>0x[0-9a-fA-F]+[uU]?|[0-9]*\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|[0-9]+[uU]?)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<operator>==|!=|<=|>=|&&|\|\||[-+*/%!<>?:.,(){}\[\]])
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_OPENING = re.compile(r"\$?\$\{")


class ExpressionError(WorkflowError):
    """An expression can't be read, or can't be evaluated; the message gives the expression, the cause and the mend."""


@dataclass(frozen=True, slots=True)
class Token:
    """One word of an expression, and where it starts."""

    kind: Kind
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def scan(text: str, start: int = 0) -> Iterator[Token]:
    """The words from a place on, without blanks and comments; what CEL doesn't know is of the kind ``other``."""
    for match in _TOKEN.finditer(text, start):
        if match.lastgroup != "skip":
            yield Token(match.lastgroup, match[0], match.start())  # type: ignore[arg-type]


def closing(text: str, start: int) -> int:
    """Where the brace stands that ends the expression which begins at ``start``; -1 where none does."""
    depth = 0
    for token in scan(text[: start + MAX_LENGTH + 1], start):
        if token.kind == "operator" and token.text == "{":
            depth += 1
        elif token.kind == "operator" and token.text == "}":
            if not depth:
                return token.start
            depth -= 1
    return -1


@dataclass(frozen=True, slots=True)
class Placeholder:
    """The expression of one ``${…}``."""

    text: str


def split(text: str) -> list[str | Placeholder]:
    """Text in its literal parts and its placeholders; ``$${`` is the literal ``${``.

    Raises:
        ExpressionError: A ``${`` isn't closed.
    """
    parts: list[str | Placeholder] = []
    literal, at = "", 0
    while match := _OPENING.search(text, at):
        literal += text[at : match.start()]
        if match[0] == "$${":
            literal, at = literal + "${", match.end()
            continue
        end = closing(text, match.end())
        if end < 0:
            raise ExpressionError(
                f"{shown(text[match.start() :])} has no closing }}: close it, or write $${{ for the text ${{ "
                f"(an expression has at most {MAX_LENGTH} characters)"
            )
        parts += [literal] if literal else []
        parts.append(Placeholder(text[match.end() : end]))
        literal, at = "", end + 1
    literal += text[at:]
    return [*parts, literal] if literal else parts


def shown(text: str) -> str:
    """An expression as messages quote it."""
    flat = " ".join(text.split())
    return f"`{flat if len(flat) <= 160 else flat[:157] + '…'}`"
