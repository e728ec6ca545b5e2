"""The graph widget in a bare page, without JupyterLab: its bundle, and a model that is in the page itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import agentnb.notebook

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

STATIC = Path(agentnb.notebook.__file__).parent / "static"
_ADDRESS = "http://graph.invalid/"
_HTML = """<!doctype html><meta charset="utf-8"><title>graph</title><link rel="stylesheet" href="graph.css">
<style>body { margin: 0; padding: 12px; background: var(--jp-layout-color1, Canvas) }</style><div id="place"></div>
<script type="module">
import widget from "./graph.js";
const given = await (await fetch("model.json")).json();
const listeners = {};
const model = {
  get: name => given[name],
  set: (name, value) => { given[name] = value },
  on: (name, listener) => { (listeners[name] ??= new Set()).add(listener) },
  off: (name, listener) => listeners[name]?.delete(listener),
  send: message => {
    window.sent.push(message);
    if (message.name === "details") {
      const known = given.details?.[message.path + "|" + message.part] ?? given.details?.[message.path];
      const value = known ?? { path: message.path, part: message.part, status: "queued", parts: [] };
      setTimeout(() => window.tell({ kind: "reply", id: message.id, value }));
    }
  },
};
window.sent = [];
window.tell = message => listeners["msg:custom"]?.forEach(listener => listener(message, []));
const { initialize, render } = widget();
initialize({ model });
render({ model, el: document.querySelector("#place") });
window.ready = true;
</script>"""


def open_graph(page: Page, data: dict[str, Any], state: dict[str, Any], details: dict[str, Any] | None = None) -> None:
    """Show a graph; ``details`` are by the path of the node, or by ``path|part``.

    ``window.tell(message)`` is what the kernel would send, ``window.sent`` what it would be told.
    """
    actions = ["details", "answer", "cancel", "resume", "retry"]
    model = {"graph": data, "state": state, "actions": actions, "details": details or {}}

    def answer(route: Route) -> None:
        name = route.request.url.removeprefix(_ADDRESS)
        if name == "model.json":
            route.fulfill(body=json.dumps(model), content_type="application/json")
        elif name in ("graph.js", "graph.css"):
            kind = "text/javascript" if name.endswith("js") else "text/css"
            route.fulfill(body=(STATIC / name).read_text(), content_type=kind)
        else:
            route.fulfill(body=_HTML, content_type="text/html")

    page.route(f"{_ADDRESS}**", answer)
    page.goto(_ADDRESS)
    page.wait_for_function("window.ready === true")
