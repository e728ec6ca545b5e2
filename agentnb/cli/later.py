"""Commands whose modules are imported when they are called: naming them in the help costs nothing."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


class Later(TyperCommand):
    """Stands for a command, or a group of them, until it is called.

    Args:
        name: What it is called.
        target: ``module:attribute`` of a ``typer.Typer``, or of a function.
        about: Its line in the help.
    """

    def __init__(self, name: str, target: str, about: str) -> None:
        super().__init__(name, help=about)
        self._target = target

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Parse its arguments: by the command that it stands for."""
        return self._command().make_context(info_name, args, parent, **extra)

    def _command(self) -> Any:
        module, _, attribute = self._target.partition(":")
        found = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            return typer.main.get_group(found)
        alone = typer.Typer(pretty_exceptions_enable=False)
        alone.command(self.name)(found)
        return typer.main.get_command(alone)


class Commands(TyperGroup):
    """The tree's root: its own commands, and those of ``LATER``."""

    later: tuple[tuple[str, str, str], ...] = ()

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = {**{name: Later(name, target, about) for name, target, about in self.later}, **self.commands}
