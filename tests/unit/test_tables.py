"""What ``%agentnb`` commands show: tables, and the gist of a step."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import replace

import pytest

from agentnb.agents.trace import Step
from agentnb.notebook import html
from agentnb.notebook.formats import gist
from agentnb.notebook.tables import Table, rows_of, runs
from agentnb.ports.model import Usage
from agentnb.ports.store import Run

LONG = 'A <long> text\nof "several" lines, ' + "and so on " * 50


def test_long_values_are_shortened_and_whole_in_the_tooltip() -> None:
    shown = rows_of(["what", "calls"], [(LONG, 3), ("short", None)])._repr_html_()
    assert shown.startswith('<div style="overflow-x: auto"><table')
    [(title, cell)] = re.findall(r'<span title="([^"]*)">([^<]*)</span>', shown)
    assert title == html.escape(LONG)
    assert cell == html.escape(" ".join(LONG.split())[:79] + "…")
    assert shown.count('style="text-align: right"') == 3
    assert rows_of(["what"], [(LONG,)])[0] == {"what": LONG}


def test_numbers_stand_on_the_right_in_a_terminal_too(monkeypatch: pytest.MonkeyPatch) -> None:
    table = rows_of(["name", "ms"], [("a", 1.5), ("b\nc", 12345), (LONG, None), ("flag", 7)])
    assert repr(table).splitlines()[:3] == [f"name{' ' * 76}     ms", f"a{' ' * 79}    1.5", f"b c{' ' * 77}  12345"]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((40, 20)))
    assert {len(line) for line in repr(table).splitlines()[:3]} == {40}
    assert repr(table).splitlines()[3] == 'A <long> text of "several" lines…'


def test_columns_stand_below_one_another_whatever_their_letters() -> None:
    first, second = repr(Table(("name", "status"), (("天気予報", "ok"), ("é" * 3, "ok")), (1, 2))).splitlines()[1:]
    assert (first, second) == ("天気予報  ok", f"{'é' * 3}       ok")


def test_a_run_that_waits_takes_no_time() -> None:
    waiting = Run("r", "workflow", "w", "waiting", created_at="2026-11-25T12:00:00.000000Z", usage={"model_calls": 1})
    done = replace(waiting, status="completed", ended_at="2026-11-25T12:00:04.100000Z")
    assert f'<span style="white-space: nowrap">{runs([done]).rows[0][4]}</span>' in runs([done])._repr_html_()
    assert [row[-1] for row in runs([waiting, replace(waiting, status="queued"), done]).rows] == ["1 call", "1 call", "1 call · 4.1 s"]


def test_only_numbers_are_numbers() -> None:
    assert rows_of("abcd", [(True, "1", None, 2), (False, "2", None, 2.5)]).numbers == {3}
    assert repr(rows_of(["a"], [])) == "No rows"


def test_what_is_written_for_people_is_never_cut() -> None:
    table = Table(("mend",), ((LONG,),), (LONG,))
    assert repr(table) == f"mend\n{LONG}".rstrip()
    assert html.escape(LONG) in table._repr_html_()


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (Step("m1.t1", "tool", "population", "completed", output="2.1 million\npeople"), "2.1 million people"),
        (Step("m1.t1", "tool", "population", "completed", output="x" * 500), "x" * 80 + "… (500 characters in all)"),
        (Step("m1.t1", "tool", "population", "failed", error="no such city"), "no such city"),
        (Step("m1.t1", "tool", "population", "running"), ""),
        (Step("m1", "model", "m", "completed", output={"tool_calls": [{"name": "population"}]}, usage=Usage()), "asks for population"),
        (Step("m1", "model", "m", "completed", output={"text": "Yes."}, usage=Usage(1200, 7)), "1.2k → 7 tokens"),
        (Step("m1.t1.a", "approval", "send", "completed", output={"verdict": "approve"}), ""),
    ],
)
def test_the_gist_of_a_step(step: Step, said: str) -> None:
    assert gist(step) == said
    assert "0 → 0" not in html.trace("completed", "", [step])
