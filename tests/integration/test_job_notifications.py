"""Notifications, to servers of their own on the loopback: HTTP and SMTP."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agentnb import config, secrets
from agentnb.jobs import places
from agentnb.jobs.notifications import NotTold, send
from agentnb.jobs.spec import Notice
from agentnb.ports.store import Run
from agentnb.runtime.runtime import Runtime

ENDED = Run("job_1", "job", "daily", "failed", reason="error", error={"type": "CellFailed", "message": "cell 2: boom"}, created_at="")
KNOWN = places.values("daily", "job_1", 1_800_000_000.0, "UTC", "cron")


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    (tmp_path / "agentnb.toml").write_text('[policy]\nallowed_hosts = ["127.0.0.1"]\n')
    made = Runtime(config.load(tmp_path))
    yield made
    made.close()


class Receiver(ThreadingHTTPServer):
    answers: list[int]
    got: list[tuple[dict[str, str], Any]]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.got.append((dict(self.headers), body))
            self.send_response(server.answers.pop(0) if server.answers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = Receiver(("127.0.0.1", 0), Handler)
    server.answers, server.got = [], []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def webhook(receiver: Receiver, **fields: Any) -> Notice:
    return Notice.model_validate({"webhook": {"url": f"http://127.0.0.1:{receiver.server_port}/x", **fields}})


def test_a_webhook_gets_the_outcome_and_secrets_only_in_headers(
    runtime: Runtime, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_TOKEN", "a-very-secret-token")
    secrets.refresh()
    receiver.answers = [503]
    told = send(runtime, webhook(receiver, headers={"Authorization": "Bearer secret:HOOK_TOKEN"}), ENDED, KNOWN)
    assert told == f"webhook 127.0.0.1:{receiver.server_port}"
    assert len(receiver.got) == 2
    headers, body = receiver.got[-1]
    assert headers["Authorization"] == "Bearer a-very-secret-token"
    assert headers["Idempotency-Key"] == "job_1"
    assert (body["name"], body["status"], body["error"], body["date"]) == ("daily", "failed", "cell 2: boom", "2027-01-15")
    send(runtime, webhook(receiver, body={"text": "${name}: ${run.status}"}), ENDED, KNOWN)
    assert receiver.got[-1][1] == {"text": "daily: failed"}


def test_what_is_wrong_with_a_webhook_is_said(runtime: Runtime, receiver: Receiver, tmp_path: Path) -> None:
    receiver.answers = [404]
    with pytest.raises(NotTold, match="answered 404"):
        send(runtime, webhook(receiver), ENDED, KNOWN)
    with pytest.raises(NotTold, match="NO_SUCH is not set"):
        send(runtime, webhook(receiver, headers={"X": "secret:NO_SUCH"}), ENDED, KNOWN)
    careful = Runtime(config.load(tmp_path, policy={}))
    with pytest.raises(NotTold, match="refused by policy"):
        send(careful, webhook(receiver), ENDED, KNOWN)
    careful.close()


async def _smtp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, mails: list[str]) -> None:
    """As much of SMTP as a mail needs."""
    writer.write(b"220 here\r\n")
    while line := await reader.readline():
        word = line[:4].upper()
        if word == b"DATA":
            writer.write(b"354 go on\r\n")
            mails.append((await reader.readuntil(b"\r\n.\r\n")).decode())
            writer.write(b"250 kept\r\n")
        elif word == b"QUIT":
            writer.write(b"221 bye\r\n")
            break
        else:
            writer.write(b"250 here\r\n")
    writer.close()


def test_a_mail_goes_to_the_server_of_the_environment(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    mails: list[str] = []
    ready, port = threading.Event(), [0]
    loop = asyncio.new_event_loop()

    def serve() -> None:
        server = loop.run_until_complete(asyncio.start_server(lambda r, w: _smtp(r, w, mails), "127.0.0.1", 0))
        port[0] = server.sockets[0].getsockname()[1]
        ready.set()
        loop.run_forever()
        server.close()
        loop.run_until_complete(server.wait_closed())
        loop.close()

    thread = threading.Thread(target=serve)
    thread.start()
    ready.wait(10)
    notice = Notice.model_validate({"email": {"to": "team@example.org", "subject": "${name}: ${run.status}"}})
    try:
        with pytest.raises(NotTold, match="AGENTNB_SMTP"):
            send(runtime, notice, ENDED, KNOWN)
        monkeypatch.setenv("AGENTNB_SMTP", f"smtp://127.0.0.1:{port[0]}")
        assert send(runtime, notice, ENDED, KNOWN) == "email team@example.org"
        monkeypatch.setenv("AGENTNB_SMTP", f"smtp://me:secret@127.0.0.1:{port[0]}")
        with pytest.raises(NotTold, match="offers no encryption"):
            send(runtime, notice, ENDED, KNOWN)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
    assert "Subject: daily: failed" in mails[0]
    assert "cell 2: boom" in mails[0]


@pytest.mark.parametrize("server", ["smtp://mail.example.org:abc", "smtp://me:a[b@mail.example.org", "smtp://127.0.0.1:1"])
def test_whatever_is_wrong_with_a_mail_is_said_and_ends_no_job(runtime: Runtime, monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    monkeypatch.setenv("AGENTNB_SMTP", server)
    with pytest.raises(NotTold):
        send(runtime, Notice.model_validate({"email": {"to": "team@example.org"}}), ENDED, KNOWN)
