"""Every route asks who is there and what they may: walked through with nobody, with somebody who may nothing, and with a reader."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from agentnb.server.routes import ROUTES
from agentnb.server.routing import Route
from tests.server.runs import Runs
from tests.support.jupyter_server import API, jupyter_server

IDS = [f"{route.method} {route.path}" for route in ROUTES]
SOCKET = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("asked") / "asked.txt"


@pytest.fixture(scope="module")
def denied(asked: Path, store: Path, runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A server where only readers may anything."""
    option = "--ServerApp.authorizer_class=tests.support.authorizers.ByRole"
    with jupyter_server(tmp_path_factory.mktemp("denied"), store, option, env={"ASKED": str(asked)}, ready=403) as client:
        yield client


@pytest.fixture
def reader(denied: httpx2.Client) -> Iterator[httpx2.Client]:
    denied.headers["X-Role"] = "reader"
    yield denied
    del denied.headers["X-Role"]


def request(client: httpx2.Client, route: Route, **headers: str) -> httpx2.Response:
    path = route.path
    for name in route.parameters:
        path = path.replace(f"{{{name}}}", "x")
    more = SOCKET if route.stream == "websocket" else {}
    return client.request(route.method, path, json={} if route.method == "POST" else None, headers={**more, **headers})


@pytest.mark.parametrize("route", ROUTES, ids=IDS)
def test_nobody_gets_in(api: httpx2.Client, route: Route) -> None:
    with httpx2.Client(base_url=api.base_url, trust_env=False, timeout=60) as stranger:
        assert request(stranger, route).status_code == 403
        assert request(stranger, route, Authorization="token wrong").status_code == 403


@pytest.mark.parametrize("route", ROUTES, ids=IDS)
def test_who_may_nothing_gets_nothing(denied: httpx2.Client, asked: Path, route: Route) -> None:
    before = asked.read_text() if asked.exists() else ""
    response = request(denied, route)
    assert response.status_code == 403
    assert route.stream == "websocket" or response.headers["content-type"] == "application/problem+json"
    method, _, action, resource = asked.read_text().removeprefix(before).split()
    assert (method, action, resource) == (route.method, route.action, route.resource)
    assert resource.startswith("agentnb.")


def test_a_reader_reads_and_does_nothing_else(reader: httpx2.Client, runs: Runs) -> None:
    assert reader.get(f"/runs/{runs.agent}").status_code == 200
    assert reader.post("/documents/validate", json={"text": "name: x"}).status_code == 200
    for method, path in (("DELETE", f"/runs/{runs.agent}"), ("DELETE", "/agents/geographer"), ("POST", f"/runs/{runs.waiting}/cancel")):
        assert reader.request(method, path).status_code == 403
    assert reader.get(f"/runs/{runs.agent}").status_code == 200
    permissions = {(one["action"], one["resource"]): one["allowed"] for one in reader.get("/me").json()["permissions"]}
    assert permissions["read", "agentnb.runs"] is True
    assert permissions["execute", "agentnb.runs"] is permissions["write", "agentnb.agents"] is False


def test_what_writes_asks_for_more_than_to_read() -> None:
    harmless = {"/documents/validate", "/documents/plan"}
    for route in ROUTES:
        assert (route.action == "read") == (route.method == "GET" or route.path in harmless), route


def test_a_browser_needs_the_xsrf_token(api: httpx2.Client) -> None:
    """A page of elsewhere has the cookies of the login, and not the token that goes with them."""
    with httpx2.Client(base_url=api.base_url, trust_env=False, timeout=60) as browser:
        browser.get(str(api.base_url).replace(f"{API}/", "/a%40b/?token=secret-token"), follow_redirects=True)
        assert browser.get("/runs").status_code == 200
        refused = browser.post("/documents/validate", json={"text": ""})
        assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")
        token = next(cookie.value for cookie in browser.cookies.jar if cookie.name == "_xsrf")
        assert browser.post("/documents/validate", json={"text": ""}, headers={"X-XSRFToken": token or ""}).status_code == 200
        elsewhere = {"Origin": "http://elsewhere.example", "X-XSRFToken": token or ""}
        assert browser.post("/documents/validate", json={"text": ""}, headers=elsewhere).status_code == 404
