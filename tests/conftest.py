from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from agentnb.runtime.runtime import use

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None, phases=set(Phase) - {Phase.explain})
settings.register_profile("search", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Every test has a store, a working folder and an environment of its own."""
    for name in [name for name in os.environ if name.startswith("AGENTNB_") and name != "AGENTNB_CACHE"]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    store = tmp_path / "store"
    monkeypatch.setenv("AGENTNB_STORE", str(store))
    monkeypatch.chdir(tmp_path)
    before = use(None)
    yield store
    runtime = use(before)
    if runtime is not None:
        runtime.close()
