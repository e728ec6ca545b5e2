"""What each cell of a notebook is for: parameters, setup, a step, or nothing in a workflow."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agentnb.workflows.documents import Finding
from agentnb.workflows.notebooks.agents import AgentCell, agent_of
from agentnb.workflows.notebooks.cells import PARAMETERS, SETUP, STEP, Cell, CellProblem, Code, Notebook, python_of
from agentnb.workflows.notebooks.flow import Flow, Surroundings, flow_of
from agentnb.workflows.notebooks.names import Facts
from agentnb.workflows.notebooks.parameters import inputs_of
from agentnb.workflows.spec import CEL_KEYWORDS, STEP_ID

BUILTINS = frozenset(dir(builtins)) | {"display", "__name__"}
HOW_TO_TAG = (
    "Tag the cells of each step: in JupyterLab select a cell, open the property inspector (the gears on the right) and add the tag "
    'step:NAME under Common Tools; in the file this is "metadata": {"tags": ["step:NAME"]}'
)
_DEFINES = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass
class Draft:
    """A step as its cells are tagged: Python, or one agent's cell."""

    name: str
    cells: list[Cell] = field(default_factory=list)
    codes: list[Code] = field(default_factory=list)
    agent: AgentCell | None = None


@dataclass
class Roles:
    """The cells of a notebook by what they are for.

    Attributes:
        left_out: Cells that the workflow has no use for, with the names that they assign.
        open: Functions of the setup that need what a step has; they are defined anew in each step that reads their name.
    """

    notebook: Notebook
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    setup: list[Code] = field(default_factory=list)
    setup_flow: Flow = field(default_factory=Flow)
    drafts: dict[str, Draft] = field(default_factory=dict)
    left_out: list[tuple[Cell, frozenset[str]]] = field(default_factory=list)
    open: dict[str, Facts] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def refuse(self, cell: Cell, problem: CellProblem) -> None:
        self.findings.append(self.notebook.finding(cell, problem.message, problem.mend, problem.line))


def roles_of(notebook: Notebook) -> Roles:
    """Sort the cells; what is wrong with them is among the findings."""
    roles = Roles(notebook)
    for cell in notebook.cells:
        if not cell.source.strip():
            continue
        try:
            _assign(roles, cell)
        except CellProblem as problem:
            roles.refuse(cell, problem)
    if not roles.drafts and not roles.findings:
        roles.findings.append(notebook.finding(None, "no cell is tagged as a step", HOW_TO_TAG))
    _finish_setup(roles)
    return roles


def _assign(roles: Roles, cell: Cell) -> None:
    kinds = [*dict.fromkeys(cell.steps), *(tag for tag in (SETUP, PARAMETERS) if tag in cell.tags)]
    if len(kinds) > 1:
        raise CellProblem("one cell can't be several things at once", "Keep one of the tags, or split the cell")
    if cell.steps:
        _add_step(roles, cell, _checked_id(roles, cell.steps[0]))
    elif PARAMETERS in cell.tags:
        if roles.inputs:
            raise CellProblem("there is a parameters cell already", "Put all parameters into one cell")
        roles.inputs = inputs_of(python_of(cell))
    elif SETUP in cell.tags:
        roles.setup.append(python_of(cell))
    else:
        _leave(roles, cell)


def _add_step(roles: Roles, cell: Cell, name: str) -> None:
    draft = roles.drafts.setdefault(name, Draft(name))
    is_agent = cell.magic is not None and cell.magic[0] == "agent"
    if draft.cells and (is_agent or draft.agent):
        first = draft.cells[0].number
        raise CellProblem(
            f"the name {name!r} is that of cell {first} already, and an agent's cell is a step by itself", "Give it another name"
        )
    draft.cells.append(cell)
    if is_agent:
        draft.agent = agent_of(cell)
    else:
        draft.codes.append(python_of(cell))


def _checked_id(roles: Roles, name: str) -> str:
    if re.fullmatch(STEP_ID, name) and len(name) <= 100 and name not in CEL_KEYWORDS:
        return name
    good = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")[:90] or "step"
    good = f"step_{good}" if good[0].isdigit() or good in CEL_KEYWORDS else good
    while good in roles.drafts:
        good += "_2"
    cause = "is a keyword of expressions" if name in CEL_KEYWORDS else "is no step ID: letters, digits and _ only, no digit first"
    raise CellProblem(f"{name!r} {cause}", f"Write {STEP}{good}")


