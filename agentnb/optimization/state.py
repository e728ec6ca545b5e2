"""What a search has found so far, on the disk beside its result: an interrupted one goes on where it was."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from agentnb.errors import ConfigurationError
from agentnb.optimization.folders import readable_errors
from agentnb.optimization.gate import Verdict
from agentnb.optimization.recipes import Recipe

REPORT = "report.md"
"""Of a search that came to its end, and has no result."""

Status = Literal["passed", "rejected", "failed", "left out"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one recipe.

    Attributes:
        status: ``passed`` the gate, ``rejected`` by it, ``failed`` to be made or run, or ``left out`` because the time was over.
        reason: Why it isn't the result.
        verdict: What the gate said; None where it could not be judged.
        speedup: How much faster than the original it was in the same rounds; 0 where it was not measured.
        milliseconds: ``p50``, ``p90`` and ``p99`` of one inference.
        size: Bytes of the model.
        seconds: What making, judging and measuring it took.
    """

    recipe: Recipe
    status: Status
    reason: str = ""
    verdict: Verdict | None = None
    speedup: float = 0.0
    milliseconds: Mapping[str, float] | None = None
    size: int = 0
    seconds: float = 0.0

    @property
    def drop(self) -> float:
        """What the mean of the metric lost; infinite where it was not judged."""
        return self.verdict.drop if self.verdict else math.inf


class State:
    """The folder of one search; those of searches for the same result with another model, other data or other options lie beside it.

    Attributes:
        outcomes: What is known, by the recipe's name.
        others: Folders of other searches that were interrupted.
    """

    def __init__(self, above: Path, key: str) -> None:
        """Open the folder inside ``above`` that belongs to all that outcomes depend on, of which ``key`` is a digest."""
        self.folder = above / key[:12]
        self._refused = [file.parent for file in above.glob(f"*/{REPORT}")]
        self.others = sorted({file.parent for file in above.glob("*/state.json")} - {self.folder, *self._refused})
        self._file = self.folder / "state.json"
        self.outcomes: dict[str, Outcome] = self._read()
        if not self.outcomes:
            shutil.rmtree(self.folder / "builds", ignore_errors=True)

    def build(self, recipe: Recipe) -> Path:
        """Where the IR of a recipe lies, or will."""
        return self.folder / "builds" / recipe.build / "openvino_model.xml"

    def add(self, outcome: Outcome) -> None:
        """Keep what came of a recipe.

        Raises:
            OptimizationError: The disk is full.
        """
        self.outcomes[outcome.recipe.name] = outcome
        data = {"outcomes": [asdict(one) for one in self.outcomes.values()]}
        with readable_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            part = self._file.with_suffix(".part")
            part.write_text(json.dumps(data), encoding="utf-8")
            part.replace(self._file)

    def drop(self, build: str) -> None:
        """Remove a model that nobody will need."""
        shutil.rmtree(self.folder / "builds" / build, ignore_errors=True)

    def remove(self) -> None:
        """Remove it, and what is left of searches that found nothing; those that were interrupted stay."""
        for folder in (self.folder, *self._refused):
            shutil.rmtree(folder, ignore_errors=True)

    def _read(self) -> dict[str, Outcome]:
        try:
            data = json.loads(self._file.read_text(encoding="utf-8"))
            return {one["recipe"]["name"]: _outcome(one) for one in data["outcomes"] if one["status"] != "left out"}
        except (OSError, ValueError, KeyError, TypeError):
            return {}


def _outcome(data: dict[str, Any]) -> Outcome:
    recipe = data["recipe"]
    verdict = data["verdict"]
    return Outcome(
        **{**data, "recipe": Recipe(**{**recipe, "skip": tuple(recipe["skip"])}), "verdict": Verdict(**verdict) if verdict else None}
    )


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep others from searching for the same result meanwhile; the claim is on the search's folder, and ends with the process.

    The folder, and those above that were made for it, are removed where they hold nothing in the end.

    Raises:
        ConfigurationError: Another process is at it.
        OptimizationError: The folder can't be made.
    """
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    with readable_errors(folder.parent):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with _claimed(folder):
            try:
                yield
            finally:
                with suppress(OSError):
                    folder.rmdir()
    finally:
        with suppress(OSError):
            for place in made:
                if place.exists():
                    place.rmdir()


@contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:  # Windows has no flock
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            gone = not folder.exists() or not os.path.samestat(os.fstat(descriptor), folder.stat())
        except OSError:
            gone = True
        if gone:  # held by another, or removed by one that has just ended
            raise ConfigurationError(
                f"another process is searching for the same result ({folder} is held): wait for it, or choose another -o"
            )
        yield
    finally:
        os.close(descriptor)
