"""What a search tells of itself: for each recipe what was gained and lost, and why it isn't the result."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from agentnb.optimization.metrics import Metric
from agentnb.optimization.sources import Source
from agentnb.optimization.state import Outcome
from agentnb.ports.optimizer import Task

FORMAT = 1


@dataclass(frozen=True)
class Facts:
    """What holds for all recipes of a search.

    Attributes:
        reference: The original's scores; milliseconds: its latency in the last rounds.
        calibrated: How many samples quantisation read.
    """

    source: Source
    metric: Metric
    task: Task
    device: str
    processor: str
    versions: Mapping[str, str]
    calibrated: int
    reference: Sequence[float]
    milliseconds: Mapping[str, float]


def data(facts: Facts, outcomes: Sequence[Outcome], winner: Outcome | None) -> dict[str, Any]:
    """The report as JSON."""
    task, source = facts.task, facts.source
    return {
        "format": FORMAT,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": {
            "name": source.name,
            "format": source.format,
            "kind": source.kind,
            "sha256": source.fingerprint,
            "path": str(source.path or ""),
        },
        "goal": task.to,
        "gate": {
            "metric": facts.metric.name,
            "meaning": facts.metric.description,
            "max_drop": task.max_drop,
            "rule": _rule(facts.metric, task),
            "samples": len(facts.reference),
            "calibration_samples": facts.calibrated,
            "original": round(sum(facts.reference) / len(facts.reference), 6),
        },
        "machine": {"device": facts.device, "processor": facts.processor, "versions": dict(facts.versions)},
        "speed": {"batch": task.batch, "original_ms": dict(facts.milliseconds)},
        "result": winner.recipe.name if winner else None,
        "recipes": [_row(outcome, outcome is winner or (winner is not None and outcome.recipe == winner.recipe)) for outcome in outcomes],
    }


def _rule(metric: Metric, task: Task) -> str:
    rule = "upper end of the 95 % interval" if task.sure else "mean drop"
    return rule if math.isinf(metric.tail) else f"{rule}, and no sample more than {task.max_drop * metric.tail:g}"


def _row(outcome: Outcome, chosen: bool) -> dict[str, Any]:
    why = outcome.reason or ("" if chosen or outcome.status != "passed" else "passed, but another that passed is faster")
    return {
        "recipe": asdict(outcome.recipe),
        "status": "chosen" if chosen else outcome.status,
        "reason": why,
        "speedup": outcome.speedup,
        "milliseconds": dict(outcome.milliseconds or {}),
        "megabytes": round(outcome.size / 1e6, 3),
        "verdict": asdict(outcome.verdict) if outcome.verdict else None,
        "seconds": outcome.seconds,
    }


def markdown(report: Mapping[str, Any]) -> str:
    """The report for people."""
    gate, source = report["gate"], report["source"]
    lines = [
        f"# {source['name']}: {report['result'] or 'no recipe passed'}",
        "",
        f"{source['kind']} read from {source['format']}, on {report['machine']['processor']} ({report['machine']['device']}).",
        f"Gate: {gate['metric']} ({gate['meaning']}) may lose {gate['max_drop']:g} ({gate['rule']}), judged on {gate['samples']} samples; "
        f"calibrated by {gate['calibration_samples']}. The original has {gate['original']:.4f}.",
        f"Speed: batch {report['speed']['batch']}, in turn with the original in float32 ({report['speed']['original_ms']['p50']:.3f} ms).",
        "",
        "| recipe | | × as fast | p50 ms | p99 ms | drop | 95 % interval | worst sample | n | MB | why |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
        *(_line(row) for row in report["recipes"]),
        "",
        "Versions: " + ", ".join(f"{name} {number}" for name, number in report["machine"]["versions"].items()) + ".",
        "",
    ]
    return "\n".join(lines)


def _line(row: Mapping[str, Any]) -> str:
    verdict, times = row["verdict"], row["milliseconds"]
    cells = [
        row["recipe"]["name"],
        row["status"],
        f"{row['speedup']:.2f}" if row["speedup"] else "",
        f"{times['p50']:.3f}" if times else "",
        f"{times['p99']:.3f}" if times else "",
        f"{verdict['drop']:+.4f}" if verdict else "",
        f"{verdict['low']:+.4f} to {verdict['high']:+.4f}" if verdict else "",
        f"{verdict['worst']:+.4f}" if verdict else "",
        str(verdict["samples"]) if verdict else "",
        f"{row['megabytes']:.1f}" if row["megabytes"] else "",
        row["reason"].replace("|", "\\|"),
    ]
    return f"| {' | '.join(cells)} |"
