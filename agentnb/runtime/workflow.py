"""Workflows as users hold them: from a file, from a mapping, or built in Python."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from agentnb.agents.tools import Tool, as_tool
from agentnb.errors import ConfigurationError
from agentnb.models.cassette import append
from agentnb.ports.store import Event
from agentnb.runtime import workflow_runs
from agentnb.runtime.agent import Agent
from agentnb.runtime.bridge import run_sync
from agentnb.runtime.runtime import Runtime, current
from agentnb.runtime.stale import stale_steps
from agentnb.runtime.workflow_definitions import Finder, Ready, make_ready
from agentnb.runtime.workflow_results import WorkflowRun
from agentnb.runtime.workflow_runs import WorkflowOptions
from agentnb.workflows.callables import Function
from agentnb.workflows.documents import Document, Finding, WorkflowSpecError, editing
from agentnb.workflows.job import Presenter
from agentnb.workflows.planning import Plan, plan
from agentnb.workflows.spec import KINDS, WorkflowSpec
from agentnb.workflows.validation import validate

if TYPE_CHECKING:
    from agentnb.runtime.graphs.graph import Graph

FunctionType = Callable[..., Any]


class Workflow:
    """Steps and what they need of one another, or states and how they follow.

    Args:
        name: How people call it.
        inputs: By name, a type (``str``, ``list[int]``, a pydantic model) or a JSON Schema; ``(type, default)`` gives a default.
        outputs: By name, a value with ``${…}``.
        kind: ``dag`` or ``state_machine``.
        runtime: The process's own by default.
        **fields: Other fields of the document: ``description``, ``resources``, ``timeout``, ``env``, ``agents``, ``initial`` …
    """

    def __init__(
        self,
        name: str,
        *,
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        kind: str = "dag",
        runtime: Runtime | None = None,
        **fields: Any,
    ) -> None:
        self._runtime = runtime
        self._document: Document | None = None
        self._checked: tuple[WorkflowSpec | None, list[Finding]] | None = None
        self.functions: dict[str, FunctionType] = {}
        self.agents: dict[str, Agent] = {}
        self.workflows: dict[str, Workflow] = {}
        self.known: Sequence[str] = ()  # functions that a notebook has: what a misspelt tool may have meant
        self.folder = Path.cwd()
        self._data: dict[str, Any] = {"name": name}
        if kind != "dag":
            self._data["kind"] = kind
        self._data.update(fields)
        if inputs:
            self._data["inputs"] = {key: _schema(key, value) for key, value in inputs.items()}
        self._data["steps" if kind == "dag" else "states"] = {}
        if outputs:
            self._data["outputs"] = dict(outputs)

    @classmethod
    def load(cls, path: str | Path, *, runtime: Runtime | None = None) -> Workflow:
        """A workflow from a YAML or JSON file.

        Raises:
            WorkflowSpecError: It can't be read; ``validate`` says whether what it says holds.
        """
        file = Path(path).expanduser()
        return cls._of(Document.read(file), file.absolute().parent, runtime)

    @classmethod
    def from_yaml(cls, text: str, *, file: str = "", runtime: Runtime | None = None) -> Workflow:
        """A workflow from YAML or JSON text.

        Raises:
            WorkflowSpecError: It can't be read.
        """
        return cls._of(Document.parse(text, file), Path.cwd(), runtime)

    @classmethod
    def from_notebook(cls, path: str | Path, *, runtime: Runtime | None = None) -> Workflow:
        """A workflow whose steps are the cells that are tagged ``step:NAME``; the notebook isn't touched.

        Cells tagged ``setup``, and untagged ones that only import and define, run before; the one tagged ``parameters`` gives the inputs.

        Raises:
            WorkflowSpecError: The notebook can't be a workflow; ``findings`` names each cell and its mend.
        """
        from agentnb.workflows.notebooks import converted

        file = Path(path).expanduser().absolute()
        return cls._of(Document.parse(converted(file).text), file.parent, runtime)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, runtime: Runtime | None = None) -> Workflow:
        """A workflow from a mapping of the same shape as the file."""
        workflow = cls("", runtime=runtime)
        workflow._data = dict(data)
        return workflow

    @classmethod
    def _of(cls, document: Document, folder: Path, runtime: Runtime | None) -> Workflow:
        workflow = cls.from_dict(document.data, runtime=runtime)
        workflow._document = document
        workflow.folder = folder
        return workflow

    @property
    def runtime(self) -> Runtime:
        return self._runtime or current()

    @property
    def name(self) -> str:
        return str(self._data.get("name", ""))

    @property
    def spec(self) -> WorkflowSpec:
        """The checked definition.

        Raises:
            WorkflowSpecError: It isn't valid; ``findings`` has all of them.
        """
        spec, findings = self._check()
        errors = [finding for finding in findings if finding.severity == "error"]
        if spec is None or errors:
            raise WorkflowSpecError(errors)
        return spec

    def add(self, step: str, **fields: Any) -> Workflow:
        """Add a step; the kind is the key, as in the file: ``wf.add("search", tool=search, input={"query": "${inputs.q}"})``.

        Args:
            step: Its ID.
            **fields: As in the file; ``tool`` may be a function, ``agent`` an ``Agent``, ``workflow`` a ``Workflow``.
        """
        if step in self._data["steps"]:
            raise ConfigurationError(f"{self.name}: there is a step {step!r} already: give this one another ID")
        return self._put("steps", step, self._named(fields))

    def state(
        self, name: str, *, transitions: Sequence[Mapping[str, Any]] = (), step: Mapping[str, Any] | None = None, **fields: Any
    ) -> Workflow:
        """Add a state of a state machine; the first one is where it starts, unless ``initial`` says otherwise.

        Args:
            name: Its name.
            transitions: ``{"to": …, "on": …, "when": …, "after": …}`` each.
            step: What it does, as for ``add``.
            **fields: ``entry``, ``exit``, ``final``, ``status``, ``title``.
        """
        actions: dict[str, Any] = {
            key: [self._named(dict(action)) for action in fields.pop(key)] for key in ("entry", "exit") if key in fields
        }
        own: dict[str, Any] = {"step": self._named(dict(step))} if step is not None else {}
        self._data.setdefault("initial", name)
        moves: dict[str, Any] = {"transitions": [dict(item) for item in transitions]} if transitions else {}
        return self._put("states", name, {**own, **actions, **moves, **fields})

    @overload
    def step(self, function: FunctionType, /) -> FunctionType: ...

    @overload
    def step(self, **fields: Any) -> Callable[[FunctionType], FunctionType]: ...

    def step(self, *given: FunctionType, **fields: Any) -> Any:
        """Make a function a step of its name: a parameter is the input, or the output of the earlier step, of the same name.

        Args:
            *given: The function, synchronous or not; or a tool.
            **fields: ``needs``, ``when``, ``retry``, ``timeout``, ``idempotent``, ``input`` for parameters of other names …
        """
        return self._decorated({}, *given) if given else partial(self._decorated, fields)

    def _decorated(self, fields: Mapping[str, Any], function: FunctionType) -> FunctionType:
        fields = dict(fields)
        name = fields.pop("id", None) or getattr(function, "name", None) or function.__name__
        given = {**self._bound(function, name, fields.get("input") or {}), **(fields.pop("input", None) or {})}
        self.add(name, tool=function, **({"input": given} if given else {}), **fields)
        return function

    def _bound(self, function: FunctionType, step: str, given: Mapping[str, Any]) -> dict[str, str]:
        target = function.function if isinstance(function, Tool) else function
        bound: dict[str, str] = {}
        for name, parameter in inspect.signature(target).parameters.items():
            if (
                name in given
                or "Context" in str(parameter.annotation)
                or parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
            ):
                continue
            if name in self._data["steps"]:
                bound[name] = f"${{steps.{name}.output}}"
            elif name in self._data.get("inputs", {}):
                bound[name] = f"${{inputs.{name}}}"
            elif parameter.default is parameter.empty:
                known = ", ".join([*self._data.get("inputs", {}), *self._data["steps"]]) or "none"
                raise ConfigurationError(
                    f"{self.name}: the parameter {name!r} of {step!r} is no input and no earlier step; there are: {known}. "
                    f"Rename it, or give input={{{name!r}: …}}"
                )
        return bound

    def _named(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The fields with functions, agents and workflows by their names."""
        tool, agent, other = fields.get("tool"), fields.get("agent"), fields.get("workflow")
        if callable(tool):
            fields["tool"] = self._keep(self.functions, tool, str(getattr(tool, "name", None) or getattr(tool, "__name__", "function")))
        if isinstance(agent, Agent):
            fields["agent"] = self._keep(self.agents, agent, agent.name)
        if isinstance(other, Workflow):
            fields["workflow"] = {"name": self._keep(self.workflows, other, other.name)}
        return fields

    def _keep(self, table: dict[str, Any], value: Any, name: str) -> str:
        free, number = name, 1
        while free in table and table[free] != value:  # a method is a new object each time it is named
            number += 1
            free = f"{name}_{number}"
        table[free] = value
        return free

    def _put(self, table: str, name: str, fields: dict[str, Any]) -> Workflow:
        if table not in self._data:
            raise ConfigurationError(f"{self.name}: {table} don't belong to kind: {self._data.get('kind', 'dag')}")
        if not any(kind in fields for kind in KINDS) and table == "steps":
            raise ConfigurationError(f"{self.name}: the step {name!r} needs one of {', '.join(KINDS)}")
        self._data[table][name] = fields
        self._checked = None
        return self

    def use(self, **named: Any) -> Workflow:
        """Say what names of tools, agents and workflows mean: ``wf.use(search=search, helper=agent)``."""
        for name, value in named.items():
            table: dict[str, Any] = (
                self.agents if isinstance(value, Agent) else self.workflows if isinstance(value, Workflow) else self.functions
            )
            table[name] = value
        return self

    def agent_of_document(self, name: str, function: Callable[[str], Function]) -> Agent | None:
        """The agent that the document brings along under that name."""
        found = self.spec.agents.get(name)
        if found is None:
            return None
        return Agent(
            name,
            model=found.model,
            instructions=found.instructions,
            tools=[as_tool(function(tool).given) for tool in found.tools],
            output=found.output,
            capabilities=found.capabilities,
            max_steps=found.max_steps,
            timeout=found.timeout,
            runtime=self._runtime,
            origin=f"workflow {self.name} in {self.folder}",
            **found.options,
        )

    def validate(self) -> list[Finding]:
        """Everything that is wrong with it, each with place, cause and mend; names that can't be found here included."""
        spec, findings = validate(
            self._data, document=self._document, file=self._document.file if self._document else "", resolver=Finder(self.runtime, self)
        )
        self._checked = (spec, findings)
        return findings

    def _check(self) -> tuple[WorkflowSpec | None, list[Finding]]:
        if self._checked is None:
            self._checked = validate(self._data, document=self._document, file=self._document.file if self._document else "")
        return self._checked

    def plan(self, durations: Mapping[str, float] | None = None) -> Plan:
        """What will be done: phases, critical path, resources.

        Args:
            durations: Milliseconds that steps are known to take, for the critical path; each counts the same by default.
        """
        return plan(self.spec, durations)

    def graph(self) -> Graph:
        """It as a graph, which shows itself in a notebook."""
        from agentnb.runtime.graphs.graph import Graph

        return Graph(self.runtime, self)

    def to_dict(self) -> dict[str, Any]:
        """The document as a mapping."""
        return self._data

    def to_yaml(self) -> str:
        """The document as YAML; one that was read keeps its comments, its order and every line that didn't change."""
        return editing.dump(self._data) if self._document is None else editing.updated(self._document.text, self._data)

    def ready(self) -> Ready:
        """All that it needs, found; making this checks that it can be run here.

        Raises:
            WorkflowError: Something isn't there.
        """
        return make_ready(self.runtime, self)

    async def run(
        self,
        inputs: Mapping[str, Any] | None = None,
        *,
        attended: bool | None = None,
        presenter: Presenter | None = None,
        listener: Callable[[Event], None] | None = None,
        record: str | Path | None = None,
        replay: str | Path | None = None,
        rerun: str | WorkflowRun = "",
        start: Iterable[str] = (),
    ) -> WorkflowRun:
        """Run it.

        Args:
            inputs: Values of its inputs.
            attended: Whether to wait as long as it takes for people's answers; by default where somebody is there.
                Otherwise a run that waits comes back with the status ``waiting``, and goes on when it was answered.
            presenter: Shows questions to a person.
            listener: Is told of each event, once it is in the journal.
            record: Cassette file to record model calls to.
            replay: Cassette file to answer model calls from.
            rerun: An earlier run, or its ID, whose results are taken where step and input are the same; its inputs are taken too.
            start: With ``rerun``: steps that are run anew in any case, and what needs them.

        Raises:
            AgentNBError: It failed; ``run_id`` says in which run.
        """
        options = WorkflowOptions(attended, presenter, listener, _path(record), _path(replay))
        if options.record:
            append(options.record, "")
        if rerun:
            source = rerun.id if isinstance(rerun, WorkflowRun) else rerun
            return await workflow_runs.rerun(self.runtime, source, options, start=start, inputs=inputs, ready=self.ready())
        return await workflow_runs.execute(self.runtime, self.ready(), inputs or {}, options)

    def run_sync(self, inputs: Mapping[str, Any] | None = None, **arguments: Any) -> WorkflowRun:
        """Like ``run``, for code that isn't asynchronous; works in a notebook too."""
        return run_sync(self.run(inputs, **arguments))

    def stale(self, run: str | WorkflowRun) -> list[str]:
        """The steps that ``run(rerun=RUN)`` would run: those that were edited since, and what needs them."""
        return stale_steps(self.runtime, run.id if isinstance(run, WorkflowRun) else run, self.ready())

    def __repr__(self) -> str:
        parts = self._data.get("steps") or self._data.get("states") or {}
        word = "step" if "steps" in self._data else "state"
        return f"<workflow {self.name}: {len(parts)} {word}{'' if len(parts) == 1 else 's'}>"


