"""What an agent's loop costs over the bare client: one tool call, then an answer, against a local server without latency.

Install the peers beside agentnb, then run it with that interpreter:

    pip install "pydantic-ai-slim[openai]" openai-agents langchain langchain-openai langgraph
    python tests/benchmarks/agent_loop.py

Every engine runs in a process of its own; the rounds go through all engines in turn, so that a slow minute of the machine hits them all
alike, and the median of the rounds counts. agentnb keeps its journal and applies its policy, as by default. Telemetry and tracing of the
peers are off.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SERVER = ROOT / "tests" / "support" / "openai_server.py"
INSTALL = 'pip install "pydantic-ai-slim[openai]" openai-agents langchain langchain-openai langgraph'
NEEDS = {
    "raw": ["openai"],
    "agentnb": ["agentnb"],
    "pydantic-ai": ["pydantic_ai", "openai"],
    "openai-agents": ["agents"],
    "langchain": ["langchain", "langchain_openai", "langgraph"],
}
MODES = ("sequential", "concurrent", "streaming")
INSTRUCTIONS = "Look the city up, then answer."
PROMPT = "How is the weather in Lisbon?"
MODEL = "gpt-bench"

looked_up = 0


def lookup(city: str) -> str:
    """Look a city up.

    Args:
        city: Its name.
    """
    global looked_up
    looked_up += 1
    return f"{city}: sunny"


@dataclass
class Engine:
    """One run of the agent, and the pieces of one streamed run."""

    run: Callable[[], Awaitable[str]]
    stream: Callable[[], AsyncIterator[str]]


class Calls:
    """The tool calls of a streamed answer, put together."""

    def __init__(self) -> None:
        self.found: dict[int, dict[str, Any]] = {}

    def add(self, parts: Any) -> None:
        for part in parts or ():
            call = self.found.setdefault(part.index, {"id": part.id, "type": "function", "function": {"name": "", "arguments": ""}})
            call["function"]["name"] += part.function.name or ""
            call["function"]["arguments"] += part.function.arguments or ""


def opening() -> list[Any]:
    return [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": PROMPT}]


def extend(messages: list[Any], calls: list[dict[str, Any]]) -> None:
    """Add the model's tool calls and their results to a conversation."""
    messages.append({"role": "assistant", "content": None, "tool_calls": calls})
    for call in calls:
        result = lookup(**json.loads(call["function"]["arguments"]))
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})


def raw() -> Engine:
    from openai import AsyncOpenAI

    create: Any = AsyncOpenAI().chat.completions.create
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tools = [{"type": "function", "function": {"name": "lookup", "description": "Look a city up.", "parameters": parameters}}]

    async def run() -> str:
        messages = opening()
        while True:
            message = (await create(model=MODEL, messages=messages, tools=tools)).choices[0].message
            if not message.tool_calls:
                return message.content or ""
            extend(messages, [call.model_dump() for call in message.tool_calls])

    async def stream() -> AsyncIterator[str]:
        messages, calls = opening(), Calls()
        while len(messages) == 2 or calls.found:
            calls = Calls()
            async for chunk in await create(
                model=MODEL, messages=messages, tools=tools, stream=True, stream_options={"include_usage": True}
            ):
                for choice in chunk.choices:
                    calls.add(choice.delta.tool_calls)
                    if choice.delta.content:
                        yield choice.delta.content
            extend(messages, list(calls.found.values()))

    return Engine(run, stream)


def agentnb() -> Engine:
    import agentnb as anb

    agent = anb.Agent("bench", model=f"openai:{MODEL}", instructions=INSTRUCTIONS, tools=[anb.tool(lookup)])

    async def run() -> str:
        return str((await agent.execute(PROMPT)).output)

    async def stream() -> AsyncIterator[str]:
        async for event in agent.stream(PROMPT):
            yield str(getattr(event, "text", "") or "")

    return Engine(run, stream)


def pydantic_ai() -> Engine:
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    agent = Agent(OpenAIChatModel(MODEL, provider=OpenAIProvider()), instructions=INSTRUCTIONS, tools=[lookup])

    async def run() -> str:
        return str((await agent.run(PROMPT)).output)

    async def stream() -> AsyncIterator[str]:
        async with agent.run_stream(PROMPT) as result:
            async for piece in result.stream_text(delta=True, debounce_by=None):
                yield piece

    return Engine(run, stream)


def openai_agents() -> Engine:
    from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
    from openai import AsyncOpenAI

    set_tracing_disabled(True)
    model = OpenAIChatCompletionsModel(model=MODEL, openai_client=AsyncOpenAI())
    agent = Agent(name="bench", instructions=INSTRUCTIONS, tools=[function_tool(lookup)], model=model)

    async def run() -> str:
        return str((await Runner.run(agent, PROMPT)).final_output)

    async def stream() -> AsyncIterator[str]:
        async for event in Runner.run_streamed(agent, PROMPT).stream_events():
            if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
                yield event.data.delta

    return Engine(run, stream)


def langchain() -> Engine:
    from langchain.agents import create_agent
    from langchain_openai import ChatOpenAI

    agent: Any = create_agent(ChatOpenAI(model=MODEL, stream_usage=True), tools=[lookup], system_prompt=INSTRUCTIONS)
    asked = {"messages": [{"role": "user", "content": PROMPT}]}

    async def run() -> str:
        return str((await agent.ainvoke(asked))["messages"][-1].content)

    async def stream() -> AsyncIterator[str]:
        async for message, _ in agent.astream(asked, stream_mode="messages"):
            if message.type == "AIMessageChunk":
                yield message.content

    return Engine(run, stream)


