"""Errors as clients of OpenAI's protocol know them: a status, and an object that says what, where and of which kind."""

from __future__ import annotations

from typing import Any

from agentnb.errors import (
    AgentNBError,
    ConfigurationError,
    ContextOverflow,
    DefinitionError,
    ExecutionCancelled,
    ExecutionTimeout,
    IllegalTransition,
    MissingExtra,
    MissingKey,
    PolicyDenied,
    ProviderError,
    RateLimited,
    UnknownModel,
    UnknownName,
)
from agentnb.serve.protocol import BadRequest

_KINDS: tuple[tuple[type[AgentNBError], int, str, str | None], ...] = (
    (ContextOverflow, 400, "invalid_request_error", "context_length_exceeded"),
    (RateLimited, 429, "rate_limit_error", "rate_limit_exceeded"),
    (PolicyDenied, 403, "policy_error", None),
    (UnknownModel, 404, "invalid_request_error", "model_not_found"),
    (UnknownName, 404, "invalid_request_error", "model_not_found"),
    (IllegalTransition, 409, "invalid_request_error", None),
    (ExecutionTimeout, 504, "timeout_error", "timed_out"),
    (ExecutionCancelled, 500, "server_error", "cancelled"),
    (DefinitionError, 500, "server_error", "definition"),
    (MissingExtra, 500, "server_error", "missing_package"),
    (MissingKey, 500, "server_error", "missing_key"),
    (ConfigurationError, 400, "invalid_request_error", None),
)


class Refused(Exception):
    """A request that is turned away before it is read."""

    def __init__(self, status: int, message: str, code: str, kind: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.kind = kind


def explained(error: BaseException) -> tuple[int, dict[str, Any], bool]:
    """Status, error object, and whether trying the same again may help."""
    if isinstance(error, Refused):
        return error.status, _body(str(error), error.kind, error.code), error.status in (429, 503)
    for known, status, kind, code in _KINDS:
        if isinstance(error, known):
            code = error.code if isinstance(error, PolicyDenied | BadRequest) and error.code else code
            return status, _body(str(error), kind, code, getattr(error, "param", None)), status == 429
    if isinstance(error, ProviderError):
        return (503 if error.retryable else 502), _body(str(error), "server_error", "provider"), error.retryable
    if isinstance(error, AgentNBError):
        return 500, _body(str(error), "server_error", "execution"), False
    return 500, _body("something went wrong in the server; its log says what", "server_error", "internal"), False


def _body(message: str, kind: str, code: str | None, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
