"""The template workflows: valid, complete, and written to other names without losing one another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import agentnb as anb
from agentnb.errors import UnknownName
from agentnb.runtime import templates
from agentnb.workflows.spec import Action, WorkflowSpec, json_schema
from agentnb.workflows.templates import __doc__ as about

NAMES = [template.name for template in templates.templates()]
ONLY_IN_PYTHON = {("SubWorkflow", "name")}


def written(name: str, file: Path, title: str = "") -> list[Path]:
    documents = templates.find(name).documents(file, title)
    for path, text in documents.items():
        path.write_text(text)
    return list(documents)


def keys(value: Any) -> set[tuple[str, str]]:
    """The keys that a document uses, by the model that has them."""
    if isinstance(value, BaseModel):
        own = {
            ("Action" if isinstance(value, Action) and name in Action.model_fields else type(value).__name__, name)
            for name in value.model_fields_set
        }
        return own.union(*(keys(getattr(value, name)) for _, name in own))
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return set().union(*map(keys, parts))


def test_every_key_of_the_schema_is_used() -> None:
    schema = json_schema()
    models = {"WorkflowSpec": schema, **schema["$defs"]}
    known = {
        ("Action" if model in ("Action", "Step") and name in Action.model_fields else model, name)
        for model, part in models.items()
        for choice in (part, *part.get("anyOf", ()))
        for name in choice.get("properties", {})
    }
    assert ("Action", "executor") in known
    assert ("Step", "for_each") in known
    used: set[tuple[str, str]] = set()
    for name in NAMES:
        for text in templates.find(name).parts.values():
            used |= keys(anb.Workflow.from_yaml(text).spec)
    assert known - used == ONLY_IN_PYTHON


def test_every_kind_of_step_is_used() -> None:
    specs = [anb.Workflow.from_yaml(text).spec for name in NAMES for text in templates.find(name).parts.values()]
    assert {action.kind for spec in specs for action in spec.actions().values()} == {
        "agent",
        "tool",
        "shell",
        "human",
        "webhook",
        "workflow",
    }
    assert {spec.kind for spec in specs} == {"dag", "state_machine"}


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_wrong_with_it(name: str, tmp_path: Path) -> None:
    for file in written(name, tmp_path / f"{name}.workflow.yaml"):
        assert anb.Workflow.load(file).validate() == []
        assert anb.Workflow.load(file).ready()
        for line in file.read_text().splitlines():
            assert len(line) <= 140


@pytest.mark.parametrize("title", ["orders", 'Größe: 5 \\1 "q"', "a b"])
def test_another_name(title: str, tmp_path: Path) -> None:
    main, part = written("nested", tmp_path / "my flow.workflow.yaml", title)
    assert (main.name, part.name) == ("my flow.workflow.yaml", "my flow.part.workflow.yaml")
    assert "nested.workflow.yaml" not in main.read_text() + part.read_text()
    workflow = anb.Workflow.load(main)
    assert (workflow.name, workflow.validate()) == (title, [])
    assert workflow.spec.steps["each"].workflow is not None
    assert workflow.spec.steps["each"].workflow.file == part.name


def test_other_endings(tmp_path: Path) -> None:
    assert [path.name for path in written("nested", tmp_path / "x.yml")] == ["x.yml", "x.part.workflow.yaml"]


def test_unknown() -> None:
    with pytest.raises(UnknownName, match="no template 'nope'. There are etl, nested"):
        templates.find("nope")


def test_descriptions() -> None:
    assert about
    for template in templates.templates():
        assert template.description
        assert (
            WorkflowSpec.model_validate(anb.Workflow.from_yaml(template.parts[f"{template.name}.workflow.yaml"]).to_dict()).name
            == template.name
        )
