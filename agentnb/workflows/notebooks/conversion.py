"""A notebook as the document of a workflow."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentnb.workflows.documents import WorkflowSpecError, editing
from agentnb.workflows.notebooks.agents import DEFAULT_NAME
from agentnb.workflows.notebooks.cells import Cell
from agentnb.workflows.notebooks.functions import SCHEME, text_key
from agentnb.workflows.notebooks.wiring import Plan, Wired, plan_of
from agentnb.workflows.spec import CEL_KEYWORDS

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ADVICE = "Steps that share nothing but files don't know of one another: give the later one needs: [STEP]."


@dataclass(frozen=True)
class Conversion:
    """What became of a notebook.

    Attributes:
        text: The document as YAML; comments say which cell each step comes from.
        steps: Its steps, with the numbers of their cells.
        left_out: The numbers of the cells that are in no step, no setup and no parameters.
    """

    text: str
    steps: Mapping[str, tuple[int, ...]]
    left_out: tuple[int, ...]


def converted(path: str | Path, folder: Path | None = None) -> Conversion:
    """Make a workflow of a notebook's tagged cells; the notebook isn't touched.

    Args:
        path: The notebook.
        folder: Where the workflow's file will be; the notebook's own folder by default.

    Raises:
        WorkflowSpecError: The notebook can't be a workflow; the findings say why.
    """
    file = Path(path).expanduser().resolve()
    plan = plan_of(file)
    place = Path(os.path.relpath(file, (folder or file.parent).resolve())).as_posix()
    data = _document(plan, place)
    cells = {name: tuple(cell.number for cell in step.draft.cells) for name, step in plan.steps.items()}
    return Conversion(_commented(editing.dump(data), plan, cells), cells, tuple(cell.number for cell, _ in plan.roles.left_out))


def _document(plan: Plan, place: str) -> dict[str, Any]:
    agents = _Agents(plan)
    steps = {step.name: agents.step(step) if step.draft.agent else _python(plan, step, place) for step in plan.steps.values()}
    agents.check()
    outputs = {step.name: f"${{steps.{step.name}.output.text}}" for step in plan.steps.values() if step.draft.agent}
    outputs |= {step.name: f"${{steps.{step.name}.output.result}}" for step in plan.steps.values() if step.result}
    parts = {
        "description": plan.notebook.title,
        "inputs": plan.roles.inputs,
        "agents": agents.definitions,
        "steps": steps,
        "outputs": {name: outputs[name] for name in steps if name in outputs},
    }
    return {"name": plan.notebook.path.stem, **{key: value for key, value in parts.items() if value}}


def _python(plan: Plan, step: Wired, place: str) -> dict[str, Any]:
    given = {name: f"${{{_variable(plan, source, name)}}}" for name, source in step.sources.items()}
    return {"tool": f"{SCHEME}{place}#{step.name}", **({"input": given} if given else {})}


def _variable(plan: Plan, source: str, name: str) -> str:
    if not source:
        return f"inputs.{name}"
    if plan.steps[source].draft.agent is not None:
        return f"steps.{source}.output"
    return f"steps.{source}.output{_key(name)}"


def _key(name: str) -> str:
    return f".{name}" if _NAME.fullmatch(name) and name not in CEL_KEYWORDS else f'["{name}"]'


class _Agents:
    """The document's agents: one entry for each name, more where cells of one name differ."""

    def __init__(self, plan: Plan) -> None:
        self.definitions: dict[str, dict[str, Any]] = {}
        self._plan = plan
        self._known: dict[str, tuple[Wired, dict[str, Any]]] = {}
        self._findings: list[Any] = []

    def step(self, step: Wired) -> dict[str, Any]:
        agent = step.draft.agent
        assert agent is not None  # noqa: S101
        name = agent.name or DEFAULT_NAME
        earlier = self._known.get(agent.name) if agent.name else None
        if earlier is not None and not agent.fresh:
            message = f"the agent {agent.name} would go on with its conversation of the step {earlier[0].name}, which steps don't have"
            self._refuse(step.draft.cells[0], message, "Add --fresh, or give the agent another name")
        if agent.name in self._plan.roles.setup_flow.writes or any(agent.name in other.flow.writes for other in self._plan.steps.values()):
            message = f"the agent {agent.name} is made in Python, by another cell"
            self._refuse(step.draft.cells[0], message, "Give its options in the line of %%agent, under a name of its own")
        whole = {**(earlier[1] if earlier else {}), **agent.definition}
        self._known[agent.name] = (step, whole)
        key = name if self.definitions.get(name, whole) == whole else f"{name}_{step.name}"
        self.definitions[key] = whole
        return {"agent": key, "input": agent.text(lambda place: self._expression(step, place))}

    def check(self) -> None:
        """Raise what was found.

        Raises:
            WorkflowSpecError: A cell can't be a step.
        """
        if self._findings:
            raise WorkflowSpecError(self._findings)

    def _expression(self, step: Wired, place: str) -> str | None:
        if place not in step.places:
            return None
        name, _, attributes = place.partition(".")
        source = step.sources[name]
        if not source:
            return f"inputs.{name}"
        if self._plan.steps[source].draft.agent is None:
            return f"steps.{source}.output{_key(text_key(place))}"
        if attributes not in ("", "text", "output"):
            message = f"the prompt reads {{{place}}}, but of an answer a workflow keeps only text and output"
            self._refuse(step.draft.cells[0], message, f"Write {{{name}}}")
        return f"steps.{source}.output.text"

    def _refuse(self, cell: Cell, message: str, mend: str) -> None:
        self._findings.append(self._plan.notebook.finding(cell, message, mend))


def _commented(text: str, plan: Plan, cells: Mapping[str, tuple[int, ...]]) -> str:
    """The document with a comment above each step."""
    name = plan.notebook.path.name
    lines = [f"# The steps of {name}, whose cells they run: made by `agentnb workflow from-notebook`.", f"# {_ADVICE}"]
    names = iter(cells.items())
    inside = False
    for line in text.splitlines():
        if line and not line.startswith(" "):
            inside = line == "steps:"
        elif inside and re.match(r"  \S", line):
            step, numbers = next(names)
            what = "agent's cell" if plan.steps[step].draft.agent else "cell" if len(numbers) == 1 else "cells"
            lines.append(f"  # {what} {', '.join(map(str, numbers))}")
        lines.append(line)
    return "\n".join(lines) + "\n"
