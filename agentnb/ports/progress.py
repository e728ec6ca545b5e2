"""The boundary to whatever shows how far long work is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Best:
    """The fastest recipe that has passed the gate so far.

    Attributes:
        speedup: Against the original.
        drop: What the mean of the metric lost.
    """

    recipe: str
    speedup: float
    drop: float

    def __str__(self) -> str:
        return f"{self.recipe} {self.speedup:.2f}×, drop {round(self.drop, 4) + 0.0:.4f}"


@dataclass(frozen=True, slots=True)
class Step:
    """Where long work is; ``str`` of it is a line for people.

    Attributes:
        what: What is being done, or, where it has ``ended``, what came of it.
        done: How much of it; total: of how much.
        part: What the work consists of: ``recipe`` or ``size``; empty where it has no parts.
        number: The part that is being worked on, from 1; parts: how many there are.
        best: Of a search; None as long as nothing has passed.
        ended: Whether the part has come to its end.
    """

    what: str
    done: int = 0
    total: int = 0
    part: str = ""
    number: int = 0
    parts: int = 0
    best: Best | None = None
    ended: bool = False

    @property
    def place(self) -> str:
        """Such as ``recipe 7 of 16``; empty where the work has no parts."""
        return f"{self.part} {self.number} of {self.parts}" if self.part else ""

    def __str__(self) -> str:
        count = f" {self.done} of {self.total}" if self.total > 1 and not self.ended else ""
        return " · ".join(part for part in (self.place, f"{self.what}{count}", f"best so far: {self.best}" if self.best else "") if part)


Progress = Callable[[Step], None]
"""Told where the work is, often."""
