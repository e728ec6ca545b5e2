"""The engines that ``workflows.py`` sets against ours, each as its own documentation recommends."""

from __future__ import annotations

import asyncio
import contextlib
import operator
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated, Any, TypedDict

from workflow_work import FIRST_RUN, Engine, Probe, Run, Work, burn, counted_burn, edges, noop, total, wait


class Plain:
    """asyncio and nothing else: the limit."""

    def __init__(self, folder: Path) -> None:
        self.pool: ProcessPoolExecutor | None = None

    async def prepare(self, work: Work) -> Run:
        async def chain() -> None:
            for _ in range(work["steps"]):
                await asyncio.create_task(noop())

        async def fan_out() -> None:
            for _ in range(work["steps"]):
                await asyncio.create_task(noop())
                await asyncio.gather(*(noop() for _ in range(work["width"])))

        async def waits() -> None:
            await asyncio.gather(*(wait() for _ in range(work["steps"])))

        async def burns() -> None:
            loop, self.pool = asyncio.get_running_loop(), self.pool or ProcessPoolExecutor(2)
            await asyncio.gather(*(loop.run_in_executor(self.pool, burn) for _ in range(work["steps"])))
            Probe.count += work["steps"]

        return {"chain": chain, "fan_out": fan_out, "wait": waits, "burn": burns}[work["kind"]]

    async def resume(self, work: Work) -> float:
        raise NotImplementedError

    async def stop(self) -> None:
        if self.pool is not None:
            self.pool.shutdown()


class LangGraph:
    """LangGraph in one of its three styles.

    Args:
        folder: Of the checkpoints.
        style: ``nodes``: one node a step; ``loop``: one node visited again and again, fanned out by Send; ``tasks``: the functional API.
        durability: ``sync`` writes a checkpoint before the next step, ``exit`` at the end, None never. What ``tasks`` give is written in
            the background also under ``sync``.
        synchronous: SQLite's pragma; LangGraph leaves SQLite's default, which is FULL.
    """

    def __init__(self, folder: Path, style: str, durability: str | None = None, synchronous: str = "full") -> None:
        self.folder = folder
        self.style = style
        self.durability = durability
        self.synchronous = synchronous
        self.saver: Any = None
        self.opened = contextlib.AsyncExitStack()
        self.runs = 0

    async def _open(self) -> None:
        if self.durability and self.saver is None:
            from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

            self.saver = await self.opened.enter_async_context(AsyncSqliteSaver.from_conn_string(str(self.folder / "checkpoints.db")))
            await self.saver.setup()
            await self.saver.conn.execute(f"PRAGMA synchronous={self.synchronous}")

    async def prepare(self, work: Work) -> Run:
        await self._open()
        graph = _tasks(work, self.saver) if self.style == "tasks" else _graph(work, self.style).compile(checkpointer=self.saver)
        options = {"durability": self.durability} if self.durability else {}

        async def run(again: bool = False) -> None:
            self.runs += 1
            config = {"recursion_limit": 10**9, "configurable": {"thread_id": f"run-{self.runs}"}}
            given = None if again else 0 if self.style == "tasks" else {"done": 0}
            await graph.ainvoke(given, config, **options)

        return run

    async def resume(self, work: Work) -> float:
        run: Any = await self.prepare(work)
        started = time.perf_counter()
        await run(again=True)
        return started

    async def stop(self) -> None:
        await self.opened.aclose()


def _graph(work: Work, style: str) -> Any:
    from langgraph.graph import StateGraph

    class State(TypedDict):
        done: Annotated[int, operator.add]

    async def step(state: State) -> State:
        await noop()
        return {"done": 1}

    async def pause(state: State) -> State:
        await wait()
        return {"done": 1}

    def compute(state: State) -> State:
        counted_burn()
        return {"done": 1}

    graph: Any = StateGraph(State)
    body = {"wait": pause, "burn": compute}.get(work["kind"], step)
    if style == "loop" and work["kind"] in ("chain", "fan_out"):
        _loop(graph, work, body)
    else:
        for name, needs in edges(work).items():
            graph.add_node(name, body)
            graph.add_edge(needs if len(needs) > 1 else needs[0] if needs else "__start__", name)
    return graph


def _loop(graph: Any, work: Work, body: Any) -> None:
    from langgraph.types import Send

    def again(state: dict[str, int]) -> str:
        return "gate" if state["done"] < work["steps"] else "__end__"

    def spread(state: dict[str, int]) -> Any:
        behind = "work" if state["done"] < total(work) - work["width"] else "last"
        return [Send(behind, {"done": 0}) for _ in range(work["width"])]

    graph.add_node("gate", body)
    graph.add_edge("__start__", "gate")
    if not work["width"]:
        graph.add_conditional_edges("gate", again, ["gate", "__end__"])
        return
    graph.add_node("work", body)
    graph.add_node("last", body)
    graph.add_edge("work", "gate")
    graph.add_conditional_edges("gate", spread, ["work", "last"])


