from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from agentnb.workflows.documents import Document, Path, WorkflowSpecError, editing
from agentnb.workflows.documents.editing import dump, updated

TEXT = """\
# head
name: Customer "Flow"   # the name
inputs: {ticket: {type: string}, n: {type: integer}}   # flow

steps:
  # first step
  analyze:
    agent: 'support-analyst'   # who
    timeout: "30s"
    needs: [a, b]

  search:   # find
    prompt: |
      Line one
        indented

      # no comment
    note: >-
      folded text
      goes on
    retry:
      max_attempts: 3   # tries
      backoff: exponential
      # of retry
    # of search

  # about review
  review:
    list:
      - one   # 1
      # about two
      - two
      - a: 1
        # about b
        b: 2
      - three
    empty:
    wide: {
      x: 1,  # about x
      y: 2   # about y
    }
outputs: {reply: "${steps.analyze.output.text}"}   # end
# tail
"""

unhurried = [HealthCheck.too_slow, HealthCheck.filter_too_much]
fuzz = settings(max_examples=120, suppress_health_check=unhurried)


def edited(change: Callable[[Any], Any], text: str = TEXT) -> str:
    new = copy.deepcopy(Document.parse(text).data)
    change(new)
    found = updated(text, new)
    assert Document.parse(found).data == new
    return found


def test_unchanged_is_the_same_text() -> None:
    for text in (TEXT, TEXT.replace("\n", "\r\n"), "\ufeff" + TEXT, TEXT.rstrip(), '{"a": [1,\n2]}'):
        assert updated(text, Document.parse(text).data) is text


