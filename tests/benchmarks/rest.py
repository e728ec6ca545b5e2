"""How quickly the REST API reads a journal of 100,000 events, and how soon 50 clients are sent what another process writes.

    python tests/benchmarks/rest.py [--events 100000] [--clients 50] [--reads 200]

Needs what the tests need; starts a Jupyter server of its own. Absolute times are of this machine, and of what else it does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import httpx2

from agentnb.adapters.sqlite import SQLiteStore
from agentnb.config import load
from agentnb.ports.store import AgentRecord, Definition, Event, Run, now
from agentnb.runtime.runtime import Runtime
from agentnb.runtime.workflow import Workflow
from agentnb.workflows.trace import Identity, StepRecord
from tests.support.jupyter_server import jupyter_server

STEPS = 48
SPEC = {"name": "bench", "steps": {f"s{n}": {"shell": {"command": "true"}, "needs": [f"s{n - 1}"] if n else []} for n in range(STEPS)}}
PAYLOAD = {"text": "x" * 400}


def fill(store: SQLiteStore, events: int) -> list[str]:
    """Runs of a workflow of 48 steps, 100 events each."""
    runtime = Runtime(load(), store=store)
    ready = Workflow.from_dict(SPEC, runtime=runtime).ready()
    agents = [AgentRecord(f"AGENT-20260101-000000-{n:04d}-ABCD", f"agent {n}", "bench", "agent", "READY", (), now()) for n in range(50)]
    spec = {"name": "a", "model": "scripted:x", "instructions": "", "tools": [], "functions": {}, "capabilities": []}
    store.write(*ready.definitions(), Definition("agent", "agent", "a", spec))
    for agent in agents:
        store.reserve_agent(agent)
    ids = []
    for number in range(events // 100):
        identity = Identity(f"workflow_{number:08d}", "bench", "me")
        ids.append(identity.run_id)
        moment = f"2026-01-{1 + number % 28:02d}T00:{number // 60 % 60:02d}:{number % 60:02d}.000000Z"
        status = "completed" if number % 10 else "failed"
        records: list[Any] = [
            Run(
                identity.run_id,
                "workflow",
                "bench",
                status,
                definition=ready.definition.hash,
                input={},
                output=PAYLOAD,
                created_at=moment,
                ended_at=moment,
            ),
            identity.event("workflow.started", "running", input_data={}),
        ]
        for step in range(STEPS):
            for state in ("running", "completed"):
                record = StepRecord(
                    f"s{step}", "shell", status=state, started_at=now(), duration_ms=1.0, input={}, output=PAYLOAD, attempts=1
                )
                records.append(identity.step_event(record))
        records += [identity.event("workflow.note", "running")] * 2 + [identity.event("workflow.completed", status)]
        agent = agents[number % len(agents)]
        records.append(
            Run(
                f"exec_{number:08d}",
                "agent",
                agent.name,
                "completed",
                agent_id=agent.id,
                input={"prompt": "x"},
                created_at=moment,
                ended_at=moment,
            )
        )
        store.write(*records)
    return ids


def spread(times: list[float]) -> dict[str, float]:
    return {"p50_ms": round(statistics.median(times), 2), "p95_ms": round(statistics.quantiles(times, n=20)[18], 2)}


def reads(client: httpx2.Client, ids: list[str], count: int) -> dict[str, dict[str, float]]:
    """Milliseconds of each route."""
    middle = client.get("/runs", params={"limit": 500}).json()["next"]
    paths = {
        "runs": "/runs",
        "runs, a page in the middle": f"/runs?cursor={middle}",
        "runs, failed": "/runs?status=failed",
        "runs, by name": "/runs?name=bench&kind=workflow",
        "runs, running (none)": "/runs?status=running",
        "runs, since": "/runs?since=2026-01-27T00:00:00Z",
        "a run": "/runs/{}",
        "steps": "/runs/{}/steps",
        "graph": "/runs/{}/graph",
        "report": "/runs/{}/report",
        "events of a run": "/runs/{}/events",
        "events": "/events?after=50000",
        "agents": "/agents",
        "workflows": "/workflows",
        "summary": "/summary",
        "no such run": "/runs/nothing",
        "models": "/models",
    }
    found = {}
    for name, path in paths.items():
        times = []
        for number in range(count):
            target = path.format(ids[number * 7 % len(ids)])
            started = time.perf_counter()
            status = client.get(target).status_code
            times.append((time.perf_counter() - started) * 1000)
            assert status == (404 if "nothing" in path else 200), (target, status)
        found[name] = spread(times)
    return found


async def latency(client: httpx2.Client, store: SQLiteStore, clients: int, writes: int) -> dict[str, float]:
    """Milliseconds from before an event is written to when each client has it."""
    times: list[float] = []
    ready = [asyncio.Event() for _ in range(clients)]
    limits = httpx2.Limits(max_connections=clients + 5)

    async with httpx2.AsyncClient(base_url=client.base_url, headers=client.headers, timeout=60, trust_env=False, limits=limits) as many:

        async def one(event: asyncio.Event) -> None:
            got = 0
            async with many.stream("GET", "/events/stream") as response:
                async for line in response.aiter_lines():
                    if line.startswith('data: {"seq": '):
                        event.set()
                    elif '"system.performance"' in line and line.startswith("data: "):
                        times.append((time.time() - json.loads(line[6:])["data"]["sent"]) * 1000)
                        got += 1
                        if got == writes:
                            return

        tasks = [asyncio.create_task(one(event)) for event in ready]
        await asyncio.gather(*(event.wait() for event in ready))
        for _ in range(writes):
            data = {"event_type": "system.performance", "timestamp": now(), "sent": time.time()}
            store.write(Event("system.performance", data))
            await asyncio.sleep(0.1)
        await asyncio.gather(*tasks)
    return spread(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--reads", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place, files = Path(folder) / "store", Path(folder) / "files"
        files.mkdir()
        store = SQLiteStore(place)
        ids = fill(store, options.events)
        print(f"{store.position():,} events, {place.joinpath('journal.db').stat().st_size / 1e6:.0f} MB")
        with jupyter_server(files, place) as client:
            for name, figures in reads(client, ids, options.reads).items():
                print(f"{name:<28} p50 {figures['p50_ms']:7.2f} ms   p95 {figures['p95_ms']:7.2f} ms")
            figures = asyncio.run(latency(client, store, options.clients, 50))
            print(f"{f'write → {options.clients} SSE clients':<28} p50 {figures['p50_ms']:7.2f} ms   p95 {figures['p95_ms']:7.2f} ms")
        store.close()


if __name__ == "__main__":
    main()
