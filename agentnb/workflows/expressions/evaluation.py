"""Evaluating compiled expressions: paths and loops here, everything else by CEL, all of it metered."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from agentnb.workflows.expressions import library
from agentnb.workflows.expressions.paths import Scope, lookup, null_reason, prefix, walk
from agentnb.workflows.expressions.syntax import CelNode, Expression, HasNode, IndexNode, MacroNode, Node, PathNode, SizeNode, Slot
from agentnb.workflows.expressions.tokens import ExpressionError, shown
from agentnb.workflows.expressions.values import Exhausted, Meter, plain, type_name, with_article

if TYPE_CHECKING:
    import cel

_NAME = re.compile(r"__[vm]\d+")
_JSON = frozenset({dict, list, str, int, float, bool, type(None)})
_FAILED = object()
"""What a function returns to CEL that failed: nothing that CEL knows, so that it stops; an exception would be logged by it."""


def evaluate(expression: Expression, scope: Scope) -> Any:
    """The value, as plain JSON-like data.

    Raises:
        ExpressionError: It can't be evaluated, or would take too much work.
    """
    node = expression.node
    try:
        if type(node) is PathNode and type(node.base) is str:
            value = lookup(node, scope, {})
            return value if type(value) in _JSON or isinstance(value, Mapping | list | tuple) else plain(value, Meter())
        return _Evaluation(scope).result(node)
    except ExpressionError as error:
        raise ExpressionError(f"{shown(expression.text)}: {error}") from None


class _Evaluation:
    """One evaluation: its meter, and the variables of the loops that it is in."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.meter = Meter()
        self.frame: dict[str, Any] = {}
        self.failures: list[ExpressionError] = []

    def result(self, node: Node) -> Any:
        value = self.runner(node)()
        if self.meter.exhausted:
            raise Exhausted()
        return plain(value, self.meter)

    def runner(self, node: Node) -> Callable[[], Any]:
        """What gives the node's value, again and again, as the loop's variable changes."""
        if isinstance(node, CelNode):
            return _Bound(self, node).run
        return lambda: self.value(node)

    def value(self, node: Node) -> Any:
        if isinstance(node, PathNode):
            self.meter.charge(8)
            if isinstance(node.base, str):
                return lookup(node, self.scope, self.frame)
            return walk(self.value(node.base), node, self.scope)
        if isinstance(node, IndexNode):
            return self._item(node)
        if isinstance(node, SizeNode):
            return self._size(node)
        if isinstance(node, HasNode):
            return self._has(node)
        if isinstance(node, MacroNode):
            return self.loop(node, self.value(node.source)) if node.source else None
        return _Bound(self, node).run()

    def _item(self, node: IndexNode) -> Any:
        self.meter.charge(8)
        value, key = self.value(node.of), self.value(node.key)
        if isinstance(key, str) or (isinstance(key, int) and not isinstance(key, bool)):
            return walk(value, PathNode(node.of, (key,), node.text), self.scope)
        raise ExpressionError(f"{node.key.text} is of the type {type_name(key)}: keys are text, indexes are int")

    def _size(self, node: SizeNode) -> int:
        value = self.value(node.of)
        if isinstance(value, str | bytes | list | tuple | Mapping):
            return len(value)
        raise ExpressionError(f"{node.of.text} is of the type {type_name(value)}, which has no size: only text, lists and maps have")

    def _has(self, node: HasNode) -> bool:
        value = self.value(node.of)
        if isinstance(value, Mapping):
            return node.key in value
        if value is None and (reason := null_reason(node.of, len(node.of.keys), self.scope)):
            raise ExpressionError(reason)
        raise ExpressionError(f"{prefix(node.of, len(node.of.keys))} is of the type {type_name(value)}, in which there is no {node.key!r}")

    def loop(self, node: MacroNode, source: Any) -> Any:
        if isinstance(source, Mapping):
            items: list[Any] = sorted(source, key=str)
        elif isinstance(source, list | tuple):
            items = list(source)
        else:
            raise ExpressionError(f"{node.text}: {node.kind}() needs a list or a map, not {type_name(source)}")
        shadowed = self.frame.get(node.variable, _FAILED)
        try:
            return _LOOPS[node.kind](self, node, items)
        finally:
            if shadowed is _FAILED:
                self.frame.pop(node.variable, None)
            else:
                self.frame[node.variable] = shadowed

    def _test(self, node: MacroNode) -> Callable[[Any], bool]:
        run, body = self.runner(node.bodies[0]), node.bodies[0]

        def test(item: Any) -> bool:
            self.meter.charge(15)
            self.frame[node.variable] = item
            verdict = run()
            if isinstance(verdict, bool):
                return verdict
            raise ExpressionError(f"{body.text} is of the type {type_name(verdict)}: {node.kind}() needs a test that is true or false")

        return test

    def _any(self, node: MacroNode, items: list[Any], wanted: bool) -> bool:
        """Whether a test comes out as wanted; as in CEL, an error counts only where none does."""
        test, failure = self._test(node), None
        for item in items:
            try:
                if test(item) is wanted:
                    return True
            except Exhausted:
                raise
            except ExpressionError as error:
                self.meter.charge(30)
                failure = failure or error
        if failure is not None:
            raise failure
        return False

    def _exists(self, node: MacroNode, items: list[Any]) -> bool:
        return self._any(node, items, True)

    def _all(self, node: MacroNode, items: list[Any]) -> bool:
        return not self._any(node, items, False)

    def _exists_one(self, node: MacroNode, items: list[Any]) -> bool:
        return len(self._filter(node, items)) == 1

    def _filter(self, node: MacroNode, items: list[Any]) -> list[Any]:
        test = self._test(node)
        return [item for item in items if test(item)]

    def _map(self, node: MacroNode, items: list[Any]) -> list[Any]:
        if len(node.bodies) == 2:
            items = self._filter(node, items)
        run, made = self.runner(node.bodies[-1]), []
        for item in items:
            self.meter.charge(15)
            self.frame[node.variable] = item
            made.append(run())
        return made


