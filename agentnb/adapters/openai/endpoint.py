"""One server with one key: requests sent through the official client, one client for each event loop."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar, cast

from agentnb.adapters.openai.failures import Failures
from agentnb.adapters.openai.sse import EventReader
from agentnb.adapters.openai.wire import StreamReader, parse
from agentnb.ports.model import ModelResponse

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

OFFICIAL = "https://api.openai.com/v1"
_DRAIN_SECONDS = 0.1

T = TypeVar("T")


class Endpoint:
    """Sends requests to one server; may be used from any event loop.

    The connections of a loop are shared by all models of this server. They are closed when the loop shuts down its asynchronous
    generators, as ``asyncio.run`` does before it closes the loop.
    """

    def __init__(self, base_url: str | None, key: str | None) -> None:
        self._base_url = base_url or OFFICIAL
        self._key = key
        self._failures = Failures(self._base_url, key)
        self._clients: dict[asyncio.AbstractEventLoop, tuple[AsyncOpenAI, AsyncGenerator[None, None]]] = {}

    @property
    def official(self) -> bool:
        """Whether this is OpenAI itself."""
        return self._base_url.startswith("https://api.openai.com/")

    async def post(self, path: str, body: dict[str, Any], timeout: float, read: Callable[[Any], T]) -> T:
        """Send a request and read the JSON that is answered; ``timeout`` holds for the whole exchange.

        Raises:
            ProviderError: It failed; see ``failures``.
        """

        async def exchange() -> T:
            client = await self._client()
            async with asyncio.timeout(timeout):
                response = await self._send(client, path, body, stream=False)
            return read(parse(response.content))

        return await self._guarded(exchange(), body["model"], timeout)

    async def stream(self, path: str, body: dict[str, Any], timeout: float, reader: StreamReader) -> ModelResponse:
        """Send a request and read the answer while it comes; ``timeout`` holds for each wait.

        Raises:
            ProviderError: It failed; see ``failures``.
        """

        async def exchange() -> ModelResponse:
            client = await self._client()
            async with asyncio.timeout(timeout) as deadline, contextlib.AsyncExitStack() as stack:
                response = await self._send(client, path, body, stream=True)
                stack.push_async_callback(response.aclose)
                if response.headers.get("content-type", "").startswith("application/json"):
                    return reader.whole(parse(await response.aread()))
                chunks = await stack.enter_async_context(contextlib.aclosing(response.aiter_bytes()))
                await _read_events(chunks, deadline, timeout, reader)
            return reader.response()

        return await self._guarded(exchange(), body["model"], timeout)

    async def _guarded(self, exchange: Awaitable[T], model: str, timeout: float) -> T:
        try:
            return await exchange
        except Exception as error:
            problem = self._failures.explain(error, model, timeout)
            if problem is None:
                raise
        # Outside of the except block, so that the client's exception, whose request holds the key, is not chained to this one.
        raise problem

    async def _send(self, client: AsyncOpenAI, path: str, body: dict[str, Any], *, stream: bool) -> httpx2.Response:
        import httpx2
        from openai import AsyncStream, Omit

        options: Any = {} if self._key else {"headers": {"Authorization": Omit()}}
        answer = await client.post(path, cast_to=httpx2.Response, body=body, options=options, stream=stream, stream_cls=AsyncStream[Any])
        return cast("httpx2.Response", answer)

    async def _client(self) -> AsyncOpenAI:
        loop = asyncio.get_running_loop()
        if loop not in self._clients and "openai" not in sys.modules:
            await asyncio.to_thread(import_module, "agentnb.adapters.openai.connections")
        if loop not in self._clients:
            await self._connect(loop)
        return self._clients[loop][0]

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> None:
        from agentnb.adapters.openai.connections import connect

        for other in [other for other in list(self._clients) if other.is_closed()]:
            self._clients.pop(other, None)
        client = connect(self._base_url, self._key)
        keeper = self._keep(loop, client)
        await anext(keeper)
        self._clients[loop] = (client, keeper)

    async def _keep(self, loop: asyncio.AbstractEventLoop, client: AsyncOpenAI) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self._clients.pop(loop, None)
            await client.close()


async def _read_events(chunks: AsyncIterator[bytes], deadline: asyncio.Timeout, timeout: float, reader: StreamReader) -> None:
    events, clock = EventReader(), asyncio.get_running_loop().time
    async for chunk in chunks:
        deadline.reschedule(clock() + timeout)
        for data in events.feed(chunk):
            reader.feed(data)
        if reader.done:
            await _drain(chunks)
            return
    for data in events.finish():
        reader.feed(data)


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Read what follows the last event, so that the connection can be used again; nothing depends on it."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for _ in chunks:
                pass