@pytest.mark.parametrize(
    ("change", "old", "new"),
    [
        (lambda d: d.update(name="It's new"), 'Customer "Flow"   #', "It's new   #"),
        (lambda d: d["steps"]["analyze"].update(agent="it's"), "'support-analyst'", "'it''s'"),
        (lambda d: d["steps"]["analyze"].update(timeout="1m"), '"30s"', '"1m"'),
        (lambda d: d["steps"]["analyze"].update(timeout=30), '"30s"', "30"),
        (lambda d: d["steps"]["analyze"]["needs"].append("c, d"), "[a, b]", '[a, b, "c, d"]'),
        (lambda d: d["steps"]["analyze"]["needs"].pop(0), "[a, b]", "[b]"),
        (lambda d: d["inputs"].update(x={}), "integer}}", "integer}, x: {}}"),
        (lambda d: d["inputs"].pop("ticket"), "ticket: {type: string}, ", ""),
        (lambda d: d["steps"]["analyze"].update(when="a"), "needs: [a, b]\n", "needs: [a, b]\n    when: a\n"),
        (
            lambda d: d["steps"]["search"].update(prompt="x\ny\n"),
            "Line one\n        indented\n\n      # no comment\n",
            "x\n      y\n",
        ),
        (lambda d: d["steps"]["search"].update(note="other"), "folded text\n      goes on", "other"),
        (lambda d: d["steps"]["search"]["retry"].pop("max_attempts"), "      max_attempts: 3   # tries\n", ""),
        (lambda d: d["steps"]["search"].update(retry={"max_attempts": 4, "backoff": "exponential"}), "attempts: 3 ", "attempts: 4 "),
        (
            lambda d: d["steps"]["analyze"].update(agent={"a": [{"b": 1}]}),
            "'support-analyst'   # who\n",
            "  # who\n      a:\n        - b: 1\n",
        ),
        (
            lambda d: d["steps"].pop("search"),
            TEXT[TEXT.index("  search:") : TEXT.index("\n  # about review")],
            "",
        ),
        (lambda d: d["steps"]["review"]["list"].remove("two"), "      - two\n", ""),
        (lambda d: d["steps"]["review"]["list"].insert(1, {"k": 1, "l": "x"}), "# 1\n", "# 1\n      - k: 1\n        l: x\n"),
        (lambda d: d["steps"]["review"]["list"].insert(0, "zero"), "      - one", "      - zero\n      - one"),
        (lambda d: d["steps"]["review"]["list"][2].pop("a"), "- a: 1\n", "-\n"),
        (lambda d: d["steps"]["review"].update(empty=5), "empty:", "empty: 5"),
        (lambda d: d["steps"]["review"].update(empty={"a": "b\nc"}), "empty:\n", "empty:\n      a: |-\n        b\n        c\n"),
        (lambda d: d["steps"]["review"]["wide"].pop("x"), "x: 1,  # about x\n      ", ""),
        (lambda d: d["steps"]["review"]["wide"].update(z=3), "y: 2 ", "y: 2,\n      z: 3 "),
        (lambda d: d.pop("outputs"), 'outputs: {reply: "${steps.analyze.output.text}"}   # end\n', ""),
        (lambda d: d.update(extra={"on": "on"}), "# end\n", '# end\nextra:\n  on: "on"\n'),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_an_edit_changes_its_own_lines_only(change: Callable[[Any], Any], old: str, new: str, newline: str) -> None:
    assert TEXT.count(old) == 1
    assert edited(change, TEXT.replace("\n", newline)) == TEXT.replace(old, new).replace("\n", newline)


def test_a_block_that_goes_leaves_the_comments_around_it() -> None:
    found = edited(lambda d: d["steps"]["search"].update(retry=3))
    gone = "    retry:\n      max_attempts: 3   # tries\n      backoff: exponential\n"
    assert found == TEXT.replace(gone, "    retry: 3\n")


def test_the_text_of_a_block_at_the_end_without_a_line_break() -> None:
    text = "a: 1 # one\nb: |\n  text"
    assert Document.parse(text).data["b"] == "text"
    assert edited(lambda d: d.update(c="x\n"), text) == "a: 1 # one\nb: |-\n  text\nc: |\n  x\n"
    assert edited(lambda d: d.update(c=[]), text) == "a: 1 # one\nb: |-\n  text\nc: []"
    assert edited(lambda d: d.update(a=2), text) == "a: 2 # one\nb: |\n  text"


def test_true_one_and_one_point_zero_are_different() -> None:
    assert updated("a: 1\n", {"a": True}) == "a: true\n"
    assert updated("a: 1\n", {"a": 1.0}) == "a: 1.0\n"


def test_json_stays_json() -> None:
    text = json.dumps({"name": "x", "steps": {"a": {"needs": ["b", "c"]}}}, indent=4)
    found = edited(lambda d: d["steps"].update(z={"tool": "yes\n"}), text)
    assert json.loads(found)["steps"]["z"] == {"tool": "yes\n"}
    assert found == json.dumps(json.loads(found), indent=4)
    assert json.loads(updated(text, {})) == {}
    assert updated('{"a": 1, "b": 2}\n', {"b": 3, "a": 1}) == '{"a": 1, "b": 3}\n'
    assert updated("{a: 1, b: two}\n", {"a": 1, "b": "three"}) == "{a: 1, b: three}\n"


def test_explicit_keys_and_a_first_key_that_goes() -> None:
    assert updated("? a\n: 1\n? b\n: 2\n", {"b": 3}) == "? b\n: 3\n"
    assert updated("l:\n- a: 1\n  b: 2\n", {"l": [{"b": 2}]}) == "l:\n- b: 2\n"
    assert updated("a: 1\n", {"b": 2}) == "b: 2\n"
    assert updated("a: 1\n", {}) == "{}\n"


def test_indentation_of_the_document_is_kept() -> None:
    text = "a:\n    b:\n        c: 1\nl:\n- x: [{}]\n"
    assert updated(text, {"a": {"b": {"c": 1}, "d": {"e": {"f": 1}}, "l": [{}]}, "l": [{"x": [{}]}]}) == text.replace(
        "c: 1\n", "c: 1\n    d:\n        e:\n            f: 1\n    l:\n    - {}\n"
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({1: 2}, "a key must be text, not 1"),
        ({"x": {1, 2}}, "a.x: a set has no place in a document"),
        ([float("inf")], "a[0]: inf has no place"),
        (["\ud800"], "a[0]: half of a surrogate pair"),
    ],
)
def test_data_that_no_document_holds(value: Any, said: str) -> None:
    for write in (dump, lambda data: updated("a: 1\n", data)):
        with pytest.raises(WorkflowSpecError) as raised:
            write({"a": value})
        assert said in str(raised.value)


def test_deep_data_and_broken_text_are_findings() -> None:
    deep: Any = {}
    for _ in range(100):
        deep = {"a": deep}
    with pytest.raises(WorkflowSpecError, match="nested deeper than 50"):
        dump(deep)
    with pytest.raises(WorkflowSpecError, match="^1:4: a: the tag"):
        updated("a: !x 1\n", {"a": 1})


def test_dump_style() -> None:
    data = {
        "name": "flow",
        "needs": ["a", "b"],
        "long": "word " * 30 + "end",
        "text": "one\n  two\n",
        "steps": {
            "z": {"on": "yes", "when": "a: b", "n": "1", "empty": {}, "none": None, "l": [{"to": "END", "x": [[]]}, "a\nb"]},
            "a": {},
        },
    }
    shared = data["needs"]
    assert dump(data | {"again": shared}) == (
        "name: flow\nneeds: [a, b]\nlong: >-\n"
        f"  {'word ' * 22}word\n  {'word ' * 7}end\n"
        "text: |\n  one\n    two\n"
        'steps:\n  z:\n    on: "yes"\n    when: "a: b"\n    "n": "1"\n    empty: {}\n    none: null\n'
        "    l:\n      - to: END\n        x:\n          - []\n      - |-\n        a\n        b\n  a: {}\nagain: [a, b]\n"
    )


WORDS = "on yes null ~ 0x1 1.5 1e3 << = - ? ... --- 2024-01-01 12:30 #a {a} [x 'q' \"d\" &a *b !t %x @y `z | > a: a,b é 😀 a\\b"
AWKWARD = [
    *WORDS.split(" "),
    *("", " lead", "tail ", "x: y", "a #b", "- a", "\t", "a\tb", "\x07", "\x85", "\u2028", "\ufeff", "word " * 40 + "end", "x" * 300),
    *("a\nb", "a\nb\n", "a\n\n", "\n", "\na", "a\n  \nb", "\n b", "a\r\nb", "a\n b\n", "a\n\n\nb"),
]
texts = st.sampled_from(AWKWARD) | st.text(max_size=8)
keys = st.sampled_from(["a", "b", "c", "on", "tool", "a b", "1", "", "x: y", "k" * 1100]) | st.text(max_size=4)
leaves = texts | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.none()
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=12)
documents = st.dictionaries(keys, values, max_size=4)
styles = st.fixed_dictionaries(
    {"default_flow_style": st.sampled_from([None, False, True]), "indent": st.sampled_from([2, 3, 4]), "width": st.sampled_from([40, 999])}
)


