"""The official client on a pool of connections whose cost doesn't grow with its size; importing this imports ``openai``.

The pool of httpcore looks at every connection it holds, twice a request: with 50 open ones that takes longer than the rest of the call.
Here each connection is a transport of its own; the one used last is taken first, and those left idle are closed.
"""

from __future__ import annotations

import ssl
import time
from collections import deque
from collections.abc import AsyncIterator
from functools import cache
from typing import cast
from urllib.request import getproxies

import httpx2
from openai import AsyncOpenAI, DefaultAsyncHttpxClient

_IDLE_SECONDS = 30.0


def connect(base_url: str, key: str | None) -> AsyncOpenAI:
    """A client without retries, time-outs and redirects of its own; behind a proxy of the environment it uses the usual pool.

    A redirect isn't followed: it would take the prompt to a server that nobody named.
    """
    proxied = getproxies().keys() & {"http", "https", "all"}
    transport = None if proxied else ConnectionStack()
    http = DefaultAsyncHttpxClient(timeout=None, follow_redirects=False, transport=transport)
    return AsyncOpenAI(api_key=key or "none", base_url=base_url, max_retries=0, timeout=None, http_client=http)


class ConnectionStack(httpx2.AsyncBaseTransport):
    """A transport for one server and one event loop."""

    def __init__(self) -> None:
        self._idle: deque[tuple[float, httpx2.AsyncHTTPTransport]] = deque()
        self._all: set[httpx2.AsyncHTTPTransport] = set()
        self._certificates = _certificates()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        connection = self._idle.pop()[1] if self._idle else self._open()
        try:
            response = await connection.handle_async_request(request)
        except BaseException:
            self._idle.append((time.monotonic(), connection))
            raise
        response.stream = _Body(cast("httpx2.AsyncByteStream", response.stream), connection, self)
        return response

    async def give_back(self, connection: httpx2.AsyncHTTPTransport) -> None:
        """Take a connection back, and close those that nobody has wanted for a while."""
        now = time.monotonic()
        self._idle.append((now, connection))
        while now - self._idle[0][0] > _IDLE_SECONDS:
            stale = self._idle.popleft()[1]
            self._all.discard(stale)
            await stale.aclose()

    async def aclose(self) -> None:
        self._idle.clear()
        while self._all:
            await self._all.pop().aclose()

    def _open(self) -> httpx2.AsyncHTTPTransport:
        limits = httpx2.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=_IDLE_SECONDS)
        connection = httpx2.AsyncHTTPTransport(verify=self._certificates, limits=limits)
        self._all.add(connection)
        return connection


class _Body(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, connection: httpx2.AsyncHTTPTransport, stack: ConnectionStack) -> None:
        self._stream = stream
        self._connection: httpx2.AsyncHTTPTransport | None = connection
        self._stack = stack

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._stream.__aiter__()

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await self._stream.aclose()
            finally:
                await self._stack.give_back(connection)


@cache
def _certificates() -> ssl.SSLContext:
    return httpx2.create_ssl_context()
