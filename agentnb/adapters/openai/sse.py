"""Server-sent events, as far as model servers use them (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations


class EventReader:
    """Cuts a byte stream into the data of its events; comments and fields other than ``data`` are passed over.

    Lines are cut as bytes, so neither a character split between two chunks nor U+2028 inside JSON breaks an event.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of the events that this chunk completes."""
        lines = (self._rest + chunk).split(b"\n")
        self._rest = lines.pop()
        return self._events(lines)

    def finish(self) -> list[bytes]:
        """The data of the last event, where the server left out the empty line after it."""
        lines, self._rest = [self._rest, b""], b""
        return self._events(lines)

    def _events(self, lines: list[bytes]) -> list[bytes]:
        found = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[5:].strip())
            elif self._data and line in (b"", b"\r"):
                found.append(b"\n".join(self._data))
                self._data = []
        return found