def _leave(roles: Roles, cell: Cell) -> None:
    """An untagged cell: setup where it only imports and defines, otherwise left out."""
    try:
        code = python_of(cell)
    except CellProblem:
        roles.left_out.append((cell, frozenset()))
        return
    body = [part for part in code.tree.body if not isinstance(part, ast.Pass) and not _is_text(part)]
    try:
        flow = flow_of([code], Surroundings())
    except CellProblem:
        roles.left_out.append((cell, frozenset({"*"})))
        return
    if all(isinstance(part, _DEFINES) for part in body):
        known = flow_of(roles.setup, Surroundings()).writes if flow.reads else set()
        later = {name for facts in flow.functions.values() for name in facts.reads}
        if set(flow.reads) - later <= known | BUILTINS:
            roles.setup += [code] if body else []
            return
    roles.left_out.append((cell, frozenset(flow.writes)))


def _is_text(part: ast.stmt) -> bool:
    return isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)


def _finish_setup(roles: Roles) -> None:
    """What the setup defines, and which of its functions depend on steps."""
    try:
        flow = flow_of(roles.setup, Surroundings())
    except CellProblem as problem:
        cell = next((code.cell for code in roles.setup if "import *" in code.source), roles.setup[0].cell)
        roles.refuse(cell, problem)
        return
    roles.setup_flow = flow
    written = _written(roles, flow)
    later = {name for facts in flow.functions.values() for name in facts.reads}
    for name, (cell, line) in flow.reads.items():
        if name not in later and name not in BUILTINS:
            what = "a parameter" if name in roles.inputs else "nothing that the setup defines"
            mend = "Setup runs before any step, without parameters: move the line into a step"
            roles.findings.append(roles.notebook.finding(cell, f"setup reads {name}, which is {what}", mend, line))
    roles.open = _open(flow, written)
    for name in [name for name, node in definitions(roles.setup).items() if name in roles.open and isinstance(node[1], ast.ClassDef)]:
        found = ", ".join(sorted(roles.open[name].reads or roles.open[name].changes or roles.open[name].assigns))
        cell = definitions(roles.setup)[name][0].cell
        mend = "Give it to the class as an argument, or define the class in the cell of a step"
        roles.findings.append(roles.notebook.finding(cell, f"the class {name} of the setup uses {found}, which only steps have", mend))


def definitions(setup: Sequence[Code]) -> Mapping[str, tuple[Code, ast.stmt]]:
    """The top-level functions and classes of the setup, with their code."""
    found: dict[str, tuple[Code, ast.stmt]] = {}
    for code in setup:
        for part in code.tree.body:
            if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found[part.name] = (code, part)
            elif isinstance(part, ast.Assign) and isinstance(part.value, ast.Lambda):
                found |= {target.id: (code, part) for target in part.targets if isinstance(target, ast.Name)}
    return found


def _written(roles: Roles, setup: Flow) -> set[str]:
    """The names that steps assign, parameters among them."""
    found = set(roles.inputs)
    around = Surroundings(frozenset(setup.imports) | frozenset(setup.functions), setup.functions)
    for draft in roles.drafts.values():
        try:
            found |= flow_of(draft.codes, around).writes
        except CellProblem:
            continue
        if draft.agent and draft.agent.variable:
            found.add(draft.agent.variable)
    return found


def _open(flow: Flow, written: set[str]) -> dict[str, Facts]:
    """The functions that read or change what is not the setup's alone, with all that they do through one another."""
    found: dict[str, Facts] = {}
    fixed = set(flow.imports) | set(flow.functions)
    own = {name: _outward(facts, flow, written, fixed) for name, facts in flow.functions.items()}
    while True:
        before = {name: (len(facts.reads), len(facts.changes), len(facts.assigns)) for name, facts in found.items()}
        for name, facts in own.items():
            through = [found[other] for other in flow.functions[name].reads if other in found and other != name]
            if facts.reads or facts.changes or facts.assigns or through:
                merged = replace(facts, reads=dict(facts.reads), changes=set(facts.changes), assigns=set(facts.assigns))
                for other in flow.functions[name].reads:
                    if other in found and other != name:
                        merged.reads |= {other: 0} | found[other].reads
                        merged.changes |= found[other].changes
                        merged.assigns |= found[other].assigns
                found[name] = merged
        if before == {name: (len(facts.reads), len(facts.changes), len(facts.assigns)) for name, facts in found.items()}:
            return found


def _outward(facts: Facts, flow: Flow, written: set[str], fixed: set[str]) -> Facts:
    reads = {name: line for name, line in facts.reads.items() if name in written or (name not in flow.writes and name not in BUILTINS)}
    return replace(facts, reads=reads, changes=facts.changes - fixed, assigns=set(facts.assigns))
