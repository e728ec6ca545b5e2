"""The README's pictures: taken from the running software by the browser tests, kept where ``AGENTNB_PICTURES`` is set."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

WANTED = bool(os.environ.get("AGENTNB_PICTURES"))
IMAGES = Path(__file__).resolve().parents[2] / "notebooks" / "images"
LARGEST = 200_000
"""Bytes."""


def picture(place: Page | Locator, name: str, **options: Any) -> None:
    """Take a picture; it is small enough for the repository."""
    taken = place.screenshot(**options)
    assert len(taken) <= LARGEST
    if WANTED:
        (IMAGES / f"{name}.png").write_bytes(taken)
