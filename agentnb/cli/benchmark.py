"""``agentnb benchmark …``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from agentnb import plugins
from agentnb.cli.output import FAILED, USAGE, Json, exit_codes, put, put_table, stop
from agentnb.errors import ConfigurationError, StoreError
from agentnb.notebook import tables
from agentnb.optimization.benchmark import report
from agentnb.runtime import comparison, performance
from agentnb.runtime.runtime import current

_LIST = """SELECT run_id AS id, timestamp AS made_at, data->>'$.metrics.task.models' AS models,
data->>'$.metrics.machine.processor' AS processor FROM events
WHERE type = 'system.performance' AND data->>'$.service' = 'benchmark' ORDER BY seq DESC LIMIT 50"""


class _Group(TyperGroup):
    """``benchmark MODEL…`` measures; ``benchmark list``, ``show`` and ``compare`` are commands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = not args or args[0] in self.commands or args[0] in ("--help", "-h")
        return super().parse_args(ctx, args if named else ["run", *args])


app = typer.Typer(
    cls=_Group,
    help="Measure models beside their peers: agentnb benchmark MODEL… [OPTIONS] (`agentnb benchmark run --help` shows them).",
    no_args_is_help=True,
)
Models = Annotated[list[str], typer.Argument(metavar="MODEL…", help="As `optimize` takes them, or folders that it wrote.")]


def _numbers(text: str, option: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise ConfigurationError(f"{option} {text}: write whole numbers with commas between, such as 1,8,32") from None


def _shapes(given: list[str]) -> dict[str, list[int]]:
    found = {}
    for text in given:
        name, equals, numbers = text.partition("=")
        if not equals:
            raise ConfigurationError(f"--shape {text}: write NAME=1,3,224,224")
        found[name] = _numbers(numbers, "--shape")
    return found


@app.command()
def run(
    models: Models,
    against: Annotated[str, typer.Option(help="Peers, with commas between: onnxruntime, torch, llama.cpp.")] = "",
    batch: Annotated[str, typer.Option(help="Samples in one inference: 1,8,32.")] = "1",
    length: Annotated[str, typer.Option(help="Tokens of a text, or of a language model's prompt: 16,64,256.")] = "64",
    hint: Annotated[str, typer.Option(help="LATENCY, THROUGHPUT, or both.")] = "LATENCY",
    streams: Annotated[str, typer.Option(help="Inferences beside each other; 0 leaves it to the hint.")] = "0",
    threads: Annotated[str, typer.Option(help="0 leaves them to OpenVINO and to the peer.")] = "0",
    precision: Annotated[str, typer.Option(help="default, f32, bf16: any of them.")] = "default",
    device: Annotated[str, typer.Option(help="OpenVINO's name of the device.")] = "CPU",
    repetitions: Annotated[int, typer.Option(help="Rounds in which each has its turn.")] = 5,
    seconds: Annotated[float, typer.Option(help="How long a turn lasts at least.")] = 0.2,
    tokens: Annotated[int, typer.Option(help="What a language model generates.")] = 64,
    shape: Annotated[list[str] | None, typer.Option(help="Of an input that the model leaves open: NAME=1,3,224,224.")] = None,
    peak: Annotated[bool, typer.Option(help="Measure the machine's peak, and say the share of it.")] = True,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder for report.json, report.md and pictures.")] = None,
    as_json: Json = False,
) -> None:
    """Measure models for every combination, in turn with their peers."""
    with exit_codes(as_json=as_json):
        found = performance.benchmark(
            *models,
            against=[word for word in against.split(",") if word],
            device=device,
            batches=_numbers(batch, "--batch"),
            lengths=_numbers(length, "--length"),
            hints=hint.upper().split(","),
            streams=_numbers(streams, "--streams"),
            threads=_numbers(threads, "--threads"),
            precisions=precision.split(","),
            repetitions=repetitions,
            seconds=seconds,
            tokens=tokens,
            shapes=_shapes(shape or []),
            peak=peak,
            progress=not as_json,
        )
        if output is not None:
            _write(output, found)
        _show(found, as_json=as_json)


@app.command("list")
def list_benchmarks(as_json: Json = False) -> None:
    """List the latest benchmarks of the store."""
    with exit_codes(as_json=as_json):
        columns, rows = plugins.load("agentnb.queries", "duckdb")(current().settings.store, _LIST)
        put_table(tables.rows_of(columns, rows), "benchmarks", as_json=as_json)


@app.command()
def show(name: Annotated[str, typer.Argument(metavar="BENCHMARK", help="Its ID, or a report.json.")], as_json: Json = False) -> None:
    """Show what a benchmark found."""
    with exit_codes(as_json=as_json):
        _show(performance.recorded(current(), name), as_json=as_json)


@app.command()
def compare(
    before: Annotated[str, typer.Argument(metavar="A", help="ID of a benchmark, a report.json, or its folder.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The same, later.")],
    tolerance: Annotated[float, typer.Option(help="What is no difference, as a part of the median.")] = 0.05,
    as_json: Json = False,
) -> None:
    """Compare two benchmarks; exit code 1 where something became slower beyond the noise, and only there."""
    with exit_codes(as_json=as_json):
        try:
            runtime = current()
            first, second = performance.recorded(runtime, before), performance.recorded(runtime, after)
        except StoreError as error:
            stop(error, USAGE, as_json=as_json)
        found = comparison.compare(first, second, tolerance)
        notes = comparison.caveats(first, second)
        slower = [one for one in found if one.verdict == "slower"]
        for note in notes:
            sys.stderr.write(f"note: {note}\n")
        if as_json:
            put({"slower": len(slower), "differences": found, "notes": notes})
        else:
            cells = [(one.what, one.figure, f"{one.before:.3f}", f"{one.after:.3f}", f"{one.ratio:.2f}", one.verdict) for one in found]
            put_table(
                tables.Table(("what", "figure", "before ms", "after ms", "ratio", "verdict"), tuple(cells), tuple(found)), "", as_json=False
            )
    if slower:
        raise typer.Exit(FAILED)


def _show(found: Any, *, as_json: bool) -> None:
    if as_json:
        put(dict(found))
    else:
        name = f"\n{found['id']}: agentnb benchmark compare {found['id']} LATER\n" if "id" in found else ""
        sys.stdout.write(f"{report.markdown(found)}{name}")


def _write(folder: Path, found: dict[str, Any]) -> None:
    pictures = report.pictures(found)
    shown = "".join(f"\n![{name}]({name})\n" for name in pictures)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.json").write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        (folder / "report.md").write_text(report.markdown(found) + shown, encoding="utf-8")
        for name, picture in pictures.items():
            (folder / name).write_text(picture, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{folder} can't be written: {error.strerror}") from error
