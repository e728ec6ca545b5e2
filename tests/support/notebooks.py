"""Notebooks for tests: a cell is its source, or its source and tags."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

Cell = str | tuple[str, ...]


def write_notebook(path: Path, *cells: Cell, kernel: str = "python3") -> Path:
    made = []
    for number, cell in enumerate(cells, 1):
        source, *tags = cell if isinstance(cell, tuple) else (cell,)
        made.append(new_code_cell(source, id=f"c{number}", metadata={"tags": list(tags)}))
    metadata = {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}}
    nbformat.write(new_notebook(cells=made, metadata=metadata), path)
    return path


def texts(path: Path | str) -> list[str]:
    """What each cell of a notebook has put out, as text."""
    notebook = nbformat.read(path, as_version=4)
    return ["".join(map(_text, cell.get("outputs", []))) for cell in notebook.cells]


def _text(output: dict[str, object]) -> str:
    if output["output_type"] == "error":
        return f"{output['ename']}: {output['evalue']}"
    return str(output.get("text") or output.get("data", {}).get("text/plain", ""))  # type: ignore[attr-defined]
