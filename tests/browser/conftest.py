"""One JupyterLab and one browser for each file of tests; ``CONFIG`` of the file is the server's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.support.jupyterlab import Lab, MissingPart, Notebook, chromium, jupyterlab, open_lab


@pytest.fixture(scope="module")
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    try:
        with jupyterlab(tmp_path_factory.mktemp("lab"), getattr(request.module, "CONFIG", "")) as running:
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
def notebook(page: Page) -> Iterator[Notebook]:
    made = Notebook.create(page)
    yield made
    made.close()
