"""Lists that are read page by page: a cursor names the last item that was seen."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from pydantic import Field, StringConstraints

from agentnb.errors import ConfigurationError
from agentnb.server.routing import Data, Request

Name = Annotated[str, StringConstraints(max_length=500)]
MOST = 500


class PageQuery(Request):
    """Which part of a list.

    Attributes:
        limit: At most so many items.
        cursor: Where to go on: ``next`` of the page before.
    """

    limit: int = Field(50, ge=1, le=MOST)
    cursor: Name = ""


class Page(Data):
    """A part of a list; ``next`` is the cursor of what follows, and empty at the end."""

    next: str = ""


def cursor_of(*parts: str) -> str:
    """The cursor behind an item."""
    return base64.urlsafe_b64encode("\n".join(parts).encode()).decode().rstrip("=")


def parts_of(cursor: str, count: int = 2) -> tuple[str, ...] | None:
    """What a cursor was made of; None for the beginning.

    Raises:
        ConfigurationError: It is none of ours.
    """
    if not cursor:
        return None
    try:
        parts = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split("\n")
    except (binascii.Error, ValueError):
        parts = []
    if len(parts) != count:
        raise ConfigurationError("cursor: not one that a page has given: leave it away to begin anew")
    return tuple(parts)


def pair_of(cursor: str) -> tuple[str, str] | None:
    """Like ``parts_of``, for cursors of two parts."""
    found = parts_of(cursor)
    return (found[0], found[1]) if found else None
