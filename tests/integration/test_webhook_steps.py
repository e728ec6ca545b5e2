"""Webhook steps against a real server on this machine, and against everything that wants them to go elsewhere."""

import asyncio
import gzip
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agentnb import secrets
from agentnb.errors import PolicyDenied
from agentnb.policy import Check, Decision, PolicyEngine
from agentnb.policy.rules import default_engine, parse
from agentnb.ports.store import Event
from agentnb.workflows import http
from agentnb.workflows.kinds.call import Call, Question, Reply, StepFailed
from agentnb.workflows.kinds.webhook import WebhookStep
from agentnb.workflows.spec import Action


class Server:
    """Answers every request with the next plan (status, headers, body), and keeps what it was asked."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.plans: list[tuple[int, dict[str, str], bytes]] = []
        self.asked: list[dict[str, Any]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("content-length", 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                owner.asked.append({"method": self.command, "path": self.path, "headers": headers, "body": self.rfile.read(length)})
                status, extra, body = owner.plans.pop(0) if owner.plans else (200, {"Content-Type": "application/json"}, b'{"ok": true}')
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **extra}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer

            def log_message(self, *_: Any) -> None:
                pass

        self._server = type("Quiet", (ThreadingHTTPServer,), {"handle_error": lambda *_: None})(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


class Made:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.questions: list[Question] = []


def engine(server: Server | None = None, **policy: Any) -> PolicyEngine:
    return default_engine(parse({"allowed_hosts": [f"127.0.0.1:{server.port}"] if server else [], **policy}))


async def run(
    url: str | None,
    policy: PolicyEngine | None = None,
    *,
    addresses: Sequence[str] | None = None,
    made: Made | None = None,
    timeout: float | None = None,
    parts: dict[str, Any] | None = None,
    **webhook: Any,
) -> dict[str, Any]:
    seen = made or Made()
    given = {"url": url, **webhook} if url is not None else webhook
    action = Action(webhook=given, timeout=timeout)  # type: ignore[arg-type]

    async def ask(question: Question) -> Reply:
        seen.questions.append(question)
        return Reply("reject", by="ana") if question.kind == "approval" else Reply("approve", {"paid": True}, "bank")

    async def fake(host: str, port: int) -> Sequence[str]:
        return addresses or ()

    call = Call(
        run_id="run1",
        workflow="flow",
        user="me",
        step_id="notify",
        place="notify",
        attempt=2,
        action=action,
        input=None,
        text="null",
        parts=parts or {},
        folder=Path.cwd(),
        functions={},
        policy=policy or engine(),
        host=None,
        child="",
        continued=False,
        emit=seen.events.append,
        ask=ask,
    )
    step = WebhookStep(fake) if addresses is not None else WebhookStep()
    output: dict[str, Any] = (await step.run(call)).output
    return output


def local(server: Server, path: str = "/hook") -> str:
    return f"http://127.0.0.1:{server.port}{path}"


async def test_a_request_and_its_answer(server: Server) -> None:
    server.plans = [
        (201, {"Content-Type": "application/problem+json; charset=utf-8", "Set-Cookie": "a=b", "X-Id": "7"}, b'{"id": "\xc3\xa4"}')
    ]
    output = await run(local(server, "/a?b=c"), engine(server), body={"n": 1, "ä": [None]}, headers={"X-Own": "yes"})
    assert (output["status"], output["body"], output["headers"]["x-id"]) == (201, {"id": "ä"}, "7")
    assert "set-cookie" not in output["headers"]
    asked = server.asked[0]
    assert (asked["method"], asked["path"], json.loads(asked["body"])) == ("POST", "/a?b=c", {"n": 1, "ä": [None]})
    wanted = {"content-type": "application/json", "idempotency-key": "run1:notify", "x-own": "yes", "host": f"127.0.0.1:{server.port}"}
    assert wanted.items() <= asked["headers"].items()


async def test_own_headers_win_and_text_stays_text(server: Server) -> None:
    headers = {"idempotency-key": "mine", "content-type": "text/csv"}
    await run(local(server), engine(server), method="PUT", headers=headers, body="a,b")
    assert server.asked[0]["body"] == b"a,b"
    assert headers.items() <= server.asked[0]["headers"].items()
    with pytest.raises(StepFailed, match="the header Host is set by the request itself"):
        await run(local(server), engine(server), headers={"Host": "other"})
    with pytest.raises(StepFailed, match="can't be sent"):
        await run(local(server), engine(server), headers={"X": "a\r\nY: b"})
    assert len(server.asked) == 1


async def test_get_has_no_body_and_text_answers(server: Server) -> None:
    server.plans = [(200, {"Content-Type": "text/plain; charset=latin-1"}, b"\xe4"), (200, {"Content-Type": "application/json"}, b"{no")]
    assert (await run(local(server), engine(server), method="GET"))["body"] == "ä"
    assert (await run(local(server), engine(server), method="GET"))["body"] == "{no"
    assert (await run(local(server), engine(server), method="HEAD"))["body"] == ""
    assert server.asked[0]["body"] == b""


async def test_secrets_go_out_and_nowhere_else(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_PLACE", local(server, "/very-hidden-path"))
    monkeypatch.setenv("HOOK_VALUE", "hidden-value-123")
    parts = {"webhook.headers": {"X-Auth": "secret:HOOK_VALUE"}, "webhook.body": {"deep": ["secret:HOOK_VALUE"]}}
    texts: list[str] = []

    class Reads:
        stages = frozenset({"webhook"})

        def check(self, check: Check) -> Decision:
            texts.append(check.text)
            return Decision("allow", "read")

    output = await run("secret:HOOK_PLACE", PolicyEngine([Reads()]), parts=parts)  # type: ignore[list-item]
    assert output["status"] == 200
    assert server.asked[0]["path"] == "/very-hidden-path"
    assert server.asked[0]["headers"]["x-auth"] == "hidden-value-123"
    assert json.loads(server.asked[0]["body"]) == {"deep": ["hidden-value-123"]}
    assert texts
    assert all("hidden" not in text for text in texts)
    assert "hidden-value" not in secrets.redact("hidden-value-123")


@pytest.mark.parametrize(
    ("status", "retryable"), [(400, False), (404, False), (408, True), (425, True), (429, True), (500, True), (503, True)]
)
async def test_failures_say_whether_to_try_again(server: Server, status: int, retryable: bool) -> None:
    server.plans = [(status, {"Retry-After": "7"}, b"x" * 600)]
    with pytest.raises(StepFailed, match=rf"POST 127.0.0.1:\d+ answered {status} .*: x{{500}}…$") as caught:
        await run(local(server), engine(server))
    assert (caught.value.retryable, caught.value.retry_after) == (retryable, 7.0)


async def test_retry_after_may_be_a_date(server: Server) -> None:
    dates = {"Date": "Wed, 21 Oct 2026 07:28:00 GMT", "Retry-After": "Wed, 21 Oct 2026 07:29:30 GMT"}
    assert http.Answer(503, "", {name.lower(): value for name, value in dates.items()}, "").retry_after == 90.0
    assert http.Answer(503, "", {"retry-after": "soon"}, "").retry_after is None


async def test_redirects_are_failures(server: Server) -> None:
    server.plans = [(302, {"Location": "http://169.254.169.254/latest/meta-data/"}, b"")]
    with pytest.raises(StepFailed, match=r"302 Found, to http://169\.254\.169\.254.*not followed") as caught:
        await run(local(server), engine(server))
    assert not caught.value.retryable
    assert len(server.asked) == 1


async def test_no_connection_is_retryable(server: Server) -> None:
    port = server.port
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(StepFailed, match=f"the request to 127.0.0.1:{port} failed") as caught:
            await run(f"http://127.0.0.1:{port}/", engine(allowed_hosts=["127.0.0.1"]))
    assert caught.value.retryable
    with pytest.raises(StepFailed, match="no address is known for nowhere.example") as caught:
        await run("http://nowhere.example/", addresses=[])
    assert caught.value.retryable


async def test_an_answer_may_not_take_for_ever_nor_be_endless(server: Server) -> None:
    server.plans = [(200, {"Content-Length": "100"}, b"short"), (200, {}, b"x" * (http.MAX_RESPONSE + 1))]
    with pytest.raises(StepFailed, match="no whole answer within 0.3 s"):
        await run(local(server), engine(server), timeout=0.3)
    with pytest.raises(StepFailed, match="longer than 10,000,000 bytes"):
        await run(local(server), engine(server))
    server.plans = [(200, {"Content-Encoding": "gzip"}, gzip.compress(b"x" * (http.MAX_RESPONSE * 3)))]
    with pytest.raises(StepFailed, match="longer than 10,000,000 bytes"):
        await run(local(server), engine(server))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "127.1",
        "0177.0.0.1",
        "0.0.0.0",
        "0",
        "localhost",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
    ],
)
async def test_this_machine_has_many_names_and_none_of_them_works(server: Server, host: str) -> None:
    with pytest.raises((PolicyDenied, StepFailed)) as caught:
        await run(f"http://{host}:{server.port}/")
    assert isinstance(caught.value, PolicyDenied) or not caught.value.retryable or "no address" in str(caught.value)
    assert server.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%lo",
        "ff02::1",
        "no address",
    ],
)
async def test_a_name_is_what_it_stands_for(address: str) -> None:
    with pytest.raises(PolicyDenied, match=r"which is no public address.*policy\.allowed_hosts") as caught:
        await run("https://harmless.example/", addresses=[address])
    assert caught.value.code == "address_not_public"
    with pytest.raises(PolicyDenied):
        await run("https://harmless.example/", addresses=["93.184.216.34", address])


def test_public_addresses() -> None:
    assert all(http.is_public(address) for address in ("8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"))


async def test_a_name_that_changes_its_address_is_asked_once(server: Server) -> None:
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    seen: list[str] = []
    target = http.parse(f"http://rebind.example:{server.port}/x")
    answer = await http.send(
        "GET", target, headers={}, body=None, guard=lambda address, _: seen.append(address), timeout=5, resolver=rebinding
    )
    assert (answer.status, asked, seen) == (200, ["rebind.example"], ["127.0.0.1"])
    assert server.asked[0]["headers"]["host"] == f"rebind.example:{server.port}"


async def test_the_next_address_is_tried(server: Server) -> None:
    output = await run(
        f"http://two.example:{server.port}/", engine(allowed_hosts=["two.example"]), addresses=["::1", "127.0.0.1"], method="POST", body="b"
    )
    assert (output["status"], server.asked[0]["body"]) == (200, b"b")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("file:///etc/passwd", "only http:// and https://"),
        ("gopher://a/", "only http:// and https://"),
        ("/relative", "no scheme"),
        ("http://", "no host"),
        ("http://public.example@169.254.169.254/", "user name"),
        ("http://127.0.0.1:80:80/", "can't be read"),
        ("http://[::1/", "can't be read"),
    ],
)
async def test_urls_that_nobody_should_write(url: str, said: str) -> None:
    with pytest.raises(StepFailed, match=said) as caught:
        await run(url)
    assert not caught.value.retryable


async def test_userinfo_and_backslash_dont_hide_the_host(server: Server) -> None:
    for url in (f"http://public.example\\@127.0.0.1:{server.port}/", f"http://127.0.0.1:{server.port}\\@public.example/"):
        with pytest.raises((PolicyDenied, StepFailed)):
            await run(url, engine(allowed_hosts=["public.example"]))
    assert server.asked == []


async def test_proxies_of_the_environment_are_not_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{server.port}")
    with pytest.raises(PolicyDenied):
        await run("http://inside.example/", addresses=["10.0.0.1"])
    assert server.asked == []


async def test_the_policy_is_asked_first(server: Server) -> None:
    with pytest.raises(PolicyDenied, match="denied_hosts"):
        await run(local(server), engine(server, denied_hosts=["127.0.0.1"]))

    class Asks:
        stages = frozenset({"webhook"})

        def check(self, check: Check) -> Decision:
            return Decision("ask", "outward", check.tool)

    with pytest.raises(StepFailed, match=r"ana rejected the call of POST 127\.0\.0\.1"):
        await run(local(server), PolicyEngine([Asks()]))  # type: ignore[list-item]
    assert server.asked == []


async def test_an_event_goes_into_the_journal() -> None:
    made = Made()
    assert await run(None, event="order.paid", body={"n": 1}, made=made) == {"event": "order.paid"}
    (event,) = made.events
    assert (event.type, event.topic, event.run_id, event.step_id) == ("external.order.paid", "external.order.paid", "run1", "notify")
    assert {"event_type", "timestamp", "user_id", "workflow_id", "step_id", "data"} == event.data.keys()
    assert event.data["data"] == {"n": 1}


async def test_a_call_back_is_waited_for(server: Server) -> None:
    made = Made()
    output = await run(local(server), engine(server), wait_for_callback={"timeout": "2h"}, made=made)
    assert (output["status"], output["body"], output["callback"]) == (200, {"ok": True}, {"paid": True})
    (question,) = made.questions
    assert (question.kind, question.timeout, question.on_timeout, question.shown["status"]) == ("callback", 7200.0, "fail", 200)


async def test_the_certificate_has_to_fit_the_name_and_not_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=tls.example", "-addext", "subjectAltName=DNS:tls.example"]
    await asyncio.to_thread(subprocess.run, [*command, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    asked: list[str | None] = []
    context.sni_callback = lambda _, name, __: asked.append(name)
    server = Server(tls=context)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    http._tls.cache_clear()
    try:
        policy = engine(allowed_hosts=["*.example"])
        output = await run(f"https://tls.example:{server.port}/", policy, addresses=["127.0.0.1"])
        assert (output["status"], asked) == (200, ["tls.example"])
        with pytest.raises(StepFailed, match="certificate verify failed"):
            await run(f"https://other.example:{server.port}/", policy, addresses=["127.0.0.1"])
        assert len(server.asked) == 1
    finally:
        http._tls.cache_clear()
        server.close()
