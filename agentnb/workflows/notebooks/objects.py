"""Which variables may share one object, so that a change through one is a change of the other."""

from __future__ import annotations

import ast
from collections.abc import Iterable

_ELEMENTS = frozenset({"enumerate", "zip", "reversed", "sorted", "iter", "list", "tuple", "filter"})


class Objects:
    """Which variables may be one object, and which hold one another's."""

    def __init__(self) -> None:
        self._same: dict[str, set[str]] = {}
        self._inside: dict[str, set[str]] = {}

    def behind(self, value: ast.AST) -> set[str]:
        """The variables that a change of an expression's object is a change of."""
        names = roots(value)
        found = names.union(*(self._same.get(name, set()) for name in names))
        return found if isinstance(value, ast.Name) else found.union(*(self._inside.get(name, set()) for name in found))

    def assign(self, target: ast.AST, value: ast.AST) -> None:
        """``target = value``."""
        if isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
            for part, item in zip(target.elts, value.elts, strict=False):
                self.assign(part, item)
        elif isinstance(target, ast.Name):
            self._link({target.id}, self.behind(value) if _same_object(value) else set(), self._held(value))
        elif isinstance(target, ast.Subscript | ast.Attribute):
            self.put(target.value, value)

    def loop(self, target: ast.AST, source: ast.AST) -> None:
        """``for target in source``."""
        found = roots(source)
        names = found.union(*map(self._all, found))
        self._link(targets(target), names, names)

    def put(self, container: ast.AST, value: ast.AST) -> None:
        """A value is put into a container."""
        held = self._held(value) | (self.behind(value) if _same_object(value) else set())
        for name in self.behind(container) if held else ():
            self._inside.setdefault(name, set()).update(held - {name})

    def _held(self, value: ast.AST) -> set[str]:
        """What a value holds: that which a display lists, or another variable holds."""
        if isinstance(value, ast.Name):
            return set(self._inside.get(value.id, ()))
        if isinstance(value, ast.List | ast.Tuple | ast.Set | ast.Dict):
            items = value.values if isinstance(value, ast.Dict) else value.elts
            return set().union(*(self.behind(item) | self._held(item) for item in items if not isinstance(item, ast.Starred)))
        return set()

    def _all(self, name: str) -> set[str]:
        return self._same.get(name, set()) | self._inside.get(name, set())

    def _link(self, names: Iterable[str], same: set[str], inside: set[str]) -> None:
        for name in names:
            self._same[name], self._inside[name] = same - {name}, inside - {name}


def roots(node: ast.AST) -> set[str]:
    """The variables that an object is reached through."""
    if isinstance(node, ast.Name):
        return {node.id}
    if isinstance(node, ast.Attribute | ast.Subscript | ast.Starred | ast.Await | ast.NamedExpr):
        return roots(node.value)
    if isinstance(node, ast.Tuple | ast.List):
        return set().union(*map(roots, node.elts))
    if isinstance(node, ast.IfExp):
        return roots(node.body) | roots(node.orelse)
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute):
            return roots(node.func.value)
        if isinstance(node.func, ast.Name) and node.func.id in _ELEMENTS:
            return set().union(*map(roots, node.args))
    return set()


def targets(node: ast.AST) -> frozenset[str]:
    return frozenset(part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store))


def _same_object(value: ast.AST) -> bool:
    """Whether an expression gives an object that another variable holds; a selection by a mask or a list gives a new one."""
    if isinstance(value, ast.Subscript):
        key = value.slice
        arithmetic = isinstance(key, ast.BinOp) and not isinstance(key.op, ast.BitAnd | ast.BitOr | ast.BitXor)
        negative = isinstance(key, ast.UnaryOp) and isinstance(key.op, ast.USub)
        return isinstance(key, ast.Constant | ast.Name) or arithmetic or negative
    return isinstance(value, ast.Name | ast.Attribute | ast.IfExp)
