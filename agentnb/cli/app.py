"""The commands' tree."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from agentnb import __version__, plugins
from agentnb.cli import agents, benchmark, demo, jobs, models, optimize, runs, serve, workflows
from agentnb.cli.output import FAILED, Json, exit_codes, put, put_table
from agentnb.notebook import tables

app = typer.Typer(
    name="agentnb",
    help="AI agents in Jupyter notebooks, offline by default.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(agents.app, name="agents")
app.add_typer(workflows.app, name="workflow")
app.add_typer(jobs.app, name="jobs")
app.add_typer(runs.app, name="runs")
app.add_typer(models.app, name="models")
app.add_typer(benchmark.app, name="benchmark")
app.command("run")(agents.run)
app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.command("optimize")(optimize.optimize)
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
                sys.stdout.write(f"{'✓' if finding.ok else '✕'} {finding.name}: {finding.value}{mend}\n")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(FAILED)


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="One SELECT over runs, steps, events, agents, turns, signals.")], as_json: Json = False
) -> None:
    """Ask the journal by DuckDB, read-only."""
    from agentnb.config import load

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
