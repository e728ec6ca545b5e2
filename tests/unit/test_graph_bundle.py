"""The graph widget's files, as the lab extension's build makes them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import agentnb.notebook
from agentnb.plugins import load

STATIC = Path(agentnb.notebook.__file__).parent / "static"
LARGEST = 400_000
"""Bytes of the module: a notebook that saves its widgets holds it."""


def built(name: str) -> str:
    file = STATIC / name
    if not file.is_file():
        pytest.fail(f"{name} isn't built: pip install . does that, or `jlpm build:widget` in labextension/")
    return file.read_text()


def test_the_module_is_small_and_fetches_nothing() -> None:
    module = built("graph.js")
    assert len(module.encode()) <= LARGEST
    assert re.search(r"export\s*\{[^}]*as default", module)
    assert not re.findall(r"(?:^|[;}])import[\s{*\"'(]|\bimport\(|\bfetch\(|XMLHttpRequest", module)
    style = built("graph.css")
    assert "url(" not in style
    assert "@import" not in style


def test_colours_are_the_themes() -> None:
    """A colour of our own stands only in for a variable of JupyterLab's, where that isn't defined."""
    source = Path(__file__).parents[2] / "labextension/style/graph.css"
    rules = re.sub(r"/\*.*?\*/|var\(--jp-[^()]*(?:\([^()]*\))?[^()]*\)", "", source.read_text(), flags=re.DOTALL)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b", rules) == []


def test_the_licences_of_what_is_in_it_are_there() -> None:
    licences = built("graph.licenses.txt")
    for name in ("@xyflow/react", "preact", "zustand", "d3-zoom"):
        assert re.search(rf"^{re.escape(name)} \d", licences, re.MULTILINE)


def test_a_graph_finds_its_view() -> None:
    assert callable(load("agentnb.views", "graph"))
