"""From the model's first token to the page: how long it takes until somebody in JupyterLab sees what the model has written.

Runs ``%%agent`` cells in a real JupyterLab in Chromium, one after the other. The kernel notes when the model hands over its first token, a
MutationObserver in the page when the first text of the answer is there; both read the same machine's clock.

    python tests/benchmarks/first_token.py --model openvino:smollm2-135m

Without ``--model`` it is the local model if it was fetched, else a script that answers after 50 ms.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.jupyterlab import Notebook, chromium, jupyterlab, open_lab

if TYPE_CHECKING:
    from playwright.sync_api import Locator

LOCAL = "openvino:smollm2-135m"

KERNEL = """import json, time
import agentnb as anb

ASKED, WRITTEN = [], []

class Timed:
    def __init__(self, model):
        self.model = model

    async def generate(self, request, emit=None):
        ASKED.append(time.time() * 1000)
        turn = len(ASKED)
        def noting(text):
            if text and len(WRITTEN) < turn:
                WRITTEN.append(time.time() * 1000)
            if emit is not None:
                emit(text)
        return await self.model.generate(request, noting)

timed = Timed(anb.Runtime().open_model(MODEL))
anb.use(anb.Runtime(models={MODEL: timed}))
"""

WATCH = """cell => {
  window.shown = 0;
  const watch = new MutationObserver(() => {
    const answer = cell.querySelector('.jp-OutputArea .agentnb-answer');
    if (answer && answer.textContent.trim()) {
      window.shown = performance.timeOrigin + performance.now();
      watch.disconnect();
    }
  });
  watch.observe(cell, { childList: true, subtree: true, characterData: true });
}"""


def fetched() -> bool:
    """Whether the local model is on this machine."""
    import agentnb as anb

    return any(info.name == LOCAL and info.installed for info in anb.current().models.catalog())


def measure(notebook: Notebook, model: str, question: str) -> tuple[float, float]:
    """When the cell was sent, and when its first text was in the page."""
    cell: Locator = notebook.write(f"%%agent -m {model} --fresh --max-tokens 24\n{question}")
    cell.evaluate(WATCH)
    sent: float = notebook.page.evaluate("performance.timeOrigin + performance.now()")
    notebook.page.keyboard.press("Shift+Enter")
    notebook.page.wait_for_function("window.shown > 0")
    notebook.ended(cell)
    return sent, notebook.page.evaluate("window.shown")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--model", help="provider:model")
    options.add_argument("--cells", type=int, default=12, help="how many cells count")
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, jupyterlab(Path(folder)) as lab, chromium() as browser:
        entry = {"text": "word " * 24, "delay": 0.05, "chunk_delay": 0.02}
        model = arguments.model or (LOCAL if fetched() else lab.script(*[entry] * (arguments.cells + 1), name="bench.jsonl"))
        notebook = Notebook.create(open_lab(browser, lab))
        notebook.run_to_end(KERNEL.replace("MODEL", repr(model)))
        seen = [measure(notebook, model, f"Tell me about the number {number}.") for number in range(arguments.cells + 1)]
        told = notebook.run_to_end("print(json.dumps([ASKED, WRITTEN]))").locator(".jp-OutputArea-output").inner_text()
    asked, written = json.loads(told)
    rows = list(zip(seen, asked, written, strict=True))[1:]  # the first cell loads the model
    parts = {
        "Shift+Enter → the model is asked": [ask - sent for (sent, _), ask, _ in rows],
        "the model is asked → its first token": [write - ask for _, ask, write in rows],
        "its first token → in the page": [shown - write for (_, shown), _, write in rows],
        "Shift+Enter → in the page": [shown - sent for (sent, shown), _, _ in rows],
    }
    print(f"{model}, {len(rows)} cells, milliseconds")
    for name, values in parts.items():
        print(f"{name:40}  median {statistics.median(values):7.1f}   from {min(values):7.1f} to {max(values):7.1f}")


if __name__ == "__main__":
    main()
