"""The paths of the server: who may come in, what is asked, what is answered."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import urlsplit

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler

from agentnb.agents.conversation import Conversation
from agentnb.agents.execution import Listener, Update
from agentnb.agents.identity import new_run_id
from agentnb.runtime import embedding
from agentnb.runtime.results import AgentResult
from agentnb.secrets import to_json
from agentnb.serve import protocol
from agentnb.serve.failures import Refused, explained
from agentnb.serve.log import log, say
from agentnb.serve.offer import Offer, Target
from agentnb.serve.protocol import ChatRequest, Chunks, EmbeddingsRequest

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
STALL_SECONDS = 30.0
"""How long a client may read nothing of what it is sent."""


@dataclass
class Service:
    """What all requests share.

    Attributes:
        key: What clients must send as a bearer token; nothing where only this machine can reach the server.
        hosts: Names by which the server may be called; any where it is empty.
        origins: Web pages, as ``https://host:port``, that may call it; others than these and the server's own are refused.
        limit: Requests that may be under way at once.
        requests: Those that are, until their answer is written; running: what they wait for, to be cancelled at last.
        state: Of each model that is loaded at the start: ``loading``, ``ready`` or what went wrong.
    """

    offer: Offer
    key: str = ""
    hosts: frozenset[str] = LOOPBACK
    origins: frozenset[str] = frozenset()
    limit: int = 256
    requests: set[asyncio.Task[Any]] = field(default_factory=set)
    running: set[asyncio.Task[Any]] = field(default_factory=set)
    state: dict[str, str] = field(default_factory=dict)
    closing: bool = False


class _Gone(Exception):
    """The client has left."""


class Handler(RequestHandler):
    """What every path has in common."""

    public: ClassVar[bool] = False
    service: Service

    def initialize(self, service: Service) -> None:
        self.service = service
        self.facts: dict[str, Any] = {}
        self._work: asyncio.Task[Any] | None = None
        self._gone = False

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        self.set_header("X-Content-Type-Options", "nosniff")

    def prepare(self) -> None:
        self._check_host()
        self._check_origin()
        if self.request.method == "OPTIONS":
            return
        if not self.public:
            self._check_key()
        if self.request.method == "POST":
            if (task := asyncio.current_task()) is not None:
                self.service.requests.add(task)
                task.add_done_callback(self.service.requests.discard)
            kind = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            if kind != "application/json":
                raise Refused(415, f"send Content-Type: application/json, not {kind or 'nothing'}", "content_type")

    def options(self, *_: str) -> None:
        """What a browser asks before it lets a page of another origin in; ``prepare`` has refused the unknown ones."""
        self.set_header("Access-Control-Allow-Headers", "authorization, content-type")
        self.set_header("Access-Control-Allow-Methods", "GET, POST")
        self.set_status(204)

    async def work(self, what: Awaitable[Any]) -> Any:
        """Do it as a task that ends with the connection.

        Raises:
            Refused: Too much is being done already, or the server ends before the work does.
        """
        if self.service.closing or len(self.service.running) >= self.service.limit:
            if asyncio.iscoroutine(what):
                what.close()
            reason = "the server is going down" if self.service.closing else f"{self.service.limit} requests are under way already"
            raise Refused(503 if self.service.closing else 429, f"{reason}: try again later", "overloaded", "rate_limit_error")
        self._work = task = asyncio.ensure_future(what)
        if self._gone:
            task.cancel()
        self.service.running.add(task)
        task.add_done_callback(self.service.running.discard)
        try:
            return await task
        except asyncio.CancelledError:
            if self._gone:
                raise _Gone from None
            raise Refused(503, "the server is going down: try again later", "cancelled", "server_error") from None

    def on_connection_close(self) -> None:
        """The client is gone: so is the reason for the work."""
        self._gone = True
        if self._work is not None:
            self._work.cancel()

    async def send(self, data: bytes) -> None:
        """Write a piece of a stream."""
        self.write(data)
        try:
            async with asyncio.timeout(STALL_SECONDS):
                await self.flush()
        except (StreamClosedError, TimeoutError):
            self.request.connection.stream.close()  # type: ignore[union-attr]
            raise _Gone from None

    def send_error(self, status_code: int = 500, **facts: Any) -> None:
        """End the answer with an error; one that has begun just ends where its client has left."""
        if self._headers_written:
            self.facts["error"] = "client_left"
            self.finish()
        else:
            super().send_error(status_code, **facts)

    def write_error(self, status_code: int, **facts: Any) -> None:
        """Any error in the protocol's shape."""
        error = facts.get("exc_info", (None, None, None))[1]
        if isinstance(error, _Gone):
            self.facts["error"] = "client_left"
            self.set_status(499, "Client Closed Request")
            self.finish()
            return
        if isinstance(error, HTTPError):
            error = Refused(status_code, error.log_message or f"{self.request.method} {self.request.path}: {self._reason}", "http")
        status, body, again = explained(error or RuntimeError())
        self._say(status, body, again=again)

    def _say(self, status: int, body: dict[str, Any], *, again: bool) -> None:
        self.set_status(status)
        self.set_header("x-should-retry", "true" if again else "false")
        self.facts["error"] = body["error"]["code"] or body["error"]["type"]
        self.answer(body)

    def answer(self, body: Any) -> Awaitable[None]:
        self.set_header("Content-Type", "application/json")
        return self.finish(to_json(body).encode("utf-8", "replace"))

    async def whole(self, body: Any) -> None:
        """Answer, and wait until all of it is written."""
        with suppress(StreamClosedError):
            await self.answer(body)

    def log_exception(self, kind: Any, value: Any, trace: Any) -> None:
        """Only what nobody has foreseen."""
        if explained(value)[1]["error"]["code"] == "internal" and not isinstance(value, HTTPError | _Gone):
            log.error("unexpected", exc_info=(kind, value, trace))

    def on_finish(self) -> None:
        took = self.request.request_time()
        facts = {"method": self.request.method, "path": self.request.path, "status": self.get_status(), "ms": round(took * 1000, 1)}
        say("request", **facts, **self.facts)

    def _check_host(self) -> None:
        given = self.request.headers.get("Host", "")
        try:
            name = urlsplit(f"//{given}").hostname or ""
        except ValueError:
            raise Refused(400, f"{given!r} is no name of a host", "wrong_host") from None
        if self.service.hosts and name not in self.service.hosts:
            raise Refused(421, f"this server isn't called {name!r}: name it with --allow-host", "wrong_host")

    def _check_origin(self) -> None:
        origin = self.request.headers.get("Origin", "")
        if not origin:
            return
        if origin not in self.service.origins and origin != f"{self.request.protocol}://{self.request.headers.get('Host', '')}":
            raise Refused(403, f"pages of {origin} may not call this server: name them with --allow-origin", "wrong_origin")
        self.set_header("Access-Control-Allow-Origin", origin)
        self.set_header("Vary", "Origin")

    def _check_key(self) -> None:
        if not self.service.key:
            return
        scheme, _, given = self.request.headers.get("Authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode("utf-8", "replace"), self.service.key.encode())
        if scheme.lower() != "bearer" or not right:
            self.set_header("WWW-Authenticate", "Bearer")
            raise Refused(401, "the API key is missing or wrong: send what AGENTNB_SERVE_KEY holds", "invalid_api_key")


class Health(Handler):
    """Whether the server works, for whoever watches it."""

    public = True

    def get(self) -> None:
        loading = any(state == "loading" for state in self.service.state.values())
        status = "closing" if self.service.closing else "loading" if loading else "ok"
        self.answer({"status": status, "running": len(self.service.running), "models": self.service.state})


class ModelList(Handler):
    def get(self) -> None:
        self.answer({"object": "list", "data": [_model(name) for name in self.service.offer.names()]})


class ModelEntry(Handler):
    def get(self, name: str) -> None:
        if name not in self.service.offer.names():
            raise Refused(404, f"there is no model {name!r} here: GET /v1/models lists them", "model_not_found")
        self.answer(_model(name))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "agentnb"}


