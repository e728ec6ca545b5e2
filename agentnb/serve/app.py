"""The server: what it listens on, what it loads first, how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from agentnb.errors import AgentNBError, ConfigurationError
from agentnb.ports.model import Message, ModelRequest
from agentnb.runtime.embedding import DEFAULT_EMBEDDER, embed
from agentnb.runtime.runtime import Runtime
from agentnb.serve import handlers
from agentnb.serve.handlers import LOOPBACK, Service
from agentnb.serve.log import say
from agentnb.serve.offer import Offer

KEY = "AGENTNB_SERVE_KEY"
_MAX_BODY = 32 * 1024 * 1024
_LAST_SECONDS = 1.0
"""For clients to be told that what they wait for was cancelled."""


@dataclass(frozen=True)
class Listen:
    """Where and how to listen; ``grace`` is the seconds that requests have to end once the server is told to."""

    host: str = "127.0.0.1"
    port: int = 8321
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    limit: int = 256
    grace: float = 10.0
    warm: bool = True


def application(service: Service) -> Application:
    """The paths."""
    shared = {"service": service}
    return Application(
        [
            (r"/health", handlers.Health, shared),
            (r"/v1/models", handlers.ModelList, shared),
            (r"/v1/models/(.+)", handlers.ModelEntry, shared),
            (r"/v1/embeddings", handlers.Embeddings, shared),
            (r"/v1/chat/completions", handlers.ChatCompletions, shared),
        ],
        default_handler_class=handlers.Unknown,
        default_handler_args=shared,
        log_function=lambda _handler: None,
    )


def service(offer: Offer, listen: Listen) -> Service:
    """The service for a place to listen on.

    Raises:
        ConfigurationError: Others than this machine could reach it, and there is no key; the key can't be one; or an origin is none.
        AgentNBError: There is no such model.
    """
    key = os.environ.get(KEY, "").strip()
    if key and not (key.isascii() and key.isprintable()):
        raise ConfigurationError(f"{KEY} holds characters that no header can: choose a key of ASCII characters")
    loopback = listen.host in LOOPBACK
    if not loopback and not key:
        raise ConfigurationError(f"{listen.host} can be reached from elsewhere: set {KEY} to a long random text, or listen on 127.0.0.1")
    hosts = frozenset(listen.hosts) | LOOPBACK if loopback or listen.hosts else frozenset[str]()
    for origin in listen.origins:
        parts = urlsplit(origin)
        if origin != "null" and (parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc}" or not parts.netloc):
            raise ConfigurationError(f"--allow-origin {origin}: write https://host, with a port where there is one, and nothing behind it")
    for name in offer.models:
        if not _embeds(offer.runtime, name):
            offer.runtime.open_model(name)
    return Service(offer, key, hosts, frozenset(listen.origins), listen.limit)


async def serve(offer: Offer, listen: Listen, ready: Callable[[str], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; a second one doesn't wait for what is under way.

    Args:
        offer: What is served.
        listen: Where.
        ready: Is told the address once it can be called.

    Raises:
        ConfigurationError: The address is taken, or isn't one of this machine.
    """
    shared = service(offer, listen)
    server = HTTPServer(application(shared), max_body_size=_MAX_BODY, max_buffer_size=_MAX_BODY + 65536, idle_connection_timeout=600)
    sockets = _bind(listen)
    server.add_sockets(sockets)
    host = f"[{listen.host}]" if ":" in listen.host else listen.host
    address = f"http://{host}:{sockets[0].getsockname()[1]}"
    say("listening", url=f"{address}/v1", key=bool(shared.key), models=offer.names())
    if ready:
        ready(address)
    warming = asyncio.ensure_future(warm(shared)) if listen.warm else None
    try:
        await _stopped(shared)
    finally:
        await _close(server, shared, listen.grace, warming)


def _bind(listen: Listen) -> list[socket.socket]:
    try:
        return bind_sockets(listen.port, listen.host)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"can't listen on {listen.host}:{listen.port}: {reason}: choose another --port or --host") from None


async def _stopped(shared: Service) -> None:
    """Wait for a signal; the second one cancels what is under way."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def told() -> None:
        if stop.is_set():
            for task in list(shared.running):
                task.cancel()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError, ValueError, RuntimeError):
            loop.add_signal_handler(number, told)
    await stop.wait()


async def _close(server: HTTPServer, shared: Service, grace: float, warming: asyncio.Future[None] | None) -> None:
    shared.closing = True
    server.stop()
    if warming:
        warming.cancel()
    if shared.requests:
        say("closing", running=len(shared.requests), seconds=grace)
        await asyncio.wait(shared.requests, timeout=grace)
    for task in list(shared.running):
        task.cancel()
    await asyncio.gather(*shared.running, return_exceptions=True)
    if shared.requests:
        await asyncio.wait(shared.requests, timeout=_LAST_SECONDS)
    await server.close_all_connections()
    say("closed")


def _embeds(runtime: Runtime, name: str) -> bool:
    try:
        runtime.models.embedder(name)
    except AgentNBError:
        return False
    return True


async def warm(shared: Service) -> None:
    """Load the models that are named, or the default one where it is installed, so that no client waits for it."""
    runtime = shared.offer.runtime
    installed = {info.name for info in runtime.models.catalog() if info.installed}
    default = runtime.settings.model
    names = [*shared.offer.models, *([default] if default in installed and default not in shared.offer.models else []), DEFAULT_EMBEDDER]
    local = [name for name in dict.fromkeys(names) if name.startswith("openvino:")]
    shared.state.update(dict.fromkeys(local, "loading"))
    for name in local:
        started = time.monotonic()
        say("loading", model=name)
        try:
            if _embeds(runtime, name):
                await embed(["ready"], model=name, runtime=runtime)
            else:
                await runtime.open_model(name).generate(ModelRequest(name, (Message("user", "Hi"),), options={"max_tokens": 1}))
        except AgentNBError as error:
            shared.state[name] = str(error)
            say("failed", model=name, error=str(error))
        else:
            shared.state[name] = "ready"
            say("ready", model=name, seconds=round(time.monotonic() - started, 1))