def _tasks(work: Work, saver: Any) -> Any:
    from langgraph.func import entrypoint, task

    return entrypoint(checkpointer=saver)(_script(work, task(noop), task(wait), task(counted_burn)))


def _script(work: Work, step: Any, pause: Any, compute: Any) -> Any:
    """The work as a function that calls its steps: LangGraph's functional API, DBOS and Prefect take it alike."""

    async def script(start: int) -> int:
        if work["kind"] in ("wait", "burn"):
            await asyncio.gather(*((pause if work["kind"] == "wait" else compute)() for _ in range(work["steps"])))
        for _ in range(work["steps"] if work["kind"] in ("chain", "fan_out") else 0):
            await step()
            await asyncio.gather(*(step() for _ in range(work["width"])))
        return start

    return script


class Dbos:
    """DBOS over SQLite.

    Args:
        folder: Of the database.
        wal: WAL with synchronous NORMAL, which survives a killed process; DBOS itself leaves SQLite's rollback journal with FULL.
    """

    def __init__(self, folder: Path, wal: bool = False) -> None:
        self.file = folder / "dbos.db"
        self.launched = False
        self.runs = 0
        if wal:
            self._tune()

    def _tune(self) -> None:
        import sqlalchemy

        with contextlib.closing(sqlite3.connect(self.file)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")

        @sqlalchemy.event.listens_for(sqlalchemy.Engine, "connect")
        def relax(connection: Any, _: Any) -> None:
            connection.execute("PRAGMA synchronous=NORMAL")

    def _define(self) -> Any:
        from dbos import DBOS

        DBOS(
            config={
                "name": "bench",
                "system_database_url": f"sqlite:///{self.file}",
                "application_version": "1",
                "log_level": "ERROR",
                "enable_otlp": False,
            }
        )
        step, pause, compute = DBOS.step()(noop), DBOS.step()(wait), DBOS.step()(counted_burn)

        @DBOS.workflow()
        async def bench(kind: str, steps: int, width: int) -> int:
            work: Any = {"kind": kind, "steps": steps, "width": width}
            done: int = await _script(work, step, pause, lambda: asyncio.to_thread(compute))(0)
            return done

        return bench

    async def prepare(self, work: Work) -> Run:
        from dbos import DBOS, SetWorkflowID

        if not self.launched:
            self.bench = self._define()
            DBOS.launch()
            self.launched = True

        async def run() -> None:
            self.runs += 1
            with SetWorkflowID(f"run-{self.runs}"):
                await self.bench(work["kind"], work["steps"], work["width"])

        return run

    async def resume(self, work: Work) -> float:
        from dbos import DBOS

        self._define()
        started = time.perf_counter()
        DBOS.launch()
        self.launched = True
        handle: Any = await DBOS.retrieve_workflow_async(FIRST_RUN)
        await handle.get_result(polling_interval_sec=0.005)
        return started

    async def stop(self) -> None:
        from dbos import DBOS

        if self.launched:
            DBOS.destroy()


class Prefect:
    """Prefect with the server that it starts by itself."""

    def __init__(self, folder: Path) -> None:
        os.environ |= {"PREFECT_HOME": str(folder), "PREFECT_LOGGING_LEVEL": "ERROR", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}

    async def prepare(self, work: Work) -> Run:
        from prefect import flow, task

        async def compute() -> int:
            return await asyncio.to_thread(counted_burn)

        bench: Any = flow(name="bench")(_script(work, task(noop), task(wait), task(compute)))

        async def run() -> None:
            await bench(0)

        return run

    async def resume(self, work: Work) -> float:
        raise NotImplementedError

    async def stop(self) -> None:
        return None


PEERS: dict[str, Callable[[Path], Engine]] = {
    "asyncio": Plain,
    "LangGraph nodes": lambda folder: LangGraph(folder, "nodes"),
    "LangGraph loop": lambda folder: LangGraph(folder, "loop"),
    "LangGraph loop, exit": lambda folder: LangGraph(folder, "loop", "exit"),
    "LangGraph nodes, sync, NORMAL": lambda folder: LangGraph(folder, "nodes", "sync", "normal"),
    "LangGraph loop, sync, NORMAL": lambda folder: LangGraph(folder, "loop", "sync", "normal"),
    "LangGraph tasks, sync, NORMAL": lambda folder: LangGraph(folder, "tasks", "sync", "normal"),
    "LangGraph loop, sync, FULL": lambda folder: LangGraph(folder, "loop", "sync", "full"),
    "DBOS, WAL NORMAL": lambda folder: Dbos(folder, wal=True),
    "DBOS, FULL": lambda folder: Dbos(folder),
    "Prefect": Prefect,
}
