"""The notebook surface: cells, magics, and what they show. ``%load_ext agentnb`` ends up here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["load_ipython_extension", "unload_ipython_extension"]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Add ``%%agent`` and ``%agentnb`` to a shell; what they need is imported when they are first used."""
    from agentnb.notebook.extension import Extension

    if not hasattr(shell, "agentnb"):
        shell.agentnb = Extension(shell)  # type: ignore[attr-defined]
        shell.agentnb.install()  # type: ignore[attr-defined]


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take them away again."""
    extension = getattr(shell, "agentnb", None)
    if extension is not None:
        extension.remove()
        del shell.agentnb  # type: ignore[attr-defined]