@fuzz
@given(documents)
def test_dump_reads_as_what_was_dumped(data: dict[str, Any]) -> None:
    assert Document.parse(dump(data), "x.yaml").data == data


@fuzz
@given(documents, documents, st.none() | styles, st.booleans(), st.booleans())
def test_any_document_becomes_any_other(
    old: dict[str, Any], new: dict[str, Any], style: dict[str, Any] | None, crlf: bool, cut: bool
) -> None:
    text = dump(old) if style is None else yaml.safe_dump(json.loads(json.dumps(old)), sort_keys=False, allow_unicode=True, **style)
    text = text.replace("\n", "\r\n") if crlf else text
    text = text.rstrip("\r\n") if cut else text
    read = Document.parse(text, "x.yaml").data
    assert updated(text, read) is text
    assert editing.same(Document.parse(updated(text, new), "x.yaml").data, new)
    assert editing.same(Document.parse(updated(text, {**read, **new}), "x.yaml").data, {**read, **new})


simple = st.sampled_from(["x", "y z", "two\nlines\n", "on", 1, True, None, "it's", "a # b"])
tidy_keys = st.sampled_from(list("abcdefg"))
tidy = st.recursive(
    simple,
    lambda inner: st.lists(inner, min_size=1, max_size=4) | st.dictionaries(tidy_keys, inner, min_size=1, max_size=4),
    max_leaves=20,
)


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from paths(item, (*path, key))


def commented(text: str) -> str:
    """A comment behind each line that starts an entry, and one above it."""
    document = Document.parse(text, "x.yaml")
    starts = {document.position(path)[0] for path in paths(document.data)}
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        pad = " " * (len(line) - len(line.lstrip()))
        lines += [f"{pad}# above {number}", f"{line}  # behind {number}"] if number in starts else [line]
    return "\n".join(lines) + "\n"


def reach(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data


@fuzz
@given(st.dictionaries(tidy_keys, tidy, min_size=1, max_size=4), simple | tidy, st.sampled_from(["replace", "remove", "add"]), st.data())
def test_lines_outside_of_the_edited_entry_are_kept(old: dict[str, Any], value: Any, what: str, data: st.DataObject) -> None:
    text = commented(dump(old))
    document = Document.parse(text, "x.yaml")
    assert document.data == old
    path = data.draw(st.sampled_from(list(paths(old))))
    new = copy.deepcopy(old)
    parent = reach(new, path[:-1])
    first = document.position(path)[0]
    kept = text.splitlines()
    if what == "add":
        assume(isinstance(parent, dict) and "new" not in parent)
        parent["new"] = value
        flow = "{" in kept[first - 1]
        kept = [line for number, line in enumerate(kept, 1) if (flow and number != first) or not flow]
    else:
        assume(what == "replace" or len(parent) > 1)
        node = document.root
        for part in path:
            node = node.entries[part][1] if isinstance(part, str) else node.items[part]
        last = text[: node.end].rstrip().count("\n") + 1
        if what == "replace":
            parent[path[-1]] = value
        else:
            del parent[path[-1]]
        kept = kept[: first - 1] + kept[last:]
    assume(what != "remove" or not kept_compact(text, document, path))
    found = updated(text, new)
    assert Document.parse(found, "x.yaml").data == new
    lines = iter(found.splitlines())
    assert all(line in lines for line in kept), found


def kept_compact(text: str, document: Document, path: Path) -> bool:
    """Whether the entry is the first one in the line of a dash, which the next one then takes over."""
    line, column = document.position(path)
    before = text.splitlines()[line - 1][: column - 1]
    return before.count("-") > (1 if isinstance(path[-1], int) else 0)
