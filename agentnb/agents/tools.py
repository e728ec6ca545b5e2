"""Tools: typed functions that a model may call."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import math
import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Literal, NotRequired, TypeVar, get_args, get_origin, get_type_hints, overload

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from agentnb import secrets
from agentnb.agents.content import as_prompt
from agentnb.errors import ConfigurationError, ExecutionError, kind_of
from agentnb.names import nearest
from agentnb.ports.model import ToolSpec

Deps = TypeVar("Deps")
Value = TypeVar("Value")
Effects = Literal["none", "read", "write"]
_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)
_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")


@dataclass(frozen=True)
class Context(Generic[Deps]):
    """What a tool is told about the call; a tool gets it by a parameter annotated with this class.

    Attributes:
        deps: What was given to ``Agent(deps=…)``: a database, a client, the user.
        idempotency_key: The same for every attempt at this call; hand it to services that take one.
    """

    deps: Deps
    run_id: str
    agent: str
    agent_id: str
    session: str
    user: str
    step_id: str
    _stop: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def idempotency_key(self) -> str:
        return f"{self.run_id}:{self.step_id}"

    @property
    def cancelled(self) -> bool:
        """Whether the run was cancelled or timed out: a long synchronous tool should look, and return."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Tell the tool that nobody waits for it any more."""
        self._stop.set()

    def secret(self, name: str) -> str:
        """A value of the environment that is masked wherever agentnb writes.

        Raises:
            ConfigurationError: It is not set.
        """
        value = os.environ.get(name, "")
        if not value:
            raise ConfigurationError(f"the secret {name} is not set in the environment")
        secrets.learn(value)
        return value


class ToolError(ExecutionError):
    """A tool call failed in a way that the model is told of, so that it may try something else."""


class Tool:
    """A function with what a model needs to know about it; still called like the function.

    Attributes:
        approval: Whether a person has to agree before each call.
        effects: ``none`` (may be run again at will), ``read``, or ``write``.
        idempotent: Whether it may run twice with the same arguments, as after a crash; true for ``effects="none"``.
        timeout: Seconds that one call may take, or None.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        approval: bool = False,
        effects: Effects = "write",
        idempotent: bool | None = None,
        timeout: float | None = None,
    ) -> None:
        self.function = function
        self.name: str = name or str(getattr(function, "__name__", type(function).__name__))
        if not _NAME.match(self.name):
            raise ConfigurationError(f"tool name {self.name!r}: letters, digits, _ and - only, at most 64: give it one with @tool(name=…)")
        _check_settings(self.name, effects, timeout, approval=approval, idempotent=idempotent)
        self.approval = approval
        self.effects = effects
        self.idempotent = effects == "none" if idempotent is None else idempotent
        self.timeout = timeout
        summary, parameters = _documentation(function)
        self.description = description or summary
        self._context, self._arguments = _signature(function, self.name, parameters)
        functools.update_wrapper(self, function, updated=())

    @functools.cached_property
    def spec(self) -> ToolSpec:
        schema = self._arguments.json_schema()
        schema.pop("title", None)
        for part in schema.get("properties", {}).values():
            part.pop("title", None)
        return ToolSpec(self.name, self.description, schema)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<tool {self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        settings = {
            "name": self.name,
            "description": self.description,
            "approval": self.approval,
            "effects": self.effects,
            "idempotent": self.idempotent,
            "timeout": self.timeout,
        }
        return _rebuild, (self.function, settings)

    def parse(self, arguments: str) -> dict[str, Any]:
        """The arguments as the function wants them.

        Raises:
            ToolError: They are no JSON object, or don't fit the signature; the message says which one and why.
        """
        try:
            data = json.loads(arguments or "{}", parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise ToolError(f"the arguments of {self.name} are not JSON: {error}") from None
        return self.check(data)

    def check(self, data: Any) -> dict[str, Any]:
        """The arguments as the function wants them.

        Raises:
            ToolError: They are no mapping, or don't fit the signature; the message says which one and why.
        """
        try:
            parsed: dict[str, Any] = self._arguments.validate_python(data)
        except ValidationError as error:
            findings = "; ".join(
                f"{'.'.join(map(str, item['loc'])) or 'arguments'}: {item['msg']}" for item in error.errors(include_url=False)
            )
            raise ToolError(f"bad arguments for {self.name}: {findings}") from None
        return parsed

    async def call(self, arguments: Mapping[str, Any], context: Context[Any]) -> str:
        """Run it, and give its result as text; a synchronous function runs in a thread of its own.

        Raises:
            ToolError: It raised, took too long, or returned what no text can be made of.
        """
        given = {**arguments, **({self._context: context} if self._context else {})}
        try:
            async with asyncio.timeout(self.timeout) as limit:
                if inspect.iscoroutinefunction(self.function):
                    return as_text(await self.function(**given))
                return await in_thread(lambda: as_text(self.function(**given)))
        except TimeoutError as error:
            context.stop()
            if limit.expired():
                raise ToolError(f"{self.name} timed out after {self.timeout:g} s") from None
            raise ToolError(f"{self.name} raised {type(error).__name__}: {error}") from error
        except asyncio.CancelledError:
            context.stop()
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise ToolError(f"{self.name} cancelled itself") from None
        except ToolError:
            raise
        except BaseException as error:
            raise ToolError(f"{self.name} raised {type(error).__name__}: {error}") from error


@overload
def tool(function: Callable[..., Any], /) -> Tool: ...


@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    approval: bool = False,
    effects: Effects = "write",
    idempotent: bool | None = None,
    timeout: float | None = None,
) -> Callable[[Callable[..., Any]], Tool]: ...


def tool(function: Callable[..., Any] | None = None, /, **settings: Any) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a function a tool: its JSON Schema comes from the signature, its description from the docstring.

    Args:
        function: A function, synchronous or not; each parameter needs a type annotation.
        **settings: See ``Tool``.

    Raises:
        ConfigurationError: The signature can't be described, or a setting isn't one; the message names it.
    """
    known = sorted(inspect.signature(Tool).parameters.keys() - {"function"})
    for name in settings.keys() - set(known):
        raise ConfigurationError(f"@tool: unknown setting {name!r}{_near(name, known)} There are: {', '.join(known)}")
    if function is not None:
        return Tool(function)
    return functools.partial(Tool, **settings)


