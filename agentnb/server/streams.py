"""Sends events that follow one another: Server-Sent Events, which go on where they were cut, and a WebSocket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from pydantic import ValidationError
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from agentnb.errors import AgentNBError, ConfigurationError
from agentnb.server.events import StreamQuery
from agentnb.server.live import BATCH, Message, message_of
from agentnb.server.routing import Call, Route

if TYPE_CHECKING:
    from agentnb.server.handlers import RouteHandler
    from agentnb.server.service import Service

HEARTBEAT_SECONDS = 10.0
RETRY_MILLISECONDS = 1000
STALL_SECONDS = 30.0
"""How long a client may read nothing of what it is sent."""


async def follow(service: Service, run_id: str, after: int | None) -> AsyncGenerator[Message | None, None]:
    """What was written since ``after``, then what is written; None from time to time, where nothing is.

    The first message says where it begins. It ends where the client was too slow, or the run was deleted.
    """
    tail = service.tail
    position = await service.aside(service.runtime.store.position) if after is None else after
    yield Message(position, "begin", run_id, json.dumps({"seq": position}))
    while True:
        page = await service.aside(service.runtime.events, run_id, position, BATCH)
        for event in page:
            position = event.seq
            yield message_of(event)
        if len(page) < BATCH:
            break
    subscription = tail.subscribe(run_id)
    try:
        for event in await service.aside(service.runtime.events, run_id, position):
            position = event.seq
            yield (message := message_of(event))
            if run_id and message.final:
                return
        while not subscription.lost:
            found = await subscription.next(HEARTBEAT_SECONDS)
            if found is not None and 0 < found.seq <= position:
                continue
            if found is not None and found.seq:
                position = found.seq
            yield found
            if found is not None and run_id and found.final:
                return
    finally:
        tail.unsubscribe(subscription)


async def send(handler: RouteHandler, call: Call, run_id: str, query: StreamQuery) -> None:
    """Answer with Server-Sent Events, until the client goes."""
    service = call.service
    if run_id:
        run_id = (await service.aside(service.runtime.store.run, run_id)).id
    after = _last_seen(handler, query.after)
    handler._content_type = "text/event-stream"
    handler.set_header("Content-Type", "text/event-stream")
    handler.set_header("Cache-Control", "no-cache")
    handler.set_header("X-Accel-Buffering", "no")
    handler.write(f"retry: {RETRY_MILLISECONDS}\n\n")
    try:
        async with aclosing(follow(service, run_id, after)) as messages:
            async for message in messages:
                handler.write(": alive\n\n" if message is None else as_sse(message))
                async with asyncio.timeout(STALL_SECONDS):
                    await handler.flush()
    except StreamClosedError:
        return
    except TimeoutError:
        handler.request.connection.stream.close()  # type: ignore[union-attr]
        return
    await handler.finish()


def as_sse(message: Message) -> str:
    """A message as one Server-Sent Event; JSON has no line breaks."""
    number = f"id: {message.seq}\n" if message.seq else ""
    return f"{number}event: {message.event}\ndata: {message.data}\n\n"


def _last_seen(handler: RouteHandler, after: int | None) -> int | None:
    text = handler.request.headers.get("Last-Event-ID", "")
    if not text:
        return after
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ConfigurationError("Last-Event-ID: must be the number of an event")
    return int(text)


class SocketHandler(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """Sends events over a WebSocket, as ``{"seq", "event", "run_id", "data"}``; the client may send nothing."""

    route: Route

    def initialize(self, service: Service) -> None:
        self.service = service
        self._task: asyncio.Task[None] | None = None

    def set_default_headers(self) -> None:
        """A socket has none of Jupyter's."""

    @ws_authenticated
    async def get(self, **parts: str) -> None:
        if not await ensure_async(self.authorizer.is_authorized(self, self.current_user, self.route.action, self.route.resource)):
            raise HTTPError(403, f"User is not authorized to {self.route.action} on resource: {self.route.resource}.")
        given = {name: self.get_query_argument(name) for name in self.request.query_arguments if name != "token"}
        try:
            self.after = StreamQuery.model_validate(given).after
            await self.service.start()
        except AgentNBError as error:
            raise HTTPError(503, "%s", error) from None
        except ValidationError as error:
            raise HTTPError(422, str(error)) from None
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
            async with aclosing(follow(self.service, "", self.after)) as messages:
                async for message in messages:
                    if message is not None:
                        text = f'{{"seq": {message.seq}, "event": {json.dumps(message.event)}, "data": {message.data}}}'
                        await self.write_message(text)
        except WebSocketClosedError:
            return
        self.close(1013, "too slow: come again with after=")


def socket_handler(route: Route) -> type[Any]:
    """The handler of a route that is a WebSocket."""
    return type("AgentNBSocket", (SocketHandler,), {"route": route})
