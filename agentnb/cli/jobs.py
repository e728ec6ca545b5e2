"""``agentnb jobs …``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentnb.cli.completion import run_ids
from agentnb.cli.inputs import run_named
from agentnb.cli.output import FAILED, USAGE, Json, exit_codes, put, put_table, put_text
from agentnb.errors import ConfigurationError
from agentnb.notebook.formats import printable

if TYPE_CHECKING:
    from agentnb.jobs.catalog import Catalog
    from agentnb.jobs.run import Prepared
    from agentnb.workflows.documents import Finding

app = typer.Typer(help="Jobs: notebooks and workflows that run by themselves.", no_args_is_help=True)

Folder = Annotated[
    Path | None, typer.Option("--dir", help="Folder of the job files; papermill_jobs here or above by default.", file_okay=False)
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="File to write to, instead of printing it.")]


@app.command("list")
def list_jobs(folder: Folder = None, as_json: Json = False) -> None:
    """List the jobs, when each is due next, and how it went last."""
    from agentnb.cli.job_tables import jobs_table

    with exit_codes(as_json=as_json):
        catalog = _catalog(folder)
        put_table(jobs_table(catalog), "jobs", as_json=as_json)


@app.command()
def run(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A job's name or file, or a notebook.")],
    parameters: Annotated[
        list[str] | None, typer.Option("-p", "-i", "--parameter", help="key=value, as the notebook's parameters want it.")
    ] = None,
    folder: Folder = None,
    output: Annotated[str | None, typer.Option("--output", "-o", help="Where the output goes, instead of the job's own place.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after a failure, with the job's newest run.")] = False,
    resume_of: Annotated[
        str, typer.Option("--resume-of", metavar="RUN", help="Go on after a failure, with this run.", autocompletion=run_ids)
    ] = "",
    redo: Annotated[
        list[int] | None, typer.Option("--redo", metavar="CELL", help="With --resume: run this cell again, though it is tagged once.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything and say what would be done.")] = False,
    downstream: Annotated[
        bool, typer.Option("--downstream", help="Then run the jobs that depend on it, each after those that it needs.")
    ] = False,
    firing: Annotated[str, typer.Option(hidden=True)] = "",
    run_id: Annotated[str, typer.Option(hidden=True)] = "",
    as_json: Json = False,
) -> None:
    """Run a job; the exit code says how it went, also where the kernel died, hung or was killed."""
    from agentnb.cli import job_execution

    with exit_codes(as_json=as_json):
        catalog = _catalog(folder)
        if firing:
            raise typer.Exit(job_execution.run_firing(catalog, name, firing))
        if run_id:
            raise typer.Exit(job_execution.run_queued(catalog, name, run_id))
        request = job_execution.Asked(
            tuple(parameters or ()), output, run_named(resume_of, "job") if resume or resume_of else None, tuple(redo or ())
        )
        if dry_run:
            _show_plan(job_execution.prepare(catalog, name, request), as_json=as_json)
            return
        ended = job_execution.run(catalog, name, request, as_json=as_json)
        if downstream and ended == 0:
            for other in catalog.downstream(name):
                ended = ended or job_execution.run(catalog, other, job_execution.Asked(output=output), as_json=as_json)
    raise typer.Exit(ended)


@app.command()
def validate(
    files: Annotated[list[Path] | None, typer.Argument(metavar="FILE…", help="Job files; all of the folder by default.")] = None,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Say all that is wrong with job files, with place and mend; exit code 2 where something is."""
    from agentnb.jobs import documents

    with exit_codes(as_json=as_json):
        findings = [item for file in files for item in documents.read(file)[1]] if files else _catalog(folder).findings()
    if as_json:
        put({"ok": not findings, "findings": [_finding(found) for found in findings]})
    else:
        sys.stdout.write(printable("".join(f"{found}\n" for found in findings) or "ok\n"))
    if findings:
        raise typer.Exit(USAGE)


@app.command()
def schema(output: Output = None, as_json: Json = False) -> None:
    """Print the JSON Schema of job files, for editors."""
    from agentnb.jobs.spec import json_schema

    with exit_codes(as_json=as_json):
        put_text(json.dumps(json_schema(), indent=2, ensure_ascii=False), output)


