"""What the engines of ``workflows.py`` run: the steps, how they hang together, and a probe that counts them."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from typing import Literal, Protocol, TypedDict

SLEEP = 0.05
BURNS = 1_800_000
FIRST_RUN = "run-1"

Run = Callable[[], Awaitable[object]]


class Work(TypedDict):
    """What is run.

    ``chain``: steps one after the other. ``fan_out``: each of the steps a gate to ``width`` more. ``wait``, ``burn``: all steps at once.
    """

    kind: Literal["chain", "fan_out", "wait", "burn"]
    steps: int
    width: int


def total(work: Work) -> int:
    return work["steps"] * (1 + work["width"])


class Probe:
    """How many steps this process has begun, when the first began, and the one at which it kills itself."""

    count = 0
    first = 0.0
    kill_at = 0

    @classmethod
    def tick(cls) -> None:
        cls.count += 1
        cls.first = cls.first or time.perf_counter()
        if cls.count == cls.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


async def noop() -> int:
    Probe.tick()
    return 0


async def wait() -> int:
    Probe.tick()
    await asyncio.sleep(SLEEP)
    return 0


def echo(value: int) -> int:
    """What the steps of the document call."""
    return value


def burn() -> int:
    return sum(number * number for number in range(BURNS))


def counted_burn() -> int:
    """For threads and the loop: a burn in another process isn't seen by the probe, and is checked by its result."""
    Probe.tick()
    return burn()


class Engine(Protocol):
    """One engine over one folder."""

    async def prepare(self, work: Work) -> Run:
        """Define the work; what comes back runs it once."""

    async def resume(self, work: Work) -> float:
        """Bring the first run of a killed process to its end; gives the moment at which the engine was asked to."""

    async def stop(self) -> None: ...


def edges(work: Work) -> dict[str, list[str]]:
    """Every step with the steps that it needs."""
    if work["kind"] == "chain":
        return {f"s{at}": [f"s{at - 1}"] if at else [] for at in range(work["steps"])}
    if work["kind"] != "fan_out":
        return {f"s{at}": [] for at in range(work["steps"])}
    found: dict[str, list[str]] = {}
    before: list[str] = []
    for gate in range(work["steps"]):
        found[f"g{gate}"] = before
        before = [f"w{gate}_{at}" for at in range(work["width"])]
        found |= {name: [f"g{gate}"] for name in before}
    return found


def document(work: Work) -> str:
    """The work as a workflow's YAML."""
    lines = ["name: document", "steps:"]
    for name, needs in edges(work).items():
        value = f"${{steps.{needs[0]}.output + 1}}" if needs else "0"
        lines += [
            f"  {name}:",
            "    tool: python:workflow_work.echo",
            f'    input: {{value: "{value}"}}',
            f"    needs: [{', '.join(needs)}]",
        ]
    return "\n".join([*lines, ""])
