"""Where the boxes and lines of a drawn graph go: layers from left to right, few crossings, lines past the boxes that they don't concern."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

ROW_GAP = 16.0
_LANE = 12.0
"""Height that a line needs that passes a layer."""
_SWEEPS = 8
_PULLS = 10

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Node:
    """What is to be placed."""

    id: str
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Edge:
    """A line from one node to another; ``backward`` leads from a later layer to an earlier one."""

    source: str
    target: str
    label: str = ""
    dashed: bool = False
    backward: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """A placed node: its left top corner and its size."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


@dataclass(frozen=True, slots=True)
class Line:
    """A placed edge: the places that it goes through, in pairs of where it leaves and where it arrives, from left to right."""

    edge: Edge
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Layout:
    """Boxes by the ID of their node, and the lines between them."""

    boxes: Mapping[str, Box]
    lines: Sequence[Line]
    width: float
    height: float


def layers_of(names: Sequence[str], edges: Iterable[Edge], starts: Sequence[str] = ()) -> tuple[list[list[str]], list[Edge]]:
    """Layers of a graph that may have circles, and its edges with those marked that lead back; edges to oneself are left out.

    Args:
        names: The nodes in their order.
        edges: Between them.
        starts: Where to begin; the first node by default.
    """
    given = [edge for edge in edges if edge.source != edge.target]
    back = _back_edges(names, given, starts)
    forward: dict[str, list[str]] = {name: [] for name in names}
    for edge in given:
        if (edge.source, edge.target) not in back:
            forward[edge.source].append(edge.target)
    depth = _depths(names, forward)
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name in names:
        layers[depth[name]].append(name)
    return layers, [replace(edge, backward=(edge.source, edge.target) in back) for edge in given]


def arrange(nodes: Mapping[str, Node], layers: Sequence[Sequence[str]], edges: Iterable[Edge], gap: float) -> Layout:
    """Place nodes and edges.

    Args:
        nodes: By their ID.
        layers: Their IDs, from left to right.
        edges: Each from an earlier layer to a later one, or marked as ``backward``.
        gap: Room between two layers.
    """
    depth = {name: place for place, layer in enumerate(layers) for name in layer}
    grid = [list(layer) for layer in layers]
    sizes = {name: node.height for name, node in nodes.items()}
    chains = [(edge, _chain(edge, depth, grid, sizes, number)) for number, edge in enumerate(edges)]
    right, left = _neighbours(grid, chains)
    _order(grid, left, right)
    middles = _middles(grid, sizes, left, right)
    widths = [max((nodes[name].width for name in layer if name in nodes), default=0.0) for layer in grid]
    starts = [sum(widths[:place]) + gap * place for place in range(len(widths))]
    top = min((middles[name] - sizes[name] / 2 for name in middles), default=0.0)
    boxes: dict[str, Box] = {}
    for place, layer in enumerate(grid):
        for name in layer:
            node = nodes.get(name) or Node(name, widths[place], 0.0)
            x = starts[place] + (widths[place] - node.width) / 2
            boxes[name] = Box(x, middles[name] - top - node.height / 2, node.width, node.height)
    lines = [Line(edge, _points(chain, boxes)) for edge, chain in chains]
    height = max((middles[name] - top + sizes[name] / 2 for name in middles), default=0.0)
    return Layout({name: boxes[name] for name in nodes}, lines, sum(widths) + gap * max(len(widths) - 1, 0), height)


def reduced(edges: Sequence[Edge]) -> list[Edge]:
    """The edges of a graph without circles, without those that others imply: ``a → c`` where there are ``a → b`` and ``b → c``."""
    names = dict.fromkeys(name for edge in edges for name in (edge.source, edge.target))
    after: dict[str, list[str]] = {name: [] for name in names}
    for edge in edges:
        after[edge.source].append(edge.target)
    depth = _depths(list(names), after)
    bit = {name: 1 << place for place, name in enumerate(names)}
    reach: dict[str, int] = {}
    for name in sorted(names, key=depth.__getitem__, reverse=True):
        reach[name] = 0
        for other in after[name]:
            reach[name] |= bit[other] | reach[other]
    implied = {name: _union(reach[other] for other in others) for name, others in after.items()}
    return [edge for edge in edges if not implied[edge.source] & bit[edge.target]]


def _union(sets: Iterable[int]) -> int:
    found = 0
    for one in sets:
        found |= one
    return found


def _back_edges(names: Sequence[str], edges: Sequence[Edge], starts: Sequence[str]) -> set[tuple[str, str]]:
    """The edges that close a circle, by depth-first search."""
    after: dict[str, list[str]] = {name: [] for name in names}
    for edge in edges:
        after[edge.source].append(edge.target)
    back: set[tuple[str, str]] = set()
    done: set[str] = set()
    for start in [*starts, *names]:
        if start in done:
            continue
        path, stack = {start}, [(start, iter(after[start]))]
        while stack:
            name, rest = stack[-1]
            other = next(rest, None)
            if other is None:
                stack.pop()
                path.discard(name)
                done.add(name)
            elif other in path:
                back.add((name, other))
            elif other not in done:
                path.add(other)
                stack.append((other, iter(after[other])))
    return back


