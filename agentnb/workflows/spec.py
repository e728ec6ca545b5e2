"""What a workflow document may say: the models that check it, and from which its published JSON Schema is made."""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Mapping
from functools import cache, cached_property, wraps
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    TypeAdapter,
    WithJsonSchema,
    model_validator,
)

from agentnb.errors import ConfigurationError

SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"
KINDS = ("agent", "tool", "shell", "human", "webhook", "workflow")
STEP_ID = r"^[A-Za-z_][A-Za-z0-9_]*$"
CEL_KEYWORDS = frozenset(
    [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)
OUTCOMES = frozenset({"completed", "error", "timed_out", "approved", "rejected", "skipped"})
"""What a state's step can come to; every other ``on:`` names an event that somebody sends."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SIZES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]?B)")


def seconds(value: Any) -> float:
    """A duration such as ``30s``, ``1h30m`` or a number of seconds, in seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf"):
        return float(value)
    if isinstance(value, str) and _DURATION.fullmatch(value):
        total = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(value))
        if total > 0:
            return total
    raise ValueError(f"must be a duration above 0 such as 30s, 5m or 1h30m, not {value!r}")


def duration_text(value: float) -> str:
    """Seconds as the shortest duration that reads back as the same: ``90`` is ``1m30s``."""
    if value != int(value):
        return f"{value:g}s"
    parts, rest = [], int(value)
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(rest, int(_UNITS[unit]))
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts)


def _bytes(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise ValueError(f"must be a size such as 100MB, not {value!r}")
    return int(float(match[1]) * _SIZES[match[2]])


Duration = Annotated[
    float,
    BeforeValidator(seconds),
    PlainSerializer(duration_text, when_used="json"),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": f"^{_DURATION.pattern}$"}, {"type": "number", "exclusiveMinimum": 0}]}),
]
Size = Annotated[
    int, BeforeValidator(_bytes), WithJsonSchema({"anyOf": [{"type": "string", "pattern": f"^{_SIZE.pattern}$"}, {"type": "integer"}]})
]
StepId = Annotated[str, Field(pattern=STEP_ID, max_length=100)]
Expression = Annotated[str, Field(min_length=1, max_length=10_000)]


class Part(BaseModel):
    """A mapping of the document, with no keys but its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        """Only what the document says."""
        return [(name, value) for name, value in super().__repr_args__() if name in self.model_fields_set]


class Retry(Part):
    """How often a failed step is tried, and how long it waits in between."""

    max_attempts: int = Field(3, ge=1, le=1000, description="Attempts in all, the first one included.")
    backoff: Literal["exponential", "linear", "constant"] = "exponential"
    initial: Duration = 1.0
    max: Duration = 30.0
    jitter: bool = Field(True, description="Shorten each wait by a random part, so that many steps don't come back at once.")

    def wait(self, attempt: int, random: float) -> float:
        """Seconds to wait after the attempt of that number; ``random`` from 0 to 1 shortens it to a half at most."""
        grown = {"exponential": 2.0 ** min(attempt - 1, 60), "linear": float(attempt), "constant": 1.0}[self.backoff]
        return min(self.max, self.initial * grown) * (1 - random / 2 if self.jitter else 1)


class Timeouts(Part):
    """How long a step may take: each attempt, and all attempts with the waits between them."""

    attempt: Duration | None = None
    step: Duration | None = None


class Compensate(Part):
    """When the step fails, run that handler, and then the workflow fails."""

    compensate: StepId


class Goto(Part):
    """When the step fails, go on at that handler instead of at what depends on the step."""

    goto: StepId


OnError = Literal["fail", "continue"] | Compensate | Goto


class Cache(Part):
    """Keep a step's result, and take it again where the input, the step's own text and its function are the same."""

    ttl: Duration | None = Field(None, description="How long a kept result holds; for ever by default.")
    key: str | None = Field(None, description="What it is kept under, instead of the step's input: text with ${…}.")


class Escalation(Part):
    """Ask somebody else when nobody has answered for a while."""

    after: Duration
    to: str


class Human(Part):
    """A person is asked; the run waits, if need be for days, also with no process alive."""

    prompt: str = Field(min_length=1, max_length=10_000, description="The question: text with ${…}.")
    form: dict[str, Any] | None = Field(None, description="JSON Schema of the answer; without one it is approve or reject.")
    assignee: str | None = Field(None, description="Who is asked, as text for the surfaces.")
    timeout: Duration | None = None
    on_timeout: Literal["approve", "reject", "fail"] = "fail"
    escalate: tuple[Escalation, ...] = ()


class Callback(Part):
    """Wait until somebody calls back: `agentnb runs signal RUN STEP --data JSON`, or the REST API."""

    timeout: Duration | None = None


class Webhook(Part):
    """An HTTP request, or an event into the journal; a status of 400 and more fails the step."""

    url: str | None = Field(None, description="http or https; text with ${…}.")
    event: str | None = Field(None, pattern=r"^[a-z][a-z0-9_.]*$", description="Instead of a URL: write the event external.NAME.")
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"] = "POST"
    headers: dict[str, str] = {}
    body: Any = None
    wait_for_callback: bool | Callback = False

    @model_validator(mode="after")
    def _one(self) -> Webhook:
        if (self.url is None) == (self.event is None):
            raise ValueError("needs either url or event")
        return self


class Limits(Part):
    """What a subprocess may use, the processes that it starts included."""

    memory: Size | None = None
    cpu: Duration | None = Field(None, description="Processor time.")
    output: Size = Field(10_000_000, description="What it may print; more ends it.")
    file_size: Size | None = None
    processes: int = Field(64, ge=1)


class Shell(Part):
    """A command in a subprocess; its output is ``{stdout, stderr, code}``, a code that isn't 0 fails the step."""

    command: str | tuple[str, ...] = Field(
        min_length=1, description="A list is run as it is; a text by /bin/sh, where ${…} may not stand: pass values by env."
    )
    env: dict[str, str] = Field({}, description="Environment variables: text with ${…}.")
    cwd: str | None = None
    limits: Limits = Field(default_factory=lambda: Limits.model_validate({}))


class SubWorkflow(Part):
    """Another workflow, as one step."""

    file: str | None = None
    name: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return {"file": value} if value.endswith((".yaml", ".yml", ".json")) else {"name": value}

    @model_validator(mode="after")
    def _one(self) -> SubWorkflow:
        if (self.file is None) == (self.name is None):
            raise ValueError("needs either file or name")
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "description": "A file, or a name of the store."}, handler(core)]}


