"""What a workflow needs to run: its functions, agents and sub-workflows found, and all of it kept so that another process can go on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, reduce
from operator import getitem
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentnb import plugins
from agentnb.agents import portable, schemas
from agentnb.agents import spec as agent_specs
from agentnb.agents.spec import AgentSpec
from agentnb.errors import AgentNBError, UnknownName, kind_of
from agentnb.names import nearest
from agentnb.ports.model import canonical
from agentnb.ports.store import AgentRecord, Definition
from agentnb.runtime.shown import names
from agentnb.secrets import plain_json
from agentnb.workflows.callables import SCHEMES, Function, imported
from agentnb.workflows.compilation import action_path
from agentnb.workflows.graph import CompiledStep, Graph, compiled, graph_of, transition_conditions
from agentnb.workflows.spec import Action, SubWorkflow, WorkflowError, WorkflowSpec, adapter, once_a_spec

if TYPE_CHECKING:
    from agentnb.runtime.runtime import Runtime
    from agentnb.runtime.workflow import Workflow
    from agentnb.workflows.expressions import Condition

DEPTH = 20
"""How deep workflows may contain one another."""
_SHOWN_ONLY = frozenset({"title", "needs"})


@dataclass(frozen=True)
class Pinned:
    """An agent as a run uses it."""

    record: AgentRecord
    spec: AgentSpec


@dataclass(frozen=True)
class Ready:
    """A workflow that can be run here.

    Attributes:
        functions: Of its tool steps, by the name that they use.
        agents: By the name that its steps use.
        workflows: Its sub-workflows, by the place of the step.
        fingerprints: By the place of the step: changes where the step, its function, its agent or its sub-workflow does.
    """

    spec: WorkflowSpec
    folder: Path
    functions: Mapping[str, Function] = field(default_factory=dict)
    agents: Mapping[str, Pinned] = field(default_factory=dict)
    workflows: Mapping[str, Ready] = field(default_factory=dict)
    fingerprints: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def compiled(self) -> Mapping[str, CompiledStep]:
        return compiled(self.spec)

    @cached_property
    def graph(self) -> Graph:
        return graph_of(self.spec)

    @cached_property
    def conditions(self) -> Mapping[str, tuple[Condition | None, ...]]:
        return transition_conditions(self.spec)

    @cached_property
    def definition(self) -> Definition:
        """As the store keeps it; its sub-workflows are kept by themselves."""
        given = {name: function.given for name, function in self.functions.items() if not name.startswith(SCHEMES)}
        references = {name: portable.reference(function) for name, function in given.items()}
        code, problem = portable.pickled({name: given[name] for name, reference in references.items() if not reference})
        spec = {
            "document": _document(self.spec),
            "folder": str(self.folder),
            "functions": references,
            "agents": {name: {"id": pinned.record.id, "definition": pinned.record.definition} for name, pinned in self.agents.items()},
            "workflows": {name: ready.definition.hash for name, ready in self.workflows.items()},
            "fingerprints": dict(self.fingerprints),
            "not_portable": problem,
        }
        key = hashlib.sha256(plain_json(spec).encode("utf-8", "surrogatepass") + code).hexdigest()
        return Definition(key, "workflow", self.spec.name, spec, code, portable.PYTHON if code else "")

    def definitions(self) -> list[Definition]:
        """Its own, and those of all sub-workflows."""
        return [self.definition, *(found for ready in self.workflows.values() for found in ready.definitions())]


def make_ready(runtime: Runtime, workflow: Workflow, depth: int = 0) -> Ready:
    """Find all that a workflow names.

    Raises:
        WorkflowError: Something isn't there; the message says all of it.
    """
    if depth > DEPTH:
        raise WorkflowError(f"workflows contain one another more than {DEPTH} deep: does {workflow.name!r} contain itself?")
    found = Finder(runtime, workflow)
    actions = workflow.spec.actions()
    functions, agents, workflows, problems = {}, {}, {}, []
    for place, action in actions.items():
        try:
            if action.tool is not None and action.tool not in functions:
                functions[action.tool] = found.function(action.tool)
            elif action.agent is not None and action.agent not in agents:
                agents[action.agent] = found.pinned(action.agent)
            elif action.workflow is not None:
                workflows[place] = make_ready(runtime, found.workflow_of(action.workflow), depth + 1)
        except AgentNBError as error:
            problems.append(f"{place}: {error}")
    if problems:
        raise WorkflowError("; ".join(problems))
    texts = _texts(workflow.spec)
    prints = {place: _fingerprint(place, action, texts[place], functions, agents, workflows) for place, action in actions.items()}
    return Ready(workflow.spec, workflow.folder, functions, agents, workflows, prints)


def draft(spec: WorkflowSpec, folder: Path) -> Definition:
    """A checked document as the store keeps it, before anything is found that it names: ``load`` does that, where it is run."""
    content = {"document": spec.to_dict(), "folder": str(folder)}
    return Definition(
        hashlib.sha256(f"draft{canonical(content)}".encode("utf-8", "surrogatepass")).hexdigest(), "draft", spec.name, content
    )


def load(runtime: Runtime, definition: Definition) -> Ready:
    """A workflow from its definition, perhaps in another process.

    Raises:
        DefinitionError: A function can't be loaded here.
        WorkflowError: It is a draft, and something isn't there that it names.
    """
    if definition.kind == "draft":
        return make_ready(runtime, _drafted(runtime, definition))
    spec = adapter().validate_python(definition.spec["document"])
    folder = Path(definition.spec["folder"])
    found = portable.load(f"the workflow {spec.name!r}", definition)
    functions = {name: Function(target, name) for name, target in found.items()}
    for action in spec.actions().values():
        if action.tool is not None and action.tool not in functions:
            functions[action.tool] = Function(imported(action.tool, folder), action.tool)
    agents = {name: _stored_agent(runtime, **pin) for name, pin in definition.spec["agents"].items()}
    workflows = {place: load(runtime, runtime.store.definition(key)) for place, key in definition.spec["workflows"].items()}
    return Ready(spec, folder, functions, agents, workflows, definition.spec["fingerprints"])


def _drafted(runtime: Runtime, definition: Definition) -> Workflow:
    from agentnb.runtime.workflow import Workflow

    workflow = Workflow.from_dict(definition.spec["document"], runtime=runtime)
    workflow.folder = Path(definition.spec["folder"])
    return workflow


def checked_inputs(spec: WorkflowSpec, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs with their defaults, checked against their schemas.

    Raises:
        WorkflowError: One is missing, unknown, or doesn't fit; the message names all of them.
    """
    if not isinstance(inputs, Mapping):
        raise WorkflowError(f"the inputs of {spec.name!r} are {kind_of(inputs)}, not a mapping: write input: {{NAME: …}}")
    declared, problems, given = spec.inputs, [], {}
    problems += [f"{name}: unknown; there are: {', '.join(declared) or 'none'}" for name in inputs if name not in declared]
    for name, schema in declared.items():
        if name not in inputs and "default" not in schema:
            problems.append(f"{name}: missing ({schema.get('description') or schema.get('type', 'anything')})")
            continue
        given[name] = inputs[name] if name in inputs else schema["default"]
        problems += [f"{name}: {misfit}" for misfit in (schemas.misfits(schema, given[name]) if schema else ())]
    if problems:
        raise WorkflowError(f"the inputs of {spec.name!r} don't fit: {'; '.join(problems)}")
    return given


