"""The function of a step: runs its cells in a namespace of their own, after the notebook's setup."""

from __future__ import annotations

import ast
import asyncio
import hashlib
import inspect
import linecache
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import asdict, dataclass
from functools import cached_property
from inspect import CO_COROUTINE
from pathlib import Path
from types import CodeType, ModuleType, TracebackType
from typing import Any

from agentnb.agents.content import as_prompt
from agentnb.errors import AgentNBError, UnknownName
from agentnb.secrets import to_json
from agentnb.workflows.kinds.call import StepFailed
from agentnb.workflows.notebooks.cells import AWAIT, Code
from agentnb.workflows.notebooks.roles import definitions
from agentnb.workflows.notebooks.values import Answer, decoded, encoded, outlined, shown
from agentnb.workflows.notebooks.wiring import Plan, Wired, plan_of

SCHEME = "notebook:"
_FUTURE = 0x1FF0000
"""The flags of ``from __future__ import …``, which hold for all later cells, as in a kernel."""


@dataclass(frozen=True)
class Source:
    """A cell as it is run.

    Attributes:
        file: The name that tracebacks show.
        place: The name that errors begin with.
    """

    file: str
    place: str
    text: str


@dataclass(frozen=True)
class Preparation:
    """What runs once in a process, before the steps of a notebook."""

    module: str
    cells: tuple[Source, ...]

    @property
    def key(self) -> str:
        return hashlib.sha256(repr(self.cells).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class NotebookStep:
    """A step of a notebook as a function of the variables that its cells read.

    Attributes:
        again: Functions of the setup that use this step's variables, with the cell that they are in: defined anew for each call.
        copies: Variables of the setup that it changes.
        answers: Parameters that are outputs of agent steps.
        texts: What later prompts show: ``name`` or ``name.attribute``.
    """

    name: str
    preparation: Preparation
    cells: tuple[Source, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    texts: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    again: tuple[tuple[str, Source], ...] = ()
    copies: tuple[str, ...] = ()
    result: bool = False

    @cached_property
    def __signature__(self) -> inspect.Signature:
        return inspect.Signature([inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in self.inputs])

    @cached_property
    def __fingerprint__(self) -> str:
        """Changes where its cells, the setup, or what later cells read of it changes; see ``Function.fingerprint``."""
        parts = {**asdict(self), "preparation": [cell.text for cell in self.preparation.cells], "cells": [cell.text for cell in self.cells]}
        parts["again"] = [name for name, _ in self.again]
        return repr(parts)

    def __outline__(self, given: Mapping[str, Any] | None) -> str:
        """The input as JSON, with the size of pickled values in their place; see ``Function.outline``."""
        return to_json({name: outlined(value) for name, value in (given or {}).items()})

    def __call__(self, **given: Any) -> dict[str, Any]:
        """Run the cells.

        Raises:
            StepFailed: A cell failed, or a value can't be passed on.
        """
        prepared, flags = _prepared(self.preparation)
        namespace: dict[str, Any] = {**prepared, "__name__": "__main__"}
        namespace |= {name: deepcopy(namespace[name]) for name in self.copies}
        with ExitStack() as stack:
            cells = _Cells(namespace, flags, stack, self.preparation.cells)
            for line in self.imports:
                cells.run(Source(f"<imports of {self.name}>", f"step:{self.name}, an import of an earlier step", line))
            namespace |= {name: Answer.of(value) if name in self.answers else decoded(name, value) for name, value in given.items()}
            for name, source in self.again:
                cells.define(source, name)
            value = None
            for number, cell in enumerate(self.cells, 1):
                value = cells.run(cell, wanted=self.result and number == len(self.cells))
        return self._output(namespace, value)

    def _output(self, namespace: Mapping[str, Any], value: Any) -> dict[str, Any]:
        output = {name: encoded(name, self._found(namespace, name)) for name in self.outputs}
        for place in self.texts:
            name, *attributes = place.split(".")
            found = self._found(namespace, name)
            for attribute in attributes:
                if not hasattr(found, attribute):
                    raise StepFailed(f"a later prompt shows {{{place}}}, but {name} has no attribute {attribute!r}", retryable=False)
                found = getattr(found, attribute)
            output[text_key(place)] = as_prompt(found)
        return output | ({"result": shown(value)} if self.result else {})

    def _found(self, namespace: Mapping[str, Any], name: str) -> Any:
        if name not in namespace:
            raise StepFailed(
                f"{self.cells[-1].place}: the cell hasn't assigned {name} this time, and a later step reads it: assign it on every path",
                retryable=False,
            )
        return namespace[name]


def text_key(place: str) -> str:
    """The key in a step's output under which a prompt finds the text of a variable; no variable has such a name."""
    return f"{place} as text"


def step_function(reference: str, folder: Path | None = None) -> NotebookStep:
    """What ``notebook:FILE.ipynb#NAME`` names; the file is looked for in the folder.

    Raises:
        UnknownName: There is no such step.
        WorkflowSpecError: The notebook can't be a workflow.
    """
    file, _, name = reference.removeprefix(SCHEME).rpartition("#")
    if not file:
        raise UnknownName(f"{reference}: write {SCHEME}FILE.ipynb#NAME, where a cell has the tag step:NAME")
    path = (folder or Path.cwd()) / Path(file).expanduser()
    plan = plan_of(path.resolve())
    step = plan.steps.get(name)
    if step is None or step.draft.agent is not None:
        known = ", ".join(found.name for found in plan.steps.values() if found.draft.agent is None) or "none"
        raise UnknownName(f"{reference}: no Python cell of {path.name} has the tag step:{name}; there are: {known}")
    return _function(plan, step)


def _function(plan: Plan, step: Wired) -> NotebookStep:
    roles, path = plan.roles, plan.notebook.path
    module = f"agentnb_notebook_{hashlib.sha256(str(path).encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"
    used = {*step.flow.reads} & {*roles.open}
    defined = definitions(roles.setup)
    again = [(name, _source(path, "setup", code)) for name, (code, _) in defined.items() if name in used]
    return NotebookStep(
        step.name,
        Preparation(module, tuple(_source(path, "setup", code) for code in roles.setup)),
        tuple(_source(path, step.name, code) for code in step.draft.codes),
        inputs=tuple(step.sources),
        outputs=tuple(sorted(step.outputs)),
        texts=tuple(sorted(step.texts)),
        answers=tuple(name for name, source in step.sources.items() if source and plan.steps[source].draft.agent is not None),
        imports=tuple(dict.fromkeys(step.imports.values())),
        again=tuple(again),
        copies=tuple(sorted(step.copies)),
        result=step.result,
    )


def _source(path: Path, name: str, code: Code) -> Source:
    number = code.cell.number
    label = f"step:{name}, " if name != "setup" else "setup, "
    return Source(f"{path.name}#{name} (cell {number})", f"{path.name}, {label}cell {number}", code.source)


class _Cells:
    """Runs cells one after another in a namespace."""

    def __init__(self, namespace: dict[str, Any], flags: int, stack: ExitStack, known: tuple[Source, ...] = ()) -> None:
        self._namespace = namespace
        self.flags = flags
        self._stack = stack
        self._runner: asyncio.Runner | None = None
        self._sources = {source.file: source for source in known}

    def run(self, source: Source, *, wanted: bool = False) -> Any:
        """Run a cell; the value of its last line where that is wanted."""
        body = ast.parse(source.text).body
        last = body.pop() if wanted and body and isinstance(body[-1], ast.Expr) else None
        self._execute(source, ast.Module(body, []), "exec")
        return self._execute(source, ast.Expression(last.value), "eval") if isinstance(last, ast.Expr) else None

    def define(self, source: Source, name: str) -> None:
        """Run only what defines a function in a cell."""
        for part in ast.parse(source.text).body:
            targets = part.targets if isinstance(part, ast.Assign) else []
            if getattr(part, "name", "") == name or any(isinstance(target, ast.Name) and target.id == name for target in targets):
                self._execute(source, ast.Module([part], []), "exec")

    def _execute(self, source: Source, tree: ast.Module | ast.Expression, mode: str) -> Any:
        self._sources[source.file] = source
        linecache.cache[source.file] = (len(source.text), None, source.text.splitlines(keepends=True), source.file)
        try:
            code: CodeType = compile(tree, source.file, mode, flags=AWAIT | self.flags, dont_inherit=True)
            self.flags |= code.co_flags & _FUTURE
            value = eval(code, self._namespace)  # noqa: S307
            return self._awaited(value) if code.co_flags & CO_COROUTINE else value
        except AgentNBError as error:
            error.add_note(self._place(source, error.__traceback__))
            raise
        except (Exception, SystemExit) as error:
            raise StepFailed(f"{self._place(source, error.__traceback__)}: {type(error).__name__}: {error}") from error

    def _awaited(self, value: Any) -> Any:
        if self._runner is None:
            self._runner = self._stack.enter_context(asyncio.Runner())
        return self._runner.run(value)

    def _place(self, source: Source, trace: TracebackType | None) -> str:
        """The innermost line of a cell that was being run."""
        line = 0
        while trace is not None:
            found = self._sources.get(trace.tb_frame.f_code.co_filename)
            if found is not None:
                source, line = found, trace.tb_lineno
            trace = trace.tb_next
        text = linecache.getline(source.file, line).strip() if line else ""
        return f"{source.place}, line {line} `{text[:100]}`" if text else source.place


_lock = threading.RLock()
_made: dict[str, tuple[str, dict[str, Any], int]] = {}


def _prepared(preparation: Preparation) -> tuple[dict[str, Any], int]:
    """The setup's namespace, that of a module, so that what it defines is the same for all steps; and its compiler flags."""
    with _lock:
        known = _made.get(preparation.module)
        if known is not None and known[0] == preparation.key:
            return known[1], known[2]
        module = ModuleType(preparation.module)
        module.__dict__["display"] = _display
        before = sys.modules.get(preparation.module)
        sys.modules[preparation.module] = module
        try:
            with ExitStack() as stack:
                cells = _Cells(module.__dict__, 0, stack)
                for source in preparation.cells:
                    cells.run(source)
        except BaseException:
            sys.modules.pop(preparation.module)
            if before is not None:
                sys.modules[preparation.module] = before
            raise
        _made[preparation.module] = (preparation.key, module.__dict__, cells.flags)
        return module.__dict__, cells.flags


def _display(*objects: Any, **_: Any) -> None:
    """Stands for IPython's ``display``."""
    for item in objects:
        print(item)  # noqa: T201
