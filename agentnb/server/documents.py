"""Texts of workflows, before they are run: checked, planned and drawn, without importing what they name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from agentnb.errors import ConfigurationError
from agentnb.runtime.graphs.drawing import drawing
from agentnb.runtime.workflow import Workflow
from agentnb.server.names import Names
from agentnb.server.routing import Call, Data, Request
from agentnb.server.service import Service
from agentnb.workflows.documents import Document, Finding, WorkflowSpecError
from agentnb.workflows.planning import plan as plan_of
from agentnb.workflows.spec import WorkflowSpec, json_schema
from agentnb.workflows.validation import validate as findings_of


class DocumentText(Request):
    """A workflow's text.

    Attributes:
        text: YAML or JSON.
        file: Its name, for findings; one that ends in ``.json`` must be JSON.
    """

    text: str = Field(max_length=10_000_000)
    file: str = Field("", max_length=1000)


class FindingData(Data):
    """One thing that is wrong; line and column count from 1, and are 0 where they are unknown."""

    file: str
    line: int
    column: int
    field: str
    message: str
    mend: str
    severity: Literal["error", "warning"]


class Findings(Data):
    """Everything that is wrong with a document; ``ok`` where it may be run."""

    ok: bool
    findings: list[FindingData]


class PlanData(Data):
    """How a workflow would run, see ``agentnb workflow plan --json``; ``graph`` is ``GraphData`` of ``labextension/src/graph/types.ts``."""

    name: str
    kind: Literal["dag", "state_machine"]
    phases: list[list[str]]
    critical_path: list[str]
    width: int
    max_parallel: int | None
    pools: dict[str, int]
    demand: dict[str, dict[str, int]]
    steps: int
    handlers: list[str]
    transitions: dict[str, list[str]]
    inputs: dict[str, Any]
    outputs: list[str]
    graph: dict[str, Any]
    findings: list[FindingData]


class Schema(Data):
    """A JSON Schema."""

    json_schema: dict[str, Any] = Field(serialization_alias="schema")


def finding_data(finding: Finding) -> FindingData:
    """A finding as it is sent."""
    return FindingData.model_validate(finding)


def checked(text: str, file: str = "", service: Service | None = None) -> tuple[WorkflowSpec | None, list[Finding]]:
    """A workflow from its text, and all that is wrong with it; with a service, names that aren't found there too."""
    try:
        document = Document.parse(text, file)
    except WorkflowSpecError as error:
        return None, list(error.findings)
    return findings_of(document.data, document=document, file=file, resolver=_names(service, document.data, file) if service else None)


def _names(service: Service, data: Any, file: str) -> Names | None:
    if not isinstance(data, Mapping):
        return None
    workflow = Workflow.from_dict(data, runtime=service.runtime)
    try:
        workflow.folder = service.path(file).parent if file else service.root
    except ConfigurationError:
        workflow.folder = service.root
    return Names(service, workflow)


def sound(text: str, file: str = "") -> tuple[WorkflowSpec, list[Finding]]:
    """A workflow that may be run, and the warnings.

    Raises:
        WorkflowSpecError: It isn't valid.
    """
    spec, findings = checked(text, file)
    errors = [finding for finding in findings if finding.severity == "error"]
    if spec is None or errors:
        raise WorkflowSpecError(errors)
    return spec, findings


def validate(call: Call, body: DocumentText) -> Findings:
    """Say all that is wrong with a workflow's text."""
    _, findings = checked(body.text, body.file, call.service)
    return Findings(ok=not any(finding.severity == "error" for finding in findings), findings=[*map(finding_data, findings)])


def plan(call: Call, body: DocumentText) -> PlanData:
    """Plan a workflow's text: phases, the critical path, and its graph."""
    spec, findings = sound(body.text, body.file)
    return planned(spec, findings)


def planned(spec: WorkflowSpec, findings: list[Finding]) -> PlanData:
    """A workflow's plan."""
    return PlanData(
        **plan_of(spec).to_dict(),
        inputs=dict(spec.inputs),
        outputs=list(spec.outputs),
        graph=drawing(spec),
        findings=[*map(finding_data, findings)],
    )


def schema(call: Call) -> Schema:
    """The JSON Schema of workflow documents."""
    return Schema(json_schema=json_schema())
