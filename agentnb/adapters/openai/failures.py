"""What can go wrong between us and a server, as our own errors: what happened, what to do, and never the key."""

from __future__ import annotations

import math
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from agentnb.adapters.openai.wire import Garbled, ServerError
from agentnb.errors import AgentNBError, ConfigurationError, ContextOverflow, ProviderError, RateLimited, UnknownModel
from agentnb.secrets import bare_url

KEY_VARIABLE = "OPENAI_API_KEY"
_SHOWN = 300
_OVERFLOW = (
    "context_length_exceeded",
    "maximum context length",
    "context window",
    "context length",
    "context size",
    "prompt is too long",
    "too many tokens",
)
_QUOTA = ("insufficient_quota", "billing_hard_limit_reached")
_PASSING = {408, 409, 425, 429}


class Failures:
    """Explains the errors of one server."""

    def __init__(self, base_url: str, key: str | None) -> None:
        self._where = bare_url(base_url)
        self._key = key

    def explain(self, error: Exception, model: str, timeout: float) -> AgentNBError | None:
        """Our error for one of the client, of the connection or of the protocol; None for any other."""
        import anyio
        import httpx2
        import openai

        if isinstance(error, TimeoutError):
            return ProviderError(
                f"{self._where} sent nothing for {timeout:g} s: raise timeout under [models.openai] in agentnb.toml", retryable=True
            )
        if isinstance(error, Garbled):
            said = self._clean(str(error))
            return ProviderError(f"{self._where} sent no answer that can be read ({said}): if it stays so, check base_url", retryable=True)
        if isinstance(error, ServerError):
            return self._status(error.status, error.body, {}, model)
        if isinstance(error, openai.APIStatusError):
            return self._status(error.status_code, error.body or error.response.text, error.response.headers, model)
        if isinstance(error, openai.APIConnectionError | httpx2.RequestError | ssl.SSLError | anyio.EndOfStream):
            return self._connection(error.__cause__ or error)
        return None

    def _connection(self, cause: BaseException) -> ProviderError:
        import httpx2

        reason = self._clean(str(cause) or type(cause).__name__)
        what = "can't connect to" if isinstance(cause, httpx2.ConnectError) else "lost the connection to"
        return ProviderError(
            f"{what} {self._where} ({reason}): check that the server runs, and base_url or OPENAI_BASE_URL", retryable=True
        )

    def _status(self, status: int, body: object, headers: Mapping[str, str], model: str) -> AgentNBError:
        said, code = self._clean(_message(body)), _code(body)
        spent = any(word in code for word in _QUOTA)
        told = f"{self._where} answered {status}: {said}"
        if 300 <= status < 400:
            to = self._clean(bare_url(headers.get("location", ""))) or "nowhere"
            return ConfigurationError(f"{self._where} redirects to {to}, which isn't followed: set base_url to the server that is meant")
        if status in {401, 403}:
            return ConfigurationError(f"{told}. {self._key_advice()}")
        if status == 404:
            return UnknownModel(f"{told}. Check the model's name {model!r}, and that base_url is right (most end in /v1)")
        wait = retry_after(headers)
        if status == 429 and not spent:
            return RateLimited(f"{told}. Call less often, or raise the account's limits", retryable=True, retry_after=wait)
        if status in {400, 413, 422} and any(sign in f"{code} {said}".lower() for sign in _OVERFLOW):
            return ContextOverflow(f"{told}. Shorten the conversation, or use a model with a longer context")
        passing = (status in _PASSING or status >= 500) and not spent
        return ProviderError(told, retryable=passing, retry_after=wait if passing else None)

    def _key_advice(self) -> str:
        if self._key:
            return f"Check the key in {KEY_VARIABLE}, and what it may be used for"
        return f"It wants a key: set the environment variable {KEY_VARIABLE} before the kernel starts"

    def _clean(self, text: str) -> str:
        if self._key:
            text = text.replace(self._key, "***")
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait (``retry-after-ms``, or ``Retry-After`` as seconds or as a date), or None."""
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after", "")
    seconds = _number(text)
    return seconds if seconds is not None else _until(text)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return max(number, 0.0) if math.isfinite(number) else None


def _until(text: str) -> float | None:
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max((date - datetime.now(UTC)).total_seconds(), 0.0)


def _message(body: object) -> str:
    if isinstance(body, Mapping):
        body = body.get("message") or body.get("detail") or dict(body)
    return str(body).strip() or "no reason given"


def _code(body: object) -> str:
    return f"{body.get('code')} {body.get('type')}" if isinstance(body, Mapping) else ""
