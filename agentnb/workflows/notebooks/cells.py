"""The cells of a notebook file: read without nbformat, their tags, and their Python without IPython's own lines."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentnb.workflows.documents import Finding, WorkflowSpecError

STEP = "step:"
SETUP = "setup"
PARAMETERS = "parameters"
AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT

_IGNORED = frozenset({"matplotlib", "config", "load_ext", "reload_ext", "autoreload"})
_LINE_MAGIC = re.compile(r"\s*%([A-Za-z_]\w*)")
_CELL_MAGIC = re.compile(r"\s*%%([A-Za-z_]\w*)?[ \t]*(.*)")
_HELP = re.compile(r"\s*(\?{1,2}\s*[\w.*]+|[\w.*]+\s*\?{1,2})\s*")
_SHELL = re.compile(r"\s*(?:[\w.,\s]+=\s*)?!")
_MENDS = {
    "pip": "Install packages before the workflow runs, in a cell without a tag",
    "conda": "Install packages before the workflow runs, in a cell without a tag",
    "time": "Take %time away and keep what follows it",
    "timeit": "Move it into a cell without a tag",
    "run": "Import what the script defines, or make it a step of its own",
}


class CellProblem(Exception):
    """A cell can't be part of a workflow.

    Attributes:
        line: In the cell, from 1; 0 where it is the whole cell.
    """

    def __init__(self, message: str, mend: str, line: int = 0) -> None:
        super().__init__(message)
        self.message, self.mend, self.line = message, mend, line


@dataclass(frozen=True)
class Cell:
    """A code cell.

    Attributes:
        number: Its place among all cells of the notebook, from 1.
        source: As it stands in the file.
    """

    number: int
    tags: tuple[str, ...]
    source: str

    @property
    def steps(self) -> list[str]:
        """The names behind its ``step:`` tags."""
        return [tag.removeprefix(STEP) for tag in self.tags if tag.startswith(STEP)]

    @property
    def magic(self) -> tuple[str, str, str] | None:
        """Name, options and text of a cell like ``%%agent -m …``."""
        first, _, rest = self.source.lstrip("\n").partition("\n")
        found = _CELL_MAGIC.fullmatch(first)
        return (found[1] or "", found[2], rest) if found else None

    def __str__(self) -> str:
        shown = [tag for tag in self.tags if tag.startswith(STEP) or tag in (SETUP, PARAMETERS)]
        return f"cell {self.number} ({', '.join(shown)})" if shown else f"cell {self.number}"


@dataclass(frozen=True)
class Code:
    """A cell's Python: the same lines, those of IPython that mean nothing here made ``pass``."""

    cell: Cell
    source: str
    tree: ast.Module


@dataclass(frozen=True)
class Notebook:
    """A notebook file's code cells, and its first heading."""

    path: Path
    title: str
    cells: tuple[Cell, ...]

    def finding(self, cell: Cell | None, message: str, mend: str, line: int = 0) -> Finding:
        """What is wrong with a cell, with its place."""
        place = f"{cell}{f', line {line}' if line else ''}: " if cell else ""
        return Finding(f"{place}{message}", mend, file=self.path.name)


def read(path: Path) -> Notebook:
    """Read a notebook.

    Raises:
        WorkflowSpecError: It isn't there, is no notebook, or not in Python.
    """
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise _refused(path, "there is no such file", "Check the path, and the folder that it starts from") from None
    except OSError as error:
        raise _refused(path, f"the file can't be read: {error.strerror}", "Check its path and its permissions") from None
    except json.JSONDecodeError as error:
        raise _refused(path, f"not valid JSON: {error.msg}", "Restore the notebook, or save it again in JupyterLab", error.lineno) from None
    except (ValueError, RecursionError) as error:
        raise _refused(path, f"not readable as JSON: {error}", "Restore the notebook, or save it again in JupyterLab") from None
    if not isinstance(data, dict) or not isinstance(data.get("cells"), list):
        raise _refused(path, "this is no notebook of format 4: it has no list of cells", "Open it in JupyterLab and save it again")
    language = _language(data.get("metadata"))
    if language.lower() not in ("python", "ipython", ""):
        raise _refused(path, f"its language is {language}", "Only notebooks in Python can become workflows; call others by a shell: step")
    cells = [(number, cell) for number, cell in enumerate(data["cells"], 1) if isinstance(cell, dict)]
    code = tuple(Cell(number, _tags(cell), _source(cell)) for number, cell in cells if cell.get("cell_type") == "code")
    return Notebook(path, _title(cell for _, cell in cells), code)


def python_of(cell: Cell) -> Code:
    """A cell's Python.

    Raises:
        CellProblem: It has lines that only IPython knows, or isn't valid.
    """
    lines = cell.source.split("\n")
    if cell.magic is not None:
        if cell.magic[0] != "time":
            raise CellProblem(
                f"%%{cell.magic[0]} is no Python", "Use %%agent, Python (subprocess for commands), or a step of the workflow", 1
            )
        lines[next(place for place, line in enumerate(lines) if line.strip())] = ""
    while True:
        text = "\n".join(lines)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(text)
                compile(text, str(cell), "exec", flags=AWAIT, dont_inherit=True)
            return Code(cell, text, tree)
        except SyntaxError as error:
            place = (error.lineno or 1) - 1
            line = lines[place] if place < len(lines) else ""
            if not _ignorable(line):
                raise _problem(line, error) from None
            lines[place] = f"{line[: len(line) - len(line.lstrip())]}pass"
        except (ValueError, RecursionError, MemoryError) as error:
            raise CellProblem(f"not readable as Python: {error}", "Write it anew") from None


def _ignorable(line: str) -> bool:
    magic = _LINE_MAGIC.match(line)
    return magic[1] in _IGNORED if magic else _HELP.fullmatch(line) is not None


def _problem(line: str, error: SyntaxError) -> CellProblem:
    magic = _LINE_MAGIC.match(line) or re.match(r"[\w.,\s]+=\s*%([A-Za-z_]\w*)", line)
    if magic:
        mend = _MENDS.get(magic[1], "Write it in Python, or move it into a cell without a tag")
        return CellProblem(f"%{magic[1]} is known to IPython only, and a workflow runs without it", mend, error.lineno or 0)
    if _SHELL.match(line):
        mend = "Use subprocess.run([...], check=True), or a shell: step of the workflow"
        return CellProblem(f"`{line.strip()[:60]}` is a command of IPython, and a workflow runs without it", mend, error.lineno or 0)
    return CellProblem(f"not valid Python: {error.msg}", "Run the cell in the notebook first", error.lineno or 0)


def _refused(path: Path, message: str, mend: str, line: int = 0) -> WorkflowSpecError:
    return WorkflowSpecError([Finding(message, mend, line=line, file=str(path))])


def _language(metadata: Any) -> str:
    given = metadata if isinstance(metadata, Mapping) else {}
    for part, key in (("language_info", "name"), ("kernelspec", "language")):
        found = given.get(part)
        if isinstance(found, Mapping) and isinstance(found.get(key), str):
            return str(found[key])
    return ""


def _tags(cell: Mapping[str, Any]) -> tuple[str, ...]:
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, Mapping) else None
    return tuple(tag.strip() for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ()


def _source(cell: Mapping[str, Any]) -> str:
    source = cell.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def _title(cells: Any) -> str:
    for cell in cells:
        found = re.search(r"^#+\s+(.+)$", _source(cell), re.MULTILINE) if cell.get("cell_type") == "markdown" else None
        if found:
            return found[1].strip()[:200]
    return ""
