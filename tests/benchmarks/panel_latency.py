"""From an event in another process to the page: how long it takes until somebody in JupyterLab sees a run that has just begun.

Runs an agent again and again in a process of its own, on the store of a real JupyterLab whose panel of runs is open in Chromium.
A MutationObserver in the page notes when a run's row is there; the journal knows when the run was written. Both read one clock.

    python tests/benchmarks/panel_latency.py --runs 60
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.jupyterlab import chromium, jupyterlab, open_lab

ROW = '[data-testid="agentnb-run-row"]'
WATCH = f"""() => {{
  window.seen = {{}};
  new MutationObserver(() => {{
    for (const row of document.querySelectorAll('{ROW}')) window.seen[row.dataset.run] ??= Date.now();
  }}).observe(document.body, {{childList: true, subtree: true}});
}}"""
AGENT = """
import random, sys, time
import agentnb as anb
helper = anb.Agent("helper", model="scripted:words.jsonl")
for _ in range(int(sys.argv[1])):
    print(helper.execute_sync("Hello?").execution_id, flush=True)
    time.sleep(0.2 + random.random() / 5)
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--runs", type=int, default=60)
    wanted = options.parse_args().runs
    with tempfile.TemporaryDirectory() as folder, jupyterlab(Path(folder)) as lab, chromium() as browser:
        lab.script(*[{"text": "Hello."}] * wanted, name="words.jsonl")
        page = open_lab(browser, lab)
        page.locator('.jp-LauncherCard[data-category="Agents"]', has_text="Runs").locator("visible=true").click()
        page.get_by_test_id("agentnb-runs").wait_for()
        page.evaluate(WATCH)
        environment = {**os.environ, "AGENTNB_STORE": str(lab.store)}
        command = [sys.executable, "-c", AGENT, str(wanted)]
        done = subprocess.run(command, cwd=lab.folder, env=environment, check=True, capture_output=True, text=True)
        runs = done.stdout.split()
        page.locator(f'{ROW}[data-run="{runs[-1]}"]').wait_for()
        seen = page.evaluate("window.seen")
        os.environ["AGENTNB_STORE"] = str(lab.store)
        import agentnb as anb

        store = anb.current().store
        began = {run: datetime.fromisoformat(store.run(run).created_at).timestamp() * 1000 for run in runs}
        times = sorted(seen[run] - began[run] for run in runs)
    p95 = times[int(len(times) * 0.95) - 1]
    print(f"{len(times)} runs: median {statistics.median(times):.0f} ms, p95 {p95:.0f} ms, most {times[-1]:.0f} ms")


if __name__ == "__main__":
    main()
