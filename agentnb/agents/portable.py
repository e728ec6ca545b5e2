"""How functions are kept in the store so that another process can load them: by name where they can be imported, else by cloudpickle."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from agentnb.agents.tools import Tool
from agentnb.errors import DefinitionError
from agentnb.ports.store import Definition
from agentnb.secrets import held_in

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def reference(function: Any) -> str:
    """``module:qualname`` where that finds the same thing again, else an empty string."""
    target = function.function if isinstance(function, Tool) else function
    module, name = getattr(target, "__module__", ""), getattr(target, "__qualname__", "")
    if not module or module == "__main__" or not name or "<" in name:
        return ""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is function:
        return f"{module}:{name}"
    return ""


def pickled(functions: dict[str, Any]) -> tuple[bytes, str]:
    """Their cloudpickle, and where that can't be had, why."""
    if not functions:
        return b"", ""
    import cloudpickle

    try:
        code = cloudpickle.dumps(functions)
        if held_in(code):
            return b"", "a function holds a secret, which is not kept: read it with context.secret(…) instead"
        return code, ""
    except Exception as error:
        return b"", f"{', '.join(name or 'output' for name in functions)}: {type(error).__name__}: {error}"


def load(owner: str, definition: Definition) -> dict[str, Any]:
    """The functions of a definition, by their name; ``spec["functions"]`` has the references.

    Raises:
        DefinitionError: One can't be loaded; the message says which one and where it is defined.
    """
    references: dict[str, str] = definition.spec["functions"]
    functions = {name: _resolve(owner, found) for name, found in references.items() if found}
    if any(not found for found in references.values()):
        functions.update(_unpickled(owner, definition))
    return functions


def _resolve(owner: str, found: str) -> Any:
    module, _, name = found.partition(":")
    try:
        value: Any = importlib.import_module(module)
        for part in name.split("."):
            value = getattr(value, part)
    except (ImportError, AttributeError) as error:
        raise DefinitionError(
            f"{owner} needs {found}, which can't be imported here ({error}): run it where that module is, or set PYTHONPATH"
        ) from error
    return value


def _unpickled(owner: str, definition: Definition) -> dict[str, Any]:
    import cloudpickle

    if not definition.code:
        raise DefinitionError(
            f"{owner} can't be loaded outside the notebook or file that defines it ({definition.spec['not_portable']}): "
            "run its cell again, or move the functions into a module"
        )
    if definition.python != PYTHON:
        raise DefinitionError(
            f"the functions of {owner} were defined under Python {definition.python}, this is {PYTHON}: "
            f"run its cell again here, or use Python {definition.python}"
        )
    try:
        functions: dict[str, Any] = cloudpickle.loads(definition.code)
    except Exception as error:
        raise DefinitionError(
            f"the functions of {owner} can't be loaded here ({type(error).__name__}: {error}): "
            "install what they import, or run the cell that defines it again"
        ) from error
    return functions