def known_steps(spec: WorkflowSpec, names: Iterable[str]) -> list[str]:
    """The names, all of which have to be steps.

    Raises:
        WorkflowError: One is none.
    """
    known, found = spec.actions(), list(names)
    for name in found:
        if name not in known:
            raise WorkflowError(f"no step {name!r} in {spec.name!r}; there are: {', '.join(known)}")
    return found


class Finder:
    """Finds by name what a workflow uses; also what its validation asks."""

    def __init__(self, runtime: Runtime, workflow: Workflow) -> None:
        self._runtime = runtime
        self._workflow = workflow

    def function(self, name: str) -> Function:
        """A function given in Python, one of a module, or a registered tool.

        Raises:
            UnknownName: There is none.
        """
        given = self._workflow.functions.get(name)
        if given is not None:
            return Function(given, name)
        if name.startswith(SCHEMES):
            return Function(imported(name, self._workflow.folder), name)
        if name in plugins.table("agentnb.tools"):
            return Function(plugins.load("agentnb.tools", name), name)
        known = list(dict.fromkeys([*self._workflow.functions, *plugins.table("agentnb.tools"), *self._workflow.known]))
        near = nearest(name, known)
        there = f"did you mean {near}?" if near else f"there are: {names(known) or 'none'}."
        raise UnknownName(f"no tool {name!r}; {there} A function of a module is python:module.function")

    def tool(self, name: str) -> dict[str, Any] | None:
        """The JSON Schema of its parameters."""
        return self.function(name).parameters

    def agent(self, name: str) -> None:
        """Check that it is there."""
        if name not in self._workflow.to_dict().get("agents", {}) and name not in self._workflow.agents:
            self._runtime.agents.find(name)

    def workflow(self, target: SubWorkflow) -> Mapping[str, Any] | None:
        """The inputs that it takes."""
        return self.workflow_of(target).spec.inputs

    def workflow_of(self, target: SubWorkflow) -> Workflow:
        """The sub-workflow that a step names.

        Raises:
            UnknownName: There is none.
        """
        from agentnb.runtime.workflow import Workflow

        if target.file is not None:
            return Workflow.load(self._workflow.folder / target.file, runtime=self._runtime)
        given = self._workflow.workflows.get(target.name or "")
        if given is None:
            known = ", ".join(self._workflow.workflows) or "none"
            raise UnknownName(f"no workflow {target.name!r}; given in Python are: {known}. One of a file is workflow: FILE.yaml")
        return given

    def pinned(self, name: str) -> Pinned:
        """An agent: of the document, given in Python, or of the store."""
        agent = self._workflow.agents.get(name) or self._workflow.agent_of_document(name, self.function)
        if agent is not None:
            return Pinned(agent.initialize(), agent.spec)
        record = self._runtime.agents.find(name)
        return Pinned(record, agent_specs.load(self._runtime.store.definition(record.definition)))


