"""Makes tornado's handlers out of the routes: who asks, what they may, what they gave, and what they are answered."""

from __future__ import annotations

import inspect
import json
import logging
import time
from collections.abc import Iterable
from dataclasses import replace
from http.client import responses
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from pydantic import BaseModel, ValidationError
from tornado.web import HTTPError, authenticated

from agentnb.errors import AgentNBError
from agentnb.server import metrics, streams
from agentnb.server.calls import call_of, parameters_of
from agentnb.server.keys import Answered, Key
from agentnb.server.problems import CONTENT_TYPE, Problem, plain_problem, problem_of
from agentnb.server.routing import Call, Reply, Route, Text
from agentnb.server.service import Service

_log = logging.getLogger(__name__)


class RouteHandler(APIHandler):
    """Answers the routes of one path."""

    _content_type = "application/json"

    def initialize(self, service: Service) -> None:
        self.service = service

    def finish(self, *arguments: Any, **options: Any) -> Any:
        return super().finish(*arguments, **{"set_content_type": self._content_type, **options})

    async def respond(self, route: Route, parts: dict[str, str]) -> None:
        """Answer a request that is allowed."""
        started, problem = time.perf_counter(), None
        try:
            if route.noun != "health":
                await self.service.start()
            call = call_of(self, self.service)
            arguments: dict[str, Any] = {**parts, **self._parsed(route)}
            if route.stream:
                await streams.send(self, route, call, arguments)
                return
            await self._answer(route, call, arguments)
        except (AgentNBError, ValidationError) as error:
            problem = problem_of(error, self.request.path)
        except HTTPError:
            raise
        except Exception as error:
            _log.exception("%s %s failed", self.request.method, self.request.path)
            problem = problem_of(error, self.request.path)
        finally:
            metrics.REQUESTS.labels(route.name, str(problem.status if problem else self.get_status())).observe(
                time.perf_counter() - started
            )
        if problem is not None:
            self._write_problem(problem)

    async def _answer(self, route: Route, call: Call, arguments: dict[str, Any]) -> None:
        if inspect.iscoroutinefunction(route.function):
            reply = await route.function(call, **arguments)
            body: str | None = _body_of(reply)
        else:
            reply, body = await self.service.aside(self._done, route, call, arguments)
        self.set_status(route.status)
        if isinstance(reply, Text):
            self._content_type = reply.content_type
        elif isinstance(reply, Answered):
            self.set_header("Idempotency-Replayed", "true")
            self._locate(reply.location)
        elif isinstance(reply, Reply):
            self.set_status(reply.status or route.status)
            self._locate(reply.location)
            if reply.etag and self._is_known(reply.etag):
                self.set_status(304)
                body = None
        await self.finish(body)

    def _locate(self, location: str) -> None:
        if location:
            self.set_header("Location", url_path_join(self.service.base, location))

    def _done(self, route: Route, call: Call, arguments: dict[str, Any]) -> tuple[Any, str]:
        """What the function gives, and its body; on a thread. With a key that was seen before, what was answered then."""
        given = self.request.headers.get("Idempotency-Key", "") if route.keyed else ""
        if not given:
            reply = route.function(call, **arguments)
            return reply, _body_of(reply)
        key = Key(call.runtime.store, call.user, f"{route.method} {self.request.path}", given, self.request.body)
        before = key.begin()
        if before is not None:
            return before, before.body
        try:
            reply = route.function(replace(call, key=key), **arguments)
        except BaseException:
            key.release()
            raise
        body = _body_of(reply)
        key.keep(Answered(route.status, body, reply.location if isinstance(reply, Reply) else ""))
        return reply, body

    def compute_etag(self) -> None:
        """Only what a function names has one."""
        return

    def _is_known(self, etag: str) -> bool:
        self.set_header("ETag", f'"{etag}"')
        return self.check_etag_header()

    def _parsed(self, route: Route) -> dict[str, BaseModel]:
        found: dict[str, BaseModel] = {}
        given = parameters_of(self)
        if route.query is not None:
            found["query"] = route.query.model_validate(given)
        elif given:
            raise HTTPError(422, f"unknown parameter {next(iter(given))}: this takes none")
        if route.body is not None:
            found["body"] = route.body.model_validate_json(self.request.body or b"{}")
        return found

    def write_error(self, status_code: int, **details: Any) -> None:
        error = details.get("exc_info", (None, None))[1]
        message = error.log_message % error.args if isinstance(error, HTTPError) and error.log_message else ""
        self._write_problem(plain_problem(status_code, message or responses.get(status_code, ""), self.request.path))

    def _write_problem(self, problem: Problem) -> None:
        if self._headers_written:
            return
        self._content_type = CONTENT_TYPE
        self.set_status(problem.status)
        self.finish(problem.model_dump_json())


class NoRouteHandler(RouteHandler):
    """Answers what is no route of the API, as a problem too."""

    @authenticated
    def get(self) -> None:
        raise HTTPError(404, "there is no such route: GET %s/openapi.json lists them", self.service.base)

    post = put = patch = delete = get


def handlers(routes: Iterable[Route], base: str, service: Service) -> list[tuple[str, type[Any], dict[str, Any]]]:
    """Tornado's rules for the routes, below ``base``."""
    paths: dict[str, list[Route]] = {}
    for route in routes:
        paths.setdefault(route.pattern, []).append(route)
    rules: list[tuple[str, type[Any]]] = [(pattern, _handler(found)) for pattern, found in paths.items()]
    rules.append(("/.*", NoRouteHandler))
    return [(url_path_join(base, pattern), handler, {"service": service}) for pattern, handler in rules]


def _handler(routes: list[Route]) -> type[Any]:
    if routes[0].stream == "websocket":
        return streams.socket_handler(routes[0])
    return type("AgentNBHandler", (RouteHandler,), {route.method.lower(): _verb(route) for route in routes})


def _verb(route: Route) -> Any:
    async def verb(self: RouteHandler, **parts: str) -> None:
        await self.respond(route, parts)

    return authenticated(authorized(action=route.action, resource=route.resource)(verb))


def _body_of(reply: Any) -> str:
    found = reply.body if isinstance(reply, Reply) else reply
    if isinstance(found, Text):
        return found.text
    return found.model_dump_json(by_alias=True) if isinstance(found, BaseModel) else json.dumps(found, ensure_ascii=False)
