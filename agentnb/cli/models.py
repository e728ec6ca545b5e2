"""``agentnb models …``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from agentnb.cli.output import Json, exit_codes, put, put_table
from agentnb.errors import UnknownModel
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
def pull(name: Name, as_json: Json = False) -> None:
    """Fetch a model onto this machine and check it; nothing is fetched twice."""
    with exit_codes(as_json=as_json):
        info = current().models.pull(name, lambda *_: None) if as_json else pull_with_progress(current(), name)
        if as_json:
            put(asdict(info))
        else:
            sys.stdout.write(f"{info.name} is in {info.path}\n")


@app.command()
def show(name: Name, as_json: Json = False) -> None:
    """Show what is known of a model."""
    with exit_codes(as_json=as_json):
        full = name if ":" in name else f"openvino:{name}"
        found = [info for info in current().models.catalog() if info.name == full]
        if not found:
            raise UnknownModel(f"no provider lists {full!r}: `agentnb models list` shows those that are known")
        put(asdict(found[0]))