def _stored_agent(runtime: Runtime, id: str, definition: str) -> Pinned:
    stored = runtime.store.definition(definition)
    records = runtime.store.agents(agent_id=id, current=False)
    record = records[0] if records else AgentRecord(id, stored.name, "", definition, "READY")
    return Pinned(record, agent_specs.load(stored))


_document = once_a_spec(WorkflowSpec.to_dict)


@once_a_spec
def _texts(spec: WorkflowSpec) -> Mapping[str, str]:
    """What each action does, as text; by its place."""
    document: Any = _document(spec)
    parts = {place: reduce(getitem, action_path(spec, place), document) for place in spec.actions()}
    return {place: canonical({name: value for name, value in part.items() if name not in _SHOWN_ONLY}) for place, part in parts.items()}


def _fingerprint(
    place: str, action: Action, text: str, functions: Mapping[str, Function], agents: Mapping[str, Pinned], workflows: Mapping[str, Ready]
) -> str:
    parts = [text]
    if action.tool is not None:
        parts.append(functions[action.tool].fingerprint)
    if action.agent is not None:
        parts.append(agents[action.agent].record.definition)
    if place in workflows:
        parts.append(workflows[place].definition.hash)
    return _short_hash(*parts)


@lru_cache(10_000)
def _short_hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
