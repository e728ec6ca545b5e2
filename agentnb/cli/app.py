"""The commands' tree."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from agentnb import __version__, plugins
from agentnb.cli.later import Commands
from agentnb.cli.output import FAILED, Json, exit_codes, put, put_table


class _Root(Commands):
    later = (
        (
            "run",
            "agentnb.cli.agents:run",
            'Run an agent: `agentnb run NAME -i prompt="…"`, or a workflow: `agentnb run FILE.yaml -i key=value`.',
        ),
        ("agents", "agentnb.cli.agents:app", "Agents of the store."),
        ("workflow", "agentnb.cli.workflows:app", "Workflows: write, check, run, go on."),
        ("jobs", "agentnb.cli.jobs:app", "Jobs: notebooks and workflows that run by themselves."),
        ("runs", "agentnb.cli.runs:app", "Runs of the store, past and present."),
        ("models", "agentnb.cli.models:app", "Models: here, and to be fetched."),
        ("benchmark", "agentnb.cli.benchmark:app", "Measure models beside their peers: agentnb benchmark MODEL…"),
        ("optimize", "agentnb.cli.optimize:optimize", "Make a model faster, without losing accuracy."),
        ("serve", "agentnb.cli.serve:serve", "Serve agents and local models by OpenAI's protocol, so that any client of it can use them."),
        (
            "demo",
            "agentnb.cli.demo:demo",
            "Fetch the local model, run the first example notebook with it, and show what its agents answered.",
        ),
    )


app = typer.Typer(
    name="agentnb",
    cls=_Root,
    help="AI agents in Jupyter notebooks, offline by default.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
kernel = typer.Typer(help="The Jupyter kernel with the extension loaded.", no_args_is_help=True)
app.add_typer(kernel, name="kernel")


def run() -> None:
    """Run the command line."""
    app()


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    """AI agents in Jupyter notebooks, offline by default."""
    if show:
        sys.stdout.write(f"agentnb {__version__}\n")
        raise typer.Exit


@app.command()
def doctor(
    hardware: Annotated[
        bool, typer.Option("--hardware", help="Only the machine: processor, devices, and what each precision runs in.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say what is installed and found, and how to mend what is missing; exit code 1 where something is."""
    from agentnb.config import load
    from agentnb.runtime import doctor as doctor_

    with exit_codes(as_json=as_json):
        findings = doctor_.hardware() if hardware else doctor_.examine(load())
        if as_json:
            put({"ok": all(finding.ok for finding in findings), "findings": findings})
        else:
            for finding in findings:
                mend = f"\n    mend: {finding.mend}" if finding.mend else ""
                sys.stdout.write(f"{finding.mark} {finding.name}: {finding.value}{mend}\n")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(FAILED)


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="One SELECT over runs, steps, events, agents, turns, signals.")], as_json: Json = False
) -> None:
    """Ask the journal by DuckDB, read-only."""
    from agentnb.config import load
    from agentnb.notebook import tables

    with exit_codes(as_json=as_json):
        columns, rows = plugins.load("agentnb.queries", "duckdb")(load().store, query)
        put_table(tables.rows_of(columns, rows), "rows", as_json=as_json)


@kernel.command("install")
def kernel_install(
    prefix: Annotated[Path | None, typer.Option(help="Folder to install into; this Python environment by default.")] = None,
    as_json: Json = False,
) -> None:
    """Install the kernelspec "agentnb (Python)"."""
    from importlib.resources import as_file, files

    from jupyter_client.kernelspec import KernelSpecManager

    with as_file(files("agentnb.notebook").joinpath("kernelspec")) as source:
        place = KernelSpecManager().install_kernel_spec(str(source), kernel_name="agentnb", prefix=str(prefix or sys.prefix))
    if as_json:
        put({"kernel": "agentnb", "path": place})
    else:
        sys.stdout.write(f"kernel agentnb (Python) is in {place}\n")
