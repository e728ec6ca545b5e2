"""From tagged cells to steps: which step gets which variable from where."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from agentnb.workflows.documents import WorkflowSpecError
from agentnb.workflows.notebooks.cells import STEP, Cell, CellProblem, Code, Notebook, read
from agentnb.workflows.notebooks.flow import Flow, Surroundings, flow_of
from agentnb.workflows.notebooks.names import Facts
from agentnb.workflows.notebooks.roles import BUILTINS, Draft, Roles, roles_of

ANSWER = frozenset({"text", "output", "usage"})
_SHOWN = frozenset({"print", "display"})


@dataclass
class Wired:
    """A step with its connections.

    Attributes:
        sources: By variable, the step that it comes from, or an empty string for an input of the workflow.
        imports: Imports of earlier steps that this one needs, by name.
        outputs: Variables that later steps read.
        texts: What later prompts show, ``name`` or ``name.attribute``.
        places: Of an agent's prompt: its ``{…}`` that are variables.
        result: Whether the value of the last line is kept.
        copies: Variables of the setup that it changes, and so has copies of.
    """

    draft: Draft
    flow: Flow
    sources: dict[str, str] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)
    outputs: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    places: list[str] = field(default_factory=list)
    result: bool = False
    copies: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        return self.draft.name


@dataclass(frozen=True)
class Plan:
    """A notebook as a workflow."""

    notebook: Notebook
    roles: Roles
    steps: dict[str, Wired]


def plan_of(path: Path) -> Plan:
    """What the notebook is as a workflow; analysed once for each content of the file.

    Raises:
        WorkflowSpecError: It can't be one; the findings say why.
    """
    try:
        key = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        key = ""
    return _planned(path, key)


@lru_cache(32)
def _planned(path: Path, _: str) -> Plan:
    roles = roles_of(read(path))
    steps = _Wiring(roles).steps()
    if roles.findings:
        raise WorkflowSpecError(roles.findings)
    return Plan(roles.notebook, roles, steps)


class _Wiring:
    def __init__(self, roles: Roles) -> None:
        self._roles = roles
        self._setup = roles.setup_flow
        imported = {name for draft in roles.drafts.values() for code in draft.codes for name in _imports(code)}
        self._fixed = frozenset(self._setup.imports) | frozenset(self._setup.functions) | imported
        self._missing: set[tuple[str, str]] = set()

    def steps(self) -> dict[str, Wired]:
        functions: dict[str, Facts] = dict(self._setup.functions)
        steps = [self._wired(draft, functions) for draft in self._roles.drafts.values()]
        self._check_order(steps)
        for place in range(len(steps) - 1, -1, -1):
            self._connect(steps[place], steps[:place])
        for step in steps:
            step.result = _gives_result(step)
        return {step.name: step for step in steps}

    def _wired(self, draft: Draft, functions: dict[str, Facts]) -> Wired:
        if draft.agent is not None:
            return self._agent(draft)
        try:
            flow = flow_of(draft.codes, Surroundings(self._fixed, functions, self._roles.open))
        except CellProblem as problem:
            self._roles.refuse(draft.cells[0], problem)
            return Wired(draft, Flow())
        functions |= flow.functions
        return Wired(draft, flow)

    def _agent(self, draft: Draft) -> Wired:
        cell, agent = draft.cells[0], draft.agent
        assert agent is not None  # noqa: S101
        names = {place.partition(".")[0] for place in agent.places}
        own = {agent.variable} if agent.variable else set()
        return Wired(draft, Flow(dict.fromkeys(names, (cell, 0)), own, set(own)))

    def _connect(self, step: Wired, before: list[Wired]) -> None:
        """Find where each variable comes from; later steps have told this one by now what they need of it."""
        phi = [name for name in sorted(step.outputs) if name not in step.flow.definite and name not in step.flow.reads]
        for name, (cell, line) in {**step.flow.reads, **dict.fromkeys(phi, (step.draft.cells[0], -1))}.items():
            source = next((other for other in reversed(before) if name in other.flow.writes or name in other.flow.deleted), None)
            if source is not None:
                self._take(step, source, name, cell, line)
                if name in source.flow.functions:
                    self._check_function(name, source, [*before[before.index(source) + 1 :], step], cell, line)
            elif name in self._roles.inputs:
                step.sources[name] = ""
            elif name in self._setup.writes:
                if name in step.flow.changes:
                    step.copies.add(name)
            elif name not in BUILTINS and name not in step.flow.writes and line >= 0:
                self._undefined(step, name, cell, line)
        if step.draft.agent is not None:
            self._connect_prompt(step, {other.name: other for other in before})

    def _take(self, step: Wired, source: Wired, name: str, cell: Cell, line: int) -> None:
        if name in source.flow.deleted:
            if name in step.flow.called or name in step.flow.writes:
                return
            message = f"it reads {name}, which the step {source.name} deletes"
            self._report(cell, message, f"Take the del away in {source.draft.cells[-1]}", line)
        elif name in source.flow.imports:
            step.imports[name] = source.flow.imports[name]
        elif source.draft.agent is not None:
            step.sources[name] = source.name
            odd = sorted(step.flow.used.get(name, set()) - ANSWER)
            if odd:
                message = f"it reads {name}.{odd[0]}, but of an agent's answer a workflow keeps only {', '.join(sorted(ANSWER))}"
                self._report(cell, message, f"Use {name}.text", line)
        else:
            step.sources[name] = source.name
            if step.draft.agent is None:
                source.outputs.add(name)

    def _check_function(self, name: str, source: Wired, later: list[Wired], cell: Cell, line: int) -> None:
        """Refuse a function that takes its variables along as they were, where by now they are others."""
        reads: set[str] = set()
        changes: set[str] = set()
        known = {name}
        queue = [name]
        while queue:
            facts = source.flow.functions[queue.pop()]
            reads |= facts.reads.keys()
            changes |= (facts.changes | facts.assigns) - self._fixed
            queue += (found := (facts.reads.keys() & source.flow.functions.keys()) - known)
            known |= found
        moved = sorted(changes | {read for read in reads for other in later if read in other.flow.writes} - known)
        if moved:
            message = f"it uses {name} of the step {source.name}, a function that works on {moved[0]}, of which each step has its own"
            self._report(cell, message, f"Move the definition of {name} into a cell of its own, without a tag", line)

    def _connect_prompt(self, step: Wired, before: dict[str, Wired]) -> None:
        agent = step.draft.agent
        assert agent is not None  # noqa: S101
        for place in agent.places:
            name, _, attributes = place.partition(".")
            if name not in step.sources:
                self._check_place(step, place, name)
                continue
            source = before.get(step.sources[name])
            if source is None and attributes:
                message = f"the prompt reads {{{place}}} of a parameter"
                self._report(step.draft.cells[0], message, "Compute it in an earlier step, as a variable of its own")
            elif source is not None and source.draft.agent is None:
                source.texts.add(place)
                if name not in source.flow.definite:
                    source.outputs.add(name)
            step.places.append(place)

    def _check_place(self, step: Wired, place: str, name: str) -> None:
        """Refuse a ``{…}`` that is a variable in the notebook, but none that a step has."""
        left = next((cell for cell, names in self._roles.left_out if name in names), None)
        if name in self._setup.writes or name in step.imports or left is not None:
            message = f"the prompt reads {{{place}}}, which no step assigns"
            self._report(step.draft.cells[0], message, "Assign it in the cell of an earlier step, or make it a parameter")

    def _undefined(self, step: Wired, name: str, cell: Cell, line: int) -> None:
        if step.draft.agent is not None or (step.name, name) in self._missing:
            return
        self._missing.add((step.name, name))
        left = next((other for other, names in self._roles.left_out if name in names), None)
        later = next((other.name for other in self._roles.drafts.values() if name in self._assigned_by(other)), "")
        stars = [str(other.number) for other, names in self._roles.left_out if "*" in names]
        if left is not None:
            message, mend = (
                f"only cell {left.number} does, which has no tag",
                f"Tag that cell {STEP}NAME, or setup if it is the same for all",
            )
        elif later:
            message, mend = f"only the later step {later} does", f"Move the cells of {later} up, or this one down"
        elif stars:
            message, mend = "no cell assigns it by name", f"Replace the import by * in cell {stars[0]} by the names that you need"
        else:
            message, mend = "no cell assigns it", "Assign it in an earlier step, or make it a parameter"
        self._report(cell, f"the step {step.name} reads {name}, but {message}", mend, line)

    def _assigned_by(self, draft: Draft) -> Iterable[str]:
        return {
            name
            for code in draft.codes
            for node in ast.walk(code.tree)
            if isinstance(node, ast.Name)
            for name in [node.id]
            if isinstance(node.ctx, ast.Store)
        }

    def _check_order(self, steps: list[Wired]) -> None:
        """Refuse steps whose cells stand on both sides of another step's where the order matters."""
        for step in steps:
            first = step.draft.cells[0].number
            for other in steps:
                late = [code for code in step.draft.codes if code.cell.number > other.draft.cells[0].number]
                if other is step or not late or other.draft.cells[0].number < first:
                    continue
                flow = flow_of(late, Surroundings(self._fixed, self._setup.functions, self._roles.open))
                shared = (set(flow.reads) & other.flow.writes) | (flow.writes & set(other.flow.reads))
                if shared:
                    cell = late[0].cell
                    message = f"it stands after cells of the step {other.name}, and both use {', '.join(sorted(shared))}"
                    self._report(cell, message, f"Give this cell a tag of its own, such as {STEP}{step.name}_2")

    def _report(self, cell: Cell, message: str, mend: str, line: int = 0) -> None:
        self._roles.findings.append(self._roles.notebook.finding(cell, message, mend, max(line, 0)))


def _imports(code: Code) -> set[str]:
    nodes = [node for node in ast.walk(code.tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {(item.asname or item.name).split(".")[0] for node in nodes for item in node.names}


def _gives_result(step: Wired) -> bool:
    """Whether the last line of the last cell is an expression whose value somebody may want to see."""
    if not step.draft.codes or "result" in step.outputs:
        return False
    code = step.draft.codes[-1]
    last = code.tree.body[-1] if code.tree.body else None
    if not isinstance(last, ast.Expr) or code.source.rstrip().endswith(";"):
        return False
    call = last.value.func if isinstance(last.value, ast.Call) else None
    return not (isinstance(call, ast.Name) and call.id in _SHOWN)
