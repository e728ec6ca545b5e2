"""What a request says before its route is known: who asks, what they may, which parameters it has."""

from __future__ import annotations

from contextlib import suppress

from jupyter_core.utils import ensure_async
from jupyter_server.base.handlers import JupyterHandler

from agentnb.errors import AgentNBError
from agentnb.server.routing import Call
from agentnb.server.service import Service

_OURS = frozenset({"token", "_xsrf", "no_track_activity"})


def call_of(handler: JupyterHandler, service: Service) -> Call:
    """A request as a call."""

    async def allowed(action: str, resource: str) -> bool:
        return bool(await ensure_async(handler.authorizer.is_authorized(handler, handler.current_user, action, resource)))

    return Call(service, _user(handler, service), allowed)


def parameters_of(handler: JupyterHandler) -> dict[str, str | None]:
    """The query's parameters without those that Jupyter reads."""
    names = (name for name in handler.request.query_arguments if name not in _OURS and not name.isdigit())
    return {name: handler.get_query_argument(name) for name in names}


def _user(handler: JupyterHandler, service: Service) -> str:
    """Who asks; where the server knows no names, and makes some up, the one that the process runs for."""
    if type(handler.identity_provider).__module__.startswith("jupyter_server."):
        with suppress(AgentNBError):
            return service.runtime.settings.user
    return str(handler.current_user.username)
