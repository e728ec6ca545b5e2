"""The accuracy gate: a candidate against the model that it came from, sample by sample.

Both models see the same samples, so the scores are paired: the interval is that of the mean difference, which is far narrower than
that of two independent means.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_ROUNDS = 2000
_EARLY_AFTER = 32
_Z95, _Z999 = 1.959964, 3.290527


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says of a candidate.

    Attributes:
        passed: Whether it may be written.
        reference: Mean score of the original over the samples seen; candidate: of the candidate.
        drop: Mean loss: reference less candidate; negative where the candidate is better.
        low: Lower end of the drop's 95 % interval; high: the upper end.
        samples: How many were compared.
        reason: Why it didn't pass, or empty.
        worst: What the sample lost that lost most.
    """

    passed: bool
    reference: float
    candidate: float
    drop: float
    low: float
    high: float
    samples: int
    reason: str = ""
    worst: float = 0.0


def judge(
    reference: Sequence[float], candidate: Sequence[float], max_drop: float, *, sure: bool = False, tail: float = math.inf
) -> Verdict:
    """Compare scores of the same samples.

    Args:
        reference: Scores of the original, one a sample, in the same order as the candidate's.
        candidate: The candidate's scores.
        max_drop: What the mean may lose.
        sure: Require that also the upper end of the interval is within ``max_drop``.
        tail: Require that no sample loses more than so many times ``max_drop``: a mean hides that inputs of one length fail.
    """
    import numpy as np

    before, after = np.asarray(reference, float), np.asarray(candidate, float)
    drops = before - after
    drop = float(drops.mean())
    low, high = interval(before, after, _Z95)
    judged, what = (high, "the upper end of the drop's 95 % interval") if sure else (drop, "the mean drop")
    place, worst = int(drops.argmax()), float(drops.max())
    reason = ""
    if judged > max_drop:
        reason = f"{what} is {judged:.4f}, more than {max_drop:g}"
    elif worst > max_drop * tail:
        reason = f"sample {place} of those judged lost {worst:.4f}, more than {tail:g} times {max_drop:g}"
    return Verdict(not reason, float(before.mean()), float(after.mean()), drop, low, high, len(drops), reason, worst)


def hopeless(reference: Sequence[float], candidate: Sequence[float], max_drop: float) -> bool:
    """Whether what has been seen so far rules the candidate out: the 99.9 % interval lies above ``max_drop``."""
    import numpy as np

    if len(candidate) < _EARLY_AFTER:
        return False
    return interval(np.asarray(reference, float), np.asarray(candidate, float), _Z999)[0] > max_drop


def interval(before: object, after: object, z: float) -> tuple[float, float]:
    """The interval of the mean of paired differences ``before - after``.

    Scores of 0 and 1 get the adjusted Wald interval of Agresti and Min (2005, Statistics in Medicine 24), which doesn't collapse where no
    pair differs; others the bootstrap's percentiles, always the same for the same scores.
    """
    import numpy as np

    first, second = np.asarray(before, float), np.asarray(after, float)
    drops = first - second
    count = len(drops)
    if np.isin(first, (0.0, 1.0)).all() and np.isin(second, (0.0, 1.0)).all():
        lost, won = (drops > 0).sum() + 0.5, (drops < 0).sum() + 0.5
        total = count + 2
        middle = (lost - won) / total
        margin = z * np.sqrt((lost + won) - (lost - won) ** 2 / total) / total
        return max(float(middle - margin), -1.0), min(float(middle + margin), 1.0)
    if count < 2:
        return float("-inf"), float("inf")
    random = np.random.default_rng(0)
    means = np.array([drops[random.integers(0, count, count)].mean() for _ in range(_ROUNDS)])
    tail = 2.5 if z < 2 else 0.05
    return float(np.percentile(means, tail)), float(np.percentile(means, 100 - tail))
