"""One server for all tests here, on a store with real runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.server.runs import Runs, make_runs
from tests.support.jupyter_server import jupyter_server


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server's folder."""
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="session")
def runs(place: Path, store: Path) -> Iterator[Runs]:
    """Runs of each kind, made by this process."""
    made = make_runs(place, store)
    yield made
    made.runtime.close()


@pytest.fixture(scope="session")
def api(place: Path, store: Path, runs: Runs) -> Iterator[httpx2.Client]:
    nothing_fetched = {"PIP_NO_INDEX": "1", "AGENTNB_CACHE": str(store.parent / f"{store.name}-cache")}
    with jupyter_server(place, store, env=nothing_fetched) as client:
        yield client
