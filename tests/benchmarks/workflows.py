"""What a workflow's engine costs a step, and what its journal gives for it: agentnb beside LangGraph, DBOS and bare asyncio.

Install the peers beside agentnb, then run it with that interpreter:

    pip install langgraph langgraph-checkpoint-sqlite dbos
    python tests/benchmarks/workflows.py

Every engine runs in a process of its own, with a store of its own; the rounds go through all engines in turn, so that a slow minute of the
machine hits them all alike; in its turn an engine runs the work three times, so that not only its way back into the processor's caches is
timed, and the median of all counts. Building a graph isn't timed, validating and planning a run is. agentnb
keeps its journal and applies its policy, as by default. Only engines that keep as much may be compared: *kill* is there again after
``kill -9``, *power* also after a power loss (SQLite's FULL), *late* is written in the background some steps later, *end* once the run has
ended, *states* are those of the steps without their results.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import importlib.util
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from workflow_report import Findings, report
from workflow_work import Work, total
from workflow_worker import CONTENDERS, serve

ROOT = Path(__file__).resolve().parents[2]
INSTALL = "pip install langgraph langgraph-checkpoint-sqlite dbos"
CHAIN: Work = {"kind": "chain", "steps": 1000, "width": 0}
FAN_OUT: Work = {"kind": "fan_out", "steps": 10, "width": 100}
WAIT: Work = {"kind": "wait", "steps": 64, "width": 0}
BURN: Work = {"kind": "burn", "steps": 16, "width": 0}
DOCUMENT: Work = {"kind": "fan_out", "steps": 10, "width": 999}
WORKS = {"chain": CHAIN, "fan_out": FAN_OUT, "wait": WAIT}
SIZES = {100: 20, 1000: 3, 10_000: 1}
REPEATS = 3
ENOUGH_CORES = 1.7
PARTS = ("steps", "burn", "sizes", "resume", "document")


class Broken(Exception):
    """An engine failed, or did something else than it was asked."""


class Worker:
    """The process of one engine."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder.with_suffix(".log").open("w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--worker", name, "--folder", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=environment(),
            cwd=folder,
        )

    def ask(self, do: str, asked: Work) -> dict[str, float]:
        line = self._answer(do, asked)
        if not line:
            self.log.seek(0)
            raise Broken(f"{self.name} failed to do {do}:\n{self.log.read()[-3000:]}")
        return json.loads(line)

    def crash(self, asked: Work) -> None:
        if self._answer("crash", asked) or self.process.wait() != -9:
            raise Broken(f"{self.name} wasn't killed")
        self.close()

    def _answer(self, do: str, asked: Work) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps({"do": do, "work": asked}) + "\n")
            self.process.stdin.flush()
        return self.process.stdout.readline()

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.process.communicate()
        self.log.close()


@contextlib.contextmanager
def fresh(name: str, folder: Path) -> Iterator[Worker]:
    worker = Worker(name, folder)
    try:
        yield worker
    finally:
        worker.close()


def environment() -> dict[str, str]:
    return {
        **os.environ,
        "DO_NOT_TRACK": "1",
        "LANGCHAIN_TRACING_V2": "false",
        "LANGSMITH_TRACING": "false",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }


