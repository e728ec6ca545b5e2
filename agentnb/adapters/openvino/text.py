"""Tokens to text, piece by piece, with stop strings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

_WINDOW = 48


class Detokeniser:
    """Decodes a growing list of tokens without ever cutting a character in two.

    Only a window of the newest tokens is decoded each time, so that the cost of a piece doesn't grow with the text.
    """

    def __init__(self, decode: Callable[[list[int]], str]) -> None:
        self._decode = decode
        self._window: list[int] = []
        self._shown = ""

    def add(self, tokens: Sequence[int]) -> str:
        """The text that became complete with these tokens; perhaps empty."""
        self._window += tokens
        text = self._decode(self._window)
        if text.endswith("\ufffd") or not text.startswith(self._shown):
            return ""
        piece = text[len(self._shown) :]
        self._shown = text
        if len(self._window) > _WINDOW and piece and piece[-1].isascii() and piece[-1].isalnum():
            del self._window[:-1]
            self._shown = self._decode(self._window)
        return piece


class Stops:
    """Holds back text that may be the beginning of a stop string, and ends the text at the first that is complete."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._held = ""
        self.hit = False

    def add(self, piece: str) -> str:
        """The text that can be shown now."""
        text = self._held + piece
        ends = [at for at in (text.find(stop) for stop in self._stops) if at >= 0]
        if ends:
            self.hit, self._held = True, ""
            return text[: min(ends)]
        keep = max((self._overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def rest(self) -> str:
        """What was held back, once no more text comes."""
        held, self._held = self._held, ""
        return held

    @staticmethod
    def _overlap(text: str, stop: str) -> int:
        return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)
