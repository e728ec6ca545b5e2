"""A package index on a slow line: it has one wheel, and gives that a piece at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_PIECE = bytes(1 << 20)


@contextmanager
def slow_index(project: str, wheel: str, size: int, *, pause: float = 0.05) -> Iterator[dict[str, str]]:
    """The environment in which pip finds it; what it gives are zeros, so what is fetched to the end has another SHA-256 than expected.

    Args:
        project: The only one that there is.
        wheel: The name of its file.
        size: Of the wheel, in bytes.
        pause: Seconds between two pieces of 1 MiB.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == f"/simple/{project}/":
                page = f'<a href="/{wheel}">{wheel}</a>'.encode()
                self._begin("text/html", len(page))
                self.wfile.write(page)
            elif self.path == f"/{wheel}":
                self._begin("application/octet-stream", size)
                for start in range(0, size, len(_PIECE)):
                    time.sleep(pause)
                    self.wfile.write(_PIECE[: size - start])
            else:
                self.send_error(404)

        def _begin(self, kind: str, length: int) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(length))
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Whoever fetches may go away at any time."""

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield {
                "PIP_CONFIG_FILE": "/dev/null",
                "PIP_INDEX_URL": f"http://127.0.0.1:{server.server_port}/simple/",
                "PIP_NO_INDEX": "",
                "PIP_FIND_LINKS": "",
                "NO_PROXY": "127.0.0.1",
            }
        finally:
            server.shutdown()
