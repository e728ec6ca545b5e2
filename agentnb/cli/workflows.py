"""``agentnb workflow …``."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from agentnb.cli import execution, from_notebook, watched
from agentnb.cli.completion import run_ids, workflow_files
from agentnb.cli.inputs import run_named
from agentnb.cli.output import USAGE, Json, exit_codes, put, put_text
from agentnb.errors import ConfigurationError
from agentnb.notebook.formats import printable

if TYPE_CHECKING:
    from agentnb.workflows.documents import Finding

app = typer.Typer(help="Workflows: write, check, run, go on.", no_args_is_help=True)
app.command("from-notebook")(from_notebook.from_notebook)

File = Annotated[Path, typer.Argument(metavar="FILE", help="A workflow as YAML or JSON.", autocompletion=workflow_files)]
Inputs = Annotated[
    list[str] | None, typer.Option("-i", "-p", "--input", help="key=value; JSON values are read as such where the input isn't text.")
]
Model = Annotated[str | None, typer.Option("--model", "-m", help="provider:model, instead of those of the file's agents.")]
Record = Annotated[Path | None, typer.Option(help="Cassette file to record model calls to.")]
Replay = Annotated[Path | None, typer.Option(help="Cassette file to answer model calls from.")]
From = Annotated[list[str] | None, typer.Option("--from", metavar="STEP", help="Run this step anew, and what needs it.")]
Wait = Annotated[
    bool | None,
    typer.Option("--wait/--no-wait", help="Whether to wait for people's answers; by default where somebody is at the terminal."),
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="File to write to, instead of printing it.")]


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the workflow; the template's by default.")] = "",
    template: Annotated[str, typer.Option("--template", "-t", help="What to start from; --list shows them.")] = "support",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; NAME.workflow.yaml by default.")] = None,
    show_list: Annotated[bool, typer.Option("--list", help="List the templates.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
    as_json: Json = False,
) -> None:
    """Write a workflow to start from: a complete example that runs as it is."""
    from agentnb.runtime import templates

    with exit_codes(as_json=as_json):
        if show_list:
            _list_templates(templates.templates(), as_json=as_json)
            return
        found = templates.find(template)
        slug = re.sub(r"[^\w.-]+", "_", name).strip("_.") or template
        file = output or Path(f"{slug}{templates.ENDING}")
        documents = found.documents(file, name)
        _write(documents, force=force)
        if as_json:
            put({"template": template, "files": [str(path) for path in documents]})
            return
        for path in documents:
            sys.stdout.write(f"wrote {path.absolute()}\n")
        sys.stdout.write(f"\nrun it:      agentnb workflow run {file}\ncheck it:    agentnb workflow validate {file}\n")
        sys.stdout.write(f"look at it:  agentnb workflow graph {file}\n")
        if "openvino:" in "".join(documents.values()):
            sys.stdout.write("Its agents use a small model of this machine: agentnb models pull smollm2-135m fetches it, once.\n")


@app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Workflows as YAML or JSON.", autocompletion=workflow_files)],
    as_json: Json = False,
) -> None:
    """Say all that is wrong with workflows, with place and mend; exit code 2 where something is."""
    with exit_codes(as_json=as_json):
        findings = {str(file): _findings(file) for file in files}
    wrong = any(finding.severity == "error" for found in findings.values() for finding in found)
    if as_json:
        put({"ok": not wrong, "findings": [_finding_data(file, finding) for file, found in findings.items() for finding in found]})
    else:
        for file, found in findings.items():
            for finding in found:
                sys.stdout.write(printable(f"{'warning: ' if finding.severity == 'warning' else ''}{finding}\n"))
            if not any(finding.severity == "error" for finding in found):
                sys.stdout.write(f"{file}: ok\n")
    if wrong:
        raise typer.Exit(USAGE)


@app.command()
def plan(file: File, as_json: Json = False) -> None:
    """Show what would run when: phases, the critical path, resources."""
    with exit_codes(as_json=as_json):
        made = execution.load(file).plan()
        if as_json:
            put(made.to_dict())
        else:
            sys.stdout.write(printable(f"{made.to_text()}\n"))


@app.command()
def graph(
    file: File,
    form: Annotated[Literal["text", "mermaid", "dot", "svg"], typer.Option("--format", "-f", help="How it is drawn.")] = "text",
    output: Output = None,
    as_json: Json = False,
) -> None:
    """Draw the graph of a workflow."""
    with exit_codes(as_json=as_json):
        text = _drawn(file, form)
        put_text(json.dumps({"format": form, "graph": text}, ensure_ascii=False, indent=2) if as_json else text, output)


@app.command()
def schema(output: Output = None, as_json: Json = False) -> None:
    """Print the JSON Schema of workflow files, for editors."""
    from agentnb.workflows.spec import json_schema

    with exit_codes(as_json=as_json):
        put_text(json.dumps(json_schema(), indent=2, ensure_ascii=False), output)


@app.command()
def run(
    file: File,
    inputs: Inputs = None,
    model: Model = None,
    record: Record = None,
    replay: Replay = None,
    rerun: Annotated[
        str, typer.Option(metavar="RUN", help="Take the results of an earlier run for the steps that are the same.", autocompletion=run_ids)
    ] = "",
    start: From = None,
    wait: Wait = None,
    parent: Annotated[int, typer.Option(hidden=True, help="The process without which it ends.")] = 0,
    as_json: Json = False,
) -> None:
    """Run a workflow."""
    if parent:
        watched.end_with(parent)
    with exit_codes(as_json=as_json):
        execution.run_file(
            file,
            inputs or (),
            model=model,
            record=record,
            replay=replay,
            rerun=run_named(rerun, "workflow"),
            start=start or (),
            wait=wait,
            as_json=as_json,
        )


@app.command()
def resume(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="The run's ID, or the beginning of it; last is the newest.", autocompletion=run_ids)
    ] = "",
    start: From = None,
    inputs: Inputs = None,
    due: Annotated[bool, typer.Option("--due", help="Go on with all runs that are due, or whose process is gone.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="With --due: look every second, until Ctrl-C.")] = False,
    wait: Wait = None,
    as_json: Json = False,
) -> None:
    """Go on with a run; from a step, with other inputs, or after a failure it is run again as a new run."""
    with exit_codes(as_json=as_json):
        if watch and not due:
            raise ConfigurationError("--watch goes with --due: agentnb workflow resume --due --watch")
        if due == bool(run):
            raise ConfigurationError("name a run, or say --due: agentnb runs list shows the runs that are there")
        if due:
            from agentnb.cli.sweeping import sweep

            sweep(watch=watch, as_json=as_json)
        else:
            execution.resume(run_named(run, "workflow"), start or (), inputs or (), wait=wait, as_json=as_json)


@app.command()
def stale(
    file: File,
    run: Annotated[str, typer.Argument(metavar="RUN", help="An earlier run of it.", autocompletion=run_ids)],
    as_json: Json = False,
) -> None:
    """List the steps that `run FILE --rerun RUN` would run: those that changed since, and what needs them."""
    with exit_codes(as_json=as_json):
        found = execution.load(file).stale(run_named(run, "workflow"))
        if as_json:
            put({"stale": found})
        else:
            sys.stdout.write("".join(f"{name}\n" for name in found) or "nothing changed: every result would be taken from that run\n")


def _list_templates(found: list[Any], *, as_json: bool) -> None:
    if as_json:
        put({"templates": [{"name": one.name, "description": one.description} for one in found]})
        return
    width = max(len(one.name) for one in found)
    sys.stdout.write("".join(f"{one.name:<{width}}  {one.description}\n" for one in found))


def _write(documents: dict[Path, str], *, force: bool) -> None:
    there = [str(path) for path in documents if path.exists()]
    if there and not force:
        raise ConfigurationError(f"{', '.join(there)} is there already: choose another name with -o FILE, or overwrite it with --force")
    for path, text in documents.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"{path} can't be written: {error.strerror}") from error


def _findings(file: Path) -> list[Finding]:
    from agentnb.runtime.workflow import Workflow
    from agentnb.workflows.documents import WorkflowSpecError

    try:
        return Workflow.load(file).validate()
    except WorkflowSpecError as error:
        return list(error.findings)


def _finding_data(file: str, finding: Finding) -> dict[str, Any]:
    return {
        "file": finding.file or file,
        "line": finding.line,
        "column": finding.column,
        "field": finding.field,
        "message": finding.message,
        "mend": finding.mend,
        "severity": finding.severity,
    }


def _drawn(file: Path, form: str) -> str:
    workflow = execution.load(file)
    if form == "svg":
        from agentnb.notebook.graph_svg import workflow_svg

        return str(workflow_svg(workflow.spec))
    if form == "text":
        return f"{workflow.plan().to_text()}\n"
    from agentnb.cli import diagrams

    return diagrams.mermaid(workflow.spec) if form == "mermaid" else diagrams.dot(workflow.spec)
