"""What the notebook's own names stand for: what options can name, errors list and Tab offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentnb.notebook.extension import Extension


def variables(extension: Extension) -> dict[str, Any]:
    """The variables without IPython's own."""
    hidden = extension.shell.user_ns_hidden
    return {name: value for name, value in extension.namespace.items() if not name.startswith("_") and name not in hidden}


def instances(extension: Extension, kind: type) -> list[str]:
    """The variables that hold one of that class."""
    return [name for name, value in variables(extension).items() if isinstance(value, kind)]


def functions(extension: Extension) -> list[str]:
    """The tools and functions of the notebook."""
    return [name for name, value in variables(extension).items() if is_function(value)]


def is_function(value: Any) -> bool:
    """Whether it can be a tool."""
    from agentnb.agents.tools import Tool

    return isinstance(value, Tool) or (callable(value) and not isinstance(value, type))
