"""Keeps secrets out of everything that is written down: the journal, cassettes, errors, logs."""

from __future__ import annotations

import os
import re

MASK = "[secret]"
_NAMES = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)
_SHAPES = (
    r"\bsk-[A-Za-z0-9_-]{16,}",
    r"\bgh[opusr]_[A-Za-z0-9]{20,}",
    r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    r"\bAKIA[A-Z0-9]{16}\b",
    r"\bAIza[A-Za-z0-9_-]{30,}",
    r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
    r"(?<=Bearer )[A-Za-z0-9._~+/=-]{16,}",
)
_MARKS = ("sk-", "gh", "xox", "AKIA", "AIza", "eyJ", "Bearer ")
_shape = re.compile("|".join(_SHAPES))
_values: tuple[str, ...] = ()
_learned: set[str] = set()


def refresh() -> None:
    """Learn anew which values of the environment are secret: those of 8 and more characters whose name says so."""
    global _values
    found = {value for name, value in os.environ.items() if len(value) >= 8 and _NAMES.search(name) and not os.path.exists(value)}  # noqa: PTH110
    _values = tuple(sorted(found | _learned, key=len, reverse=True))


def redact(text: str) -> str:
    """The text with every known secret replaced by ``[secret]``; what has none comes back as it is."""
    for value in _values:
        if value in text:
            text = text.replace(value, MASK)
    if any(mark in text for mark in _MARKS):
        text = _shape.sub(MASK, text)
    return text


def learn(value: str) -> None:
    """Mask this value from now on."""
    if len(value) >= 8:
        _learned.add(value)
        refresh()


refresh()
