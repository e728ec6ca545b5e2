"""A real JupyterLab in a browser, isolated from the user's own: for browser tests, benchmarks and pictures.

The server, its kernels and the lab extension are those of the environment that this runs in.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from playwright.sync_api import Browser, Locator, Page

TOKEN = "browser-tests"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-sync",
    "--font-render-hinting=none",
    "--no-first-run",
)
CONFIG = f"""import sys

sys.path.append({str(Path(__file__).resolve().parents[2])!r})  # behind all that is installed
from tests.support.authorizers import ByFile

c.ServerApp.authorizer_class = ByFile
c.ServerApp.jpserver_extensions = {{"jupyter_scheduler": False}}
"""
STARTUP = 60.0
"""Seconds that the server may take to come up."""


class MissingPart(Exception):
    """Something that the browser tests need is not installed; the message says how to install it."""


class Lab:
    """A server that can be stopped and started again, at the same address.

    Args:
        root: The folder that it shows, in which its kernels work.
        environment: Of its process; ``JUPYTER_RUNTIME_DIR`` says where it tells its address.
        log: What it prints.

    Attributes:
        folder: The folder that it shows.
        url: Where it listens.
        store: Where its agents' journal is.
    """

    def __init__(self, root: Path, environment: Mapping[str, str], log: Path) -> None:
        self.folder = root
        self.url = ""
        self.store = Path(environment["AGENTNB_STORE"])
        self._environment = dict(environment)
        self._log = log
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it says where it listens."""
        port = self.url.rstrip("/").rpartition(":")[2] or "0"
        options = ("--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", f"--IdentityProvider.token={TOKEN}")
        quiet = ("--LabApp.news_url=", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={self.folder}")
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", *options, *quiet],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.url = _address(self._server, Path(self._environment["JUPYTER_RUNTIME_DIR"]), self._log)

    def stop(self) -> None:
        """End it, and with it all its kernels."""
        if self._server is not None:
            self._server.terminate()
            try:
                self._server.wait(20)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()

    def forbid(self, *rules: tuple[str, str]) -> None:
        """Forbid these actions on resources to the user; all is allowed without any."""
        (Path(self._environment["JUPYTER_CONFIG_DIR"]) / "forbidden.json").write_text(json.dumps(rules))

    def script(self, *lines: dict[str, Any], name: str) -> str:
        """Write a transcript for the scripted model; the answer is the model's name."""
        (self.folder / name).write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
        return f"scripted:{name}"


def tool_call(name: str, **arguments: Any) -> dict[str, Any]:
    """A line of a transcript: the model asks for a tool."""
    return {"tool_calls": [{"name": name, "arguments": arguments}]}


def require_extension() -> None:
    """Check that the lab extension and the kernel are installed beside this Python.

    Raises:
        MissingPart: They are not.
    """
    from jupyter_core.paths import jupyter_path

    mend = f"install agentnb with its lab extension first: {sys.executable} -m pip install -e ."
    for part in ("labextensions/@agentnb/labextension/package.json", "kernels/agentnb/kernel.json"):
        if not any(os.path.exists(os.path.join(place, part)) for place in jupyter_path()):  # noqa: PTH110, PTH118
            raise MissingPart(f"{part} is in none of Jupyter's data folders: {mend}")


@contextlib.contextmanager
def jupyterlab(folder: Path, variables: Mapping[str, str] | None = None) -> Iterator[Lab]:
    """Serve ``folder/notebooks`` until the block ends; settings, workspaces, trust and the agents' journal stay inside ``folder``.

    Args:
        folder: For everything that the server reads and writes.
        variables: Further variables of its environment.
    """
    require_extension()
    root, runtime = folder / "notebooks", folder / "runtime"
    for place in (root, runtime, folder / "config"):
        place.mkdir(parents=True, exist_ok=True)
    (folder / "config" / "jupyter_server_config.py").write_text(CONFIG, encoding="utf-8")
    own = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
        "AGENTNB_STORE": "store",
    }
    (folder / "config" / "labconfig").mkdir(exist_ok=True)
    (folder / "config" / "labconfig" / "page_config.json").write_text('{"disabledExtensions": {"@jupyterlab/scheduler": true}}')
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AGENTNB_", "JUPYTER")) or name == "AGENTNB_CACHE"}
    environment = {**kept, **{name: str(folder / place) for name, place in own.items()}, **(variables or {})}
    news = folder / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    news.parent.mkdir(parents=True, exist_ok=True)
    news.write_text('{"fetchNews": "false"}')  # else a question about it lies over the page
    lab = Lab(root, environment, folder / "server.log")
    try:
        lab.start()
        yield lab
    finally:
        lab.stop()


