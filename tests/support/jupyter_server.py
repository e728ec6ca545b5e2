"""A Jupyter server with the extension in a process of its own, under a base URL that has to be quoted."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

TOKEN = "secret-token"
BASE = "/a%40b/"
API = f"{BASE}agentnb/api/v1"
OTHERS = ("jupyterlab", "jupyter_lsp", "jupyter_scheduler", "jupyter_server_terminals", "notebook_shim")
"""Extensions that take time to start, and that few tests need."""
ROOT = Path(__file__).parents[2]


@contextmanager
def jupyter_server(
    folder: Path, store: Path, *options: str, env: dict[str, str] | None = None, ready: int = 200, beside: Sequence[str] = ()
) -> Iterator[httpx2.Client]:
    """A server whose files lie in ``folder``, with some of the other extensions; its client knows the token and the API's address."""
    home = folder.parent / f"{folder.name}-jupyter"
    enabled = home / "config/jupyter_server_config.d"
    enabled.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "agentnb/server/jupyter_server_config.json", enabled / "agentnb.json")
    others = {"ServerApp": {"jpserver_extensions": {name: name in beside for name in OTHERS}}}
    (enabled / "others.json").write_text(json.dumps(others))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable, "-m", "jupyter_server", "--allow-root", "--no-browser", "--ip=127.0.0.1", f"--port={port}",
        "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}", f"--ServerApp.base_url={BASE}",
        f"--IdentityProvider.token={TOKEN}", *options,
    ]  # fmt: skip
    folders = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AGENTNB_", "JUPYTER", "JPY_"))}
    environment = {**kept, **folders, "AGENTNB_STORE": str(store), "PYTHONPATH": str(ROOT), **(env or {})}
    log = home / "server.log"
    with log.open("w") as out, subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out) as process:
        try:
            with httpx2.Client(
                base_url=f"http://127.0.0.1:{port}{API}", headers={"Authorization": f"token {TOKEN}"}, timeout=60, trust_env=False
            ) as client:
                _wait(client, process, log, ready)
                yield client
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(client: httpx2.Client, process: subprocess.Popen[bytes], log: Path, ready: int, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        try:
            response = client.get("/health/ready")
            if response.status_code == ready:
                return
            pytest.fail(f"not ready: {response.text}\n{log.read_text()[-4000:]}")
        except httpx2.HTTPError:
            time.sleep(0.1)
    pytest.fail(f"the server did not come up in {seconds} s (exit code {process.poll()}):\n{log.read_text()[-4000:]}")


def until(check: Any, seconds: float = 60) -> Any:
    """What the check gives as soon as that is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = check()
        if found:
            return found
        time.sleep(0.05)
    pytest.fail(f"it did not come about in {seconds} s")
