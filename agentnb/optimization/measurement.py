"""Latencies of several models, taken in turn: what disturbs the machine for a while disturbs all of them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_VISIT_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of an inference in every repetition, sorted."""

    seconds: tuple[float, ...]

    def percentile(self, percent: float) -> float:
        """The shortest time that so many percent of the repetitions didn't exceed, in seconds."""
        place = max(0, -(-len(self.seconds) * percent // 100) - 1)
        return self.seconds[int(min(place, len(self.seconds) - 1))]

    @property
    def median(self) -> float:
        return self.percentile(50)

    def interval(self) -> tuple[float, float]:
        """A 95 % interval of the median, by the binomial order statistics."""
        count = len(self.seconds)
        margin = 0.98 * count**0.5
        low, high = int(count / 2 - margin), int(count / 2 + margin) + 1
        return self.seconds[max(low, 0)], self.seconds[min(high, count - 1)]


def interleaved(
    work: Mapping[str, Callable[[], object]],
    rounds: int,
    *,
    visit: float = _VISIT_SECONDS,
    inferences: int = 1,
    tick: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, Timing]:
    """Time each piece of work in rounds; the order within a round changes.

    Args:
        work: What to do, by its name; the first round is a warm-up and isn't counted.
        rounds: How often each has its turn.
        visit: Seconds that one turn lasts at least; a turn has at least one repetition.
        inferences: How many one piece of work makes; the time is shared among them.
        tick: Told which round is done, and of how many.
    """
    order, found = random.Random(0), {name: list[float]() for name in work}
    for number in range(rounds + 1):
        names = list(work)
        order.shuffle(names)
        for name in names:
            times = _visit(work[name], visit)
            if number:
                found[name] += [seconds / inferences for seconds in times]
        tick(number, rounds)
    return {name: Timing(tuple(sorted(times))) for name, times in found.items()}


def _visit(work: Callable[[], object], seconds: float) -> Sequence[float]:
    times: list[float] = []
    begin = time.perf_counter()
    while not times or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return times