async def run(workflow: Workflow | str | Path, inputs: Mapping[str, Any] | None = None, **arguments: Any) -> WorkflowRun:
    """Run a workflow, or the one of a file; see ``Workflow.run``."""
    found = workflow if isinstance(workflow, Workflow) else Workflow.load(workflow)
    return await found.run(inputs, **arguments)


async def resume(run_id: str, *, runtime: Runtime | None = None, **arguments: Any) -> Any:
    """Go on with a run that nobody executes, of a workflow or of an agent, after its last finished step.

    Raises:
        IllegalTransition: It has ended already.
        LeaseLost: Another process executes it.
    """
    place = runtime or current()
    if place.store.run(run_id).kind == "agent":
        from agentnb.runtime import agent_runs

        return await agent_runs.resume(place, run_id)
    return await workflow_runs.resume(place, run_id, WorkflowOptions(**arguments))


def _schema(name: str, value: Any) -> dict[str, Any]:
    """The JSON Schema of an input given as a type, as ``(type, default)``, or as a schema."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple) and len(value) == 2:
        return {**_schema(name, value[0]), "default": value[1]}
    from pydantic import TypeAdapter

    try:
        schema: dict[str, Any] = TypeAdapter(value).json_schema()
    except Exception as error:
        raise ConfigurationError(f"input {name!r}: {value!r} has no JSON Schema: {error}. Give a type such as str, or a schema") from error
    schema.pop("title", None)
    return schema


def _path(value: str | Path | None) -> Path | None:
    return Path(value).expanduser().absolute() if value else None
