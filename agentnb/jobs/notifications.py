"""Tells people and programs how a run has ended: webhooks and e-mail."""

from __future__ import annotations

import asyncio
import json
import os
import smtplib
import ssl
from collections.abc import Mapping
from contextlib import suppress
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from agentnb.errors import AgentNBError, ConfigurationError
from agentnb.jobs import places
from agentnb.jobs.journal import JobJournal
from agentnb.jobs.spec import SMTP, EmailNotice, JobSpec, Notice, WebhookNotice
from agentnb.policy import Check
from agentnb.ports.store import Run
from agentnb.runtime.bridge import run_sync
from agentnb.secrets import redact, to_json
from agentnb.workflows import http

if TYPE_CHECKING:
    from agentnb.runtime.runtime import Runtime

TIMEOUT = 30.0
_SECRET = "secret:"  # noqa: S105
_ATTEMPTS = 3


class NotTold(ConfigurationError):
    """A notification could not be sent."""


def tell(runtime: Runtime, spec: JobSpec, ended: Run, known: Mapping[str, Any], journal: JobJournal) -> None:
    """Send a job's notifications; one that can't be sent is an event, and changes nothing of the outcome."""
    for notice in spec.on_success if ended.status == "completed" else spec.on_failure:
        try:
            event = journal.event("job.notified", ended.status, to=send(runtime, notice, ended, known))
        except ConfigurationError as error:
            event = journal.event("job.notification_failed", ended.status, error=str(error))
        with suppress(AgentNBError):
            journal.note(event)


def send(runtime: Runtime, notice: Notice, run: Run, known: Mapping[str, Any]) -> str:
    """Tell one; whom, for the journal.

    Raises:
        NotTold: It could not be sent.
    """
    told = {**known, "run": {**known["run"], **_outcome(run)}}
    try:
        if notice.webhook is not None:
            return _post(runtime, notice.webhook, run, told)
        assert notice.email is not None  # noqa: S101
        return _mail(notice.email, run, told)
    except NotTold:
        raise
    except AgentNBError as error:
        raise NotTold(redact(str(error))) from None
    except Exception as error:
        raise NotTold(redact(f"it can't be sent ({type(error).__name__}: {error})")) from error


def _outcome(run: Run) -> dict[str, Any]:
    output = run.output if isinstance(run.output, Mapping) else {}
    return {
        "status": run.status,
        "reason": run.reason,
        "error": (run.error or {}).get("message", ""),
        "output": output.get("notebook", ""),
        "duration": output.get("duration_ms", 0.0),
    }


def _post(runtime: Runtime, webhook: WebhookNotice, run: Run, told: Mapping[str, Any]) -> str:
    url = str(places.fill(webhook.url, told, os.environ))
    target = http.parse(_revealed(url))
    headers = {name: _revealed(str(places.fill(value, told, os.environ))) for name, value in webhook.headers.items()}
    body = {"name": run.name, **told["run"]} if webhook.body is None else places.fill(webhook.body, told, os.environ)
    content = to_json(body).encode()
    known = {"declared": True, "host": target.host, "port": target.port}
    runtime.policy.enforce(Check("webhook", to_json(body), run.name, f"POST {target}", known))

    def guard(address: str, public: bool) -> None:
        more = {**known, "address": address, "public": public}
        runtime.policy.enforce(Check("webhook", to_json(body), run.name, f"POST {target}", more))

    async def attempts() -> http.Answer:
        given = {"Content-Type": "application/json", "Idempotency-Key": run.id, **headers}
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                answer = await http.send("POST", target, headers=given, body=content, guard=guard, timeout=TIMEOUT)
            except http.RequestFailed:
                if attempt == _ATTEMPTS:
                    raise
            else:
                if answer.status < 500 or attempt == _ATTEMPTS:
                    return answer
            await asyncio.sleep(attempt)
        raise NotTold(f"{target} gave no answer")

    answer = run_sync(attempts())
    if answer.status >= 400:
        raise NotTold(f"{target} answered {answer.status} {answer.reason}")
    return f"webhook {target}"


def _revealed(text: str) -> str:
    """The value of an environment variable where the text is ``secret:NAME``, also after ``Bearer``.

    Raises:
        NotTold: It isn't set.
    """
    before, mark, name = text.partition(_SECRET)
    if not mark or not name.isidentifier():
        return text
    if name not in os.environ:
        raise NotTold(f"secret:{name}: the environment variable {name} is not set")
    return before + os.environ[name]


def _mail(email: EmailNotice, run: Run, told: Mapping[str, Any]) -> str:
    server = os.environ.get(SMTP, "")
    if not server:
        raise NotTold(f"e-mail needs a server: set {SMTP} to smtp://HOST:PORT or smtps://HOST, with USER:PASSWORD@ before the host")
    message = EmailMessage()
    try:
        message["Subject"] = redact(str(places.fill(email.subject, told, os.environ)))
        message["From"] = email.sender
        message["To"] = ", ".join(email.to)
    except ValueError as error:
        raise NotTold(f"the mail can't be written: {error}") from None
    message.set_content(redact(json.dumps({"name": run.name, **told["run"]}, indent=2, ensure_ascii=False)))
    parts = urlsplit(server)
    try:
        _deliver(
            message, parts.scheme, parts.hostname or "localhost", parts.port, unquote(parts.username or ""), unquote(parts.password or "")
        )
    except (OSError, smtplib.SMTPException) as error:
        raise NotTold(redact(f"the mail server {parts.hostname} didn't take the mail: {error}")) from None
    return f"email {', '.join(email.to)}"


def _deliver(message: EmailMessage, scheme: str, host: str, port: int | None, user: str, password: str) -> None:
    if scheme == "smtps":
        connection: smtplib.SMTP = smtplib.SMTP_SSL(host, port or 465, timeout=TIMEOUT, context=ssl.create_default_context())
    else:
        connection = smtplib.SMTP(host, port or 587, timeout=TIMEOUT)
    with connection:
        connection.ehlo()
        if scheme != "smtps" and connection.has_extn("starttls"):
            connection.starttls(context=ssl.create_default_context())
            connection.ehlo()
        elif user and scheme != "smtps":
            raise NotTold(f"the mail server {host} offers no encryption, so that the password isn't sent: use smtps://")
        if user:
            connection.login(user, password)
        connection.send_message(message)
