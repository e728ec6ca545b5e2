"""Which names a piece of Python reads, and which objects it changes in place."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from agentnb.workflows.notebooks.objects import Objects, targets

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)

_CHANGING = frozenset({"append", "appendleft", "extend", "extendleft", "insert", "clear", "pop", "popitem", "popleft", "setdefault"}) | {
    "fit",
    "fit_transform",
    "partial_fit",
    "__setitem__",
    "__delitem__",
}
"""Methods that change their object, whether or not what they give is used."""

_LOOKING = (
    "to_",
    "plot",
    "hist",
    "box",
    "show",
    "display",
    "print",
    "head",
    "tail",
    "info",
    "describe",
    "save",
    "log",
    "debug",
    "warn",
    "assert",
)
"""How methods begin that are called for what they show or write; any other call whose value is dropped is taken to change its object."""

_SHUFFLING = frozenset({"shuffle", "heappush", "heappop", "heapify", "insort", "insort_left", "insort_right", "setattr", "delattr"})


@dataclass
class Facts:
    """What a function does beyond its own scope.

    Attributes:
        reads: Names outside of it, with their line.
        changes: Objects outside of it that it changes in place.
        assigns: Names that it declares ``global`` and assigns.
        parameters: In their order.
        changed: The parameters whose objects it changes.
    """

    reads: dict[str, int] = field(default_factory=dict)
    changes: set[str] = field(default_factory=set)
    assigns: set[str] = field(default_factory=set)
    parameters: tuple[str, ...] = ()
    changed: set[str] = field(default_factory=set)


class Names(ast.NodeVisitor):
    """Collects what code does with names outside of its own scopes.

    What a variable that is bound by ``y = x``, ``y = x["key"]`` or ``for y in x`` changes, counts as changed in ``x``. A call of a method
    whose value is dropped counts as a change of its object; changes behind a call of a library's function are not seen.

    Attributes:
        now: Names that are read when the code runs, with their line; ``later`` those that are read when its functions are called.
        changes: Names whose objects are changed.
        assigns: Names that functions declare ``global``.
    """

    def __init__(self, objects: Objects | None = None, functions: Mapping[str, Facts] | None = None) -> None:
        self.now: dict[str, int] = {}
        self.later: dict[str, int] = {}
        self.changes: set[str] = set()
        self.assigns: set[str] = set()
        self.changed_inside: set[str] = set()
        self.objects = objects or Objects()
        self._functions = functions or {}
        self._bound: frozenset[str] = frozenset()
        self._deferred = False

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Store):
            self._read(node)

    def _read(self, node: ast.Name) -> None:
        if node.id not in self._bound:
            (self.later if self._deferred else self.now).setdefault(node.id, node.lineno)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.change(node.value)
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.change(node.value)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._read(node.target)
            self.change(node.target)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            self.objects.assign(target, node.value)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.objects.loop(node.target, node.iter)
        self.generic_visit(node)

    visit_AsyncFor = visit_For

    def visit_Expr(self, node: ast.Expr) -> None:
        value = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and _is_change(value.func):
            self.change(value.func.value)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id if isinstance(node.func, ast.Name) else ""
        if isinstance(node.func, ast.Attribute) and (name in _CHANGING or _in_place(node)):
            self.change(node.func.value)
            for value in node.args:
                self.objects.put(node.func.value, value)
        if name in _SHUFFLING and node.args:
            self.change(node.args[0])
        if isinstance(node.func, ast.Name) and name in self._functions:
            self._called(node, self._functions[name])
        self.generic_visit(node)

    def _called(self, node: ast.Call, facts: Facts) -> None:
        for parameter, value in zip(facts.parameters, node.args, strict=False):
            if parameter in facts.changed:
                self.change(value)
        for keyword in node.keywords:
            if keyword.arg in facts.changed:
                self.change(keyword.value)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._defaults(node.args)
        self._body(node, [node.body])

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for part in [*node.decorator_list, *([node.returns] if node.returns else [])]:
            self.visit(part)
        self._defaults(node.args)
        self._body(node, node.body)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in [*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)]:
            self.visit(part)
        outer = self._bound
        own = stored(node.body)
        for statement in node.body:
            self._bound = outer if isinstance(statement, _DEFINITIONS) else outer | own
            self.visit(statement)
        self._bound = outer

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        outer = self._bound
        for part in node.generators:
            self.visit(part.iter)
            self._bound |= targets(part.target)
            self.objects.loop(part.target, part.iter)
            for test in part.ifs:
                self.visit(test)
        for value in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
            self.visit(value)
        self._bound = outer

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def _defaults(self, arguments: ast.arguments) -> None:
        for value in [*arguments.defaults, *arguments.kw_defaults]:
            if value is not None:
                self.visit(value)
        for parameter in _parameters(arguments):
            if parameter.annotation is not None:
                self.visit(parameter.annotation)

    def _body(self, node: Function, body: Iterable[ast.AST]) -> None:
        outer, deferred = self._bound, self._deferred
        body = list(body)
        declared = {name for part in body for item in own_scope(part) if isinstance(item, ast.Global) for name in item.names}
        self.assigns |= declared & stored(body)
        own = {item.arg for item in _parameters(node.args)} | stored(body)
        self._bound, self._deferred = (outer | own) - declared, True
        for part in body:
            self.visit(part)
        self._bound, self._deferred = outer, deferred

    def change(self, value: ast.AST) -> None:
        """The object of an expression is changed."""
        for origin in self.objects.behind(value):
            (self.changed_inside if origin in self._bound else self.changes).add(origin)


def facts_of(node: ast.AST, functions: Mapping[str, Facts]) -> Facts:
    """What a function, a class or a lambda does beyond its own scope, when it is called."""
    names = Names(functions=functions)
    names.visit(node)
    parameters = tuple(item.arg for item in _parameters(node.args)) if isinstance(node, Function) else ()
    return Facts(dict(names.later), names.changes, names.assigns, parameters, names.changed_inside & set(parameters))


def own_scope(node: ast.AST) -> Iterable[ast.AST]:
    """The node and what is below it, without what runs in scopes of functions and classes; of a comprehension only its walrus."""
    yield node
    if isinstance(node, (*_DEFINITIONS, ast.Lambda)):
        return
    for child in ast.iter_child_nodes(node):
        yield from own_scope(child)


def stored(nodes: Iterable[ast.AST]) -> frozenset[str]:
    """The names that code assigns in its own scope."""
    found: set[str] = set()
    for node in nodes:
        hidden = {name for part in own_scope(node) if isinstance(part, _COMPREHENSIONS) for name in _walk_targets(part)}
        for part in own_scope(node):
            if not (isinstance(part, ast.Name) and part in hidden):
                found |= _bound_by(part)
    return frozenset(found)


def _walk_targets(node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> Iterable[ast.AST]:
    for part in node.generators:
        yield from ast.walk(part.target)


def _bound_by(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Store) else set()
    if isinstance(node, _DEFINITIONS):
        return {node.name}
    if isinstance(node, ast.alias):
        return {(node.asname or node.name).split(".")[0]} - {"*"}
    if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
        return {node.name} if node.name else set()
    return {node.rest} if isinstance(node, ast.MatchMapping) and node.rest else set()


def _parameters(arguments: ast.arguments) -> list[ast.arg]:
    found = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return [item for item in found if item is not None]


def _in_place(node: ast.Call) -> bool:
    return any(item.arg == "inplace" and not (isinstance(item.value, ast.Constant) and not item.value.value) for item in node.keywords)


def _is_change(function: ast.Attribute) -> bool:
    part: ast.AST = function
    while isinstance(part, ast.Attribute | ast.Subscript):
        if isinstance(part, ast.Attribute) and part.attr.startswith(_LOOKING):
            return False
        part = part.value
    return isinstance(part, ast.Name)