class Session:
    """One run of the benchmark."""

    def __init__(self, names: list[str], folder: Path, rounds: int) -> None:
        self.names = names
        self.folder = folder
        self.rounds = rounds
        self.found = Findings({name: CONTENDERS[name].keeps for name in names})
        self.started = 0
        self.broken: set[str] = set()

    def fresh(self, name: str, folder: Path | None = None) -> contextlib.AbstractContextManager[Worker]:
        return fresh(name, folder or self.room())

    def room(self) -> Path:
        self.started += 1
        return self.folder / f"{self.started:03}"

    def takers(self, part: str) -> list[str]:
        return [name for name in self.sound(self.names) if part == "steps" or part in CONTENDERS[name].parts]

    def sound(self, names: list[str]) -> Iterator[str]:
        return (name for name in names if name not in self.broken)

    @contextlib.contextmanager
    def trying(self, name: str) -> Iterator[None]:
        """Go on with the other engines where one fails."""
        try:
            yield
        except Broken as error:
            self.broken.add(name)
            print(error, file=sys.stderr)

    def turns(self, names: list[str]) -> Iterator[list[str]]:
        for number in range(self.rounds):
            at = number % max(1, len(names))
            yield names[at:] + names[:at]

    def steps(self) -> None:
        with contextlib.ExitStack() as stack:
            workers = {name: stack.enter_context(self.fresh(name)) for name in self.takers("steps")}
            for name, worker in workers.items():
                with self.trying(name):
                    worker.ask("steps", {**CHAIN, "steps": 2})
                    for asked in (FAN_OUT, WAIT):
                        worker.ask("steps", asked)
                    first = worker.ask("steps", CHAIN)
                    self.found.add(name, build=first["build"] * 1e3)
            for turn in self.turns(list(workers)):
                for measure, asked in WORKS.items():
                    for name in self.sound(turn):
                        with self.trying(name):
                            for _ in range(REPEATS):
                                self._step(name, measure, workers[name].ask("steps", asked))

    def _step(self, name: str, measure: str, result: dict[str, float]) -> None:
        scale = 1e3 if measure == "wait" else 1e6 / total(WORKS[measure])
        self.found.add(name, **{measure: result["seconds"] * scale})
        if measure == "chain" and CONTENDERS[name].keeps:
            self.found.add(name, bytes=result["bytes"])

    def burn(self) -> None:
        with contextlib.ExitStack() as stack:
            workers = {name: stack.enter_context(self.fresh(name)) for name in self.takers("burn")}
            for name, worker in workers.items():
                with self.trying(name):
                    worker.ask("steps", {**BURN, "steps": 2})
            for turn in self.turns(list(workers)):
                for name in self.sound(turn):
                    with self.trying(name):
                        result = workers[name].ask("burn", BURN)
                        self.found.add(name, **result, speedup=result["serial"] / result["parallel"])

    def sizes(self) -> None:
        for name in self.takers("sizes"):
            for steps, repeats in SIZES.items():
                with self.trying(name), self.fresh(name) as worker:
                    start = worker.ask("steps", {**CHAIN, "steps": 10})
                    for _ in range(repeats):
                        result = worker.ask("steps", {**CHAIN, "steps": steps})
                        self.found.add(name, **{f"us_{steps}": result["seconds"] / steps * 1e6})
                    self.found.add(name, **{f"start_mb_{steps}": start["mb"], f"mb_{steps}": result["mb"]})

    def resume(self) -> None:
        for turn in self.turns(self.takers("resume")):
            for name in self.sound(turn):
                with self.trying(name):
                    folder = self.room()
                    with self.fresh(name, folder) as worker:
                        worker.crash(CHAIN)
                    with self.fresh(name, folder) as worker:
                        result = worker.ask("resume", CHAIN)
                    self.found.add(name, resume_first=result["first"] * 1e3, resume_end=result["end"] * 1e3, again=result["again"])

    def document(self) -> None:
        for turn in self.turns(self.takers("document")):
            for name in self.sound(turn):
                with self.trying(name), self.fresh(name) as worker:
                    worker.ask("document", {**DOCUMENT, "width": 1})
                    self.found.add(name, **{f"document_{key}": took for key, took in worker.ask("document", DOCUMENT).items()})


def installed(names: list[str]) -> list[str]:
    sys.path.insert(0, str(ROOT))
    missing = [name for name in names if any(importlib.util.find_spec(module) is None for module in CONTENDERS[name].needs)]
    if missing:
        print(f"left out, since not installed: {'; '.join(missing)}. {INSTALL}", file=sys.stderr)
    return [name for name in names if name not in missing]


def commit_cost(folder: Path, synchronous: str) -> float:
    """Microseconds of one row of 600 bytes in a commit of its own: below this no durable chain can go."""
    with contextlib.closing(sqlite3.connect(folder / f"{synchronous}.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={synchronous}")
        connection.execute("CREATE TABLE kept (text)")
        took = []
        for _ in range(300):
            started = time.perf_counter()
            connection.execute("INSERT INTO kept VALUES (?)", ("x" * 600,))
            took.append(time.perf_counter() - started)
    return statistics.median(took) * 1e6


def versions() -> dict[str, str]:
    found = {"python": sys.version.split()[0], "sqlite": sqlite3.sqlite_version}
    for package in ("langgraph", "langgraph-checkpoint-sqlite", "dbos", "prefect"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", nargs="+", choices=CONTENDERS, default=[name for name in CONTENDERS if name != "Prefect"])
    parser.add_argument("--prefect", action="store_true", help="Prefect too; it starts a server, and takes minutes")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write every figure of every round there")
    parser.add_argument("--worker", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        serve(options.worker, options.folder)
        return
    with tempfile.TemporaryDirectory() as folder:
        session = Session(installed([*options.engines, *(["Prefect"] if options.prefect else [])]), Path(folder), options.rounds)
        for part in options.parts:
            getattr(session, part)()
        commits = {name: commit_cost(Path(folder), name) for name in ("NORMAL", "FULL")}
    numbers = versions()
    print(", ".join(f"{name} {number}" for name, number in numbers.items()))
    print(f"One bare SQLite commit: {', '.join(f'{name} {cost:.0f} µs' for name, cost in commits.items())}", end="\n\n")
    print("\n".join(report(session.found)))
    limit = session.found.get("asyncio", "speedup")
    if limit is not None and limit < ENOUGH_CORES:
        print(
            f"\nThe machine was busy: bare processes were only {limit:.2f} times as fast as serial, so judge the CPU steps on another one."
        )
    if options.json:
        options.json.write_text(
            json.dumps({"versions": numbers, "commits": commits, "rounds": session.found.rounds}, indent=1), encoding="utf-8"
        )
    if session.broken:
        sys.exit(f"failed: {'; '.join(sorted(session.broken))}")


if __name__ == "__main__":
    main()
