"""What expressions are made of.

CEL is not asked for everything: plain paths, ``size`` and the macros (``map``, ``filter``, ``all``, ``exists``, ``exists_one``) are
nodes of our own, because the Rust interpreter copies each value that it names, and builds the lists of its macros in quadratic time.
What is left between them is compiled by CEL, with a variable or a function in the place of each node.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cel

ROOTS = ("inputs", "steps", "item", "index", "run", "attempts", "event", "env")


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """What an expression reads.

    Attributes:
        root: One of ``ROOTS``.
        name: The step, input or variable; empty where the root is read as a whole, and for other roots.
        path: The keys that follow, up to the first that isn't written out.
    """

    root: str
    name: str = ""
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PathNode:
    """A value, and the keys and indexes that lead into it."""

    base: str | Node
    keys: tuple[str | int, ...]
    text: str


@dataclass(frozen=True, slots=True)
class IndexNode:
    """An item whose key is computed."""

    of: Node
    key: Node
    text: str


@dataclass(frozen=True, slots=True)
class SizeNode:
    """The size of a value."""

    of: Node
    text: str


@dataclass(frozen=True, slots=True)
class HasNode:
    """Whether a map has a key."""

    of: PathNode
    key: str
    text: str


@dataclass(frozen=True, slots=True)
class MacroNode:
    """A loop; without ``source`` it gets its list from CEL."""

    kind: str
    source: Node | None
    variable: str
    bodies: tuple[Node, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Slot:
    """A node in CEL's text: the name that stands for it, how often, and the variables of loops that it reads."""

    name: str
    node: Node
    times: int
    loops: frozenset[str]

    @property
    def lazy(self) -> bool:
        """Whether it is a function, called when CEL gets there."""
        return self.name.startswith("__m")


@dataclass(frozen=True, slots=True)
class CelNode:
    """What CEL evaluates.

    Attributes:
        weight: Units that one evaluation costs, the values aside.
        copies: Operators that may copy their operands.
    """

    program: cel.Program
    slots: tuple[Slot, ...]
    functions: frozenset[str]
    weight: int
    copies: int
    text: str


Node = PathNode | IndexNode | SizeNode | HasNode | MacroNode | CelNode


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression."""

    text: str
    node: Node
    references: tuple[Reference, ...]


def loops_in(node: Node) -> bool:
    """Whether a loop is in it, so that it is evaluated only where CEL gets there."""
    if isinstance(node, MacroNode):
        return True
    if isinstance(node, IndexNode):
        return loops_in(node.of) or loops_in(node.key)
    if isinstance(node, CelNode):
        return any(loops_in(slot.node) for slot in node.slots)
    inner = node.base if isinstance(node, PathNode) else node.of
    return not isinstance(inner, str) and loops_in(inner)


@lru_cache(4096)
def reads(node: Node) -> frozenset[str]:
    """The names that the node reads."""
    if isinstance(node, PathNode):
        return frozenset({node.base}) if isinstance(node.base, str) else reads(node.base)
    if isinstance(node, SizeNode | HasNode):
        return reads(node.of)
    if isinstance(node, IndexNode):
        return reads(node.of) | reads(node.key)
    if isinstance(node, CelNode):
        return frozenset().union(*(reads(slot.node) for slot in node.slots))
    inner = frozenset().union(*map(reads, node.bodies)) - {node.variable}
    return inner | (reads(node.source) if node.source else frozenset())
