"""Tab completion of ``%agentnb``, ``%%agent`` and ``%%workflow`` lines, and of ``{variables}`` in a prompt."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from agentnb.errors import AgentNBError
from agentnb.notebook.arguments import CellParser
from agentnb.notebook.names import functions, instances, is_function, variables

if TYPE_CHECKING:
    from agentnb.notebook.extension import Extension
    from agentnb.ports.model import ModelInfo

_OWN = re.compile(r"(?:%%(?:agent|workflow)|.*%agentnb)\s")
_VARIABLE = re.compile(r"(?<!\{)\{([A-Za-z_]\w*)?$")
_LISTS = ("tools", "context")
_FILES = 50
"""Files of a folder that are offered."""

Names = Callable[[], Iterable[str]]


def matched(extension: Extension, text: str, row: int, column: int) -> tuple[str, list[str]] | None:
    """What the word at the cursor may become.

    Args:
        extension: Knows the notebook's names.
        text: The cell.
        row: Line of the cursor in it, from 0.
        column: Place of the cursor in the line.

    Returns:
        The part of the word that is there, and what may stand in its place; None where that isn't ours to say.
    """
    before = text.split("\n")[row][:column]
    if row and text.startswith("%%agent"):
        place = _VARIABLE.search(before)
        return _like(place[1] or "", variables(extension)) if place else None
    if not _OWN.match(before):
        return None
    if before.startswith("%%"):
        magic, *words = before.split()
    else:
        magic, *words = before[before.rindex("%agentnb") :].split()
    begun = words.pop() if words and not before[-1].isspace() else ""
    names = {"%%agent": _agent, "%%workflow": _workflow, "%agentnb": _command}[magic]
    try:
        return _like(*names(extension, words, begun))
    except AgentNBError:  # there is no such run, or no store: running the line says so
        return begun, []


def kind(extension: Extension, name: str) -> str:
    """What an offered name is, as front ends show it."""
    if name.startswith("--"):
        return "option"
    value = extension.namespace.get(name)
    return "function" if is_function(value) else "class" if isinstance(value, type) else "name" if value is None else "variable"


def _like(begun: str, names: Iterable[str]) -> tuple[str, list[str]]:
    return begun, [name for name in dict.fromkeys(names) if name.startswith(begun)]


def _agent(extension: Extension, words: list[str], begun: str) -> tuple[str, Iterable[str]]:
    from agentnb.notebook.arguments import parser

    values: dict[str, Names] = {
        "model": lambda: [info.name for info in _models() if info.writes],
        "tools": lambda: _functions(extension),
        "context": lambda: [*variables(extension), *_files(begun.rpartition(",")[2])],
        "schema": lambda: instances(extension, type),
        "record": lambda: _files(begun),
        "replay": lambda: _files(begun),
    }
    return _line(parser(), words, begun, values, lambda: _agents(extension))


def _workflow(extension: Extension, words: list[str], begun: str) -> tuple[str, Iterable[str]]:
    from agentnb.notebook.workflow_arguments import parser

    known = next((extension.namespace[word] for word in words if word in _workflows(extension)), None)
    values: dict[str, Names] = {
        "inputs": lambda: [f"{name}=" for name in (known.to_dict().get("inputs") or {})] if known is not None else (),
        "rerun": lambda: _runs("workflow"),
        "start": lambda: _steps(known.to_dict()) if known is not None else (),
        "record": lambda: _files(begun),
        "replay": lambda: _files(begun),
    }
    return _line(parser(), words, begun, values, lambda: _workflows(extension))


def _command(extension: Extension, words: list[str], begun: str) -> tuple[str, Iterable[str]]:
    from agentnb.notebook.magics import COMMANDS

    if not words:
        return begun, sorted(COMMANDS)
    command, *given = words
    if command in ("optimize", "benchmark"):
        from agentnb.notebook.performance_magics import benchmark_parser, optimize_parser

        options = optimize_parser() if command == "optimize" else benchmark_parser()
        return _line(options, given, begun, {}, lambda: [*_local(), *variables(extension), *_files(begun)])
    if command == "rerun":
        from agentnb.notebook.workflow_magics import rerun_parser

        return _line(rerun_parser(), given, begun, {"start": lambda: _steps_of_run(given[0])}, lambda: _runs("workflow"))
    return begun, _after(extension, command, given)


def _after(extension: Extension, command: str, given: list[str]) -> Iterable[str]:
    """What may follow a command that has no options of its own."""
    from agentnb.agents.capabilities import BUILT_IN
    from agentnb.notebook.magics import COMMANDS
    from agentnb.ports.store import Status

    if command in ("graph", "report", "diff") or (command == "stale" and given):
        return _runs("workflow")
    table: dict[str, Names] = {
        "help": lambda: sorted(COMMANDS),
        "agents": lambda: BUILT_IN,
        "runs": lambda: get_args(Status),
        "models": lambda: _local() if given else ["pull"],
        "sql": lambda: ("SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "runs", "steps", "events", "agents", "turns", "signals"),
        "doctor": lambda: ["--hardware"],
        "stale": lambda: _workflows(extension),
        "show": lambda: _runs(""),
        "resume": lambda: _runs(""),
        "cancel": lambda: _runs(""),
        "replay": lambda: ["--live", *_runs("agent")],
    }
    return table.get(command, tuple)()


def _line(options: CellParser, words: list[str], begun: str, values: Mapping[str, Names], names: Names) -> tuple[str, Iterable[str]]:
    """What may follow in a line of options: the values of the option before, by its name in ``values``; else names and options."""
    asked = options.asked_by(words[-1]) if words else ""
    if asked:
        return begun.rpartition(",")[2] if asked in _LISTS else begun, values.get(asked, tuple)()
    return begun, [*names(), *options.names]


def _functions(extension: Extension) -> list[str]:
    from agentnb import plugins

    return [*functions(extension), *plugins.table("agentnb.tools")]


def _agents(extension: Extension) -> list[str]:
    from agentnb.runtime.agent import Agent

    return [*instances(extension, Agent), *extension.agents]


def _workflows(extension: Extension) -> list[str]:
    from agentnb.runtime.workflow import Workflow

    return instances(extension, Workflow)


def _steps(document: Mapping[str, Any]) -> list[str]:
    return list(document.get("steps") or document.get("states") or ())


def _steps_of_run(run: str) -> list[str]:
    from agentnb.notebook.workflow_magics import run_named

    return _steps(run_named(run).spec.to_dict())


def _models() -> list[ModelInfo]:
    from agentnb.runtime.runtime import current

    return current().models.catalog()


def _local() -> list[str]:
    return [info.name for info in _models() if info.name.startswith("openvino:")]


def _runs(kind: str) -> list[str]:
    from agentnb.runtime.runtime import current

    return ["last", *(run.id for run in current().runs(kind=kind, limit=20))]


def _files(begun: str) -> list[str]:
    folder = begun.rpartition("/")[0] + "/" if "/" in begun else ""
    return [f"{folder}{file.name}{'/' if file.is_dir() else ''}" for file in islice(sorted(Path(folder or ".").glob("[!.]*")), _FILES)]
