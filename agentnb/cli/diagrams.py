"""A workflow's graph as text that other programs draw: Mermaid and Graphviz's DOT."""

from __future__ import annotations

import json
from collections.abc import Iterator

from agentnb.workflows.graph import graph_of, handler_of
from agentnb.workflows.spec import Transition, WorkflowSpec, duration_text

Edge = tuple[str, str, str]


def mermaid(spec: WorkflowSpec) -> str:
    """As a Mermaid flowchart (https://mermaid.js.org/syntax/flowchart.html); handlers hang on dotted lines."""
    numbers = {name: f"n{place}" for place, name in enumerate(_nodes(spec))}
    lines = ["flowchart TD" if spec.kind == "dag" else "flowchart LR"]
    lines += [f"  {number}{_shape(spec, name).format(_escaped(_label(spec, name)))}" for name, number in numbers.items()]
    for start, end, label in _edges(spec):
        arrow = "-.->" if spec.kind == "dag" and label else "-->"
        lines.append(f"  {numbers[start]} {arrow}{f'|{_quoted(label)}|' if label else ''} {numbers[end]}")
    return "\n".join(lines) + "\n"


def dot(spec: WorkflowSpec) -> str:
    """As a Graphviz digraph (https://graphviz.org/doc/info/lang.html)."""
    lines = ["digraph workflow {", f"  rankdir={'TB' if spec.kind == 'dag' else 'LR'};", "  node [shape=box, style=rounded];"]
    for name in _nodes(spec):
        extra = ", peripheries=2" if spec.kind != "dag" and spec.states[name].final else ""
        lines.append(f"  {_text(name)} [label={_text(_label(spec, name))}{extra}];")
    for start, end, label in _edges(spec):
        style = ", style=dashed" if spec.kind == "dag" and label else ""
        lines.append(f"  {_text(start)} -> {_text(end)}{f' [label={_text(label)}{style}]' if label else ''};")
    return "\n".join([*lines, "}"]) + "\n"


def _nodes(spec: WorkflowSpec) -> list[str]:
    return list(spec.steps if spec.kind == "dag" else spec.states)


def _edges(spec: WorkflowSpec) -> Iterator[Edge]:
    if spec.kind != "dag":
        yield from ((name, item.to, _reason(item)) for name, state in spec.states.items() for item in state.transitions)
        return
    for name, needs in graph_of(spec).needs.items():
        yield from ((other, name, "on error" if handler_of(spec.steps[other]) == name else "") for other in needs)


def _reason(item: Transition) -> str:
    after = f"after {duration_text(item.after)}" if item.after else ""
    return ", ".join(part for part in (item.on or "", after, item.when or "") if part)


def _label(spec: WorkflowSpec, name: str) -> str:
    if spec.kind == "dag":
        step = spec.steps[name]
        return "\n".join(
            part for part in (name, step.title or "", f"{step.kind}{' for each' if step.for_each is not None else ''}") if part
        )
    state = spec.states[name]
    return f"{name}\n{state.step.kind}" if state.step else name


def _shape(spec: WorkflowSpec, name: str) -> str:
    if spec.kind != "dag":
        return '(["{}"])' if spec.states[name].final else '("{}")'
    step = spec.steps[name]
    return '{{{{"{}"}}}}' if step.human else '["{}"]'


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", "<br/>")


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
