"""What of a workflow is drawn: its steps or states as boxes, those of a large one folded, and the lines between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from unicodedata import east_asian_width

from agentnb.runtime.graphs.layout import Edge, Layout, Node, arrange, layers_of, reduced
from agentnb.workflows.graph import graph_of, handler_of
from agentnb.workflows.spec import Action, State, Step, WorkflowSpec, duration_text

MAX_BOXES = 60
MAX_LAYERS = 20
MAX_LINES = 400
MAX_ROWS = 12
CLEAR_LINES = 80
"""More lines than these are drawn without those that others imply."""
MANY_LINES, MOST_LINES = 1_500, 4_000
"""The same of a graph that isn't folded, and how many lines it may have."""

BOX_HEIGHT = 46.0
TITLE_SIZE = 13.5
"""Of 13, as it is bold."""
LOOP_HEIGHT = 26.0
_TEXT_LEFT, _TEXT_RIGHT, _FOLD = 38.0, 18.0, 14.0
_MIN_WIDTH, _MAX_WIDTH = 112.0, 230.0
_GAP, _MIN_LABEL_GAP, _MAX_LABEL_GAP = 52.0, 72.0, 210.0


@dataclass(frozen=True, slots=True)
class Item:
    """One box.

    Attributes:
        detail: The quiet second line, where there is no status to show.
        kind: Of the step; ``state`` for a state without one, ``more`` for several that are folded.
        members: The steps or states that it stands for.
        hint: What is said on hover.
        loop: Label of the line from a state to itself, or None.
    """

    id: str
    title: str
    detail: str
    kind: str
    members: tuple[str, ...]
    hint: str = ""
    conditional: bool = False
    fan: bool = False
    initial: bool = False
    final: bool = False
    loop: str | None = None

    @property
    def width(self) -> float:
        text = max(text_width(self.title, TITLE_SIZE), text_width(self.detail, 11), text_width("failed 3× · 888 ms", 11))
        fold = _FOLD if self.kind == "workflow" else 0.0
        return min(max(text + _TEXT_LEFT + _TEXT_RIGHT + fold, _MIN_WIDTH), _MAX_WIDTH)

    @property
    def height(self) -> float:
        return BOX_HEIGHT + (2 * LOOP_HEIGHT if self.loop is not None else 0)

    @property
    def room(self) -> float:
        """How much of the width is for text."""
        return self.width - _TEXT_LEFT - _TEXT_RIGHT


@dataclass(frozen=True)
class Sketch:
    """A workflow as boxes and lines, in layers."""

    items: Mapping[str, Item]
    layers: Sequence[Sequence[str]]
    edges: Sequence[Edge]
    left_out: int = 0

    @cached_property
    def leaving(self) -> Counter[str]:
        """How many lines meet at the right side of each box."""
        return Counter(edge.target if edge.backward else edge.source for edge in self.edges)

    @cached_property
    def arriving(self) -> Counter[str]:
        """How many lines meet at the left side of each box."""
        return Counter(edge.source if edge.backward else edge.target for edge in self.edges)

    @cached_property
    def _ways(self) -> frozenset[tuple[str, str]]:
        return frozenset((edge.source, edge.target) for edge in self.edges)

    def both_ways(self, edge: Edge) -> bool:
        """Whether there is a line back beside this one."""
        return (edge.target, edge.source) in self._ways

    @cached_property
    def layout(self) -> Layout:
        nodes = {item.id: Node(item.id, item.width, item.height) for item in self.items.values()}
        widest = max((text_width(edge.label, 11) for edge in self.edges), default=0.0)
        gap = min(max(widest + 56, _MIN_LABEL_GAP), _MAX_LABEL_GAP) if widest else _GAP
        return arrange(nodes, self.layers, self.edges, gap)


def sketch(spec: WorkflowSpec) -> Sketch:
    """What is drawn of a workflow in a picture: a large one is folded."""
    return _cleared(_folded(whole(spec)), CLEAR_LINES, MAX_LINES)


def whole_sketch(spec: WorkflowSpec) -> Sketch:
    """All of a workflow, for a graph that can be panned; lines that others imply are left out where there are very many."""
    return _cleared(whole(spec), MANY_LINES, MOST_LINES)


def whole(spec: WorkflowSpec) -> Sketch:
    """A workflow as boxes and lines, in layers, nothing left out."""
    return _of_states(spec) if spec.kind == "state_machine" else _of_steps(spec)


def text_width(text: str, size: float) -> float:
    """About how wide a text is in a sans-serif font of that size."""
    return size * sum(map(_share, text))


def clipped(text: str, room: float, size: float) -> str:
    """The text, or what of it has room."""
    if text_width(text, size) <= room:
        return text
    while text and text_width(text + "…", size) > room:
        text = text[:-1]
    return text.rstrip() + "…"


def _share(character: str) -> float:
    if east_asian_width(character) in "WF":
        return 1.0
    if character in "ijlft.,:;'|! ()[]":
        return 0.37
    return 0.74 if character.isupper() or character in "mw@%" else 0.62


