"""Which results are being made right now, so that steps with the same cache key wait for one another instead of doing it twice."""

from __future__ import annotations

from collections.abc import Callable


class Claims:
    """Of one run and its sub-workflows; all of them on one loop."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Callable[[], None]]] = {}

    def claim(self, key: str, again: Callable[[], None]) -> bool:
        """Whether the result is the caller's to make, who then releases it; otherwise ``again`` is called once it is released."""
        others = self._waiting.get(key)
        if others is None:
            self._waiting[key] = []
            return True
        others.append(again)
        return False

    def release(self, key: str) -> None:
        """It is in the cache by now, or one of those that wait makes it."""
        for again in self._waiting.pop(key):
            again()
