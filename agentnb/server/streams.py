"""Sends events that follow one another: Server-Sent Events, which go on where they were cut, and a WebSocket."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from pydantic import Field, ValidationError
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from agentnb.errors import AgentNBError, ConfigurationError
from agentnb.server.calls import call_of, parameters_of
from agentnb.server.events import LARGEST
from agentnb.server.live import BATCH, Message, message_of
from agentnb.server.routing import Call, Request, Route

if TYPE_CHECKING:
    from agentnb.server.handlers import RouteHandler
    from agentnb.server.service import Service

Messages = AsyncGenerator[Message | None, None]

HEARTBEAT_SECONDS = 10.0
RETRY_MILLISECONDS = 1000
STALL_SECONDS = 30.0
"""How long a client may read nothing of what it is sent."""
_log = logging.getLogger(__name__)


class StreamQuery(Request):
    """Where a stream begins: behind this number, or with what happens from now on. ``Last-Event-ID`` says the same, and goes first."""

    after: int | None = Field(None, ge=0, le=LARGEST)


def of_all(call: Call, query: StreamQuery) -> Messages:
    """Send the events of all runs as they are written."""
    return follow(call.service, "", query.after)


def of_run(call: Call, run_id: str, query: StreamQuery) -> Messages:
    """Send the events of a run as they are written, and pieces of its text as ``delta``."""
    return follow(call.service, run_id, query.after)


async def follow(service: Service, run_id: str, after: int | None) -> Messages:
    """What was written since ``after``, then what is written; None from time to time, where nothing is.

    The first message says where it begins. It ends where the client was too slow, or the run was deleted.

    Raises:
        RunNotFound: There is no such run.
    """
    if run_id:
        run_id = (await service.aside(service.runtime.store.run, run_id)).id
    position = await service.aside(service.runtime.store.position) if after is None else after
    yield Message(position, "begin", run_id, json.dumps({"seq": position}))
    async with aclosing(_follow(service, run_id, position)) as messages:
        async for message in messages:
            yield message
            if message is not None and run_id and message.final:
                return


async def _follow(service: Service, run_id: str, position: int) -> Messages:
    while True:
        page = await service.aside(service.runtime.events, run_id, position, BATCH)
        for event in page:
            position = event.seq
            yield message_of(event)
        if len(page) < BATCH:
            break
    subscription = service.tail.subscribe(run_id)
    try:
        for event in await service.aside(service.runtime.events, run_id, position):
            position = event.seq
            yield message_of(event)
        while not subscription.lost:
            found = await subscription.next(HEARTBEAT_SECONDS)
            if found is not None and 0 < found.seq <= position:
                continue
            if found is not None and found.seq:
                position = found.seq
            yield found
    finally:
        service.tail.unsubscribe(subscription)


async def send(handler: RouteHandler, route: Route, call: Call, arguments: dict[str, Any]) -> None:
    """Answer with Server-Sent Events, until the client goes."""
    query = arguments["query"].model_copy(update=_last_seen(handler))
    try:
        async with aclosing(route.function(call, **{**arguments, "query": query})) as messages:
            async for message in messages:
                if not handler._headers_written:
                    _begin(handler)
                handler.write(": alive\n\n" if message is None else as_sse(message))
                async with asyncio.timeout(STALL_SECONDS):
                    await handler.flush()
    except StreamClosedError:
        return
    except TimeoutError:
        handler.request.connection.stream.close()  # type: ignore[union-attr]


def _begin(handler: RouteHandler) -> None:
    handler.set_header("Content-Type", "text/event-stream")
    handler.set_header("Cache-Control", "no-cache")
    handler.set_header("X-Accel-Buffering", "no")
    handler.write(f"retry: {RETRY_MILLISECONDS}\n\n")


def as_sse(message: Message) -> str:
    """A message as one Server-Sent Event; JSON has no line breaks."""
    number = f"id: {message.seq}\n" if message.seq else ""
    return f"{number}event: {message.event}\ndata: {message.data}\n\n"


def as_json(message: Message) -> str:
    """A message as one of a WebSocket."""
    head = json.dumps({"seq": message.seq, "event": message.event, "run_id": message.run_id})
    return f'{head[:-1]}, "data": {message.data}}}'


def _last_seen(handler: RouteHandler) -> dict[str, int]:
    text = handler.request.headers.get("Last-Event-ID", "")
    if text and (not text.isascii() or not text.isdigit() or len(text) > 18):
        raise ConfigurationError("Last-Event-ID: must be the number of an event")
    return {"after": int(text)} if text else {}


class SocketHandler(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """Sends events over a WebSocket, as ``{"seq", "event", "run_id", "data"}``; the client may send nothing."""

    route: Route

    def initialize(self, service: Service) -> None:
        self.service = service
        self._messages: Messages
        self._task: asyncio.Task[None] | None = None

    def set_default_headers(self) -> None:
        """A socket has none of Jupyter's."""

    @ws_authenticated
    async def get(self, **parts: str) -> None:
        call, route = call_of(self, self.service), self.route
        if not await call.allowed(route.action, route.resource):
            raise HTTPError(403, f"User is not authorized to {route.action} on resource: {route.resource}.")
        try:
            query = StreamQuery.model_validate(parameters_of(self))
            await self.service.start()
        except AgentNBError as error:
            raise HTTPError(503, "%s", error) from None
        except ValidationError as error:
            raise HTTPError(422, "%s", error) from None
        self._messages = route.function(call, query)
        await super().get(**parts)

    async def open(self, **parts: str) -> None:
        super().open()
        self._task = asyncio.create_task(self._send())

    def on_message(self, message: str | bytes) -> None:
        """Nothing is expected."""

    def on_close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _send(self) -> None:
        try:
            async with aclosing(self._messages) as messages:
                async for message in messages:
                    if message is not None:
                        await self.write_message(as_json(message))
        except WebSocketClosedError:
            return
        except AgentNBError as error:
            _log.warning("can't send events: %s", error)
        self.close(1013, "come again with after=")


def socket_handler(route: Route) -> type[Any]:
    """The handler of a route that is a WebSocket."""
    return type("AgentNBSocket", (SocketHandler,), {"route": route})
