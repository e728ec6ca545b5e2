"""Events that are sent while they are written, by whatever process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import aclosing
from itertools import islice
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from agentnb.ports.store import Event, now
from agentnb.server import live
from agentnb.server.live import KEPT, Message, Subscription
from agentnb.server.service import Service
from agentnb.server.streams import follow
from tests.server.runs import Runs


def written(runs: Runs, run_id: str = "", **data: Any) -> int:
    """Write an event from this process, which isn't the server's; its number."""
    type_ = "system.performance"
    runs.runtime.store.write(Event(type_, {"event_type": type_, "timestamp": now(), "service": "test", **data}, run_id))
    return runs.runtime.store.position()


def messages(response: httpx2.Response) -> Iterator[dict[str, str]]:
    """Server-Sent Events, without comments."""
    found: dict[str, str] = {}
    for line in response.iter_lines():
        if not line and "data" in found:
            yield found
            found = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            found[name] = value


def test_events_of_another_process_are_sent_as_they_are_in_the_journal(api: httpx2.Client, runs: Runs) -> None:
    with api.stream("GET", "/events/stream") as response:
        assert response.headers["content-type"] == "text/event-stream"
        stream = messages(response)
        begin = next(stream)
        assert begin["event"] == "begin"
        assert int(begin["id"]) == json.loads(begin["data"])["seq"]
        seq = written(runs, metrics={"ü": "\n"})
        sent = next(message for message in stream if message["id"] == str(seq))
    (kept,) = runs.runtime.store.events(after=seq - 1, limit=1)
    assert sent["event"] == kept.type
    assert json.loads(sent["data"])["data"] == kept.data


def test_a_stream_goes_on_where_it_was_cut(api: httpx2.Client, runs: Runs) -> None:
    first = written(runs, number=0)
    numbers = [written(runs, number=number) for number in range(1, 4)]
    with api.stream("GET", "/events/stream", headers={"Last-Event-ID": str(first)}) as response:
        stream = messages(response)
        assert next(stream)["event"] == "begin"
        assert [int(next(stream)["id"]) for _ in numbers] == numbers
        later = written(runs, number=4)
        assert int(next(stream)["id"]) == later
    with api.stream("GET", f"/events/stream?after={numbers[0]}") as response:
        assert [int(message["id"]) for message in islice(messages(response), 4)] == [*numbers, later]


def test_a_stream_of_one_run_has_nothing_of_others(api: httpx2.Client, runs: Runs) -> None:
    with api.stream("GET", f"/runs/{runs.agent}/events/stream?after=0") as response:
        stream = messages(response)
        next(stream)
        of_run = runs.runtime.store.events(runs.agent)
        assert [int(next(stream)["id"]) for _ in of_run] == [event.seq for event in of_run]
        written(runs, runs.waiting)
        seq = written(runs, runs.agent)
        assert int(next(stream)["id"]) == seq


@pytest.mark.parametrize("last", ["x", "-1", "²", "9" * 30])
def test_a_wrong_last_event_id_is_a_problem(api: httpx2.Client, last: str) -> None:
    response = api.get("/events/stream", headers={"Last-Event-ID": last.encode()})
    assert (response.status_code, response.headers["content-type"]) == (400, "application/problem+json")


def test_a_stream_of_no_run_is_a_problem(api: httpx2.Client) -> None:
    assert api.get("/runs/nope/events/stream").status_code == 404
    assert api.get("/events/stream?after=x").status_code == 422
    assert api.get("/events/stream?aftre=1").status_code == 422


def test_a_web_socket_sends_the_same(api: httpx2.Client, runs: Runs) -> None:
    async def read() -> None:
        first = written(runs)
        seq = written(runs, runs.agent, number=1)
        url = f"{str(api.base_url).replace('http', 'ws', 1)}events/socket?after={first}"
        socket = await websocket_connect(HTTPRequest(url, headers={"Authorization": api.headers["Authorization"]}))
        begin, sent = [json.loads(await socket.read_message() or "{}") for _ in range(2)]
        assert (begin["event"], sent["seq"], sent["run_id"], sent["data"]["data"]["number"]) == ("begin", seq, runs.agent, 1)
        later = written(runs)
        assert json.loads(await socket.read_message() or "{}")["seq"] == later
        socket.close()
        with pytest.raises(HTTPClientError, match="422"):
            await websocket_connect(HTTPRequest(f"{url}x", headers={"Authorization": api.headers["Authorization"]}))

    asyncio.run(read())


def test_fifty_clients_are_sent_everything(api: httpx2.Client, runs: Runs) -> None:
    async def read() -> None:
        limits = httpx2.Limits(max_connections=60)
        async with httpx2.AsyncClient(base_url=api.base_url, headers=api.headers, timeout=60, trust_env=False, limits=limits) as client:
            ready = [asyncio.Event() for _ in range(50)]

            async def one(event: asyncio.Event) -> list[str]:
                async with client.stream("GET", "/events/stream") as response:
                    got: list[str] = []
                    async for line in response.aiter_lines():
                        if line.startswith("id: "):
                            event.set()
                            got.append(line)
                        if len(got) == 21:
                            return got[1:]
                return got

            tasks = [asyncio.create_task(one(event)) for event in ready]
            await asyncio.gather(*(event.wait() for event in ready))
            numbers = [f"id: {written(runs)}" for _ in range(20)]
            assert await asyncio.gather(*tasks) == [numbers] * 50

    asyncio.run(read())


async def test_a_client_that_is_too_slow_is_let_go() -> None:
    subscription = Subscription("")
    for number in range(KEPT + 1):
        subscription.put(Message(number + 1, "x", "", "{}"))
    assert subscription.lost
    last = 0
    while (message := await subscription.next(0.01)) is not None:
        last = message.seq
    assert last == KEPT, "what it was sent has no gap, so that it can go on from the last number"


async def test_what_is_written_before_the_journal_is_looked_at_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTNB_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(live, "POLL_SECONDS", 0.5)
    service = Service(tmp_path, "/")
    await service.start()
    async with aclosing(follow(service, "", None)) as sent, asyncio.timeout(30):
        assert (await anext(sent)).event == "begin"  # type: ignore[union-attr]
        following = asyncio.ensure_future(anext(sent))
        while not service.tail.clients:
            await asyncio.sleep(0.01)
        service.runtime.store.write(Event("system.performance", {"event_type": "system.performance", "timestamp": now()}))
        assert (await following).seq == service.runtime.store.position()  # type: ignore[union-attr]
    service.close()
