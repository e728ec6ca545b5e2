"""One JupyterLab and one browser for each file of tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.jupyterlab import Lab, MissingPart, Notebook, chromium, jupyterlab, open_lab

expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def variables() -> Mapping[str, str]:
    """Of the server's environment; a file of tests may have its own."""
    return {}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, variables: Mapping[str, str]) -> Iterator[Lab]:
    try:
        with jupyterlab(tmp_path_factory.mktemp("lab"), variables) as running:
            yield running
    except MissingPart as error:
        pytest.fail(str(error))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        with chromium() as running:
            yield running
    except MissingPart as error:
        pytest.fail(str(error))


@pytest.fixture(scope="module")
def page(browser: Browser, lab: Lab) -> Page:
    return open_lab(browser, lab)


@pytest.fixture
def lab_store(lab: Lab, own_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test runs here is in the store that the server reads."""
    monkeypatch.setenv("AGENTNB_STORE", str(lab.store))
    monkeypatch.chdir(lab.folder)


@pytest.fixture
def forbid(lab: Lab) -> Iterator[Callable[..., None]]:
    """Forbids actions on resources to the user, until the test ends."""
    yield lab.forbid
    lab.forbid()


@pytest.fixture
def notebook(page: Page) -> Iterator[Notebook]:
    made = Notebook.create(page)
    yield made
    made.close()
