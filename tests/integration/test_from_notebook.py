"""A notebook with pandas as users run it: as a workflow, on and on after failures, in other processes, from the command line."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import agentnb as anb
from agentnb.adapters.scripted import ScriptedModel
from agentnb.cli.app import app
from agentnb.cli.from_notebook import from_notebook
from agentnb.runtime import workflow_runs
from agentnb.runtime.workflow_runs import WorkflowOptions
from agentnb.workflows.dag import StepError
from agentnb.workflows.notebooks import converted

CELLS: list[tuple[str, str]] = [
    ("md", "# Sales of the year\n\nOne notebook, four steps."),
    ("", "import pandas as pd\n%matplotlib inline\n\ndef euros(value):\n    return f'{value:,.2f} EUR'"),
    ("parameters", "rows: int = 6\nregion = 'north'"),
    (
        "step:load",
        "sales = pd.DataFrame({\n"
        "    'region': ['north', 'south'] * (rows // 2),\n"
        "    'month': pd.date_range('2026-01-01', periods=rows, freq='MS'),\n"
        "    'amount': [100.0 * n for n in range(rows)],\n"
        "})\n"
        "sales.head()",
    ),
    ("", "sales.describe()"),
    ("step:by_region", "totals = sales.groupby('region')['amount'].sum()\nfor name in totals.index:\n    print(name, euros(totals[name]))"),
    ("step:by_month", "chosen = sales[sales['region'] == region]\nbest = chosen.loc[chosen['amount'].idxmax(), 'month']\nbest"),
    (
        "step:report",
        "lines = [f'{name}: {euros(value)}' for name, value in totals.items()]\n"
        "lines.append(f'best month of {region}: {best:%B}')\n"
        "'\\n'.join(lines)",
    ),
]
REPORT = "north: 600.00 EUR\nsouth: 900.00 EUR\nbest month of north: May"


def write(path: Path, cells: list[tuple[str, str]]) -> Path:
    made = [
        {"cell_type": "markdown", "metadata": {}, "source": text}
        if tags == "md"
        else {"cell_type": "code", "metadata": {"tags": tags.split()}, "source": text.splitlines(keepends=True), "outputs": []}
        for tags, text in cells
    ]
    data = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"language_info": {"name": "python"}}, "cells": made}
    path.write_text(json.dumps(data, indent=1))
    return path


def content(path: Path) -> bytes:
    return path.read_bytes()


def changed(step: str, old: str, new: str) -> list[tuple[str, str]]:
    cells = [(tags, text.replace(old, new) if tags == f"step:{step}" else text) for tags, text in CELLS]
    assert cells != CELLS
    return cells


@pytest.fixture
def sales(tmp_path: Path) -> Path:
    pytest.importorskip("pandas")
    return write(tmp_path / "sales.ipynb", CELLS)


async def test_a_notebook_runs_as_a_workflow(sales: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = content(sales)
    workflow = anb.Workflow.from_notebook(sales)
    assert workflow.validate() == []
    assert workflow.plan().to_dict()["phases"] == [["load"], ["by_region", "by_month"], ["report"]]
    run = await workflow.run()
    assert (run.status, run.outputs["report"]) == ("completed", REPORT)
    assert run.outputs["by_month"] == "2026-05-01 00:00:00"
    assert run.steps["load"].output["sales"]["type"] == "DataFrame"
    assert "south 900.00 EUR" in capsys.readouterr().out
    other = await workflow.run({"rows": 4, "region": "south"})
    assert other.outputs["report"].endswith("best month of south: April")
    assert content(sales) == before


async def test_values_pass_to_other_processes(sales: Path) -> None:
    document = anb.Workflow.from_notebook(sales).to_dict()
    for step in ("load", "by_month", "report"):
        document["steps"][step]["executor"] = "process"
    run = await anb.Workflow.from_dict(document).run()
    assert run.outputs["report"] == REPORT


async def test_an_edited_cell_makes_its_step_stale_and_what_needs_it(sales: Path) -> None:
    run = await anb.Workflow.from_notebook(sales).run()
    assert anb.Workflow.from_notebook(sales).stale(run.id) == []
    write(sales, changed("by_region", ".sum()", ".mean()"))
    edited = anb.Workflow.from_notebook(sales)
    assert edited.stale(run.id) == ["by_region", "report"]
    again = await edited.run(rerun=run.id)
    assert again.outputs["report"].startswith("north: 200.00 EUR")
    assert [name for name, step in again.steps.items() if step.source] == ["load", "by_month"]


async def test_a_run_that_failed_goes_on_with_its_tables_where_the_cell_was_mended(sales: Path) -> None:
    write(sales, changed("report", "{best:%B}", "{best.moon}"))
    with pytest.raises(StepError, match=r"sales\.ipynb, step:report, cell 8, line 2 .*AttributeError") as caught:
        await anb.Workflow.from_notebook(sales).run()
    write(sales, CELLS)
    run = await workflow_runs.rerun(anb.current(), caught.value.run_id, WorkflowOptions(), ready=anb.Workflow.from_notebook(sales).ready())
    assert run.outputs["report"] == REPORT
    assert [name for name, step in run.steps.items() if step.source] == ["load", "by_region", "by_month"]


def test_a_run_is_resumed_after_its_process_died(sales: Path) -> None:
    report = "import os, pathlib\nif not pathlib.Path('mended').exists():\n    os._exit(3)\nfloat(totals.sum()), f'{best:%B}'"
    write(sales, [*CELLS[:-1], ("step:report", report)])
    file = sales.with_name("sales.yaml")
    file.write_text(converted(sales).text.replace("#report\n", "#report\n    idempotent: true\n"))
    died = subprocess.run([sys.executable, "-c", f"import agentnb as anb; anb.Workflow.load({str(file)!r}).run_sync()"], check=False)
    assert died.returncode == 3
    run_id = next(run.id for run in anb.current().runs() if run.kind == "workflow")
    Path("mended").touch()
    run = asyncio.run(anb.resume(run_id))
    assert (run.status, run.outputs["report"]) == ("completed", '[1500.0, "May"]')
    ended = [event.step_id for event in anb.current().events(run_id) if event.type == "workflow.step_completed"]
    assert (sorted(ended), ended[-1]) == (["by_month", "by_region", "load", "report"], "report")


async def test_an_agents_cell_is_a_step(tmp_path: Path) -> None:
    path = write(
        tmp_path / "ask.ipynb",
        [
            ("parameters", "tone = 'dry'"),
            ("step:load", "figures = {'a': [1, 2]}"),
            ("step:ask", "%%agent writer -m scripted:x -o answer\nBe {tone}: {figures}, ${figures}."),
            ("step:use", "answer.text.upper(), str(answer)"),
        ],
    )
    workflow = anb.Workflow.from_notebook(path)
    assert workflow.plan().to_dict()["phases"] == [["load"], ["ask"], ["use"]]
    model = ScriptedModel(["fine"])
    anb.use(anb.Runtime(models={"scripted:x": model}))
    run = await anb.Workflow.from_notebook(path).run()
    assert model.requests[0].messages[-1].content == 'Be dry: {"a": [1, 2]}, ${"a": [1, 2]}.'
    assert run.outputs == {"ask": "fine", "use": '["FINE", "fine"]'}


def test_the_command_writes_a_file_that_runs(sales: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import typer

    command = typer.Typer()
    command.command()(from_notebook)
    cli = CliRunner()
    done = cli.invoke(command, [str(sales)])
    assert done.exit_code == 0, done.output
    assert "load: cell 4" in done.output
    assert "left out, for they have no tag: cell 5" in done.output
    file = sales.with_name("sales.workflow.yaml")
    text = file.read_text()
    assert "  # cell 6\n  by_region:\n    tool: notebook:sales.ipynb#by_region\n" in text
    assert yaml.safe_load(text)["inputs"]["rows"] == {"type": "integer", "default": 6}
    assert cli.invoke(command, [str(sales)]).exit_code == 2
    ran = cli.invoke(app, ["workflow", "run", str(file), "-i", "rows=4", "--json"])
    assert ran.exit_code == 0, ran.output
    folder = sales.parent / "flows"
    folder.mkdir()
    assert cli.invoke(command, [str(sales), "-o", str(folder / "f.yaml")]).exit_code == 0
    assert "notebook:../sales.ipynb#load" in (folder / "f.yaml").read_text()
    assert anb.Workflow.load(folder / "f.yaml").run_sync().outputs["report"] == REPORT
    write(sales, [("", "x = 1")])
    refused = cli.invoke(command, [str(sales), "--force"])
    assert refused.exit_code == 2
    assert "property inspector" in refused.output


def test_a_table_that_is_larger_than_the_policy_lets_texts_be(tmp_path: Path) -> None:
    cells = [("step:load", "import numpy as np\nbig = np.arange(1_400_000.0)"), ("step:use", "big.size, float(big[-1])")]
    run = anb.Workflow.from_notebook(write(tmp_path / "big.ipynb", cells)).run_sync()
    assert run.steps["load"].output["big"]["size"] > 10_000_000
    assert run.outputs == {"use": "[1400000, 1399999.0]"}
