"""One engine in a process of its own, as ``workflows.py`` starts it; and which engines there are."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from workflow_peers import PEERS
from workflow_work import Engine, Probe, Run, Work, burn, document, edges, noop, total, wait


class Agentnb:
    """agentnb: in memory where ``synchronous`` is None."""

    def __init__(self, folder: Path, synchronous: str | None) -> None:
        import agentnb as anb
        from agentnb.config import load
        from agentnb.testing import memory_store

        settings = load(folder, store=folder, synchronous=synchronous)
        self.runtime = anb.Runtime(settings, store=None if synchronous else memory_store())

    async def prepare(self, work: Work) -> Run:
        workflow = define(work, self.runtime)

        async def run() -> None:
            ended = await workflow.run()
            if ended.status != "completed":
                raise AssertionError(f"{ended.status}: {ended.error}")
            Probe.count += work["steps"] if work["kind"] == "burn" else 0

        return run

    async def resume(self, work: Work) -> float:
        import agentnb as anb

        define(work, self.runtime)
        run_id = self.runtime.runs(kind="workflow")[0].id
        started = time.perf_counter()
        await anb.resume(run_id, runtime=self.runtime)
        return started

    async def stop(self) -> None:
        self.runtime.close()


def define(work: Work, runtime: Any) -> Any:
    import agentnb as anb

    options = {"executor": "process"} if work["kind"] == "burn" else {}
    tool = {"wait": wait, "burn": burn}.get(work["kind"], noop)
    workflow: Any = anb.Workflow("bench", runtime=runtime)
    for name, needs in edges(work).items():
        workflow.add(name, tool=tool, needs=needs, idempotent=True, **options)
    return workflow


@dataclass(frozen=True)
class Contender:
    """An engine, what it keeps of a run, and the parts that it takes beside ``steps``."""

    make: Any
    keeps: str
    needs: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()


def _peer(name: str, keeps: str, needs: str, *parts: str) -> Contender:
    return Contender(PEERS[name], keeps, tuple(needs.split()), parts)


CONTENDERS = {
    "asyncio": _peer("asyncio", "", "", "burn", "sizes"),
    "agentnb, memory": Contender(lambda folder: Agentnb(folder, None), "", ("agentnb",), ("sizes", "document")),
    "LangGraph nodes": _peer("LangGraph nodes", "", "langgraph", "burn", "sizes"),
    "LangGraph loop": _peer("LangGraph loop", "", "langgraph", "sizes"),
    "LangGraph loop, exit": _peer("LangGraph loop, exit", "end", "langgraph aiosqlite"),
    "agentnb": Contender(lambda folder: Agentnb(folder, "normal"), "kill", ("agentnb",), ("burn", "sizes", "resume")),
    "LangGraph nodes, sync, NORMAL": _peer("LangGraph nodes, sync, NORMAL", "kill", "langgraph aiosqlite"),
    "LangGraph loop, sync, NORMAL": _peer("LangGraph loop, sync, NORMAL", "kill", "langgraph aiosqlite", "sizes", "resume"),
    "LangGraph tasks, sync, NORMAL": _peer("LangGraph tasks, sync, NORMAL", "late", "langgraph aiosqlite"),
    "DBOS, WAL NORMAL": _peer("DBOS, WAL NORMAL", "kill", "dbos", "burn", "sizes", "resume"),
    "agentnb, fsync": Contender(lambda folder: Agentnb(folder, "full"), "power", ("agentnb",)),
    "LangGraph loop, sync, FULL": _peer("LangGraph loop, sync, FULL", "power", "langgraph aiosqlite"),
    "DBOS, FULL": _peer("DBOS, FULL", "power", "dbos"),
    "Prefect": _peer("Prefect", "states", "prefect"),
}


class Bench:
    """One engine in this process: what the parent asks is a method's name and its arguments."""

    def __init__(self, name: str, folder: Path) -> None:
        self.engine: Engine = CONTENDERS[name].make(folder)
        self.folder = folder
        self.runs: dict[str, Run] = {}

    async def steps(self, work: Work) -> dict[str, float]:
        key = json.dumps(work)
        started = time.perf_counter()
        if key not in self.runs:
            self.runs[key] = await self.engine.prepare(work)
        building = time.perf_counter() - started
        before, kept = Probe.count, size(self.folder)
        started = time.perf_counter()
        await self.runs[key]()
        took = time.perf_counter() - started
        if Probe.count - before != total(work):
            raise AssertionError(f"{Probe.count - before} steps ran, of {total(work)}")
        return {"seconds": took, "build": building, "bytes": (size(self.folder) - kept) / total(work), "mb": megabytes()}

    async def burn(self, work: Work) -> dict[str, float]:
        started = time.perf_counter()
        for _ in range(work["steps"]):
            burn()
        serial = time.perf_counter() - started
        return {"serial": serial, "parallel": (await self.steps(work))["seconds"]}

    async def crash(self, work: Work) -> dict[str, float]:
        Probe.kill_at = total(work)
        return await self.steps(work)

    async def resume(self, work: Work) -> dict[str, float]:
        started = await self.engine.resume(work)
        return {"first": Probe.first - started, "end": time.perf_counter() - started, "again": Probe.count - 1}

    async def document(self, work: Work) -> dict[str, float]:
        """Seconds to read, check and plan a YAML file, to check and plan what is read already, and of libyaml alone."""
        import yaml

        import agentnb as anb

        file = self.folder / f"{total(work)}.yaml"
        file.write_text(document(work), encoding="utf-8")
        moments = [time.perf_counter()]
        _plan(anb.Workflow.load(file), work)
        moments.append(time.perf_counter())
        data = yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
        moments.append(time.perf_counter())
        _plan(anb.Workflow.from_dict(data), work)
        moments.append(time.perf_counter())
        return dict(zip(("file", "yaml", "plan"), (end - start for start, end in pairwise(moments)), strict=True))


def _plan(workflow: Any, work: Work) -> None:
    workflow.validate()
    phases = workflow.plan().phases
    if len(phases) != 2 * work["steps"]:
        raise AssertionError(f"{len(phases)} phases, of {2 * work['steps']}")


def size(folder: Path) -> int:
    """Bytes of an engine's files, what is only in the write-ahead log moved into them."""
    for file in folder.rglob("*.db"):
        with contextlib.closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return sum(file.stat().st_size for file in folder.rglob("*.db*"))


def megabytes() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii") if sys.platform == "linux" else ""
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")), float("nan"))


def serve(name: str, folder: Path) -> None:
    """Serve measurements to the parent: a JSON object a line in, one out."""
    bench = Bench(name, folder)

    async def answer() -> None:
        for line in iter(sys.stdin.readline, ""):
            asked = json.loads(line)
            print(json.dumps(await getattr(bench, asked["do"])(asked["work"])), flush=True)
        await bench.engine.stop()

    asyncio.run(answer())
