"""``agentnb serve``."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from agentnb.cli.output import exit_codes
from agentnb.runtime.runtime import current


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; others than this machine's own need AGENTNB_SERVE_KEY.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8321,
    model: Annotated[list[str] | None, typer.Option("--model", "-m", help="provider:model to serve besides the local ones.")] = None,
    agent: Annotated[list[str] | None, typer.Option("--agent", "-a", help="Serve only agents of this name; all by default.")] = None,
    allow_host: Annotated[list[str] | None, typer.Option(help="Name by which clients may call this server.")] = None,
    allow_origin: Annotated[list[str] | None, typer.Option(help="Web page that may call it, such as https://app.example.org.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Requests that may be under way at once.")] = 256,
    grace: Annotated[float, typer.Option(min=0, help="Seconds that requests have to end when the server is stopped.")] = 10.0,
    warm: Annotated[bool, typer.Option(help="Load the local models at once rather than at the first request.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Write the log as JSON, one object a line.")] = False,
) -> None:
    """Serve agents and local models by OpenAI's protocol, so that any client of it can use them."""
    with exit_codes(as_json=as_json):
        from agentnb.serve.app import Listen
        from agentnb.serve.app import serve as run
        from agentnb.serve.log import log_to_stderr
        from agentnb.serve.offer import Offer

        log_to_stderr(as_json=as_json)
        offer = Offer(current(), tuple(model or ()), tuple(agent or ()))
        listen = Listen(host, port, tuple(allow_host or ()), tuple(allow_origin or ()), limit, grace, warm)
        asyncio.run(run(offer, listen))