class Action(Part):
    """What is done: the kind is the key."""

    agent: str | None = Field(None, min_length=1, description="Name of an agent: under agents:, or of the store.")
    tool: str | None = Field(None, min_length=1, description="A registered tool's name, or python:module.function.")
    shell: Shell | None = None
    human: Human | None = None
    webhook: Webhook | None = None
    workflow: SubWorkflow | None = None
    input: Any = Field(None, description="What it is given: values with ${…}. An agent takes text, or a mapping.")
    retry: Retry | None = None
    timeout: Duration | Timeouts | None = None
    idempotent: bool | None = Field(None, description="Whether it may run twice, as after a crash; a tool's own word by default, else no.")
    executor: Literal["thread", "process"] = Field("thread", description="Where a tool's synchronous function runs.")
    cache: bool | Cache = False

    @model_validator(mode="after")
    def _one_kind(self) -> Action:
        found = [kind for kind in KINDS if kind in self.model_fields_set and getattr(self, kind) is not None]
        if len(found) != 1:
            raise ValueError(f"needs exactly one of {', '.join(KINDS)}; it has {', '.join(found) or 'none'}")
        return self

    @cached_property
    def kind(self) -> str:
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def attempt_timeout(self) -> float | None:
        return self.timeout.attempt if isinstance(self.timeout, Timeouts) else self.timeout

    @property
    def step_timeout(self) -> float | None:
        return self.timeout.step if isinstance(self.timeout, Timeouts) else None


class Step(Action):
    """A step of a DAG."""

    title: str | None = None
    needs: tuple[str, ...] = Field((), description="Steps that end before this one starts; references in ${…} count by themselves.")
    when: Expression | None = Field(None, description="CEL: the step is skipped where this is false.")
    for_each: Any = Field(None, description="A list, or ${…} that gives one: the step runs once for each item.")
    max_concurrency: int | None = Field(None, ge=1, description="How many items at a time.")
    on_error: OnError = "fail"
    handler: bool = Field(False, description="Runs only where a failed step's on_error names it.")
    resources: dict[str, Annotated[int, Field(ge=1)]] = {}


