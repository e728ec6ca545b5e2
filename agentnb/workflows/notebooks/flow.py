"""What cells need of those before them, and what they leave to those after: by the paths that their statements can take."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agentnb.workflows.notebooks.cells import Cell, CellProblem, Code
from agentnb.workflows.notebooks.names import Facts, Names, facts_of, stored
from agentnb.workflows.notebooks.objects import Objects

_ENDS = (ast.Raise, ast.Break, ast.Continue, ast.Return)


@dataclass
class Flow:
    """The data flow of a step, or of the setup.

    Attributes:
        reads: Names that are read on some path before they are assigned, with the cell and line of the first place.
        writes: Names that are assigned, or whose objects are changed, on some path.
        definite: Names that have a value at the end, whatever path was taken.
        deleted: Names that are gone at the end.
        changes: Names from elsewhere whose objects are changed.
        imports: Names that nothing but imports assign, with the import.
        functions: Functions that are defined.
        used: The attributes that are read of names.
        called: Those of ``reads`` that only bodies of functions read.
    """

    reads: dict[str, tuple[Cell, int]] = field(default_factory=dict)
    writes: set[str] = field(default_factory=set)
    definite: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)
    imports: dict[str, str] = field(default_factory=dict)
    functions: dict[str, Facts] = field(default_factory=dict)
    used: dict[str, set[str]] = field(default_factory=dict)
    called: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Surroundings:
    """What is known around a step.

    Attributes:
        fixed: Names of modules, functions and classes: calling what is in them changes no variable.
        functions: Those of the setup and of earlier steps.
        open: Those of the setup that read or change what isn't the setup's; who reads their name does that.
    """

    fixed: frozenset[str] = frozenset()
    functions: Mapping[str, Facts] = field(default_factory=dict)
    open: Mapping[str, Facts] = field(default_factory=dict)


def flow_of(codes: Sequence[Code], around: Surroundings) -> Flow:
    """The flow of cells that run one after another.

    Raises:
        CellProblem: They import by ``*``.
    """
    walker = _Walker(around)
    for code in codes:
        walker.cell = code.cell
        walker.block(code.tree.body)
        walker.attributes(code.tree)
    flow = walker.flow
    flow.definite = walker.definite
    flow.imports = {name: text for name, text in flow.imports.items() if name not in walker.assigned}
    flow.deleted -= flow.definite
    return flow


class _Walker:
    """Goes through statements; ``definite`` is what surely has a value at that point."""

    cell: Cell

    def __init__(self, around: Surroundings) -> None:
        self.flow = Flow()
        self.definite: set[str] = set()
        self.assigned: set[str] = set()
        self._around = around
        self._objects = Objects()
        self._functions = dict(around.functions)
        self._compound: dict[type[ast.stmt], Callable[..., None]] = {
            ast.If: self._if,
            ast.For: self._for,
            ast.AsyncFor: self._for,
            ast.While: self._while,
            ast.With: self._with,
            ast.AsyncWith: self._with,
            ast.Try: self._try,
            ast.TryStar: self._try,
            ast.Match: self._match,
            ast.Import: self._import,
            ast.ImportFrom: self._import,
            ast.Delete: self._delete,
            ast.FunctionDef: self._definition,
            ast.AsyncFunctionDef: self._definition,
            ast.ClassDef: self._definition,
        }

    def block(self, statements: Iterable[ast.stmt]) -> None:
        for statement in statements:
            self._compound.get(type(statement), self._simple)(statement)

    def attributes(self, tree: ast.AST) -> None:
        """Keep which attributes are read of which names."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                self.flow.used.setdefault(node.value.id, set()).add(node.attr)

    def _simple(self, statement: ast.stmt) -> None:
        self._scan(statement)
        bare = isinstance(statement, ast.AnnAssign) and statement.value is None and isinstance(statement.target, ast.Name)
        names = frozenset() if bare else stored([statement])
        self._bind(names)
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Lambda):
            for name in names:
                self._known(name, statement.value)

    def _scan(self, *nodes: ast.AST | None) -> None:
        names = Names(self._objects, self._functions)
        for node in nodes:
            if node is not None:
                names.visit(node)
        self.flow.called |= names.later.keys() - self.flow.reads.keys()
        self.flow.called -= names.now.keys() - self.definite
        for name, line in {**names.later, **names.now}.items():
            self._read(name, line)
        for name in names.changes - self._around.fixed:
            self._changed(name)
        self.flow.writes |= names.assigns

    def _read(self, name: str, line: int) -> None:
        if name in self.definite:
            return
        self.flow.reads.setdefault(name, (self.cell, line))
        facts = self._around.open.get(name)
        if facts is not None:
            for other in facts.reads:
                if other not in self.definite and other not in self.flow.reads:
                    self._read(other, line)
            for other in facts.changes:
                self._changed(other)
            self.flow.writes |= facts.assigns

    def _changed(self, name: str) -> None:
        if name not in self.definite:
            self.flow.reads.setdefault(name, (self.cell, 0))
            self.flow.changes.add(name)
            self.definite.add(name)
        self.flow.writes.add(name)
        self.assigned.add(name)

    def _bind(self, names: Iterable[str]) -> None:
        self.flow.writes |= set(names)
        self.definite |= set(names)
        self.assigned |= set(names)
        self.flow.deleted -= set(names)

    def _known(self, name: str, node: ast.AST) -> None:
        self._functions[name] = self.flow.functions[name] = facts_of(node, self._functions)

    def _definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self._scan(node)
        self._bind({node.name})
        self._known(node.name, node)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            return
        if any(item.name == "*" for item in node.names):
            module = getattr(node, "module", "") or "."
            message = f"from {module} import * hides which names the cell defines"
            raise CellProblem(message, f"Name what you need: from {module} import NAME", node.lineno)
        names = stored([node])
        self.flow.imports |= dict.fromkeys(names, ast.unparse(node))
        self.flow.writes |= names
        self.definite |= names
        self.flow.deleted -= names

    def _delete(self, node: ast.Delete) -> None:
        self._scan(node)
        gone = {target.id for target in node.targets if isinstance(target, ast.Name)}
        self.definite -= gone
        self.flow.deleted |= gone

    def _if(self, node: ast.If) -> None:
        self._scan(node.test)
        self._bind(stored([node.test]))
        self._branches([node.body, node.orelse])

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        self._scan(node.iter)
        before = set(self.definite)
        self._objects.loop(node.target, node.iter)
        self._scan(node.target)
        self._bind(stored([node.target]))
        self.block(node.body)
        self.definite = before & self.definite
        self._aside(node.orelse)

    def _while(self, node: ast.While) -> None:
        self._scan(node.test)
        self._bind(stored([node.test]))
        self._aside(node.body)
        self._aside(node.orelse)

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            self._scan(item.context_expr, item.optional_vars)
            self._bind(stored([item]))
        self.block(node.body)

    def _try(self, node: ast.Try | ast.TryStar) -> None:
        before = set(self.definite)
        self.block([*node.body, *node.orelse])
        ends = [self.definite]
        for handler in node.handlers:
            self.definite = set(before)
            self._scan(handler.type)
            self._bind({handler.name} if handler.name else ())
            self.block(handler.body)
            self.definite -= {handler.name or ""}
            if not _terminates(handler.body):
                ends.append(self.definite)
        self.definite = set(before)
        self.block(node.finalbody)
        self.definite |= set.intersection(*ends)

    def _match(self, node: ast.Match) -> None:
        self._scan(node.subject)
        before = set(self.definite)
        for case in node.cases:
            self.definite = set(before)
            self._scan(case.pattern)
            self._bind(stored([case.pattern]))
            self._scan(case.guard)
            self.block(case.body)
        self.definite = before

    def _branches(self, blocks: Sequence[Sequence[ast.stmt]]) -> None:
        before, ends = set(self.definite), []
        for block in blocks:
            self.definite = set(before)
            self.block(block)
            if not _terminates(block):
                ends.append(self.definite)
        self.definite = set.intersection(*ends) if ends else before

    def _aside(self, block: Sequence[ast.stmt]) -> None:
        """Statements that may not run at all."""
        self._branches([block, ()])


def _terminates(block: Sequence[ast.stmt]) -> bool:
    return bool(block) and isinstance(block[-1], _ENDS)