class Embeddings(Handler):
    async def post(self) -> None:
        request: EmbeddingsRequest = protocol.parsed(EmbeddingsRequest, self.request.body)
        name = self.service.offer.embedder(request.model)
        texts = request.texts()
        self.facts = {"model": name, "texts": len(texts)}
        vectors = await self.work(embedding.embed(texts, model=name, runtime=self.service.offer.runtime))
        await self.whole(protocol.embeddings(request, vectors))


class ChatCompletions(Handler):
    async def post(self) -> None:
        request: ChatRequest = protocol.parsed(ChatRequest, self.request.body)
        self.facts = {"model": request.model, "stream": bool(request.stream)}
        conversation = request.conversation()
        target = self.service.offer.find(request.model, conversation.tools)
        run_id = new_run_id("exec")
        if request.stream:
            await self._stream(request, target, conversation, run_id)
        else:
            await self.whole(protocol.completion(request.model, await self.work(self._run(target, conversation, run_id))))

    async def _run(self, target: Target, conversation: Conversation, run_id: str, listener: Listener | None = None) -> AgentResult:
        self.facts["run"] = run_id
        return await self.service.offer.execute(target, conversation, run_id, listener)

    async def _stream(self, request: ChatRequest, target: Target, conversation: Conversation, run_id: str) -> None:
        chunks = Chunks(run_id, request.model)
        whole = conversation.output_schema is not None or target.spec.output is not None
        pieces: asyncio.Queue[str | None] = asyncio.Queue()

        def listen(update: Update) -> None:
            if update.step is None and not whole:
                pieces.put_nowait(update.text or "")

        task = asyncio.ensure_future(self.work(self._run(target, conversation, run_id, listen)))
        task.add_done_callback(lambda _: pieces.put_nowait(None))
        shown = ""
        try:
            while (piece := await pieces.get()) is not None:
                shown += piece
                await self._piece(chunks, piece)
            await self._rest(chunks, await task, shown, usage=bool(request.stream_options and request.stream_options.include_usage))
        except Exception as error:
            await self._broken(error)
        finally:
            self.on_connection_close()
            await asyncio.wait([task])

    async def _piece(self, chunks: Chunks, piece: str) -> None:
        if not self._headers_written:
            self.set_header("Content-Type", "text/event-stream; charset=utf-8")
            self.set_header("Cache-Control", "no-cache")
            self.set_header("X-Accel-Buffering", "no")
            await self.send(chunks.first())
        if piece:
            await self.send(chunks.text(piece))

    async def _rest(self, chunks: Chunks, result: AgentResult, shown: str, *, usage: bool) -> None:
        await self._piece(chunks, "" if shown else result.text)
        if result.tool_calls:
            await self.send(chunks.calls(result.tool_calls))
        await self.send(chunks.finish(protocol.finish_reason(result)))
        if usage:
            await self.send(chunks.usage(result))
        await self.send(protocol.event(None))
        await self.finish()

    async def _broken(self, error: Exception) -> None:
        """An error before the first piece has a status; after it, it is an event that ends the stream."""
        if not self._headers_written or isinstance(error, _Gone):
            raise error
        self.log_exception(type(error), error, error.__traceback__)
        status, body, _ = explained(error)
        self.facts["error"] = body["error"]["code"] or status
        await self.send(protocol.event(body))
        await self.finish()


class Unknown(Handler):
    def prepare(self) -> None:
        super().prepare()
        raise Refused(
            404, f"there is no path {self.request.path}: this server has /v1/chat/completions, /v1/embeddings, /v1/models", "path"
        )
