"""The graph widget: the traits and messages of ``labextension/src/widgets/graph.tsx``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from agentnb.errors import AgentNBError
from agentnb.notebook.background import keep
from agentnb.runtime.graphs.drawing import Drawing
from agentnb.runtime.graphs.following import Changes
from agentnb.secrets import redact

STATIC = Path(__file__).parent / "static"
BUNDLE = STATIC / "graph.js"
"""Made by ``jlpm build:widget`` in ``labextension/``, as a part of every build."""

Handler = Callable[..., Awaitable[Any]]


class GraphWidget(anywidget.AnyWidget):
    """A graph in a page. It is told of changes by messages; the trait has all of it, for pages that come later.

    Args:
        graph: The drawing.
        state: What a run has come to so far.
        handlers: What the page may ask for, by name; each is given the request's fields.
    """

    _esm = BUNDLE
    _css = STATIC / "graph.css"

    graph = traitlets.Dict().tag(sync=True)
    state = traitlets.Dict().tag(sync=True, to_json=lambda _value, widget: widget.shown)
    actions = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(self, graph: Drawing, state: Changes, handlers: Mapping[str, Handler]) -> None:
        self.shown = state
        self._handlers = handlers
        super().__init__(graph=graph, actions=list(handlers))
        self.on_msg(self._told)

    def change(self, changes: Changes, state: Changes) -> None:
        """Show what is different; ``state`` is all of it."""
        self.shown = state
        self.send({"kind": "changes", "changes": changes})

    def replace(self, graph: Drawing, state: Changes) -> None:
        """Show another run."""
        self.shown = state
        with self.hold_trait_notifications():
            self.graph = graph
        self.send({"kind": "graph", "graph": graph, "state": state})

    def _told(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if not isinstance(content, dict):
            return
        if content.get("kind") == "ready":
            self.send({"kind": "state", "state": self.shown})
        elif content.get("kind") == "request":
            keep(self._answer(dict(content)))

    async def _answer(self, request: dict[str, Any]) -> None:
        _, name, reply = request.pop("kind"), request.pop("name", ""), {"kind": "reply", "id": request.pop("id", 0)}
        try:
            handler = self._handlers.get(name)
            if handler is None:
                raise AgentNBError(f"{name!r} can't be done here")
            reply["value"] = await handler(**request)
        except AgentNBError as error:
            reply["error"] = redact(str(error))
        except Exception as error:
            reply["error"] = redact(f"{type(error).__name__}: {error}")
        self.send(reply)
