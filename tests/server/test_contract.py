"""The API against its own OpenAPI document: whatever is sent, the server doesn't fail, and answers what the document says.

That a text is no workflow, or a cursor none of ours, no schema says: such requests are refused though they fit.
"""

from __future__ import annotations

import json
import re
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from agentnb.server.openapi import document as made
from agentnb.server.routes import ROUTES
from tests.support.jupyter_server import API


@pytest.fixture(scope="session")
def document(api: httpx2.Client) -> dict[str, Any]:
    return dict(api.get("/openapi.json").json())


def operations() -> dict[str, Any]:
    """The operations that aren't streams, as schemathesis reads them from the document."""
    found = [result.ok() for result in schemathesis.openapi.from_dict(made(ROUTES, API)).get_all_operations()]
    return {operation.label: operation for operation in found if not re.search("stream|socket", operation.path)}


OPERATIONS = operations()


@pytest.mark.parametrize("name", OPERATIONS)
def test_no_request_makes_the_server_fail(api: httpx2.Client, name: str) -> None:
    root = str(api.base_url).removesuffix(f"{API}/")

    @settings(max_examples=20, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=OPERATIONS[name].as_strategy())
    def check(case: Any) -> None:
        case.call_and_validate(
            base_url=f"{root}{API}", headers={"Authorization": api.headers["Authorization"]}, excluded_checks=[positive_data_acceptance]
        )

    check()


def test_the_document_names_every_route(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    named = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    assert named == {(route.method, route.path) for route in ROUTES}
    names = [operation["operationId"] for operations in document["paths"].values() for operation in operations.values()]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z_]+", name) for name in names)


def test_every_part_that_the_document_refers_to_is_there(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    for name in set(re.findall(r"#/components/schemas/(\w+)", text)):
        assert name in document["components"]["schemas"]
    assert document["components"]["schemas"]["AgentData"]["properties"]["origin"]["description"].startswith("The notebook")