ENGINES = {"raw": raw, "agentnb": agentnb, "pydantic-ai": pydantic_ai, "openai-agents": openai_agents, "langchain": langchain}


async def measure(engine: Engine, mode: str, runs: int, concurrent: int, answer: str) -> float:
    """Milliseconds a run."""

    async def one() -> None:
        if mode == "streaming":
            text = "".join([piece async for piece in engine.stream()])
        else:
            text = await engine.run()
        if text != answer:
            raise AssertionError(f"wrong answer: {text!r}")

    before, started = looked_up, time.perf_counter()
    if mode == "concurrent":
        for _ in range(runs // concurrent):
            await asyncio.gather(*(one() for _ in range(concurrent)))
        runs = runs // concurrent * concurrent
    else:
        for _ in range(runs):
            await one()
    took = time.perf_counter() - started
    if looked_up - before != runs:
        raise AssertionError(f"{looked_up - before} tool calls in {runs} runs")
    return took / runs * 1000


def work(name: str) -> None:
    """Serve measurements to the parent: a JSON object a line in, one out."""
    started = time.perf_counter()
    engine = ENGINES[name]()
    imported = time.perf_counter() - started

    async def serve() -> None:
        for line in iter(sys.stdin.readline, ""):
            print(json.dumps({"ms": await measure(engine, **json.loads(line)), "import_s": imported, "mb": _megabytes()}), flush=True)

    asyncio.run(serve())


def _megabytes() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii") if sys.platform == "linux" else ""
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")), float("nan"))


class Worker:
    """The process of one engine."""

    def __init__(self, name: str, environment: dict[str, str], folder: Path) -> None:
        self.name = name
        self.log = (folder / f"{name}.log").open("w+", encoding="utf-8")
        command = [sys.executable, __file__, "--worker", name]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment, cwd=folder
        )

    def measure(self, **what: Any) -> dict[str, float]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(what) + "\n")
            self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            sys.exit(f"{self.name} failed:\n{self.log.read()[-3000:]}")
        return json.loads(line)

    def close(self) -> None:
        self.process.communicate()
        self.log.close()


@contextlib.contextmanager
def server(words: int) -> Iterator[str]:
    command = [sys.executable, str(SERVER), "--words", str(words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.terminate()


def environment(url: str, folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "AGENTNB_STORE": str(folder / "store"),
        "LANGCHAIN_TRACING_V2": "false",
        "LANGSMITH_TRACING": "false",
        "LOGFIRE_SEND_TO_LOGFIRE": "false",
        "NO_PROXY": "127.0.0.1",
        "OPENAI_AGENTS_DISABLE_TRACING": "1",
        "OPENAI_API_KEY": "sk-bench-0123456789",
        "OPENAI_BASE_URL": url,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }


def compare(names: list[str], options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Medians a run, and what an engine takes to start."""
    answer = " ".join(f"word{number}" for number in range(options.words))
    found: dict[str, dict[str, list[float]]] = {name: {mode: [] for mode in MODES} for name in names}
    costs: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder, server(options.words) as url:
        workers = [Worker(name, environment(url, Path(folder)), Path(folder)) for name in names]
        for mode in MODES:
            for worker in workers:
                worker.measure(mode=mode, runs=options.concurrent, concurrent=options.concurrent, answer=answer)
        for number in range(options.rounds):
            for mode in MODES:
                for worker in workers[number % len(workers) :] + workers[: number % len(workers)]:
                    result = worker.measure(mode=mode, runs=options.runs, concurrent=options.concurrent, answer=answer)
                    found[worker.name][mode].append(result["ms"])
                    costs[worker.name] = {"import_s": result["import_s"], "mb": result["mb"]}
        for worker in workers:
            worker.close()
    return {name: {**{mode: statistics.median(times) for mode, times in found[name].items()}, **costs[name]} for name in names}


def table(results: dict[str, dict[str, float]]) -> Iterator[str]:
    yield "| ms a run | " + " | ".join(MODES) + " | import s | MB |"
    yield "|---|" + "---|" * (len(MODES) + 2)
    for name, row in results.items():
        yield f"| {name} | " + " | ".join(f"{row[mode]:.2f}" for mode in MODES) + f" | {row['import_s']:.1f} | {row['mb']:.0f} |"
    if "raw" in results:
        for name in (name for name in results if name != "raw"):
            yield f"| {name} minus raw | " + " | ".join(f"{row:.2f}" for row in _minus(results[name], results["raw"])) + " | | |"
    peers = [name for name in results if name not in {"raw", "agentnb"}]
    if "agentnb" in results and peers:
        ratios = (results["agentnb"][mode] / min(results[name][mode] for name in peers) for mode in MODES)
        yield "| agentnb / best peer | " + " | ".join(f"{ratio:.2f}" for ratio in ratios) + " | | |"


def _minus(row: dict[str, float], raw: dict[str, float]) -> list[float]:
    return [row[mode] - raw[mode] for mode in MODES]


def installed(names: list[str]) -> list[str]:
    sys.path.insert(0, str(ROOT))
    missing = [name for name in names if any(importlib.util.find_spec(module) is None for module in NEEDS[name])]
    if missing:
        print(f"left out, since not installed: {', '.join(missing)}; {INSTALL}", file=sys.stderr)
    return [name for name in names if name not in missing]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=200, help="a round")
    parser.add_argument("--concurrent", type=int, default=50, help="how many at once")
    parser.add_argument("--words", type=int, default=20, help="pieces of the streamed answer")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--worker", choices=ENGINES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker)
        return
    results = compare(installed(options.engines), options)
    print("\n".join(table(results)))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
