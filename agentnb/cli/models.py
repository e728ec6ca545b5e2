"""``agentnb models …``."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from agentnb.cli.output import Json, exit_codes, put, put_table
from agentnb.errors import UnknownModel
from agentnb.names import nearest
from agentnb.notebook import tables
from agentnb.notebook.progress import pull as pull_with_progress
from agentnb.runtime.runtime import current

app = typer.Typer(help="Models: here, and to be fetched.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Such as smollm2-135m, or provider:model.")]


@app.command("list")
def list_models(as_json: Json = False) -> None:
    """List the models that the providers know of."""
    with exit_codes(as_json=as_json):
        put_table(tables.models(current().models.catalog()), "models", as_json=as_json)


@app.command()
def pull(
    name: Name, as_json: Json = False, lines: Annotated[bool, typer.Option("--lines", help="Say how far it is, in lines of JSON.")] = False
) -> None:
    """Fetch a model onto this machine and check it; nothing is fetched twice."""
    with exit_codes(as_json=as_json):
        if lines:
            current().models.pull(name, _line)
        elif as_json:
            put(asdict(current().models.pull(name, lambda *_: None)))
        else:
            info = pull_with_progress(current(), name)
            sys.stdout.write(f"{info.name} is in {info.path}\n")


def _line(task: str, done: int, total: int) -> None:
    """Say how far a model is; where nobody reads that any more, it isn't wanted any more."""
    try:
        sys.stdout.write(json.dumps({"task": task, "done": done, "total": total}) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that nothing is left to be written at the end
        raise KeyboardInterrupt from None


@app.command()
def show(name: Name, as_json: Json = False) -> None:
    """Show what is known of a model."""
    with exit_codes(as_json=as_json):
        full = name if ":" in name else f"openvino:{name}"
        known = {info.name: info for info in current().models.catalog()}
        if full not in known:
            near = nearest(full, known)
            mend = f"did you mean {near}?" if near else "`agentnb models list` shows those that are known"
            raise UnknownModel(f"no provider lists {full!r}: {mend}")
        put(asdict(known[full]))
