"""The Python functions of a workflow: how they are named, found, bound to their input, called and told apart."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, get_origin

from agentnb.agents.tools import Context, Tool, ToolError, in_thread
from agentnb.errors import UnknownName, kind_of

PREFIX = "python:"
SCHEMES = (PREFIX, "notebook:")
"""How the names of functions begin that are found by their names alone."""


class Function:
    """A function that steps call: a plain one, or a tool, whose arguments are checked against its signature.

    Attributes:
        name: As steps name it.
        reference: ``module:qualname`` where that finds it again, else empty.
    """

    def __init__(self, target: Callable[..., Any], name: str) -> None:
        self.name = name
        self.tool = target if isinstance(target, Tool) else None
        self.target: Callable[..., Any] = target.function if isinstance(target, Tool) else target
        self.given = target
        self._async = inspect.iscoroutinefunction(self.target)

    @property
    def idempotent(self) -> bool:
        return self.tool is not None and self.tool.idempotent

    @property
    def approval(self) -> bool:
        return self.tool is not None and self.tool.approval

    @property
    def effects(self) -> str:
        return self.tool.effects if self.tool else "write"

    @cached_property
    def fingerprint(self) -> str:
        """Changes with the function's text and the plain values that it holds, not with what it calls; or its own ``__fingerprint__``."""
        text = getattr(self.target, "__fingerprint__", None)
        if not isinstance(text, str):
            text = _text(self.target) + _bound_values(self.target)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    @property
    def wants_context(self) -> bool:
        return bool(self._context)

    @cached_property
    def _context(self) -> str:
        """The parameter that wants the call's context, or an empty string."""
        hints = getattr(self.target, "__annotations__", {})
        for name, hint in hints.items():
            if hint is Context or get_origin(hint) is Context or (isinstance(hint, str) and hint.split("[")[0].split(".")[-1] == "Context"):
                return str(name)
        return ""

    @cached_property
    def parameters(self) -> dict[str, Any] | None:
        """JSON Schema of what it takes, or None where it takes anything."""
        if self.tool is not None:
            return dict(self.tool.spec.parameters)
        try:
            signature = inspect.signature(self.target).parameters
        except (TypeError, ValueError):
            return None
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature.values()):
            return None
        names = {name: item for name, item in signature.items() if name != self._context}
        required = [name for name, item in names.items() if item.default is item.empty]
        return {"type": "object", "properties": {name: {} for name in names}, "required": required, "additionalProperties": False}

    def bind(self, data: Any) -> dict[str, Any]:
        """The step's input as keyword arguments.

        Raises:
            ToolError: They don't fit; the message names what does.
        """
        given = {} if data is None else data
        if not isinstance(given, dict):
            raise ToolError(f"{self.name} takes a mapping as input, not {kind_of(data)}: write input: {{NAME: …}}")
        if self.tool is not None:
            return self.tool.check(given)
        if given or self._required:
            try:
                self._signature.bind(**given, **({self._context: None} if self._context else {}))
            except TypeError as error:
                wanted = ", ".join(self._signature.parameters) or "none"
                raise ToolError(f"bad input for {self.name}: {error}; its parameters are: {wanted}") from None
        return given

    @cached_property
    def _signature(self) -> inspect.Signature:
        return inspect.signature(self.target)

    @cached_property
    def _required(self) -> bool:
        try:
            parameters = self._signature.parameters.values()
        except (TypeError, ValueError):
            return False
        return any(item.default is item.empty and item.kind not in (item.VAR_KEYWORD, item.VAR_POSITIONAL) for item in parameters)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What the policy is told of it."""
        return {"declared": True, "approval": self.approval, "effects": self.effects}

    def outline(self, given: Any, text: str) -> str:
        """The input as the policy reads it: its JSON, without what the function itself says is opaque, by ``__outline__``."""
        made = getattr(self.target, "__outline__", None)
        return str(made(given)) if callable(made) else text

    async def call(self, arguments: Mapping[str, Any], context: Callable[[], Context[Any]]) -> Any:
        """Call it; a synchronous function runs in a thread of its own, and is told of a cancellation by ``context.cancelled``."""
        made = context() if self._context else None
        given = {**arguments, self._context: made} if made is not None else arguments
        if self._async:
            return await self.target(**given)
        try:
            result = await in_thread(lambda: self.target(**given))
            return await result if inspect.iscoroutine(result) else result
        except asyncio.CancelledError:
            if made is not None:
                made.stop()
            raise

    def __repr__(self) -> str:
        return f"<function {self.name}>"


def _text(function: Any) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        code = getattr(function, "__code__", None)
        return repr((code.co_code, code.co_consts, code.co_names)) if code else repr(function)


def _bound_values(function: Any) -> str:
    """The plain values among a function's defaults and those that it has from the function around it."""
    values = [*(getattr(function, "__defaults__", None) or ()), *(getattr(function, "__kwdefaults__", None) or {}).values()]
    for cell in getattr(function, "__closure__", None) or ():
        with suppress(ValueError):
            values.append(cell.cell_contents)
    plain = [value for value in values if isinstance(value, str | int | float | bytes)]
    return repr(plain) if plain else ""


def imported(reference: str, folder: Path | None = None) -> Any:
    """What ``python:module.function`` or ``notebook:FILE.ipynb#NAME`` names; the folder of the workflow's file is where both start.

    Raises:
        UnknownName: It can't be imported, or it is no function, or no step.
    """
    if not reference.startswith(PREFIX) and reference.startswith(SCHEMES):
        from agentnb.workflows.notebooks import step_function

        return step_function(reference, folder)
    path = reference.removeprefix(PREFIX)
    module, _, name = path.replace(":", ".").rpartition(".")
    if not module:
        raise UnknownName(f"{reference}: write python:module.function")
    if folder is not None and str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        found = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise UnknownName(f"{reference}: {error}; modules are looked for in {folder or Path.cwd()} and in PYTHONPATH") from error
    except AttributeError:
        raise UnknownName(f"{reference}: the module {module} has no {name!r}") from None
    except Exception as error:
        raise UnknownName(f"{reference}: importing {module} failed: {type(error).__name__}: {error}") from error
    if not callable(found):
        raise UnknownName(f"{reference} is {kind_of(found)}, no function")
    return found
