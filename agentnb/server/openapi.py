"""The OpenAPI 3.1 document, made from the routes and from the models that check the requests."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from agentnb import __version__
from agentnb.server.problems import CONTENT_TYPE, Problem
from agentnb.server.routing import Route, Text

_TEMPLATE = "#/components/schemas/{model}"
_PROBLEMS = {
    "403": "Not allowed, or refused by policy.",
    "404": "There is no such thing.",
    "409": "Not in this state.",
    "default": "A problem.",
}
_ETAG = {"ETag": {"description": "Names this version; send it as If-None-Match.", "schema": {"type": "string"}}}
_LOCATION = {"Location": {"description": "Where what was made is found.", "schema": {"type": "string"}}}


def document(routes: Iterable[Route], base: str) -> dict[str, Any]:
    """The document.

    Args:
        routes: What there is.
        base: The URL path below which they are.
    """
    routes = list(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "agentnb",
            "version": __version__,
            "description": "Agents, workflows and their runs; with the identity, the authorizer and the XSRF check of Jupyter Server.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base}],
        "security": [{"token": []}, {"cookie": []}],
        "paths": paths,
        "components": {
            "schemas": _schemas(routes),
            "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "token TOKEN"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "_xsrf", "description": "Jupyter's login, with X-XSRFToken"},
            },
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.noun],
        "x-jupyter-action": route.action,
        "x-jupyter-resource": route.resource,
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}} for name in route.parameters),
            *_query(route),
            *_headers(route),
        ],
        "responses": _responses(route),
    }
    if route.body is not None:
        schema = {"$ref": _TEMPLATE.format(model=route.body.__name__)}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _query(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    schema = route.query.model_json_schema()
    texts = _attributes(schema.get("description", ""))
    required = schema.get("required", ())
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": {key: value for key, value in found.items() if key != "title"},
            **({"description": texts[name]} if name in texts else {}),
        }
        for name, found in schema["properties"].items()
    ]


def _headers(route: Route) -> list[dict[str, Any]]:
    def header(name: str, description: str) -> dict[str, Any]:
        return {"name": name, "in": "header", "required": False, "description": description, "schema": {"type": "string", "maxLength": 200}}

    found = []
    if route.keyed:
        found.append(header("Idempotency-Key", "The same key gives the same answer for a day, and nothing is done twice."))
    if route.stream == "sse":
        found.append(header("Last-Event-ID", "The number of the last event that was seen."))
    if route.has_etag:
        found.append(header("If-None-Match", "The ETag of the version that is there already."))
    return found


def _responses(route: Route) -> dict[str, Any]:
    description = route.summary or "Done."
    found: dict[str, Any] = {}
    if route.stream == "websocket":
        found["101"] = {"description": "Messages follow, each as {seq, event, run_id, data}."}
    else:
        answer: dict[str, Any] = {"description": description, "content": _content(route)}
        headers = {**(_ETAG if route.has_etag else {}), **(_LOCATION if route.status == 202 else {})}
        found[str(route.status)] = answer | ({"headers": headers} if headers else {})
    if route.has_etag:
        found["304"] = {"description": "It is the version that is there already."}
    problem = {CONTENT_TYPE: {"schema": {"$ref": _TEMPLATE.format(model=Problem.__name__)}}}
    codes = [code for code in _PROBLEMS if code not in ("404",) or route.parameters or route.body]
    return found | {code: {"description": _PROBLEMS[code], "content": problem} for code in codes}


def _content(route: Route) -> dict[str, Any]:
    if route.stream == "sse":
        return {"text/event-stream": {"schema": {"type": "string"}}}
    if route.response is Text:
        return {"text/plain": {"schema": {"type": "string"}}}
    model = route.response
    named = isinstance(model, type) and issubclass(model, BaseModel)
    return {"application/json": {"schema": {"$ref": _TEMPLATE.format(model=model.__name__)} if named else {"type": "object"}}}


def _schemas(routes: Iterable[Route]) -> dict[str, Any]:
    inputs = {route.body for route in routes if route.body is not None}
    outputs = {route.response for route in routes if isinstance(route.response, type) and issubclass(route.response, BaseModel)} | {Problem}
    wanted = [
        *((model, "validation") for model in sorted(inputs, key=lambda model: model.__name__)),
        *((model, "serialization") for model in sorted(outputs, key=lambda model: model.__name__)),
    ]
    _, schema = models_json_schema(wanted, ref_template=_TEMPLATE)  # type: ignore[arg-type]
    found: dict[str, Any] = schema["$defs"]
    for part in found.values():
        _describe(part)
    return found


def _describe(schema: dict[str, Any]) -> None:
    """Move what a docstring says of attributes to these."""
    texts = _attributes(schema.get("description", ""))
    if "description" in schema:
        schema["description"] = schema["description"].partition("\n\nAttributes:")[0]
    for name, found in schema.get("properties", {}).items():
        found.pop("title", None)
        if name in texts:
            found["description"] = texts[name]


def _attributes(docstring: str) -> dict[str, str]:
    block = docstring.partition("Attributes:\n")[2]
    return {match[1]: " ".join(match[2].split()) for match in re.finditer(r"^\s{4}(\w+): (.*(?:\n\s{8,}.*)*)", block, re.MULTILINE)}
