"""Doubles for the tests of notebooks and agents: a model that follows a script, and a runtime that keeps everything in memory.

with scripted_runtime(["Hello."]) as runtime:
    assert Agent("greeter").execute_sync("Hi").text == "Hello."
    assert runtime.runs()[0].status == "completed"
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from agentnb.adapters.memory import MemoryStore
from agentnb.adapters.scripted import ScriptedModel
from agentnb.config import load
from agentnb.ports.store import Store
from agentnb.runtime.runtime import Runtime, use

MODEL = "scripted:test"

__all__ = ["MODEL", "ScriptedModel", "memory_store", "scripted_runtime"]


def memory_store() -> Store:
    """A store that ends with the process, and does all that the one on disk does."""
    return MemoryStore()


@contextmanager
def scripted_runtime(script: Iterable[Any], **settings: Any) -> Iterator[Runtime]:
    """A runtime whose agents are answered from a script; it is the process's own inside the ``with`` block.

    Args:
        script: Answers in their order, as ``ScriptedModel`` takes them.
        **settings: Fields of ``agentnb.config.Settings``.
    """
    runtime = Runtime(load(model=MODEL, **settings), store=memory_store(), models={MODEL: ScriptedModel(list(script))})
    before = use(runtime)
    try:
        yield runtime
    finally:
        use(before)
        runtime.close()