def _of_steps(spec: WorkflowSpec) -> Sketch:
    graph = graph_of(spec)
    items = {name: _step_item(name, step) for name, step in spec.steps.items()}
    layers = [list(layer) for layer in graph.phases()]
    on_failure = {(name, handler_of(step)) for name, step in spec.steps.items()}
    edges = [Edge(need, name, dashed=(need, name) in on_failure) for name, needs in graph.needs.items() for need in needs]
    return Sketch(items, layers, edges)


def _step_item(name: str, step: Step) -> Item:
    hints = [
        f"runs only where {step.when}" if step.when else "",
        "once for each item" if step.for_each is not None else "",
        "only on failure" if step.handler else "",
    ]
    detail = "only on failure" if step.handler else described(step)
    hint = "; ".join(part for part in (described(step), *hints) if part)
    return Item(
        name, step.title or name, detail, step.kind, (name,), hint, conditional=step.when is not None, fan=step.for_each is not None
    )


def described(action: Action) -> str:
    """The kind and what it names: ``agent writer``."""
    said = {
        "agent": action.agent,
        "tool": (action.tool or "").removeprefix("python:").rpartition(".")[2],
        "human": action.human.assignee if action.human else None,
        "workflow": (action.workflow.name or action.workflow.file) if action.workflow else None,
        "webhook": action.webhook.event if action.webhook else None,
    }
    return " ".join(part for part in (action.kind, said.get(action.kind) or "") if part)


def _of_states(spec: WorkflowSpec) -> Sketch:
    initial = spec.initial or next(iter(spec.states), "")
    labels: dict[tuple[str, str], list[str]] = {}
    for name, state in spec.states.items():
        for transition in state.transitions:
            after = f"after {duration_text(transition.after)}" if transition.after else ""
            said = " ".join(part for part in (transition.on or "", after, f"if {transition.when}" if transition.when else "") if part)
            labels.setdefault((name, transition.to), []).append(said)
    known = {ends: " / ".join(dict.fromkeys(filter(None, said))) for ends, said in labels.items() if ends[1] in spec.states}
    items = {name: _state_item(name, state, initial, known.get((name, name))) for name, state in spec.states.items()}
    layers, edges = layers_of(list(items), [Edge(*ends, label) for ends, label in known.items()], [initial] if initial else ())
    return Sketch(items, layers, edges)


def _state_item(name: str, state: State, initial: str, loop: str | None) -> Item:
    detail = described(state.step) if state.step else "ends" if state.final else "state"
    if state.final and state.status == "failed":
        detail = "ends: failed"
    hint = "; ".join(part for part in (detail, "begins here" if name == initial else "", "ends here" if state.final else "") if part)
    kind = state.step.kind if state.step else "state"
    return Item(name, state.title or name, detail, kind, (name,), hint, initial=name == initial, final=state.final, loop=loop)


def _folded(drawn: Sketch) -> Sketch:
    """With the middle of a long workflow in one box, and what is too much of a layer in another."""
    items, layers, edges = drawn.items, drawn.layers, drawn.edges
    if len(items) <= MAX_BOXES and len(layers) <= MAX_LAYERS:
        return drawn
    home: dict[str, str] = {}
    kept: list[list[str]] = []
    found: dict[str, Item] = {}
    for layer in _without_middle(layers, found, home):
        room = min(max(MAX_BOXES // min(len(layers), MAX_LAYERS), 2), MAX_ROWS)
        shown, rest = (layer, []) if len(layer) <= room else (layer[: room - 1], layer[room - 1 :])
        found.update({name: items[name] for name in shown if name in items})
        kept.append([*shown, *([_more(rest, found, home)] if rest else [])])
    merged: dict[tuple[str, str], Edge] = {}
    for edge in edges:
        moved = replace(edge, source=home.get(edge.source, edge.source), target=home.get(edge.target, edge.target))
        if moved.source != moved.target:
            merged.setdefault((moved.source, moved.target), moved)
    return Sketch(found, kept, list(merged.values()))


def _without_middle(layers: Sequence[Sequence[str]], found: dict[str, Item], home: dict[str, str]) -> Sequence[Sequence[str]]:
    if len(layers) <= MAX_LAYERS:
        return layers
    head, tail = layers[: MAX_LAYERS * 3 // 5], layers[-(MAX_LAYERS * 2 // 5 - 1) :]
    middle = layers[len(head) : len(layers) - len(tail)]
    names = [name for layer in middle for name in layer]
    return [*head, [_more(names, found, home, f"in {len(middle)} phases")], *tail]


def _more(names: Sequence[str], found: dict[str, Item], home: dict[str, str], detail: str = "") -> str:
    identifier = f"\0{len(found)}"
    found[identifier] = Item(identifier, f"+ {len(names)} more", detail, "more", tuple(names), ", ".join(_some(names)))
    home.update(dict.fromkeys(names, identifier))
    return identifier


def _some(names: Sequence[str]) -> Iterable[str]:
    return names if len(names) <= 12 else [*names[:11], "…"]


def _cleared(drawn: Sketch, few: int, most: int) -> Sketch:
    """Without the lines that others imply, where there are more than ``few``, and never more than ``most``."""
    back = any(edge.backward for edge in drawn.edges)
    edges = list(drawn.edges) if len(drawn.edges) <= few or back else reduced(drawn.edges)
    return replace(drawn, edges=edges[:most], left_out=len(drawn.edges) - len(edges[:most]))
