"""From the text of an expression to its nodes."""

from __future__ import annotations

from functools import lru_cache
from typing import NoReturn

from agentnb.workflows.expressions import library
from agentnb.workflows.expressions.assembly import COPYING, Output
from agentnb.workflows.expressions.syntax import (
    ROOTS,
    Expression,
    HasNode,
    IndexNode,
    MacroNode,
    Node,
    PathNode,
    Reference,
    SizeNode,
)
from agentnb.workflows.expressions.tokens import MAX_LENGTH, ExpressionError, Token, scan, shown
from agentnb.workflows.spec import CEL_KEYWORDS

MACROS = frozenset({"map", "filter", "all", "exists", "exists_one", "existsOne"})
MAX_NESTING = 3
"""Loops in loops."""
MAX_BRACKETS = 24
MAX_LINKS = 500

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_CONSTANTS = frozenset({"true", "false", "null", "in"})


@lru_cache(4096)
def compiled(text: str) -> Expression:
    """Compile an expression.

    Raises:
        ExpressionError: It isn't valid CEL, names what isn't there, or is larger than an expression may be.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"{shown(text)}: it has {len(text)} characters, at most {MAX_LENGTH} are allowed: do it in a tool")
    parser = _Parser(text)
    try:
        node = parser.node(0, len(parser.tokens), (), 0)
    except ExpressionError as error:
        raise ExpressionError(f"{shown(text)}: {error}") from None
    return Expression(text, node, tuple(dict.fromkeys(parser.references)))


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(scan(text))
        self.references: list[Reference] = []
        self._partner: dict[int, int] = {}
        self._links = 0

    def node(self, start: int, end: int, loops: tuple[str, ...], nesting: int) -> Node:
        if not self._partner:
            self._pair()
        if start >= end:
            _fail("an expression is missing: write one, for example inputs.name")
        output, at = Output(), start
        while at < end:
            at = self._next(output, at, end, loops, nesting)
        return output.node(self._source(start, end), self.text, loops)

    def _pair(self) -> None:
        opened: list[int] = []
        for place, token in enumerate(self.tokens):
            if token.kind == "operator" and token.text in _CLOSING:
                opened.append(place)
                if len(opened) > MAX_BRACKETS:
                    _fail(f"brackets are nested more than {MAX_BRACKETS} deep: split it over several steps")
            elif token.kind == "operator" and token.text in ")]}":
                if not opened or _CLOSING[self.tokens[opened[-1]].text] != token.text:
                    _fail(f"the {token.text} at character {token.start + 1} closes nothing: take it away, or open it")
                self._partner[opened.pop()] = place
        if opened:
            _fail(f"the {self.tokens[opened[-1]].text} at character {self.tokens[opened[-1]].start + 1} is not closed")

    def _is(self, at: int, end: int, *texts: str) -> bool:
        """Whether those words follow; an empty one stands for any name."""
        if at + len(texts) > end:
            return False
        return all(
            token.kind == "name" if not text else token.text == text and token.kind in ("operator", "name")
            for token, text in zip(self.tokens[at : at + len(texts)], texts, strict=True)
        )

    def _source(self, start: int, end: int) -> str:
        return self.text[self.tokens[start].start : self.tokens[end - 1].end]

    def _next(self, output: Output, at: int, end: int, loops: tuple[str, ...], nesting: int) -> int:
        token = self.tokens[at]
        if token.kind == "name":
            return self._name(output, at, end, loops, nesting)
        if self._is(at, end, ".", ""):
            return self._member(output, at, end, loops, nesting)
        if token.kind == "other":
            _fail(f"{token.text!r} at character {token.start + 1} is no part of CEL: text stands in quotes")
        output.word(token)
        return at + 1

    def _name(self, output: Output, at: int, end: int, loops: tuple[str, ...], nesting: int) -> int:
        token = self.tokens[at]
        name = token.text
        called = self._is(at + 1, end, "(") and name not in _CONSTANTS
        if called and name in ("has", "size"):
            return self._special(output, at, end, loops, nesting)
        if called:
            return self._call(output, at, name)
        if name in loops or name in ROOTS:
            node, at = self._operand(at, end, loops, nesting)
            output.parts.append(node)
            return at
        if name in library.namespaces() and self._is(at + 1, end, ".", "", "("):
            full = f"{name}.{self.tokens[at + 2].text}"
            output.word(token)
            output.word(self.tokens[at + 1])
            return self._call(output, at + 2, full)
        if name not in _CONSTANTS and name not in library.TYPES:
            _fail(f"there is no {name}: expressions read {', '.join((*ROOTS, *loops))}; text stands in quotes")
        output.word(token)
        return at + 1

    def _special(self, output: Output, at: int, end: int, loops: tuple[str, ...], nesting: int) -> int:
        """``has(path)`` and ``size(path)`` without CEL; anything else in the brackets is left to it."""
        name, inner, close = self.tokens[at].text, self.tokens[at + 2], self._partner[at + 1]
        if inner.kind == "name" and (inner.text in loops or inner.text in ROOTS) and self._span(at + 2, end) == close:
            node, _ = self._operand(at + 2, end, loops, nesting)
            output.parts.append(
                self._has(node, self._source(at, close + 1)) if name == "has" else SizeNode(node, self._source(at, close + 1))
            )
            return close + 1
        if name == "size":
            return self._call(output, at, name)
        output.word(self.tokens[at])
        return at + 1

    def _has(self, node: Node, text: str) -> HasNode:
        key = node.keys[-1] if isinstance(node, PathNode) and node.keys else None
        if not isinstance(node, PathNode) or not isinstance(key, str):
            _fail(f"{text} names no field: write has(inputs.name), or size(list) > 0 for an item")
        return HasNode(PathNode(node.base, node.keys[:-1], node.text), key, text)

    def _span(self, at: int, end: int) -> int:
        """Where the operand ends that ``_operand`` would read."""
        at += 1
        while True:
            if self._is(at, end, ".", "", "("):
                if self.tokens[at + 1].text not in MACROS and not self._is(at, end, ".", "size", "(", ")"):
                    return at
                at = self._partner[at + 2] + 1
            elif self._is(at, end, ".", ""):
                at += 2
            elif self._is(at, end, "["):
                at = self._partner[at] + 1
            else:
                return at

    def _call(self, output: Output, at: int, name: str) -> int:
        token = self.tokens[at]
        own = library.OWN.get(name)
        if own is not None:
            token = Token("name", own, token.start)
            name = own
        if name in library.registered():
            output.functions.add(name)
        elif name not in library.NATIVE:
            _fail(f"there is no function {name}: {library.hint(name)}")
        output.word(token)
        return at + 1

    def _member(self, output: Output, at: int, end: int, loops: tuple[str, ...], nesting: int) -> int:
        """What follows an operand of CEL: a field, a method, a loop over it."""
        if not output.parts or output.parts[-1] in ("(", "[", "{", ",", "?", ":", "!", "-", "+", "*", "/", "%", "&&", "||", *COPYING):
            _fail(f"a name can't begin with a dot: write {self.tokens[at + 1].text}")
        if not self._is(at + 2, end, "("):
            output.word(self.tokens[at])
            output.word(self.tokens[at + 1])
            return at + 2
        if self.tokens[at + 1].text in MACROS:
            node, at = self._macro(None, at, at, loops, nesting)
            output.parts += [".", node]
            return at
        output.word(self.tokens[at])
        return self._call(output, at + 1, self.tokens[at + 1].text)

    def _operand(self, at: int, end: int, loops: tuple[str, ...], nesting: int) -> tuple[Node, int]:
        """A name, and all that follows it and needs no CEL."""
        start, name = at, self.tokens[at].text
        keys, at = self._keys(at + 1, end)
        if name in ROOTS:
            self._refer(name, keys, start, at, end)
        node: Node = PathNode(name, tuple(keys), self._source(start, at))
        while True:
            self._link()
            if self._is(at, end, ".", "", "(") and self.tokens[at + 1].text in MACROS:
                node, at = self._macro(node, start, at, loops, nesting)
            elif self._is(at, end, ".", "size", "(", ")"):
                node, at = SizeNode(node, self._source(start, at + 4)), at + 4
            elif (found := self._keys(at, end))[0]:
                node, at = PathNode(node, tuple(found[0]), self._source(start, found[1])), found[1]
            elif self._is(at, end, "["):
                close = self._partner[at]
                key = self.node(at + 1, close, loops, nesting)
                node, at = IndexNode(node, key, self._source(start, close + 1)), close + 1
            else:
                break
        return node, at

    def _keys(self, at: int, end: int) -> tuple[list[str | int], int]:
        keys: list[str | int] = []
        while True:
            if self._is(at, end, ".", "") and not self._is(at + 2, end, "("):
                name = self.tokens[at + 1].text
                if name in _CONSTANTS:
                    _fail(f'{name} is a word of CEL: write ["{name}"] instead of .{name}')
                self._link()
                keys.append(name)
                at += 2
            elif self._is(at, end, "[") and self._partner[at] == at + 2 and (key := _literal(self.tokens[at + 1])) is not None:
                self._link()
                keys.append(key)
                at += 3
            else:
                return keys, at

    def _link(self) -> None:
        self._links += 1
        if self._links > MAX_LINKS:
            _fail(f"it has more than {MAX_LINKS} names, keys and loops: split it over several steps")

    def _refer(self, root: str, keys: list[str | int], start: int, at: int, end: int) -> None:
        if root in ("steps", "env") and not (keys and isinstance(keys[0], str)):
            wanted = "steps.ID.output" if root == "steps" else "env.NAME"
            what = f"{root}[…]" if self._is(start + 1, end, "[") else f"{root} as a whole"
            _fail(f"{what} can't be read: name what you mean, {wanted}")
        names: list[str] = []
        for key in keys:
            if not isinstance(key, str):
                break
            names.append(key)
        if root in ("steps", "inputs", "env") and names:
            self.references.append(Reference(root, names[0], tuple(names[1:])))
        else:
            self.references.append(Reference(root, "", tuple(names)))

    def _macro(self, source: Node | None, start: int, at: int, loops: tuple[str, ...], nesting: int) -> tuple[MacroNode, int]:
        self._link()
        kind = self.tokens[at + 1].text
        opening, close = at + 2, self._partner[at + 2]
        if nesting >= MAX_NESTING:
            _fail(f"loops are nested more than {MAX_NESTING} deep: do it in a tool")
        parts = self._arguments(opening, close)
        if len(parts) != 2 and not (kind == "map" and len(parts) == 3):
            _fail(f"{kind}() takes a name and what is done with it: list.{kind}(x, x.name)")
        variable = self._variable(*parts[0])
        inside = (*(name for name in loops if name != variable), variable)
        bodies = tuple(self.node(begin, finish, inside, nesting + 1) for begin, finish in parts[1:])
        return MacroNode(kind, source, variable, bodies, self._source(start, close + 1)), close + 1

    def _arguments(self, opening: int, close: int) -> list[tuple[int, int]]:
        parts, begin, at = [], opening + 1, opening + 1
        while at < close:
            if self.tokens[at].text == "," and self.tokens[at].kind == "operator":
                parts.append((begin, at))
                begin = at + 1
            at = self._partner.get(at, at) + 1
        return [*parts, (begin, close)]

    def _variable(self, begin: int, finish: int) -> str:
        token = self.tokens[begin]
        if finish != begin + 1 or token.kind != "name":
            _fail("the first argument of a loop is a name: list.map(x, x.name)")
        taken = token.text in ROOTS or token.text in CEL_KEYWORDS or token.text in library.TYPES or token.text in library.namespaces()
        if taken or token.text.startswith("__"):
            _fail(f"a loop's variable can't be called {token.text}, which means something else: call it x")
        return token.text


def _literal(token: Token) -> str | int | None:
    """The key that a literal stands for, where it is as plain as it looks."""
    if token.kind == "number" and token.text.isdigit():
        return int(token.text) if len(token.text) < 10 else None
    if token.kind == "string" and token.text[0] in "\"'" and "\\" not in token.text:
        quotes = 3 if token.text[:3] in ('"""', "'''") and len(token.text) >= 6 else 1
        return token.text[quotes:-quotes]
    return None


def _fail(message: str) -> NoReturn:
    raise ExpressionError(message)
