"""What is asked of a long journal often finds its rows by an index."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentnb.adapters.sqlite import SQLiteStore
from agentnb.errors import RunNotFound


def no_run(store: SQLiteStore) -> None:
    with pytest.raises(RunNotFound):
        store.run("exec_1")


QUESTIONS: dict[str, Callable[[SQLiteStore], Any]] = {
    "events of a run": lambda store: store.events("exec_1"),
    "events": lambda store: store.events(after=5, limit=10),
    "position": lambda store: store.position(),
    "runs": lambda store: store.runs(),
    "a later page": lambda store: store.runs(before=("2026", "exec_1")),
    "runs of a kind": lambda store: store.runs(kind="job"),
    "runs by status": lambda store: store.runs(status="running", kind="workflow"),
    "runs by name": lambda store: store.runs(name="x", before=("2026", "exec_1")),
    "runs of an agent": lambda store: store.runs(agent_id="AGENT-1"),
    "parts of a run": lambda store: store.runs(parent="workflow_1"),
    "recent runs": lambda store: store.runs(since="2026"),
    "a run by the beginning of its ID": lambda store: no_run(store),
    "versions of a workflow": lambda store: store.definitions("workflow", name="x", current=False),
    "due": lambda store: store.due(5.0),
    "signals": lambda store: store.signals("exec_1"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_table_is_read_from_its_beginning_to_its_end(question: str, tmp_path: Path) -> None:
    asked: list[str] = []
    store = SQLiteStore(tmp_path)
    store.position()
    connection = store._connection
    assert connection is not None
    connection.set_trace_callback(asked.append)
    QUESTIONS[question](store)
    connection.set_trace_callback(None)
    plans = [row[3] for query in asked for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert plans
    assert not [plan for plan in plans if plan.startswith("SCAN") and "USING" not in plan], plans
    narrow = question not in ("runs", "a later page")
    assert not (narrow and [plan for plan in plans if plan.startswith("SCAN")]), plans
    store.close()
