"""How often a local model calls the right tool with the right arguments, and how long that takes.

Run ``python -m tests.benchmarks.tool_choice``; ``--set dev`` takes the requests that tuning may look at, ``--failures`` lists
what went wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from agentnb.adapters.openvino import OpenVINOProvider
from agentnb.ports.model import Message, Model, ModelRequest, ModelResponse, ToolSpec
from tests.benchmarks import tool_prompts, tool_prompts_dev
from tests.benchmarks.tool_prompts import Case, right

LIMIT = {"max_tokens": 24}
"""Of what is said where no tool is called: only whether it is called counts."""


@dataclass(frozen=True)
class Outcome:
    """What came of a case."""

    case: Case
    calls: Sequence[tuple[str, Mapping[str, Any]]]
    well_formed: bool
    seconds: float

    @property
    def right(self) -> bool:
        return self.well_formed and right(self.case, self.calls)

    @property
    def right_tool(self) -> bool:
        return [name for name, _ in self.calls] == ([self.case.tool] if self.case.tool else [])


async def outcome(model: Model, case: Case) -> Outcome:
    tools = tuple(ToolSpec(tool["name"], tool["description"], tool["parameters"]) for tool in case.tools)
    start = time.perf_counter()
    response = await model.generate(ModelRequest("local", (Message("user", case.prompt),), tools, options=LIMIT))
    seconds = time.perf_counter() - start
    calls, well_formed = _read(response, tools)
    return Outcome(case, calls, well_formed, seconds)


def _read(response: ModelResponse, tools: Sequence[ToolSpec]) -> tuple[list[tuple[str, Mapping[str, Any]]], bool]:
    schemas = {tool.name: tool.parameters for tool in tools}
    calls, well_formed = [], bool(response.tool_calls or response.text)
    for call in response.tool_calls:
        try:
            arguments = json.loads(call.arguments)
        except ValueError:
            arguments = None
        well_formed = well_formed and call.name in schemas and jsonschema_rs.is_valid(dict(schemas[call.name]), arguments)
        calls.append((call.name, arguments if isinstance(arguments, dict) else {}))
    return calls, well_formed


async def measure(model: Model, cases: Sequence[Case]) -> list[Outcome]:
    """One after the other, as one user asks."""
    await outcome(model, cases[0])
    return [await outcome(model, case) for case in cases]


def table(outcomes: Sequence[Outcome]) -> str:
    lines = [f"{'':<12} {'cases':>6} {'well-formed':>12} {'right tool':>11} {'and arguments':>14} {'p50 ms':>8} {'p90 ms':>8}"]
    groups = ["plain", "distractors", "talk"]
    parts = [(group, [one for one in outcomes if one.case.group == group]) for group in groups]
    for name, part in [*parts, ("with a tool", [one for one in outcomes if one.case.tool])]:
        times = sorted(one.seconds * 1000 for one in part)
        shares = [sum(getattr(one, what) for one in part) / len(part) for what in ("well_formed", "right_tool", "right")]
        p50, p90 = statistics.median(times), times[int(len(times) * 0.9)]
        lines.append(f"{name:<12} {len(part):>6} {shares[0]:>12.1%} {shares[1]:>11.1%} {shares[2]:>14.1%} {p50:>8.0f} {p90:>8.0f}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2-135m", help="what follows openvino: in the model's name")
    parser.add_argument("--set", choices=("test", "dev"), default="test")
    parser.add_argument("--limit", type=int, default=0, help="take only every n-th case so that about so many are left")
    parser.add_argument("--failures", action="store_true", help="list what went wrong")
    parser.add_argument("--at-least", type=float, default=0.0, help="exit with 1 if fewer calls are right")
    arguments = parser.parse_args()
    cases = tool_prompts.generate() if arguments.set == "test" else tool_prompts_dev.cases()
    if arguments.limit:
        cases = cases[:: max(len(cases) // arguments.limit, 1)]
    provider = OpenVINOProvider()
    if arguments.model == "smollm2-135m":
        provider.pull(arguments.model, lambda *_: None)
    outcomes = asyncio.run(measure(provider.model(arguments.model), cases))
    print(table(outcomes))
    for one in outcomes if arguments.failures else ():
        if not one.right:
            print(f"- [{one.case.group}] {one.case.prompt!r}: wants {one.case.tool} {dict(one.case.arguments)}, called {one.calls}")
    called = [one for one in outcomes if one.case.tool]
    raise SystemExit(int(sum(one.right for one in called) < arguments.at_least * len(called)))


if __name__ == "__main__":
    main()
