"""``agentnb workflow from-notebook``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from agentnb.cli.output import Json, exit_codes, put, put_text
from agentnb.errors import ConfigurationError


def from_notebook(
    notebook: Annotated[Path, typer.Argument(metavar="NB", help="A notebook whose cells have tags step:NAME.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write, - to print; NB.workflow.yaml by default.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file where it is there.")] = False,
    as_json: Json = False,
) -> None:
    """Write a workflow whose steps are the tagged cells of a notebook; the notebook stays as it is."""
    from agentnb.runtime.templates import ENDING
    from agentnb.workflows.notebooks import converted

    with exit_codes(as_json=as_json):
        if output == Path("-"):
            put_text(converted(notebook, Path.cwd()).text, None)
            return
        file = output or notebook.with_name(f"{notebook.stem}{ENDING}")
        found = converted(notebook, file.parent)
        _write(file, found.text, force=force)
        if as_json:
            put({"file": str(file), "steps": found.steps, "left_out": found.left_out})
            return
        sys.stdout.write(f"wrote {file.absolute()}\n")
        for step, cells in found.steps.items():
            sys.stdout.write(f"  {step}: {_cells(cells)}\n")
        if found.left_out:
            sys.stdout.write(f"left out, for they have no tag: {_cells(found.left_out)}\n")
        sys.stdout.write(f"\nrun it:      agentnb workflow run {file}\n")


def _write(file: Path, text: str, *, force: bool) -> None:
    try:
        with file.open("w" if force else "x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise ConfigurationError(f"{file} is there already: give another name with -o FILE, or overwrite it with --force") from None
    except OSError as error:
        raise ConfigurationError(f"{file} can't be written: {error.strerror}") from error


def _cells(numbers: tuple[int, ...]) -> str:
    return f"cell{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
