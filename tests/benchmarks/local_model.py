"""Tokens a second of the local model: read, and written for one caller and for many at once; and the time to the first token.

Run ``python tests/benchmarks/local_model.py``; the ratio's median should reach 3.5 with 16 callers on two cores. Where the package
llama-cpp-python is installed (``pip install llama-cpp-python==0.3.16``, which builds it for some minutes; 0.3.36 crashes in its AMX code),
the same file is read by it, in turns; then reading should be 2.5 times as fast.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Callable

from agentnb.adapters.openvino import OpenVINOModel, OpenVINOProvider, catalog
from agentnb.ports.model import Message, ModelRequest

TOPICS = ("the sea", "a forest", "old trains", "winter", "bread", "a lighthouse", "the moon", "music")


async def measure(model: OpenVINOModel, callers: int, tokens: int, offset: int) -> tuple[float, float]:
    """Tokens a second of all callers together, and the median seconds to their first piece."""
    start = time.perf_counter()
    firsts: list[float] = []

    async def call(number: int) -> int:
        seen = False

        def emit(piece: str | None) -> None:
            nonlocal seen
            if not seen:
                firsts.append(time.perf_counter() - start)
                seen = True

        topic = TOPICS[number % len(TOPICS)]
        prompt = Message("user", f"Write a long story about {topic}, chapter {offset + number}.")
        response = await model.generate(ModelRequest("openvino", (prompt,), options={"max_tokens": tokens}), emit)
        return response.usage.output_tokens

    total = sum(await asyncio.gather(*(call(number) for number in range(callers))))
    return total / (time.perf_counter() - start), statistics.median(firsts)


async def prefill(model: OpenVINOModel, repetition: int) -> float:
    """Tokens a second that are read of a prompt that is in no cache."""
    words = f"{repetition} " + " ".join(f"{TOPICS[number % len(TOPICS)]} {number * 7 + repetition}" for number in range(250))
    start = time.perf_counter()
    response = await model.generate(ModelRequest("openvino", (Message("user", words),), options={"max_tokens": 1}))
    return response.usage.input_tokens / (time.perf_counter() - start)


def llama_cpp(name: str) -> Callable[[int], float] | None:
    """The same by llama.cpp on the same file, where it is installed."""
    try:
        from llama_cpp import Llama
    except ImportError:
        return None
    peer = Llama(str(catalog.find(name)), n_ctx=8192, n_threads=os.cpu_count(), verbose=False)

    def measure(repetition: int) -> float:
        words = f"{repetition} " + " ".join(f"{TOPICS[number % len(TOPICS)]} {number * 7 + repetition}" for number in range(250))
        peer.reset()
        tokens = peer.tokenize(words.encode())
        start = time.perf_counter()
        peer.eval(tokens)
        return len(tokens) / (time.perf_counter() - start)

    return measure


async def run(name: str, callers: int, tokens: int, repetitions: int) -> float:
    provider = OpenVINOProvider()
    if name == "smollm2-135m":
        provider.pull(name, lambda task, done, total: None)
    start = time.perf_counter()
    model = provider.model(name)
    await measure(model, 1, 4, 0)
    print(f"loaded in {time.perf_counter() - start:.1f} s\n")
    await measure(model, callers, 8, 100)
    print(f"{'':>4} {'1: tokens/s':>12} {'first ms':>9} {f'{callers}: tokens/s':>14} {'first ms':>9} {'ratio':>6}")
    ratios = []
    for repetition in range(repetitions):
        one, first_one = await measure(model, 1, tokens, 1000 * (repetition + 1))
        many, first_many = await measure(model, callers, tokens, 1000 * (repetition + 1) + 100)
        ratios.append(many / one)
        print(f"{repetition + 1:>4} {one:>12.1f} {first_one * 1000:>9.0f} {many:>14.1f} {first_many * 1000:>9.0f} {many / one:>6.2f}")
    print(f"\nmedian ratio {statistics.median(ratios):.2f}")
    await compare_prefill(model, name, repetitions)
    return statistics.median(ratios)


async def compare_prefill(model: OpenVINOModel, name: str, repetitions: int) -> None:
    peer, ours, theirs = llama_cpp(name), [], []
    for repetition in range(repetitions):
        ours.append(await prefill(model, repetition))
        if peer:
            theirs.append(peer(repetition))
    print(f"read: {statistics.median(ours):.0f} tokens/s", end="")
    print(f", llama.cpp {statistics.median(theirs):.0f}: ratio {statistics.median(ours) / statistics.median(theirs):.2f}" if peer else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2-135m", help="what follows openvino: in the model's name")
    parser.add_argument("--callers", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=128, help="of each answer")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--at-least", type=float, default=0.0, help="exit with 1 if the median ratio is lower")
    arguments = parser.parse_args()
    ratio = asyncio.run(run(arguments.model, arguments.callers, arguments.tokens, arguments.repetitions))
    raise SystemExit(int(ratio < arguments.at_least))


if __name__ == "__main__":
    main()
