"""A chat-completions server for tests and benchmarks: real HTTP/1.1 with keep-alive, no model behind it.

A request is answered by the next ``Reply`` that was planned, and by the default conversation when none is left: tools offered and no
tool result yet → tool calls, else the answer. As a process it prints its port:

    python tests/support/openai_server.py --port 0
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18, "prompt_tokens_details": {"cached_tokens": 3}}
ANSWER = "It is sunny in Lisbon today."


@dataclass
class Reply:
    """How one request is answered; what is left out is as in the default conversation.

    Attributes:
        status: HTTP status; from 300 on the body is an error object with ``text`` and ``code``.
        body: Bytes instead of the JSON body, or, when the request wants a stream, instead of the whole event stream.
        events: Objects (or raw strings) of the event stream, each sent as one ``data:`` event, instead of the usual ones.
        message: The ``message`` object of the answer as it is.
        tool_calls: Names and arguments of the tools to call.
        delay: Seconds before the head.
        chunk_delay: Seconds before each event.
        cut: Close the connection after so many events (0: after the head), or before the head when -1.
        extra_length: Bytes that Content-Length promises but that never come.
        usage: Whether usage is reported.
        done: Whether the stream ends with ``[DONE]``.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None
    code: str | None = None
    body: bytes | str | None = None
    events: list[Any] | None = None
    message: Mapping[str, Any] | None = None
    tool_calls: list[tuple[str, dict[str, Any]]] | None = None
    finish_reason: str | None = None
    delay: float = 0.0
    chunk_delay: float = 0.0
    cut: int | None = None
    extra_length: int = 0
    usage: bool = True
    done: bool = True


