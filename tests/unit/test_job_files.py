"""Job files: all findings with their places, how jobs depend on one another, and what places and parameters mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from agentnb.errors import ConfigurationError, UnknownName
from agentnb.jobs import documents, logs, parameters, places
from agentnb.jobs.catalog import Catalog
from agentnb.jobs.documents import JobSpecError
from agentnb.jobs.retention import prune
from agentnb.jobs.spec import JobSpec, Retention, json_schema
from agentnb.ports.store import Run
from agentnb.runtime.runtime import current
from agentnb.workflows.documents import Document
from tests.support.notebooks import write_notebook

ROOT = Path(__file__).parents[2]


KNOWN = "is not known here: there are ${name}, ${run.id}, ${run.date}, ${run.time}, ${run.trigger}, ${env.NAME}"


def findings(folder: Path, text: str) -> list[str]:
    file = folder / "job.yaml"
    file.write_text(text)
    return [str(finding).removeprefix(f"{file}:") for finding in documents.read(file)[1]]


def test_all_that_is_wrong_is_said_with_line_and_field(tmp_path: Path) -> None:
    write_notebook(tmp_path / "n.ipynb", ("count: int = 1\nwho = 'x'", "parameters"))
    text = """name: j
notebook: n.ipynb
parameters:
  count: many
  cuont: 3
  who: ${run.dat}
schedule:
  cron: "61 6 * * *"
  timezone: Mars/Base
depends_on: [j]
output: ftp://host/x.ipynb
on_failure:
  - webhook: {url: "http://h/${nothing}"}
"""
    found = findings(tmp_path, text)
    assert [line.split(". ")[0] for line in found] == [
        """4:3: parameters.count: count = "many" doesn't fit: "many" is not of type "integer\"""",
        "5:3: parameters.cuont: the notebook has no parameter 'cuont'",
        f"6:3: parameters.who: ${{run.dat}} {KNOWN}",
        "9:3: schedule.timezone: there is no time zone 'Mars/Base': write an IANA name such as Europe/Berlin",
        "10:1: depends_on: schedule and depends_on exclude one another",
        "10:1: depends_on: a job can't depend on itself",
        "11:1: output: nothing can be written to ftp://",
        f"13:5: on_failure[0]: ${{nothing}} {KNOWN}",
    ]


def test_the_shape_is_checked_as_a_whole(tmp_path: Path) -> None:
    text = (
        "name: 'no name'\nnotebok: n.ipynb\ntimeout: {job: soon}\nretry: {max_attempts: 0}\non_success: [{}]\nschedule: {overlap: never}\n"
    )
    found = findings(tmp_path, text)
    assert [line.split(": ")[0] + " " + line.split(": ")[1] for line in found] == [
        "1:1 name",
        "2:1 notebok",
        "3:11 timeout.job",
        "4:9 retry.max_attempts",
        "5:14 on_success[0]",
        "6:12 schedule.overlap",
    ]
    assert "Did you mean notebook?" in found[1]
    assert "needs either webhook or email" in found[4]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: j\n", "needs either notebook or workflow"),
        ("name: j\nnotebook: gone.ipynb\n", "2:1: notebook: gone.ipynb: there is no such file"),
        ("name: j\nworkflow: gone.yaml\n", "2:1: workflow: gone.yaml: there is no such file"),
        ("name: [\n", "not valid YAML"),
        ("", "the document is empty"),
        ("name: j\nname: k\n", "for the second time"),
    ],
)
def test_files_that_are_no_jobs(tmp_path: Path, text: str, said: str) -> None:
    assert said in findings(tmp_path, text)[0]


def test_jobs_of_a_folder(tmp_path: Path) -> None:
    write_notebook(tmp_path / "n.ipynb", "1")
    for name, needs in {"a": [], "b": ["a"], "c": ["b", "a"], "d": []}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"name": name, "notebook": "n.ipynb", "depends_on": needs}))
    catalog = Catalog.of(tmp_path)
    assert catalog.findings() == []
    assert catalog.downstream("a") == ["b", "c"]
    assert catalog.find("c").spec.depends_on == ("b", "a")
    assert catalog.find(str(tmp_path / "n.ipynb")).name == "n"
    with pytest.raises(UnknownName, match="no job 'e' in .*There are a, b, c, d"):
        catalog.find("e")
    (tmp_path / "a.json").write_text(json.dumps({"name": "a", "notebook": "n.ipynb", "depends_on": ["c"]}))
    (tmp_path / "e.json").write_text(json.dumps({"name": "d", "notebook": "n.ipynb", "depends_on": ["z"]}))
    said = " ".join(str(finding) for finding in Catalog.of(tmp_path).findings())
    assert "d.json has the name 'd' already" in said
    assert "depends on 'z', and there is no such job" in said
    assert "jobs wait for one another: a → c → b → a" in said
    (tmp_path / "broken.yaml").write_text("name: broken\nnotebok: x\n")
    with pytest.raises(JobSpecError, match="Did you mean notebook"):
        Catalog.of(tmp_path).find("broken")