def _depths(names: Sequence[str], after: Mapping[str, list[str]]) -> dict[str, int]:
    depth = dict.fromkeys(names, 0)
    waiting = dict.fromkeys(names, 0)
    for others in after.values():
        for other in others:
            waiting[other] += 1
    ready = [name for name in names if not waiting[name]]
    while ready:
        name = ready.pop()
        for other in after[name]:
            depth[other] = max(depth[other], depth[name] + 1)
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    return depth


def _chain(edge: Edge, depth: Mapping[str, int], grid: list[list[str]], sizes: dict[str, float], number: int) -> list[str]:
    """The nodes that the edge goes through from left to right, with a lane in each layer that it passes."""
    first, last = (edge.target, edge.source) if edge.backward else (edge.source, edge.target)
    chain = [first]
    for place in range(depth[first] + 1, depth[last]):
        lane = f"\0{number}.{place}"
        grid[place].append(lane)
        sizes[lane] = _LANE
        chain.append(lane)
    return [*chain, last]


def _neighbours(grid: list[list[str]], chains: Sequence[tuple[Edge, list[str]]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    right: dict[str, list[str]] = {name: [] for layer in grid for name in layer}
    left: dict[str, list[str]] = {name: [] for name in right}
    for _, chain in chains:
        for one, other in pairwise(chain):
            right[one].append(other)
            left[other].append(one)
    return right, left


def _order(grid: list[list[str]], left: Mapping[str, list[str]], right: Mapping[str, list[str]]) -> None:
    """Sort each layer by where the neighbours stand, back and forth, and keep the order with the fewest crossings."""
    best, fewest = [list(layer) for layer in grid], _crossings(grid, right)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        sides, layers = (left, grid[1:]) if sweep % 2 == 0 else (right, grid[-2::-1])
        place = {name: float(index) for layer in grid for index, name in enumerate(layer)}
        for layer in layers:
            layer.sort(key=_barycentre(sides, place))
            place.update({name: float(index) for index, name in enumerate(layer)})
        crossings = _crossings(grid, right)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in grid], crossings
    grid[:] = best


def _barycentre(sides: Mapping[str, list[str]], place: Mapping[str, float]) -> Callable[[str], float]:
    def key(name: str) -> float:
        others = sides[name]
        return sum(place[other] for other in others) / len(others) if others else place[name]

    return key


def _crossings(grid: list[list[str]], right: Mapping[str, list[str]]) -> int:
    count = 0
    for layer, following in pairwise(grid):
        place = {name: index for index, name in enumerate(following)}
        seen: list[int] = []
        for end in (end for name in layer for end in sorted(place[other] for other in right[name])):
            count += len(seen) - bisect_right(seen, end)
            insort(seen, end)
    return count


def _middles(
    grid: list[list[str]], sizes: Mapping[str, float], left: Mapping[str, list[str]], right: Mapping[str, list[str]]
) -> dict[str, float]:
    """The height at which each node's middle stands: near its neighbours', in the layer's order, without overlaps."""
    middles: dict[str, float] = {}
    for layer in grid:
        middles.update(zip(layer, _spread([0.0] * len(layer), [sizes[name] for name in layer]), strict=True))
    for pull in range(_PULLS):
        layers = grid if pull % 2 == 0 else grid[::-1]
        for layer in layers:
            wanted = [_wanted(name, middles, left, right, pull) for name in layer]
            middles.update(zip(layer, _spread(wanted, [sizes[name] for name in layer]), strict=True))
    return middles


def _wanted(name: str, middles: Mapping[str, float], left: Mapping[str, list[str]], right: Mapping[str, list[str]], pull: int) -> float:
    sides = (left if pull % 2 == 0 else right)[name] if pull < _PULLS - 2 else [*left[name], *right[name]]
    return sum(middles[other] for other in sides) / len(sides) if sides else middles[name]


def _spread(wanted: Sequence[float], sizes: Sequence[float]) -> list[float]:
    """The places nearest to the wanted ones that keep the order and the gaps: isotonic regression by pooling neighbours."""
    offsets = [0.0]
    for one, other in pairwise(sizes):
        offsets.append(offsets[-1] + (one + other) / 2 + ROW_GAP)
    pools: list[tuple[float, int]] = []
    for value, offset in zip(wanted, offsets, strict=False):
        total, count = value - offset, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            before = pools.pop()
            total, count = total + before[0], count + before[1]
        pools.append((total, count))
    levels = [total / count for total, count in pools for _ in range(count)]
    return [level + offset for level, offset in zip(levels, offsets, strict=False)]


def _points(chain: Sequence[str], boxes: Mapping[str, Box]) -> tuple[Point, ...]:
    points: list[Point] = []
    for one, other in pairwise(chain):
        start, end = boxes[one], boxes[other]
        points += [(start.x + start.width, start.middle), (end.x, end.middle)]
    return tuple(points)
