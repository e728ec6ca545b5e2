"""Workflows as the store keeps them: each version under the hash of its content."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from agentnb.errors import UnknownName
from agentnb.ports.store import Definition
from agentnb.runtime import templates as shipped
from agentnb.runtime.runtime import Runtime
from agentnb.server.documents import PlanData, planned
from agentnb.server.pages import Name, Page, PageQuery, cursor_of, pair_of
from agentnb.server.routing import Call, Data, Reply
from agentnb.workflows.documents.editing import dump
from agentnb.workflows.spec import adapter


class WorkflowsQuery(PageQuery):
    """Which workflows."""

    name: Name = ""


class WorkflowData(Data):
    """A version of a workflow.

    Attributes:
        version: Names its content.
        steps: How many there are; of a state machine, its states.
        used_at: When it was last run.
    """

    name: str
    version: str
    kind: Literal["dag", "state_machine"]
    description: str
    inputs: dict[str, Any]
    steps: int
    folder: str
    used_at: str


class WorkflowPage(Page):
    """Workflows, the last used first."""

    workflows: list[WorkflowData]


class WorkflowDetail(WorkflowData):
    """A version of a workflow with its document, as data and as YAML."""

    document: dict[str, Any]
    text: str


class TemplateData(Data):
    """An example workflow to start from; ``documents`` are its texts by file name, its own first."""

    name: str
    description: str
    documents: dict[str, str] = Field(default_factory=dict)


class Templates(Data):
    """The example workflows, without their texts."""

    templates: list[TemplateData]


def list_(call: Call, query: WorkflowsQuery) -> WorkflowPage:
    """List workflows that were run, each in the version that was run last."""
    return _page(call.runtime, query, query.name, current=True)


def versions(call: Call, name: str, query: PageQuery) -> WorkflowPage:
    """List the versions of a workflow, the last used first."""
    page = _page(call.runtime, query, name, current=False)
    if not page.workflows and not query.cursor:
        raise _unknown(call.runtime, name)
    return page


def get(call: Call, name: str) -> Reply[WorkflowDetail]:
    """Show a workflow in the version that was run last."""
    found = call.runtime.store.definitions("workflow", name=name, limit=1)
    if not found:
        raise _unknown(call.runtime, name)
    return _reply(found[0])


def version(call: Call, name: str, version: str) -> Reply[WorkflowDetail]:
    """Show one version of a workflow."""
    return _reply(definition_of(call.runtime, name, version))


def plan(call: Call, name: str, version: str) -> PlanData:
    """Plan a version of a workflow: phases, the critical path, and its graph."""
    return planned(adapter().validate_python(definition_of(call.runtime, name, version).spec["document"]), [])


def templates(call: Call) -> Templates:
    """List the example workflows."""
    return Templates(templates=[TemplateData(name=found.name, description=found.description) for found in shipped.templates()])


def template(call: Call, name: str) -> TemplateData:
    """Show an example workflow with its texts."""
    found = shipped.find(name)
    return TemplateData(name=found.name, description=found.description, documents=dict(found.parts))


def definition_of(runtime: Runtime, name: str, version: str) -> Definition:
    """A version of a workflow.

    Raises:
        UnknownName: There is none.
    """
    found = runtime.store.definition(version)
    if found.kind != "workflow" or found.name != name:
        raise UnknownName(f"the workflow {name!r} has no version {version!r}: its versions are listed by themselves")
    return found


def _page(runtime: Runtime, query: PageQuery, name: str, *, current: bool) -> WorkflowPage:
    found = runtime.store.definitions("workflow", name=name, current=current, before=pair_of(query.cursor), limit=query.limit + 1)
    shown = found[: query.limit]
    following = cursor_of(shown[-1].used_at, shown[-1].hash) if len(found) > query.limit else ""
    return WorkflowPage(workflows=[WorkflowData(**_fields(definition)) for definition in shown], next=following)


def _reply(definition: Definition) -> Reply[WorkflowDetail]:
    document = dict(definition.spec["document"])
    return Reply(WorkflowDetail(**_fields(definition), document=document, text=dump(document)), etag=definition.hash)


def _fields(definition: Definition) -> dict[str, Any]:
    document = definition.spec["document"]
    return {
        "name": definition.name,
        "version": definition.hash,
        "kind": document.get("kind", "dag"),
        "description": document.get("description", ""),
        "inputs": document.get("inputs", {}),
        "steps": len(document.get("steps") or document.get("states") or ()),
        "folder": definition.spec["folder"],
        "used_at": definition.used_at,
    }


def _unknown(runtime: Runtime, name: str) -> UnknownName:
    return UnknownName(f"no workflow {name!r} was run with {runtime.store.location}: run its file first")