def test_places_keep_types_and_escapes() -> None:
    known = places.values("daily", "job_1", 1_800_000_000.0, "Asia/Tokyo", "cron")
    assert places.fill("${name}-${run.date}-$${x}", known, {}) == "daily-2027-01-15-${x}"
    assert places.fill({"a": ["${run.id}", 3, True]}, known, {}) == {"a": ["job_1", 3, True]}
    assert places.fill("${env.HOME_DIR}", known, {"HOME_DIR": "/h"}) == "/h"
    for wrong in ("${env.NOPE}", "${run}", "${run.x.y}", "${", "${a b}", "${__class__}", "${run.__len__}"):
        with pytest.raises(ConfigurationError):
            places.fill(wrong, known, {})


def test_parameters_of_a_notebook(tmp_path: Path) -> None:
    source = "import os\nn: int = 1\nratio = 0.5\nname = 'a'\nwhen: str | None = None\nhome = os.environ\nitems = [1]"
    schemas = parameters.of_file(write_notebook(tmp_path / "n.ipynb", (source, "parameters")))
    assert set(schemas) == {"n", "ratio", "name", "when", "home", "items"}
    given = parameters.typed(schemas, {"n": "3", "ratio": "1", "name": "007", "when": "null", "home": "x", "items": "[2]"})
    assert given == {"n": 3, "ratio": 1, "name": "007", "when": None, "home": "x", "items": [2]}
    assert parameters.problems(schemas, given) == {}
    assert set(parameters.problems(schemas, {"n": True, "ratio": "x", "name": 3, "when": 3, "home": object(), "items": "x"})) == {
        "n", "ratio", "name", "when", "items"
    }  # fmt: skip


def test_the_published_schema_takes_what_the_models_take(tmp_path: Path) -> None:
    schema = json_schema()
    jsonschema_rs.meta.validate(schema)
    checker = jsonschema_rs.validator_for(schema)
    for file in sorted((ROOT / "papermill_jobs").glob("*.yaml")):
        if not file.name.endswith(".workflow.yaml"):
            data = Document.read(file).data
            assert checker.is_valid(data), file
            assert JobSpec.model_validate(data).to_dict().keys() == data.keys()
    assert not checker.is_valid({"name": "a", "nonsense": 1})


def test_the_shipped_jobs_are_right() -> None:
    catalog = Catalog.of(ROOT / "papermill_jobs")
    assert len(catalog.files) >= 3
    assert [str(finding) for finding in catalog.findings()] == []


@pytest.mark.parametrize(("retention", "left"), [({"runs": 2}, 2), ({"age": "1h"}, 1), ({"runs": 3, "age": "1000d"}, 3)])
def test_old_outputs_are_removed_and_runs_stay(tmp_path: Path, retention: dict[str, Any], left: int) -> None:
    from agentnb.ports.store import now

    store = current().store
    logs.folder(current()).mkdir(parents=True)
    for number in range(4):
        logs.file_of(current(), f"job_{number:04d}").write_text("said")
        file = tmp_path / f"{number}.ipynb"
        file.write_text("x")
        created = now() if number == 3 else f"2026-01-0{number + 1}T00:00:00.000000Z"
        store.write(Run(f"job_{number:04d}", "job", "j", "completed", output={"notebook": str(file)}, created_at=created))
    prune(current(), "j", Retention.model_validate(retention))
    assert sorted(path.name for path in tmp_path.glob("*.ipynb")) == [f"{number}.ipynb" for number in range(4 - left, 4)]
    assert sorted(path.stem for path in logs.folder(current()).iterdir()) == [f"job_{number:04d}" for number in range(4 - left, 4)]
    assert len(store.runs(kind="job")) == 4