def _address(server: subprocess.Popen[bytes], runtime: Path, log: Path) -> str:
    """Wait for the file in which the server says on which port it listens."""
    file = runtime / f"jpserver-{server.pid}.json"
    end = time.monotonic() + STARTUP
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(OSError, ValueError):
            return str(json.loads(file.read_text())["url"])
        time.sleep(0.05)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text(errors='replace')[-2000:]}")


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, or a Chrome, without a window.

    Raises:
        MissingPart: There is none on the path.
    """
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise MissingPart(f"there is none of {', '.join(BROWSERS)} on the path: install one, on Debian with: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, headless=True, args=list(BROWSER_OPTIONS))
        try:
            yield browser
        finally:
            browser.close()


def open_lab(browser: Browser, lab: Lab, *, height: int = 1000, scale: float = 1) -> Page:
    """A page with JupyterLab's launcher in it; JupyterLab's own dialogs about a lost server and about unsaved notebooks are answered."""
    context = browser.new_context(
        viewport={"width": 1300, "height": height}, device_scale_factor=scale, color_scheme="light", reduced_motion="reduce"
    )
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.goto(f"{lab.url}lab?token={TOKEN}&reset")
    page.locator(".jp-LauncherCard").first.wait_for(timeout=60_000)
    for title, button in (("Server Connection Error", ""), ("Save your work", "Discard")):
        answer = page.locator(".jp-Dialog", has_text=title).locator("button.jp-mod-styled", has_text=button).last
        page.add_locator_handler(answer, lambda found: found.click())
    return page


class Notebook:
    """The notebook in front, as somebody at the keyboard uses it.

    Attributes:
        panel: All of it, with its toolbar.
        cells: Its code cells.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.panel: Locator = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        self.cells: Locator = self.panel.locator(".jp-CodeCell")

    @classmethod
    def create(cls, page: Page) -> Notebook:
        """A new notebook from the launcher's card of our kernel, with the cursor in its first cell and the kernel ready."""
        if not page.locator(".jp-Launcher:visible").count():
            page.keyboard.press("Control+Shift+L")
        page.locator('.jp-LauncherCard[data-category="Notebook"]', has_text="agentnb (Python)").locator("visible=true").click()
        notebook = cls(page)
        notebook.cells.locator(".cm-content").wait_for()
        notebook.wait_idle()
        return notebook

    def close(self) -> None:
        """Close it unsaved and shut its kernel down."""
        self.panel.page.keyboard.press("Escape")
        self.menu("File", "Close and Shut Down Notebook")
        accept = self.page.locator(".jp-Dialog .jp-mod-accept")
        self.page.locator(".jp-Dialog .jp-mod-accept, .jp-Launcher:visible").first.wait_for()
        while accept.count():
            accept.first.click()
            self.page.wait_for_timeout(50)
        self.page.locator(".jp-Dialog").wait_for(state="detached")
        self.panel.wait_for(state="detached")

    def menu(self, *path: str) -> None:
        """Choose from the menu bar."""
        self.page.locator(".lm-MenuBar-item", has_text=path[0]).click()
        for name in path[1:]:
            self.page.locator(".lm-Menu-item", has_text=name).locator("visible=true").first.click()

    def wait_idle(self) -> None:
        """Wait until the kernel is there (only then are the cells in its language) and has nothing to do."""
        self.panel.locator('.jp-CodeCell .cm-content[data-language="python"]').first.wait_for()
        self.page.locator(".jp-StatusBar-TextItem", has_text="| Idle").wait_for()

    def write(self, text: str, *, keys: bool = False) -> Locator:
        """Write into the cell that is being edited, the last one: at once, as pasting does, or key by key.

        Returns:
            The cell.
        """
        cell = self.cells.nth(self.cells.count() - 1)
        editor = cell.locator(".cm-content")
        editor.click()
        if keys:
            self.page.keyboard.type(text)
        else:
            self.page.keyboard.insert_text(text)
        return cell

    def run(self, text: str, *, keys: bool = False) -> Locator:
        """Write a cell and run it with Shift+Enter; the cursor is in a new cell below then.

        Returns:
            The cell that runs.
        """
        place = self.cells.count() - 1
        self.write(text, keys=keys)
        self.page.keyboard.press("Shift+Enter")
        self.cells.nth(place + 1).wait_for()
        return self.cells.nth(place)

    def run_to_end(self, text: str) -> Locator:
        """Run a cell and wait until it has its number."""
        cell = self.run(text)
        self.ended(cell)
        return cell

    def ended(self, cell: Locator) -> None:
        """Wait until a cell was executed: its prompt has a number."""
        cell.page.wait_for_function(r"cell => /\[\d+\]/.test(cell.querySelector('.jp-InputPrompt').textContent)", arg=cell.element_handle())

    def toolbar(self, name: str) -> Locator:
        """A button of the notebook's toolbar."""
        return self.panel.locator(f'[data-jp-item-name="{name}"] jp-button')

    def restart(self) -> None:
        """Restart the kernel by the toolbar, and wait for the new one."""
        self.toolbar("restart").click()
        self.page.locator(".jp-Dialog .jp-mod-accept").click()
        self.page.locator(".jp-Dialog").wait_for(state="detached")
        self.panel.locator('.jp-Notebook-ExecutionIndicator:not([data-status="idle"])').wait_for(state="attached")
        self.wait_idle()
