"""Checks a workflow document as a whole: everything that is wrong with it at once, each with its place and its mend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from agentnb.workflows.checks.actions import check_actions
from agentnb.workflows.checks.references import check_references, place_of
from agentnb.workflows.checks.report import Report, Resolver, existing, value_at
from agentnb.workflows.checks.schemas import check_schemas
from agentnb.workflows.checks.shape import salvaged, shape_findings, word_findings
from agentnb.workflows.checks.states import check_states
from agentnb.workflows.checks.steps import check_steps
from agentnb.workflows.compilation import compile_all
from agentnb.workflows.documents import Document, Finding
from agentnb.workflows.spec import WorkflowSpec, adapter

__all__ = ["Resolver", "validate"]


def validate(
    data: Any, *, document: Document | None = None, file: str = "", resolver: Resolver | None = None
) -> tuple[WorkflowSpec | None, list[Finding]]:
    """Check a document.

    Args:
        data: The plain document.
        document: Where it was read from; it gives findings their lines.
        file: Its name, for findings.
        resolver: What is known of tools, agents and other workflows; without it, names of the store are taken on trust.

    Returns:
        The workflow, or None where the document has not its shape; and all findings in the order of the lines. It may be run where
        none of them has the severity ``error``.
    """
    file = file or (document.file if document else "")
    if not isinstance(data, Mapping):
        return None, [Finding("a workflow is a mapping", "Write name: … and steps: …", file=file)]
    spec, findings = None, word_findings(data)
    try:
        spec = adapter().validate_python(data)
        findings += _examined(data, spec, frozenset(), resolver)
    except ValidationError as error:
        findings += shape_findings(error.errors(include_url=False, include_input=False), data)
        findings += _examined_in_part(data, findings, resolver)
    return spec, _placed(findings, data, document, file)


def _examined(data: Mapping[str, Any], spec: WorkflowSpec, broken: frozenset[str], resolver: Resolver | None) -> list[Finding]:
    """What the rules say of a document that has its shape."""
    steps, findings = compile_all(spec)
    report = Report(data, spec, steps, resolver, broken)
    places = [place_of(data, finding.path) for finding in findings]
    report.findings += [
        replace(finding, path=place) for finding, place in zip(findings, places, strict=True) if not _follows(value_at(data, place), broken)
    ]
    check_schemas(report)
    check_actions(report)
    check_references(report)
    if spec.kind == "dag":
        check_steps(report)
    else:
        check_states(report)
    return report.findings


def _follows(text: Any, broken: frozenset[str]) -> bool:
    """Whether an expression can't be read because of an ID with a hyphen, which is a finding of its own."""
    return isinstance(text, str) and any("-" in name and f"steps.{name}" in text for name in broken)


def _examined_in_part(data: Mapping[str, Any], findings: list[Finding], resolver: Resolver | None) -> list[Finding]:
    """What the rules say of what is left without the parts that don't fit."""
    rest, broken = salvaged(data, findings)
    try:
        spec = adapter().validate_python(rest)
    except ValidationError:
        return []
    return _examined(data, spec, broken, resolver)


def _placed(findings: Iterable[Finding], data: Mapping[str, Any], document: Document | None, file: str) -> list[Finding]:
    """With their lines, in the order of these, and none twice."""
    found: dict[tuple[Any, ...], Finding] = {}
    for finding in findings:
        line, column = document.position(existing(data, finding.path)) if document else (0, 0)
        found.setdefault((finding.path, finding.message), replace(finding, line=line, column=column, file=file))
    return sorted(found.values(), key=lambda finding: (finding.line, finding.column))
