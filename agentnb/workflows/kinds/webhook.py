"""Webhook steps: an HTTP request, or an event into the journal; and, where it is wanted, the wait for a call back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentnb.policy import Check
from agentnb.ports.store import Event, now
from agentnb.secrets import to_json
from agentnb.workflows import http
from agentnb.workflows.kinds.call import Call, Question, Result, StepFailed
from agentnb.workflows.kinds.tool import approved
from agentnb.workflows.spec import Callback, Webhook

TIMEOUT = 60.0
"""Seconds for one request where the step has no timeout of its own."""

_RETRYABLE = frozenset({408, 425, 429})
_SHOWN = 500


class WebhookStep:
    """Output: ``{status, headers, body}`` or ``{event}``, with ``callback`` where one was waited for.

    GET and HEAD may run twice; every request carries an Idempotency-Key that is the same for all attempts.
    """

    def __init__(self, resolver: http.Resolver = http.resolve) -> None:
        self._resolver = resolver

    async def run(self, call: Call) -> Result:
        webhook = call.action.webhook
        if webhook is None:
            raise StepFailed("this step has no webhook", retryable=False)
        output = _sent_before(call)
        if output is None:
            output = _emit(call, webhook) if webhook.event else await self._request(call, webhook)
        if webhook.wait_for_callback is False:
            return Result(output)
        timeout = webhook.wait_for_callback.timeout if isinstance(webhook.wait_for_callback, Callback) else None
        reply = await call.wait(Question("callback", f"{call.step_id} waits for a call back.", shown=output, timeout=timeout))
        return Result({**output, "callback": reply.data})

    async def _request(self, call: Call, webhook: Webhook) -> dict[str, Any]:
        shown_url, shown_body = call.parts.get("webhook.url", webhook.url), call.parts.get("webhook.body", webhook.body)
        headers = {str(name): _text(value) for name, value in call.secret(call.parts.get("webhook.headers", webhook.headers)).items()}
        content, kind = _content(call.secret(shown_body))
        try:
            target = http.parse(str(call.secret(shown_url)))
            what = f"{webhook.method} {target}"
            text = f"{shown_url}\n{_text(shown_body)}" if shown_body is not None else str(shown_url)
            known = {"declared": True, "host": target.host, "port": target.port}
            decision = call.policy.enforce(Check("webhook", text, call.workflow, what, known))
            if decision.verdict == "ask":
                await approved(call, what, decision.reason)

            def guard(address: str, public: bool) -> None:
                call.policy.enforce(Check("webhook", text, call.workflow, what, {**known, "address": address, "public": public}))

            answer = await http.send(
                webhook.method,
                target,
                headers={**_missing(headers, {"Idempotency-Key": call.idempotency_key, **kind}), **headers},
                body=content,
                guard=guard,
                timeout=call.action.attempt_timeout or TIMEOUT,
                resolver=self._resolver,
            )
        except http.BadRequest as error:
            raise StepFailed(f"webhook: {error}", retryable=False) from error
        except http.RequestFailed as error:
            raise StepFailed(str(error)) from error
        return _judge(what, answer)


def _sent_before(call: Call) -> dict[str, Any] | None:
    """What an earlier process has got for its request, where it waited for the call back already."""
    pending = call.pending if call.continued else None
    return pending.get("shown") if pending and pending.get("kind") == "callback" else None


def _emit(call: Call, webhook: Webhook) -> dict[str, Any]:
    name = f"external.{webhook.event}"
    data = {
        "event_type": name,
        "timestamp": now(),
        "user_id": call.user,
        "workflow_id": call.run_id,
        "step_id": call.step_id,
        "data": call.parts.get("webhook.body", webhook.body),
    }
    call.emit(Event(name, data, call.run_id, call.step_id))
    return {"event": webhook.event}


def _judge(what: str, answer: http.Answer) -> dict[str, Any]:
    status = f"{what} answered {answer.status} {answer.reason}".rstrip()
    if 300 <= answer.status < 400:
        to = answer.headers.get("location", "")
        raise StepFailed(f"{status}{f', to {to}' if to else ''}: redirects are not followed, put the final URL there", retryable=False)
    if answer.status >= 400:
        said = _text(answer.body).strip()
        shown = f": {said[:_SHOWN]}{'…' if len(said) > _SHOWN else ''}" if said else ""
        retryable = answer.status >= 500 or answer.status in _RETRYABLE
        raise StepFailed(f"{status}{shown}", retryable=retryable, retry_after=answer.retry_after)
    return {"status": answer.status, "headers": dict(answer.headers), "body": answer.body}


def _content(body: Any) -> tuple[bytes | None, dict[str, str]]:
    import json

    if body is None:
        return None, {}
    if isinstance(body, str):
        return body.encode("utf-8", "replace"), {"Content-Type": "text/plain; charset=utf-8"}
    return json.dumps(body, ensure_ascii=False, default=str).encode("utf-8", "replace"), {"Content-Type": "application/json"}


def _missing(headers: Mapping[str, str], defaults: Mapping[str, str]) -> dict[str, str]:
    given = {name.lower() for name in headers}
    return {name: value for name, value in defaults.items() if name.lower() not in given}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else to_json(value)