@app.command()
def due(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A job.")],
    within: Annotated[str, typer.Option(help="How long ago it may have been, as 5m.")] = "5m",
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Whether a job's schedule was due just now: exit code 0 or 1, for crons that know no time zones."""
    from agentnb.cli import job_execution

    with exit_codes(as_json=as_json):
        found = job_execution.is_due(_catalog(folder), name, within)
    if as_json:
        put({"due": found})
    if not found:
        raise typer.Exit(FAILED)


@app.command("next")
def next_firings(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="A job; all of them by default.")] = "",
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=1000, help="How many times.")] = 5,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Show when jobs are due next."""
    from agentnb.cli.job_tables import firings_table

    with exit_codes(as_json=as_json):
        catalog = _catalog(folder)
        if name:
            catalog.find(name)
        put_table(firings_table(catalog, name, count), "firings", as_json=as_json)


@app.command()
def serve(
    folder: Folder = None,
    max_parallel: Annotated[int, typer.Option(min=1, help="Jobs at a time.")] = 4,
    grace: Annotated[float, typer.Option(min=0, help="Seconds that running jobs get to end when this is stopped.")] = 30.0,
    as_json: Json = False,
) -> None:
    """Run jobs when they are due, until interrupted; several of these may share a store, and each firing runs once."""
    from agentnb.jobs.serving import serve as run_scheduler

    with exit_codes(as_json=as_json):
        catalog = _catalog(folder)
        if not catalog.folder.is_dir():
            raise ConfigurationError(f"there is no folder {catalog.folder}: name one with --dir")
        run_scheduler(catalog.folder, max_parallel=max_parallel, grace=grace, tell=_teller(as_json=as_json))


@app.command()
def export(
    target: Annotated[str, typer.Option("--target", "-t", help="crontab, systemd, github-actions, gitlab-ci, kubernetes or airflow.")],
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME…", help="Jobs; all that have a schedule by default.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder to write to; printed by default.", file_okay=False)] = None,
    option: Annotated[
        list[str] | None, typer.Option("--set", help="key=value of the target: image, python, install, bucket, namespace …")
    ] = None,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Write files with which cron, systemd, a CI or a cluster runs the jobs."""
    from agentnb.cli.inputs import parse_inputs
    from agentnb.jobs import export as exporting

    with exit_codes(as_json=as_json):
        given = {key: str(value) for key, value in parse_inputs(option or ()).items()}
        files = exporting.export(_catalog(folder), target, names or (), given)
        if output is not None:
            written = exporting.write(files, output)
            if not as_json:
                sys.stderr.write("".join(f"wrote {path.absolute()}\n" for path in written))
        if as_json:
            put({"target": target, "files": files if output is None else [str(path) for path in written]})
        elif output is None:
            many = len(files) > 1
            sys.stdout.write("".join(f"{f'# --- {name}{chr(10)}' if many else ''}{text}" for name, text in files.items()))


def _catalog(folder: Path | None) -> Catalog:
    from agentnb.jobs.catalog import Catalog

    return Catalog.of(folder)


def _show_plan(prepared: Prepared, *, as_json: bool) -> None:
    shown = prepared.shown()
    if as_json:
        put(shown)
        return
    for key, value in shown.items():
        if value not in (None, [], {}):
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            sys.stdout.write(printable(f"{key.replace('_', ' '):<16} {text}\n"))
    sys.stdout.write("nothing was run\n")


def _finding(found: Finding) -> dict[str, Any]:
    return {
        "file": found.file,
        "line": found.line,
        "column": found.column,
        "field": found.field,
        "message": found.message,
        "mend": found.mend,
        "severity": found.severity,
    }


def _teller(*, as_json: bool) -> Any:
    def tell(told: dict[str, Any]) -> None:
        line = (
            json.dumps(told, ensure_ascii=False) if as_json else " ".join(str(value) for value in told.values() if value not in ("", None))
        )
        sys.stdout.write(printable(f"{line}\n"))
        sys.stdout.flush()

    return tell
