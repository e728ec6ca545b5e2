"""What the expressions of a workflow compile to: once a document, for the rules that check it and for what executes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any

from agentnb.workflows.documents import Finding, Path, WorkflowSpecError
from agentnb.workflows.expressions import Condition, ExpressionError, Reference, Template
from agentnb.workflows.spec import Action, Cache, Step, WorkflowSpec, once_a_spec


@dataclass(frozen=True, slots=True)
class CompiledStep:
    """What the templates and conditions of an action compile to.

    Attributes:
        parts: The templates of the action's own kind by dotted field: ``human.prompt``, ``human.assignee``, ``webhook.url``,
            ``webhook.headers``, ``webhook.body``, ``shell.env``, ``shell.cwd``, ``shell.command`` (a list only); those that are given.
        references: What all of them read.
    """

    input: Template
    when: Condition | None = None
    for_each: Template | None = None
    cache_key: Template | None = None
    parts: Mapping[str, Template] = field(default_factory=dict)
    references: frozenset[Reference] = frozenset()


_NOTHING = Template(None)
_NO_PARTS: Mapping[str, Template] = MappingProxyType({})
_PLAIN = CompiledStep(_NOTHING, parts=_NO_PARTS)


def compiled(spec: WorkflowSpec) -> Mapping[str, CompiledStep]:
    """Every action of the document, by the ID that ``spec.actions()`` gives it.

    Raises:
        WorkflowSpecError: An expression isn't valid.
    """
    steps, findings = compile_all(spec)
    if findings:
        raise WorkflowSpecError(findings)
    return steps


@once_a_spec
def compile_all(spec: WorkflowSpec) -> tuple[Mapping[str, CompiledStep], Sequence[Finding]]:
    """The same, with what isn't valid left out, and a finding for each such field."""
    findings: list[Finding] = []
    steps = {name: _compile(action, partial(action_path, spec, name), findings) for name, action in spec.actions().items()}
    return MappingProxyType(steps), tuple(findings)


def _compile(action: Action, path: Callable[[], Path], findings: list[Finding]) -> CompiledStep:
    made: dict[str, Template | Condition] = {}
    for place, value in _sources(action):
        try:
            made[place] = _condition(value) if place == "when" else _template(value)
        except ExpressionError as error:
            findings.append(Finding(str(error), path=(*path(), *place.split("."))))
    if not made:
        return _PLAIN
    references = frozenset(reference for part in made.values() for reference in part.references)
    given: dict[str, Any] = {name: made.pop(place, None) for name, place in _FIELDS.items()}
    parts = {place: part for place, part in made.items() if isinstance(part, Template)}
    return CompiledStep(**{**given, "input": given["input"] or _NOTHING}, parts=parts or _NO_PARTS, references=references)


def transition_conditions(spec: WorkflowSpec) -> Mapping[str, tuple[Condition | None, ...]]:
    """The ``when`` of each state's transitions, in their order.

    Raises:
        WorkflowSpecError: A condition isn't valid.
    """
    conditions, findings = compile_transitions(spec)
    if findings:
        raise WorkflowSpecError(findings)
    return conditions


def compile_transitions(spec: WorkflowSpec) -> tuple[Mapping[str, tuple[Condition | None, ...]], list[Finding]]:
    """The same, with what isn't valid left out, and a finding for each such condition."""
    findings: list[Finding] = []

    def condition(path: Path, text: str | None) -> Condition | None:
        try:
            return None if text is None else _condition(text)
        except ExpressionError as error:
            findings.append(Finding(str(error), path=path))
            return None

    conditions = {
        name: tuple(
            condition(("states", name, "transitions", place, "when"), transition.when) for place, transition in enumerate(state.transitions)
        )
        for name, state in spec.states.items()
    }
    return conditions, findings


def action_path(spec: WorkflowSpec, name: str) -> Path:
    """Where the action of that ID stands in the document."""
    if spec.kind == "dag":
        return ("steps", name)
    state, _, rest = name.partition(".")
    if not rest:
        return ("states", state, "step")
    where, _, place = rest.partition(".")
    return ("states", state, where, int(place))


_FIELDS = {"input": "input", "when": "when", "for_each": "for_each", "cache_key": "cache.key"}
_PARTS = {"human": ("prompt", "assignee"), "webhook": ("url", "headers", "body"), "shell": ("env", "cwd", "command")}


def _sources(action: Action) -> Iterator[tuple[str, Any]]:
    """What is to be compiled, by dotted field."""
    if action.input is not None:
        yield "input", action.input
    if isinstance(action, Step):
        if action.when is not None:
            yield "when", action.when
        if action.for_each is not None:
            yield "for_each", action.for_each
    if isinstance(action.cache, Cache) and action.cache.key is not None:
        yield "cache.key", action.cache.key
    for kind, fields in _PARTS.items():
        part = getattr(action, kind)
        if part is not None:
            for name in fields:
                value = getattr(part, name)
                if value is not None and not (name == "command" and isinstance(value, str)):
                    yield f"{kind}.{name}", value


def _template(value: Any) -> Template:
    return _text(value) if isinstance(value, str) else Template([*value] if isinstance(value, tuple) else value)


@lru_cache(1024)
def _text(value: str) -> Template:
    return Template(value)


@lru_cache(1024)
def _condition(value: str) -> Condition:
    return Condition(value)
