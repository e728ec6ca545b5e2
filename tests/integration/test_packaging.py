"""What ``pip install .`` brings: the JupyterLab extension, built without the machine's Node, and the kernelspec."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXTENSION = "@agentnb/labextension"
TOKEN = "packaging"
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def test_the_extension_has_the_packages_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    package = json.loads((ROOT / "labextension/package.json").read_text())
    assert (package["name"], package["version"]) == (EXTENSION, project["version"])


def test_the_lock_file_names_no_registry() -> None:
    assert "://" not in (ROOT / "labextension/yarn.lock").read_text()


def test_what_the_examples_import_is_brought() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    brought = {re.split(r"[^\w-]", one)[0].lower() for one in project["dependencies"] + project["optional-dependencies"]["optimize"]}
    homes = metadata.packages_distributions()
    for file in (ROOT / "notebooks").glob("*.ipynb"):
        cells = [cell for cell in json.loads(file.read_text())["cells"] if cell["cell_type"] == "code"]
        for name in re.findall(r"^\s*(?:import|from) (\w+)", "\n".join("".join(cell["source"]) for cell in cells), re.MULTILINE):
            needed = {home.lower() for home in homes.get(name, ())} - {"jupyter-agentnb", "numpy", "ipython"}
            assert needed <= brought, f"{file.name} imports {name}"


def test_the_kernelspec_loads_the_extension() -> None:
    spec = json.loads((ROOT / "agentnb/notebook/kernelspec/kernel.json").read_text())
    assert spec["display_name"] == "agentnb (Python)"
    assert spec["argv"][0] == "python", "jupyter_client puts the running interpreter in place of this name and of no other"
    assert "--ext=agentnb" in spec["argv"]


def test_what_is_installed_is_listed() -> None:
    try:
        metadata.distribution("jupyter-agentnb")
    except metadata.PackageNotFoundError:
        pytest.skip("jupyter-agentnb is not installed here")
    check_listed(Path(sys.executable), os.environ.copy())


@pytest.mark.timeout(900)
def test_binder(tmp_path: Path) -> None:
    """Binder's steps on what a clone has, in a fresh virtual environment; then JupyterLab starts and serves the extension."""
    clone, environment = tmp_path / "clone", tmp_path / "venv"
    copy_clone(clone)
    assert (clone / "binder/runtime.txt").read_text().startswith("python-3.")
    venv.create(environment, with_pip=True, symlinks=True)
    python = environment / "bin/python"
    forbid_node(environment / "bin")
    env = environment_for(environment, tmp_path)

    with (tmp_path / "postBuild.log").open("w+") as log:
        done = subprocess.run([clone / "binder/postBuild"], cwd=clone, env=env, stdout=log, stderr=subprocess.STDOUT, check=False)
        log.seek(0)
        assert done.returncode == 0, log.read()[-4000:]

    check_listed(python, env)
    site_packages = next((environment / "lib").glob("python3.*/site-packages"))
    assert not (site_packages / "agentnb/labextension").exists(), "the wheel holds the extension once, under share/"
    assert {"graph.js", "graph.css", "graph.licenses.txt"} <= {file.name for file in (site_packages / "agentnb/notebook/static").iterdir()}
    with running_lab(python, env, tmp_path) as address:
        assert "agentnb" in json.loads(fetch(f"{address}/api/kernelspecs"))["kernelspecs"]
        page = fetch(f"{address}/lab")
        config = json.loads(re.search(r'<script id="jupyter-config-data"[^>]*>(.*?)</script>', page, re.DOTALL)[1])
        extension = next(entry for entry in config["federated_extensions"] if entry["name"] == EXTENSION)
        assert json.loads(fetch(f"{address}/agentnb/api/v1/health/ready"))["status"] == "ok"
        assert EXTENSION in fetch(f"{address}/lab/extensions/{EXTENSION}/{extension['load']}")


def check_listed(python: Path, env: dict[str, str]) -> None:
    """The environment's own Jupyter lists extension and kernelspec."""
    extensions = ANSI.sub("", jupyter(python, env, "labextension", "list").stderr)
    assert re.search(rf"{EXTENSION} v\S+ enabled OK", extensions), extensions
    specs = json.loads(jupyter(python, env, "kernelspec", "list", "--json").stdout)
    assert specs["kernelspecs"]["agentnb"]["spec"]["display_name"] == "agentnb (Python)"


def jupyter(python: Path, env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([python, "-m", "jupyter", *arguments], env=env, capture_output=True, text=True, check=True)


def copy_clone(target: Path) -> None:
    """What git has or would add: no build outputs, no caches."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def forbid_node(folder: Path) -> None:
    """The build may use the Node that it brings itself, which comes earlier on its PATH, and no other."""
    for name in ("node", "nodejs", "npm", "yarn"):
        script = folder / name
        script.write_text("#!/bin/sh\necho 'the build used the Node of the machine' >&2\nexit 1\n")
        script.chmod(0o755)


def environment_for(environment: Path, tmp_path: Path) -> dict[str, str]:
    jupyter_folders = {f"JUPYTER_{name}_DIR": str(tmp_path / f"jupyter-{name.lower()}") for name in ("CONFIG", "DATA", "RUNTIME")}
    dropped = ("PYTHONPATH", "PYTHONHOME", "JUPYTER_PATH", "JUPYTER_CONFIG_PATH", "PYTHONWARNINGS")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    path = os.pathsep.join([str(environment / "bin"), kept.get("PATH", os.defpath)])
    # The machine's cache of wheels is used, so that a second run fetches nothing.
    return kept | jupyter_folders | {"PATH": path, "VIRTUAL_ENV": str(environment), "PIP_NO_CACHE_DIR": "0"}


@contextmanager
def running_lab(python: Path, env: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """JupyterLab on a free loopback port; ends with the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = [f"--port={port}", "--ip=127.0.0.1", "--no-browser", "--allow-root", "--ServerApp.port_retries=0", "--LabApp.news_url="]
    command = [python, "-m", "jupyterlab", *options, f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={tmp_path}"]
    with (tmp_path / "lab.log").open("w") as log, subprocess.Popen(command, env=env, stdout=log, stderr=log) as lab:
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(f"{address}/api/status", lab)
            yield address
        finally:
            lab.terminate()
            try:
                lab.wait(20)
            except subprocess.TimeoutExpired:
                lab.kill()


def wait_for(address: str, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        try:
            fetch(address)
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
        else:
            return
    pytest.fail(f"JupyterLab did not answer in {seconds} s (exit code {process.poll()})")


def fetch(address: str) -> str:
    request = urllib.request.Request(address, headers={"Authorization": f"token {TOKEN}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=20) as response:
        return response.read().decode()
