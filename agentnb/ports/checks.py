"""The boundary to whatever can say whether it works here: what ``agentnb doctor`` asks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: What was looked at.
        ok: Whether it is as it should be.
        value: What was found.
        mend: What to do where it is not ok.
        absent: Whether it isn't there, and needn't be.
    """

    name: str
    ok: bool
    value: str
    mend: str = ""
    absent: bool = False

    @property
    def mark(self) -> str:
        """How lists show it."""
        return "✕" if not self.ok else "–" if self.absent else "✓"
