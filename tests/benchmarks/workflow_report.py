"""The figures of ``workflows.py`` as Markdown: what each engine took, and ours against its targets and the best peer."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

LIMIT = "asyncio"
OURS = {"": "agentnb, memory", "kill": "agentnb", "power": "agentnb, fsync"}


@dataclass
class Findings:
    """Every figure of every round: by engine, then by measure."""

    keeps: Mapping[str, str]
    rounds: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def add(self, name: str, **figures: float) -> None:
        for measure, figure in figures.items():
            self.rounds.setdefault(name, {}).setdefault(measure, []).append(figure)

    def get(self, name: str, measure: str) -> float | None:
        found = self.rounds.get(name, {}).get(measure)
        return statistics.median(found) if found else None

    def best_peer(self, measure: str, keeps: str, most: bool = False) -> tuple[float, str] | None:
        names = [name for name in self.rounds if self.keeps[name] == keeps and name not in {*OURS.values(), LIMIT}]
        found = [(figure, name) for name in names if (figure := self.get(name, measure)) is not None]
        return (max(found) if most else min(found)) if found else None


@dataclass(frozen=True)
class Target:
    """What ours is to reach: at most ``limit``, or at least it where ``most``."""

    title: str
    measure: str
    keeps: str
    limit: float
    most: bool = False


TARGETS = (
    Target("chain in memory, µs a step", "chain", "", 40),
    Target("fan-out in memory, µs a step", "fan_out", "", 25),
    Target("chain durable, µs a step", "chain", "kill", 100),
    Target("fan-out durable, µs a step", "fan_out", "kill", 40),
    Target("chain durable with fsync, µs a step", "chain", "power", 400),
    Target("fan-out durable with fsync, µs a step", "fan_out", "power", 50),
    Target("64 × 50 ms durable, ms", "wait", "kill", 60),
    Target("16 CPU steps, times as fast as serial", "speedup", "kill", 1.7, most=True),
    Target("journal, bytes a step", "bytes", "kill", 1000),
    Target("resume, ms to the first new step", "resume_first", "kill", 100),
    Target("resume, ms to the end", "resume_end", "kill", 100),
)


def report(found: Findings) -> Iterator[str]:
    """The Markdown of all that was measured, a line at a time."""
    columns = {"chain": "chain µs", "fan_out": "fan-out µs", "wait": "64 × 50 ms", "bytes": "B a step", "build": "build ms"}
    yield from _engines(found, "steps", columns, {"wait": 1, "bytes": 0, "build": 1})
    yield from _engines(
        found, "CPU", {"serial": "serial s", "parallel": "16 steps s", "speedup": "times"}, {"serial": 2, "parallel": 2, "speedup": 2}
    )
    sizes = {f"us_{steps}": f"{steps:,} steps µs" for steps in (100, 1000, 10_000)}
    memory = {"start_mb_10000": "MB at first", "mb_10000": "MB after 10,000"}
    yield from _engines(found, "chain of", {**sizes, **memory}, {})
    resumed = {"resume_first": "first new step ms", "resume_end": "end ms", "again": "steps done again"}
    yield from _engines(found, "resume after kill -9, 999 of 1,000 done", resumed, {"again": 0})
    document = {"document_yaml": "libyaml alone s", "document_file": "parse, validate, plan s", "document_plan": "validate, plan s"}
    yield from _engines(found, "YAML of 10,000 steps", document, dict.fromkeys(document, 2))
    yield from _targets(found)


def _engines(found: Findings, title: str, columns: Mapping[str, str], digits: Mapping[str, int]) -> Iterator[str]:
    names = [name for name in found.rounds if any(measure in found.rounds[name] for measure in columns)]
    if not names:
        return
    yield _row(title, "keeps", *columns.values())
    yield _row(*["---"] * (len(columns) + 2))
    for name in names:
        cells = (_cell(found.get(name, measure), digits.get(measure)) for measure in columns)
        yield _row(name, found.keeps[name] or "–", *cells)
    yield ""


def _targets(found: Findings) -> Iterator[str]:
    rows = [row for target in TARGETS if (row := _target(found, target))]
    if rows:
        yield _row("target", "wanted", "agentnb", "", "best peer that keeps as much", "peer's", "times better")
        yield _row(*["---"] * 7)
        yield from rows


def _target(found: Findings, target: Target) -> str:
    figure = found.get(OURS[target.keeps], target.measure)
    if figure is None:
        return ""
    met = figure >= target.limit if target.most else figure <= target.limit
    wanted = f"{'≥' if target.most else '≤'} {target.limit:g}"
    peer = found.best_peer(target.measure, target.keeps, target.most)
    if peer is None:
        return _row(target.title, wanted, _cell(figure), "met" if met else "**missed**", "–", "–", "–")
    ratio = figure / peer[0] if target.most else peer[0] / figure
    return _row(target.title, wanted, _cell(figure), "met" if met else "**missed**", peer[1], _cell(peer[0]), f"{ratio:.1f}")


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(figure: float | None, digits: int | None = None) -> str:
    if figure is None:
        return "–"
    return f"{figure:,.{_digits(figure) if digits is None else digits}f}"


def _digits(figure: float) -> int:
    return next((digits for limit, digits in ((100, 0), (10, 1)) if figure >= limit), 2)