@dataclass
class Recorded:
    """A request that came in; ``connection`` numbers the connections, and ``dropped`` is set once the client hangs up early."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    connection: int
    dropped: threading.Event = field(default_factory=threading.Event)


class OpenAIServer:
    """The server; ``plan`` says how the next requests are answered, ``requests`` holds those that came."""

    def __init__(self, *, text: str = ANSWER, calls: int = 1, record: bool = True) -> None:
        self.text = text
        self.calls = calls
        self.record = record
        self.plans: deque[Reply] = deque()
        self.requests: list[Recorded] = []
        self.connections = 0
        self.open: set[_Connection] = set()
        self.port = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def plan(self, *replies: Reply) -> None:
        """Answer the next requests so, in this order."""
        self.plans.extend(replies)

    async def start(self, port: int = 0) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(self, loop), "127.0.0.1", port)
        self.port = server.sockets[0].getsockname()[1]
        return server

    @contextlib.contextmanager
    def running(self) -> Iterator[OpenAIServer]:
        """Serve from a thread of its own until the block ends."""
        started, loop = threading.Event(), asyncio.new_event_loop()
        stop = asyncio.Event()

        async def serve() -> None:
            server = await self.start()
            started.set()
            await stop.wait()
            server.close()
            for connection in list(self.open):
                connection.hang_up()
            await asyncio.sleep(0)

        def work() -> None:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(serve())

        thread = threading.Thread(target=work, name="openai-server", daemon=True)
        thread.start()
        started.wait(10)
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(10)

    def answer(self, body: Mapping[str, Any], reply: Reply) -> dict[str, Any]:
        """The message, finish reason and usage of one completion."""
        calls = reply.tool_calls if reply.tool_calls is not None or reply.text is not None else self._default_calls(body)
        if reply.message is not None:
            message = dict(reply.message)
        elif calls:
            message = {"role": "assistant", "content": None, "tool_calls": _tool_calls(calls)}
        else:
            message = {"role": "assistant", "content": self._text(body, reply)}
        finish = reply.finish_reason or ("tool_calls" if message.get("tool_calls") else "stop")
        return {"message": message, "finish_reason": finish}

    def _text(self, body: Mapping[str, Any], reply: Reply) -> str:
        if reply.text is None and "response_format" in body:
            return json.dumps(_example(body["response_format"]["json_schema"]["schema"]))
        return self.text if reply.text is None else reply.text

    def _default_calls(self, body: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]] | None:
        answered = any(message["role"] == "tool" for message in body["messages"])
        if answered or not body.get("tools"):
            return None
        function = body["tools"][0]["function"]
        names = list(function.get("parameters", {}).get("properties", {}))
        return [(function["name"], dict.fromkeys(names, f"value {number}")) for number in range(self.calls)]

    def completion(self, body: Mapping[str, Any], reply: Reply) -> bytes:
        answer = self.answer(body, reply)
        data: dict[str, Any] = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": body["model"]}
        data["choices"] = [{"index": 0, "logprobs": None, **answer}]
        if reply.usage:
            data["usage"] = USAGE
        return json.dumps(data).encode()

    def events(self, body: Mapping[str, Any], reply: Reply) -> list[bytes]:
        """The event stream, one item an event."""
        if reply.events is not None:
            events = list(reply.events)
        else:
            answer = self.answer(body, reply)
            deltas = [{"role": "assistant", "content": ""}, *_deltas(answer["message"]), {}]
            events = [_chunk(body["model"], delta, None) for delta in deltas[:-1]]
            events.append(_chunk(body["model"], {}, answer["finish_reason"]))
            if reply.usage and (body.get("stream_options") or {}).get("include_usage"):
                events.append({**_chunk(body["model"], {}, None), "choices": [], "usage": USAGE})
        if reply.done:
            events.append("[DONE]")
        texts = (event if isinstance(event, str) else json.dumps(event, ensure_ascii=False) for event in events)
        return [f"data: {text}\n\n".encode() for text in texts]


class _Connection(asyncio.Protocol):
    def __init__(self, server: OpenAIServer, loop: asyncio.AbstractEventLoop) -> None:
        self.server, self.loop = server, loop
        self.transport: asyncio.Transport = None  # type: ignore[assignment]
        self.buffer = b""
        self.current: Recorded | None = None
        self.task: asyncio.Task[None] | None = None
        server.connections += 1
        self.number = server.connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.server.open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.open.discard(self)
        if self.task is not None:
            self.task.cancel()
        if self.current is not None:
            self.current.dropped.set()

    def hang_up(self) -> None:
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        match = re.search(rb"(?i)content-length: *(\d+)", head)
        length = int(match[1]) if match else 0
        if len(rest) < length:
            return
        self.buffer = rest[length:]
        self.handle(head, rest[:length])

    def handle(self, head: bytes, content: bytes) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        _, path, _ = first.split(" ", 2)
        if path == "/plan":
            self.server.plan(*(Reply(**item) for item in json.loads(content)))
            self.respond(200, {}, b"{}")
            return
        body = json.loads(content) if content else {}
        if self.server.record:
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            self.current = Recorded(path, headers, body, self.number)
            self.server.requests.append(self.current)
        reply = self.server.plans.popleft() if self.server.plans else DEFAULT
        if reply.delay or reply.chunk_delay:
            self.task = self.loop.create_task(self.slowly(path, body, reply))
        else:
            self.send(path, body, reply)

    async def slowly(self, path: str, body: Mapping[str, Any], reply: Reply) -> None:
        await asyncio.sleep(reply.delay)
        if not body.get("stream") or reply.status >= 400:
            self.send(path, body, reply)
            return
        self.head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
        for event in self.server.events(body, reply):
            await asyncio.sleep(reply.chunk_delay)
            self.chunk(event)
        self.end()

    def send(self, path: str, body: Mapping[str, Any], reply: Reply) -> None:
        if reply.cut == -1:
            self.transport.close()
        elif reply.status >= 300:
            error = {"message": reply.text or "no luck", "type": "test", "code": reply.code}
            content = reply.body if reply.body is not None else json.dumps({"error": error})
            self.respond(reply.status, reply.headers, content, reply)
        elif path.endswith("/embeddings"):
            self.respond(200, reply.headers, reply.body if reply.body is not None else _embeddings(body), reply)
        elif not path.endswith("/chat/completions"):
            self.respond(404, {}, b'{"error": {"message": "no such path"}}')
        elif body.get("stream"):
            self.stream(body, reply)
        else:
            content = reply.body if reply.body is not None else self.server.completion(body, reply)
            self.respond(200, reply.headers, content, reply)

    def respond(self, status: int, headers: Mapping[str, str], body: bytes | str, reply: Reply | None = None) -> None:
        reply = reply or DEFAULT
        content = body.encode() if isinstance(body, str) else body
        length = str(len(content) + reply.extra_length)
        head = _head(status, {"content-type": "application/json", "content-length": length, **headers})
        self.current = None
        self.transport.write(head + content)
        if reply.extra_length or reply.cut is not None:
            self.transport.close()

    def stream(self, body: Mapping[str, Any], reply: Reply) -> None:
        self.head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked", **reply.headers})
        events = self.server.events(body, reply) if reply.body is None else [_bytes(reply.body)]
        for event in events if reply.cut is None else events[: reply.cut]:
            self.chunk(event)
        if reply.cut is not None:
            self.transport.close()
        else:
            self.end()

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        self.transport.write(_head(status, headers))

    def chunk(self, data: bytes) -> None:
        self.transport.write(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self) -> None:
        self.current = None
        self.transport.write(b"0\r\n\r\n")


DEFAULT = Reply()


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode("latin-1")


def _bytes(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else data


def _tool_calls(calls: Iterable[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [
        {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for number, (name, arguments) in enumerate(calls)
    ]


def _deltas(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for word in re.findall(r"\s*\S+\s*", message.get("content") or ""):
        yield {"content": word}
    for index, call in enumerate(message.get("tool_calls") or ()):
        arguments = call["function"]["arguments"]
        half = len(arguments) // 2
        yield {"tool_calls": [{**call, "index": index, "function": {"name": call["function"]["name"], "arguments": ""}}]}
        for part in (arguments[:half], arguments[half:]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": part}}]}


def _chunk(model: str, delta: Mapping[str, Any], finish: str | None) -> dict[str, Any]:
    choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": choices}


def _embeddings(body: Mapping[str, Any]) -> bytes:
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    data = [
        {"object": "embedding", "index": number, "embedding": [float(len(text)), float(number), 1.0]} for number, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return json.dumps({"object": "list", "data": data[::-1], "model": body["model"], "usage": usage}).encode()


def _example(schema: Mapping[str, Any]) -> Any:
    kinds = {"string": "word", "integer": 1, "number": 1.5, "boolean": True, "array": [], "null": None}
    if schema.get("type") == "object":
        return {name: _example(part) for name, part in schema.get("properties", {}).items()}
    return kinds.get(schema.get("type", "null"))


async def _serve(server: OpenAIServer, port: int) -> None:
    listening = await server.start(port)
    print(server.port, flush=True)
    await listening.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one and prints it")
    parser.add_argument("--words", type=int, default=0, help="words of the answer")
    parser.add_argument("--calls", type=int, default=1, help="parallel tool calls")
    options = parser.parse_args()
    text = " ".join(f"word{number}" for number in range(options.words)) or ANSWER
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(OpenAIServer(text=text, calls=options.calls, record=False), options.port))


if __name__ == "__main__":
    main()