def _check_settings(name: str, effects: object, timeout: object, **flags: object) -> None:
    known = get_args(Effects)
    if effects not in known:
        raise ConfigurationError(f"tool {name}: effects={effects!r}{_near(str(effects), known)} There are: {', '.join(known)}")
    is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if timeout is not None and not (is_number and timeout > 0 and math.isfinite(timeout)):  # type: ignore[operator,arg-type]
        raise ConfigurationError(f"tool {name}: timeout={timeout!r}: must be a number of seconds above 0, or None")
    for flag, value in flags.items():
        if not isinstance(value, bool | None):
            raise ConfigurationError(f"tool {name}: {flag}={value!r}: must be True or False")


def _near(word: str, known: Sequence[str]) -> str:
    near = nearest(word, known)
    return f", did you mean {near!r}?" if near else "."


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def as_tool(value: Tool | Callable[..., Any]) -> Tool:
    """A tool as it is; a plain function as a tool."""
    if isinstance(value, Tool):
        return value
    if not callable(value):
        raise ConfigurationError(f"{value!r} is no tool: give a function, or one decorated with @agentnb.tool")
    return Tool(value)


def as_text(result: Any) -> str:
    """A tool's result as the model reads it: text as it is; JSON, where that is possible; else as in a prompt, a DataFrame as a table."""
    if isinstance(result, str):
        return result
    if isinstance(result, bytes | bytearray):
        raise ToolError(f"the tool returned {len(result):,} bytes of binary data; return text, or something that JSON can hold")
    if inspect.isgenerator(result) or inspect.isasyncgen(result) or inspect.isawaitable(result):
        raise ToolError(f"the tool returned {kind_of(result)}; return the values themselves, as a list")
    try:
        return _ANYTHING.dump_json(result).decode()
    except (ValueError, TypeError, RecursionError):
        return _described(result)


def _described(result: Any) -> str:
    try:
        return as_prompt(result)
    except ConfigurationError as error:
        raise ToolError(str(error)) from error


async def in_thread(work: Callable[[], Value]) -> Value:
    """Like ``asyncio.to_thread``, but no pool that fills up, and nothing that a process has to wait for at its end."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()
    context = copy_context()

    def settle(value: Any, error: BaseException | None) -> None:
        if not done.done():
            done.set_result((value, error))

    def run() -> None:
        value, failure = None, None
        try:
            value = context.run(work)
        except BaseException as error:
            failure = error
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, value, failure)

    threading.Thread(target=run, name="agentnb-tool", daemon=True).start()
    value, failure = await done
    if failure is not None:
        raise failure
    return value  # type: ignore[no-any-return]


def _rebuild(function: Callable[..., Any], settings: dict[str, Any]) -> Tool:
    return Tool(function, **settings)


def _documentation(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    import docstring_parser

    text = inspect.getdoc(function) or ""
    try:
        parsed = docstring_parser.parse(text)
    except docstring_parser.ParseError:
        return text, {}
    summary = "\n\n".join(part for part in (parsed.short_description, parsed.long_description) if part)
    return summary, {item.arg_name: item.description or "" for item in parsed.params}


def _signature(function: Callable[..., Any], name: str, documented: Mapping[str, str]) -> tuple[str, TypeAdapter[dict[str, Any]]]:
    try:
        hints = get_type_hints(function, include_extras=True)
        parameters = inspect.signature(function).parameters.values()
    except (NameError, TypeError, ValueError) as error:
        raise ConfigurationError(f"tool {name}: its signature can't be read: {error}. Wrap it in a function with annotations") from None
    context, fields = "", {}
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise ConfigurationError(f"tool {name}: the parameter {parameter} can't be described to a model: use named parameters only")
        hint = hints.get(parameter.name)
        if hint is None:
            raise ConfigurationError(
                f"tool {name}: the parameter {parameter.name!r} has no type annotation, so a model can't know what to pass: "
                f"write {parameter.name}: str, or what it is"
            )
        if hint is Context or get_origin(hint) is Context:
            context = parameter.name
        else:
            fields[parameter.name] = _field(hint, parameter.default, documented.get(parameter.name))
    try:
        adapter = TypeAdapter(with_config(ConfigDict(extra="forbid"))(TypedDict(name, fields)))  # type: ignore[operator]
        adapter.json_schema()
    except Exception as error:
        raise ConfigurationError(f"tool {name}: its signature has no JSON Schema: {error}") from error
    return context, adapter


def _field(hint: Any, default: Any, description: str | None) -> Any:
    if default is inspect.Parameter.empty:
        return Annotated[hint, Field(description=description)]
    shown: Any = {"default": default} if default is None or isinstance(default, str | int | float | bool) else None
    return NotRequired[Annotated[hint, Field(description=description, json_schema_extra=shown)]]
