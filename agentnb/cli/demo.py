"""``agentnb demo``: the main job, end to end: fetch the local model, and run the first example notebook with it by papermill."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from agentnb.cli.output import Json, exit_codes, put
from agentnb.errors import AgentNBError, ConfigurationError
from agentnb.notebook.formats import CUT
from agentnb.notebook.progress import pull
from agentnb.runtime.runtime import current

NOTEBOOK = "01_first_agent.ipynb"
MODEL = "smollm2-135m"


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the executed notebook goes.")] = Path("agentnb_demo.ipynb"),
    as_json: Json = False,
) -> None:
    """Fetch the local model, run the first example notebook with it, and show what its agents answered."""
    with exit_codes(as_json=as_json):
        source = _notebook()
        info = current().models.pull(MODEL, lambda *_: None) if as_json else pull(current(), MODEL)
        answers = _execute(source, output, progress=not as_json and sys.stderr.isatty())
    if as_json:
        put({"model": info.path, "notebook": str(output.absolute()), "answers": answers})
        return
    for prompt, answer in answers:
        sys.stdout.write(f"\n{prompt.strip()}\n{'-' * 40}\n{answer.strip()}\n")
    sys.stdout.write(f"\nThe executed notebook is {output.absolute()}: open it with {Path(sys.executable).parent}/jupyter lab.\n")


def _notebook() -> Path:
    """The example, in the checkout or as it was installed."""
    for place in (Path(__file__).parents[2] / "notebooks", Path(sys.prefix) / "share/agentnb/notebooks"):
        if (place / NOTEBOOK).is_file():
            return place / NOTEBOOK
    raise ConfigurationError(f"the example {NOTEBOOK} is not installed: pip install --force-reinstall jupyter-agentnb")


def _execute(source: Path, output: Path, *, progress: bool) -> list[tuple[str, str]]:
    import papermill

    try:
        done = papermill.execute_notebook(str(source), str(output), engine_name="agentnb", kernel_name="python3", progress_bar=progress)
    except papermill.PapermillExecutionError as error:
        raise _Failed(
            f"cell {error.exec_count} of {source.name} failed: {error.ename}: {error.evalue}. What ran is in {output.absolute()}"
        ) from None
    return [(cell.source, answer_of(cell)) for cell in done.cells if cell.cell_type == "code" and cell.source.startswith("%%agent")]


def answer_of(cell: object) -> str:
    """What a cell has shown, and whether it was cut off."""
    outputs = [item.data for item in getattr(cell, "outputs", []) if item.output_type == "display_data"]
    if not outputs:
        return ""
    cut = " … (cut off at max_tokens)" if CUT in outputs[-1].get("text/html", "") else ""
    return f"{outputs[-1].get('text/plain', '').strip()}{cut}"


class _Failed(AgentNBError):
    pass
