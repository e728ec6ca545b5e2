"""What a workflow's text names, looked for as its run will do, but without importing anything."""

from __future__ import annotations

import importlib.util
import re
import symtable
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentnb import plugins
from agentnb.errors import UnknownName
from agentnb.runtime.workflow import Workflow
from agentnb.runtime.workflow_definitions import Finder
from agentnb.server.service import Service
from agentnb.workflows.callables import PREFIX, SCHEMES
from agentnb.workflows.spec import SubWorkflow

_LARGEST = 1_000_000
_STAR = re.compile(r"^[ \t]*from[ \t]+\S+[ \t]+import[ \t]+\*", re.MULTILINE)


class Names(Finder):
    """Finds names in the store, among plug-ins and in files of the server's folder; what only an import could tell is taken on trust."""

    def __init__(self, service: Service, workflow: Workflow) -> None:
        super().__init__(service.runtime, workflow)
        self._root = service.root.resolve()
        self._folder = workflow.folder

    def tool(self, name: str) -> dict[str, Any] | None:
        """Check that it is there; its parameters aren't known without importing it."""
        if name.startswith(PREFIX):
            self._check_function(name)
        elif not name.startswith(SCHEMES) and name not in plugins.table("agentnb.tools"):
            self.function(name)
        return None

    def workflow(self, target: SubWorkflow) -> Mapping[str, Any] | None:
        """The inputs that it takes; None for one that is no file of the server's folder."""
        if target.file is not None and not self._is_ours(self._folder / target.file):
            return None
        return super().workflow(target)

    def _check_function(self, reference: str) -> None:
        path = reference.removeprefix(PREFIX).replace(":", ".")
        module, _, name = path.rpartition(".")
        if not module:
            raise UnknownName(f"{reference}: write python:module.function")
        top = module.partition(".")[0]
        if not any((self._folder / found).exists() for found in (top, f"{top}.py")):
            if not _is_installed(top):
                raise UnknownName(f"{reference}: No module named {top!r}; modules are looked for in {self._folder} and in PYTHONPATH")
            return
        file = self._folder / f"{module.replace('.', '/')}.py"
        if self._is_ours(file) and file.is_file() and file.stat().st_size <= _LARGEST:
            names = _names_of(file, reference)
            if names and name not in names:
                raise UnknownName(f"{reference}: the module {module} has no {name!r}")

    def _is_ours(self, file: Path) -> bool:
        """Whether it is a file of the server's folder, or there is nothing; not a pipe, which might never end."""
        try:
            path = file.resolve()
            return path.is_relative_to(self._root) and (path.is_file() or not path.exists())
        except (OSError, RuntimeError, ValueError):
            return False


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return True


def _names_of(file: Path, reference: str) -> set[str]:
    """What a module defines; nothing where that can't be seen from its text."""
    try:
        text = file.read_text(encoding="utf-8")
        symbols = symtable.symtable(text, file.name, "exec").get_symbols()
    except SyntaxError as error:
        raise UnknownName(f"{reference}: importing {file.stem} failed: SyntaxError: {error}") from None
    except (OSError, ValueError, RecursionError, MemoryError):
        return set()
    names = {symbol.get_name() for symbol in symbols if symbol.is_assigned() or symbol.is_imported()}
    return set() if "__getattr__" in names or _STAR.search(text) or "globals()" in text else names