class Transition(Part):
    """Where a state machine goes next: the first transition that fits."""

    to: StepId
    on: str | None = Field(
        None, pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", description=f"{', '.join(sorted(OUTCOMES))}, or the name of an event."
    )
    when: Expression | None = Field(None, description="CEL; attempts says how often the state was entered.")
    after: Duration | None = Field(None, description="So long after the state was entered.")


class State(Part):
    """A state of a state machine."""

    title: str | None = None
    step: Action | None = None
    entry: tuple[Action, ...] = Field((), description="Done on the way in.")
    exit: tuple[Action, ...] = Field((), description="Done on the way out.")
    transitions: tuple[Transition, ...] = ()
    final: bool = False
    status: Literal["completed", "failed"] = "completed"


class Resources(Part):
    """What all steps of a run share."""

    max_parallel: int | None = Field(None, ge=1, description="Steps at a time; no limit by default.")
    pools: dict[StepId, Annotated[int, Field(ge=1)]] = {}


class AgentDefinition(Part):
    """An agent that the document brings along."""

    model: str | None = None
    instructions: str = ""
    tools: tuple[str, ...] = ()
    output: dict[str, Any] | None = Field(None, description="JSON Schema of the answer.")
    capabilities: tuple[str, ...] = ()
    options: dict[str, Any] = {}
    max_steps: int | None = Field(None, ge=1)
    timeout: Duration | None = None


class WorkflowSpec(Part):
    """A workflow."""

    name: str = Field(min_length=1, max_length=200)
    description: str = ""
    kind: Literal["dag", "state_machine"] = "dag"
    inputs: dict[StepId, dict[str, Any]] = Field({}, description="JSON Schema by name; one without a default must be given.")
    env: tuple[str, ...] = Field((), description="Environment variables that ${env.NAME} may read.")
    agents: dict[str, AgentDefinition] = {}
    resources: Resources = Field(default_factory=lambda: Resources.model_validate({}))
    timeout: Duration | None = None
    steps: dict[StepId, Step] = {}
    initial: StepId | None = None
    states: dict[StepId, State] = {}
    max_transitions: int = Field(1000, ge=1, description="A state machine that takes more of them fails.")
    outputs: dict[str, Any] = {}

    @model_validator(mode="after")
    def _body(self) -> WorkflowSpec:
        if self.kind == "dag" and (self.states or self.initial):
            raise ValueError("states and initial belong to kind: state_machine; a dag has steps")
        if self.kind == "state_machine" and self.steps:
            raise ValueError("steps belong to kind: dag; a state_machine has states")
        return self

    def actions(self) -> Mapping[str, Action]:
        """Every action by its step ID, or as ``STATE``, ``STATE.entry.0``, ``STATE.exit.0``."""
        if self.kind == "dag":
            return self.steps
        found: dict[str, Action] = {}
        for name, state in self.states.items():
            found |= {f"{name}.entry.{place}": action for place, action in enumerate(state.entry)}
            found |= {name: state.step} if state.step else {}
            found |= {f"{name}.exit.{place}": action for place, action in enumerate(state.exit)}
        return found

    def events(self) -> set[str]:
        """The events that a state machine waits for somewhere."""
        return {way.on for state in self.states.values() for way in state.transitions if way.on and way.on not in OUTCOMES}

    def to_dict(self) -> dict[str, Any]:
        """The document again: what was left out stays left out."""
        return self.model_dump(mode="json", exclude_unset=True)


Made = TypeVar("Made")


def once_a_spec(make: Callable[[WorkflowSpec], Made]) -> Callable[[WorkflowSpec], Made]:
    """Keeps what is made of a spec as long as that is alive, for it doesn't change; it must not hold the spec itself."""
    known: dict[int, tuple[weakref.ref[WorkflowSpec], Made]] = {}

    @wraps(make)
    def found(spec: WorkflowSpec) -> Made:
        key = id(spec)
        entry = known.get(key)
        if entry is not None and entry[0]() is spec:
            return entry[1]
        made = make(spec)
        known[key] = (weakref.ref(spec, lambda _: known.pop(key, None)), made)
        return made

    return found


@cache
def adapter() -> TypeAdapter[WorkflowSpec]:
    """Checks documents; built once."""
    return TypeAdapter(WorkflowSpec)


def json_schema() -> dict[str, Any]:
    """The published JSON Schema of workflow documents."""
    schema = adapter().json_schema()
    return {"$schema": SCHEMA_ID, **schema, "title": "agentnb workflow"}


class WorkflowError(ConfigurationError):
    """A workflow can't be run as it is defined."""
