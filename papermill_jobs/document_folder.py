"""The folder of documents that the workflow reads."""

from __future__ import annotations

from pathlib import Path


def find(folder: str) -> list[str]:
    """The texts of a folder, in order."""
    return sorted(str(path) for path in Path(folder).glob("*.txt"))


def read(path: str) -> str:
    """The first 1,000 characters of a text."""
    return Path(path).read_text(encoding="utf-8")[:1000]
