"""How soon the embedder of this machine is ready, in a new process each time, and how many texts a second it reads.

Run ``python tests/benchmarks/embedder.py``; it should be ready in 2 s.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time

import agentnb as anb

READY = """
import time
start = time.perf_counter()
import asyncio, agentnb
asyncio.run(agentnb.embed(["ready"]))
print(time.perf_counter() - start)
"""


def ready() -> float:
    """Seconds from the first import to the first vector."""
    return float(subprocess.run([sys.executable, "-c", READY], capture_output=True, text=True, check=True).stdout)


def rate(words: int) -> float:
    """Texts a second, of about so many words."""
    texts = [f"{number} " + "some words to read " * (words // 4) for number in range(256)]
    start = time.perf_counter()
    asyncio.run(anb.embed(texts))
    return len(texts) / (time.perf_counter() - start)


def main() -> None:
    times = [ready() for _ in range(5)]
    print(f"ready in {statistics.median(times):.2f} s, median of {', '.join(f'{one:.2f}' for one in times)}")
    asyncio.run(anb.embed(["warm"]))
    for words in (12, 60, 240):
        print(f"{words:>4} words: {statistics.median(rate(words) for _ in range(3)):.0f} texts/s")


if __name__ == "__main__":
    main()
