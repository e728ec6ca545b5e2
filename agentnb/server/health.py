"""Whether the server does what it should, who is asking, and its OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal

from agentnb import __version__
from agentnb.errors import AgentNBError
from agentnb.server.routing import Call, Data, Reply, Text


class Live(Data):
    """That the server answers."""

    status: Literal["ok"] = "ok"
    version: str = __version__


class Check(Data):
    """One thing that has to work; ``reason`` says why it doesn't."""

    name: str
    ok: bool
    reason: str = ""


class Ready(Data):
    """Whether runs can be started and watched."""

    status: Literal["ok", "failing"]
    checks: list[Check]


class Permission(Data):
    """Whether an action on a resource is allowed."""

    action: str
    resource: str
    allowed: bool


class Me(Data):
    """Who is asking, and what they may do."""

    user: str
    permissions: list[Permission]


def live(call: Call) -> Live:
    """Say that the server is alive."""
    return Live()


async def ready(call: Call) -> Reply[Ready]:
    """Say whether the journal can be read, and whether events, processes and the sweep go on; 503 with the reasons where not."""
    checks = [await _started(call)]
    if checks[0].ok:
        checks += [Check(name=name, ok=not reason, reason=reason) for name, reason in call.service.problems().items()]
    sound = all(check.ok for check in checks)
    return Reply(Ready(status="ok" if sound else "failing", checks=checks), status=200 if sound else 503)


async def me(call: Call) -> Me:
    """Say who is asking, and what they may do."""
    from agentnb.server.routes import ROUTES

    asked = dict.fromkeys((route.action, route.resource) for route in ROUTES)
    permissions = [Permission(action=action, resource=resource, allowed=await call.allowed(action, resource)) for action, resource in asked]
    return Me(user=call.user, permissions=permissions)


def metrics(call: Call) -> Text:
    """The metrics whose names begin with ``agentnb_``, as Prometheus reads them; Jupyter's own ``/metrics`` has them too."""
    from agentnb.server.metrics import exposition

    return Text(*exposition())


def openapi(call: Call) -> Any:
    """This API as an OpenAPI 3.1 document."""
    from agentnb.server.openapi import document
    from agentnb.server.routes import ROUTES

    return document(ROUTES, call.service.base)


async def _started(call: Call) -> Check:
    """Whether the settings are right, and the store can be read."""
    try:
        await call.service.start()
        await call.service.aside(call.runtime.store.position)
    except AgentNBError as error:
        return Check(name="store", ok=False, reason=str(error))
    return Check(name="store", ok=True)
