"""Errors as RFC 9457 problems: the type of an error gives the status, its message says the cause and the mend."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from agentnb.errors import (
    AgentNBError,
    ConfigurationError,
    DefinitionError,
    ExecutionTimeout,
    IllegalTransition,
    LeaseLost,
    MissingExtra,
    MissingKey,
    NotWaiting,
    PolicyDenied,
    ProviderError,
    RateLimited,
    StoreError,
    UnknownModel,
    UnknownName,
)
from agentnb.server.documents import FindingData, finding_data
from agentnb.server.keys import KeyInUse
from agentnb.workflows.documents import WorkflowSpecError
from agentnb.workflows.spec import WorkflowError

CONTENT_TYPE = "application/problem+json"

_STATUS: tuple[tuple[type[BaseException], int], ...] = (
    (UnknownName, 404),
    (UnknownModel, 404),
    (NotWaiting, 409),
    (KeyInUse, 409),
    (IllegalTransition, 409),
    (LeaseLost, 409),
    (WorkflowError, 422),
    (DefinitionError, 422),
    (MissingExtra, 422),
    (MissingKey, 422),
    (ConfigurationError, 400),
    (PolicyDenied, 403),
    (RateLimited, 429),
    (ExecutionTimeout, 504),
    (ProviderError, 502),
    (StoreError, 503),
)
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")


class Problem(BaseModel):
    """What went wrong.

    Attributes:
        type: ``urn:agentnb:`` and the name of the error; ``about:blank`` where the status says all.
        detail: The cause and the mend.
        findings: What is wrong with a workflow's document.
        fields: Which parts of the request don't fit, and why.
        run_id: The run in which it happened.
        code: The policy's reason code.
    """

    model_config = ConfigDict(extra="forbid")

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    instance: str = ""
    findings: list[FindingData] = []
    fields: list[dict[str, str]] = []
    run_id: str = ""
    code: str = ""


def problem_of(error: BaseException, instance: str = "") -> Problem:
    """The problem that an error is."""
    if isinstance(error, ValidationError):
        fields = [{"field": ".".join(map(str, item["loc"])), "message": item["msg"]} for item in error.errors(include_url=False)]
        detail = "; ".join(f"{field['field']}: {field['message']}" if field["field"] else field["message"] for field in fields)
        return _problem("InvalidRequest", 422, detail, instance, fields=fields)
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    if not isinstance(error, AgentNBError):
        return Problem(title=HTTPStatus(500).phrase, status=500, detail="agentnb failed; the server's log says how", instance=instance)
    findings = [finding_data(finding) for finding in error.findings] if isinstance(error, WorkflowSpecError) else []
    code = error.code if isinstance(error, PolicyDenied) else ""
    return _problem(type(error).__name__, status, str(error), instance, findings=findings, run_id=error.run_id, code=code)


def plain_problem(status: int, detail: str, instance: str = "") -> Problem:
    """A problem that its status names."""
    return Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, instance=instance)


def _problem(name: str, status: int, detail: str, instance: str, **more: Any) -> Problem:
    return Problem(
        type=f"urn:agentnb:{name}", title=_WORD.sub(" ", name).capitalize(), status=status, detail=detail, instance=instance, **more
    )