_LOOPS: dict[str, Callable[[_Evaluation, MacroNode, list[Any]], Any]] = {
    "map": _Evaluation._map,
    "filter": _Evaluation._filter,
    "exists": _Evaluation._exists,
    "all": _Evaluation._all,
    "exists_one": _Evaluation._exists_one,
    "existsOne": _Evaluation._exists_one,
}


class _Bound:
    """A text of CEL with its variables: bound once, then only those again that the loop's variable changes."""

    def __init__(self, evaluation: _Evaluation, node: CelNode) -> None:
        self.evaluation = evaluation
        self.node = node
        self.context: cel.Context | None = None
        self.costs: dict[str, int] = {}
        self.errors: dict[str, ExpressionError] = {}

    def run(self) -> Any:
        fresh = self.context is None
        context = self.context or self._context()
        self.errors.clear()
        for slot in self.node.slots:
            if not slot.lazy and (fresh or slot.loops):
                self._bind(context, slot)
        meter = self.evaluation.meter
        meter.charge(self.node.weight + (sum(self.costs.values()) * (1 + self.node.copies) >> 1))
        self.context = None if self.errors else context
        try:
            result = self.node.program.execute(context)
        except Exception as error:
            meter.charge(50)
            raise self._explained(error) from None
        meter.charge(meter.converted(result))
        return result

    def _context(self) -> cel.Context:
        import cel

        self.evaluation.meter.charge(60)
        context = cel.Context()
        for name in self.node.functions:
            context.add_function(name, self._function(name, library.registered()[name]))
        for slot in self.node.slots:
            if slot.lazy:
                context.add_function(slot.name, self._loop(slot.node))
        return context

    def _bind(self, context: cel.Context, slot: Slot) -> None:
        """Hand a value to CEL; an error counts only if CEL gets to where the value is needed."""
        meter = self.evaluation.meter
        try:
            value = self.evaluation.value(slot.node)
            cost = meter.cost(value)
            meter.charge(cost)
            self.costs[slot.name] = cost * slot.times
            context.add_variable(slot.name, value)
        except Exhausted:
            raise
        except ExpressionError as error:
            self.errors[slot.name] = error
        except (ValueError, TypeError) as error:
            self.errors[slot.name] = ExpressionError(f"{slot.node.text} can't be used: {error}")

    def _loop(self, node: Node) -> Callable[..., Any]:
        """A loop as a function; one over a list of CEL's gets it as its argument."""

        def call(*source: Any) -> Any:
            evaluation = self.evaluation
            if source and isinstance(node, MacroNode):
                evaluation.meter.charge(evaluation.meter.converted(source[0]))
                return evaluation.loop(node, source[0])
            return evaluation.value(node)

        return self._guarded(call)

    def _function(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        meter = self.evaluation.meter

        def call(*arguments: Any) -> Any:
            try:
                meter.charge(100 + sum(map(meter.converted, arguments)) + library.foreseen(name, arguments))
                return function(*arguments)
            except (TypeError, ValueError, IndexError, ArithmeticError, AttributeError) as error:
                raise ExpressionError(f"{name.removeprefix('__')}(): {error}") from None

        return self._guarded(call)

    def _guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        evaluation, copies = self.evaluation, self.node.copies

        def call(*arguments: Any) -> Any:
            try:
                result = function(*arguments)
                evaluation.meter.charge(evaluation.meter.converted(result) * (3 + copies))
                return result
            except ExpressionError as error:
                evaluation.failures.append(error)
                return _FAILED

        return call

    def _explained(self, error: Exception) -> ExpressionError:
        """What CEL said, in the words of the expression."""
        message = str(error)
        name = _NAME.search(message)
        if name is not None and name[0] in self.errors:
            return self.errors[name[0]]
        if message.startswith("Function '") and self.evaluation.failures:
            return self.evaluation.failures[-1]
        if isinstance(error, TypeError):
            return ExpressionError(self._types(message))
        if isinstance(error, KeyError):
            return ExpressionError(f"there is no key {message}: test it first with has() or in")
        if message.startswith("Function '"):
            message = message.removesuffix(". Check function arguments and their types.")
        return ExpressionError(f"{self.node.text}: {message}")

    def _types(self, message: str) -> str:
        said = f" ({message.partition('. ')[0]})" if not message.startswith("No such overload") else ""
        found = []
        for slot in self.node.slots:
            if not slot.lazy and slot.name not in self.errors:
                value = self.evaluation.value(slot.node)
                found.append(f"{slot.node.text} is {with_article(type_name(value))}")
        return (
            f"the types don't fit{said}{'; ' + ', '.join(found[:6]) if found else ''}: "
            "CEL mixes none by itself, write double(x) for an int that meets a double, as in double(1) + 0.5, or int(x), string(x)"
        )
