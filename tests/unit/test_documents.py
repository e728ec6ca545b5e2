from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import yaml

from agentnb.workflows.documents import Document, Finding, WorkflowSpecError

TEXT = """\
name: flow   # what it is
steps:
  first:
    tool: python:a.b
    needs: [x, "y"]
  second:
    transitions:
      - on: error
        to: END
"""


def findings(text: str, file: str = "") -> list[str]:
    with pytest.raises(WorkflowSpecError) as raised:
        Document.parse(text, file)
    return str(raised.value).splitlines()


def test_data_and_positions() -> None:
    document = Document.parse(TEXT, "flow.yaml")
    assert document.data == {
        "name": "flow",
        "steps": {
            "first": {"tool": "python:a.b", "needs": ["x", "y"]},
            "second": {"transitions": [{"on": "error", "to": "END"}]},
        },
    }
    assert document.text == TEXT
    assert document.file == "flow.yaml"
    places = {
        (): (1, 1),
        ("steps", "first", "tool"): (4, 5),
        ("steps", "first", "needs", 1): (5, 16),
        ("steps", "second", "transitions", 0): (8, 9),
        ("steps", "second", "transitions", 0, "to"): (9, 9),
        ("steps", "second", "transitions", 7, "to"): (7, 5),
        ("steps", "third", "tool"): (2, 1),
        ("name", "x"): (1, 1),
    }
    assert {path: document.position(path) for path in places} == places


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("true", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ("~", None),
        ("", None),
        ("Null", None),
        ("0o17", 15),
        ("0x1F", 31),
        ("017", 17),
        ("089", 89),
        ("-12", -12),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("12:30:00", "12:30:00"),
        ("2024-01-02", "2024-01-02"),
        ("1.", 1.0),
        (".5", 0.5),
        ("-1e3", -1000.0),
        ("1.2.3", "1.2.3"),
        ("-", None),
        ('"1"', "1"),
        ("'true'", "true"),
        ("30s", "30s"),
        ("٣", "٣"),
    ],
)
def test_core_schema(text: str, value: object) -> None:
    found = Document.parse(f"a: {text}\n" if text != "-" else "a:\n  b:\n").data["a"]
    if text == "-":
        found = found["b"]
    assert found == value
    assert type(found) is type(value)


def test_on_is_a_key_and_byte_order_mark_and_crlf_are_accepted() -> None:
    document = Document.parse("\ufeffa: x\r\non: yes\r\nb: |\r\n  x\r\n  y\r\n")
    assert document.data == {"a": "x", "on": "yes", "b": "x\ny\n"}
    assert document.position(("b",)) == (3, 1)


def test_all_findings_come_at_once_each_with_place_and_mend() -> None:
    text = (
        "steps:\n  a:\n    tool: x\n    tool: y\n  b: !!python/name:os.system ls\n  1: x\n"
        "  c: &one 5\n  d: *one\n  <<: 2\n  e: [.inf, 1e999]\n"
    )
    assert findings(text, "f.yaml") == [
        "f.yaml:4:5: steps.a: the key 'tool' is here for the second time; first on line 3, column 5. Remove or rename one of them",
        "f.yaml:5:6: steps.b: the tag 'tag:yaml.org,2002:python/name:os.system' is not allowed. "
        "Remove it; put the value in quotes to have text",
        'f.yaml:6:3: steps: a key must be text, not 1. Put it in quotes: "1"',
        "f.yaml:7:6: steps.c: the anchor &one is not allowed. Write the value out where it is used",
        "f.yaml:8:6: steps.d: the alias *one is not allowed. Write the value out, or put text that starts with * in quotes",
        "f.yaml:9:3: steps: merge keys (<<) are not part of YAML 1.2. Write the keys out",
        "f.yaml:10:7: steps.e[0]: .inf is no number that can be stored. Use a finite number, or put it in quotes to have text",
        "f.yaml:10:13: steps.e[1]: 1e999 is no number that can be stored. Use a finite number, or put it in quotes to have text",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1:1: the document is empty"),
        ("# only this\n", "1:1: the document is empty"),
        ("- a\n", "1:1: the document must be a mapping"),
        ("text", "1:1: the document must be a mapping"),
        ("a: 1\n---\nb: 2\n", "2:1: there is a second document"),
        (
            "a:\n\tb: 1\n",
            "2:1: a: not valid YAML: while scanning for the next token: found character that cannot start any token. Indent with spaces",
        ),
        ("a: b: c\n", "1:5: not valid YAML: mapping values are not allowed in this context. Put text that holds ': ' in quotes"),
        ("a: 'x\n", "not valid YAML: while scanning a quoted scalar: found unexpected end of stream. Close the quote"),
        ("a: [1, 2\nb: 3\n", "Close the bracket"),
        ("a: \x07\n", "1:4: the control character U+0007 is not allowed"),
        ("a: \0\n", "U+0000"),
        ("a: 1\nb: \ud800\n", "2:4: half of a surrogate pair"),
        ("a: {{ x }}\n", "a mapping or a list can't be a key. Put text that starts with { or [ in quotes"),
        ("? [a]\n: 1\n", "a mapping or a list can't be a key"),
        ("%TAG ! tag:x,2000:\n---\na: 1\n", "%TAG directives are not supported"),
        ("a: !mine x\n", "1:4: a: the tag '!mine' is not allowed"),
        ("~: 1\n", 'a key must be text, not ~. Put it in quotes: "~"'),
        ("a: " + "9" * 5000, "is no number that can be stored"),
    ],
)
def test_refused_yaml(text: str, said: str) -> None:
    assert said in "\n".join(findings(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1,}', "1:9: not valid JSON"),
        ('{"a": 1,\n "b": {"x": 1, "x": 2}}', "2:16: b: the key 'x' is here for the second time; first on line 2, column 8"),
        ('{"a": [1, NaN]}', "1:11: a[1]: NaN is no number that can be stored"),
        ('{"a": 1e999}', "1e999 is no number"),
        ('{"a": "\\ud800"}', "1:7: a: half of a surrogate pair"),
        ('{"a": 1} {}', "1:10: not valid JSON: Extra data"),
        ("{'a': 1}", "double quotes"),
        ('{"a": ' + "9" * 5000 + "}", "is no number that can be stored"),
        ('{"a": 1 // no\n}', "not valid JSON"),
    ],
)
def test_refused_json(text: str, said: str) -> None:
    assert said in "\n".join(findings(text))


def test_json_positions_and_values() -> None:
    data = {"name": 'x "y" \\ \U0001f600', "n": [1, -2.5e3, True, None, {"": [[]]}], "{": "}"}
    text = json.dumps(data, indent=1)
    document = Document.parse(text)
    assert document.is_json
    assert document.data == data
    assert document.position(("n", 4, "")) == (9, 4)
    assert Document.parse(json.dumps([data])[1:-1], "x.json").data == data


def test_the_file_name_decides_where_the_text_could_be_both() -> None:
    assert Document.parse("{name: x}", "flow.yaml").data == {"name": "x"}
    assert "not valid JSON" in findings("{name: x}", "flow.json")[0]
    assert "not valid JSON" in findings("name: x", "flow.json")[0]


@pytest.mark.parametrize("part", ["[", "- ", "{", "a: [", '{"a": ', '[{"a": ', "? ", "a: "])
@pytest.mark.parametrize("file", ["", "x.json"])
def test_hostile_nesting_is_an_error(part: str, file: str) -> None:
    assert findings(part * (9_000_000 // len(part)), file)


def test_nesting_and_size_limits() -> None:
    def nested(depth: int) -> str:
        return "".join("  " * level + "a:\n" for level in range(depth))

    Document.parse(nested(50))
    assert findings(nested(51))[0].startswith("51:101: a.a.")
    assert "deeper than 50" in findings(json.dumps(Document.parse(nested(50)).data).replace("null", "[{}]"))[0]
    assert "larger than 10 MB" in findings("a: " + "ä" * 5_000_000)[0]


def test_no_more_than_a_hundred_findings() -> None:
    assert len(findings("a:\n" + "  - !x y\n" * 100_000)) == 100


def test_too_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentnb.workflows.documents.nodes.MAX_NODES", 1000)
    assert "more than 1,000 values" in findings("a: [" + "1," * 1000 + "]")[0]


def test_pure_python_parser_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = Document.parse(TEXT)
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    slow = Document.parse(TEXT)
    assert slow.data == fast.data
    path = ("steps", "second", "transitions", 0, "to")
    assert slow.position(path) == fast.position(path)
    assert "tag" in findings("a: !x y")[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such file. Check the path"),
        (b"a: 1\nb: \xff\n", ":2: the file is not UTF-8. Save it as UTF-8"),
        (b"a: " + b"x" * 10_000_000, "larger than 10 MB. Split it"),
        (b"a: 1\na: 2\n", ":2:1: the key 'a'"),
    ],
)
def test_read_names_file_and_mend(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "flow.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(WorkflowSpecError) as raised:
        Document.read(file)
    assert said in str(raised.value)
    assert raised.value.path == str(file)
    assert str(raised.value).startswith(str(file))


def test_read(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_bytes(b"\xef\xbb\xbfname: \xc3\xa4\r\n")
    assert Document.read(file).data == {"name": "ä"}
    with pytest.raises(WorkflowSpecError, match="this is a folder"):
        Document.read(tmp_path)


def test_finding_as_text() -> None:
    finding = Finding("it is wrong", "Mend it", ("steps", "a", "needs", 0, "b.c", 1), 12, 5, "flow.yaml")
    assert finding.field == 'steps.a.needs[0]["b.c"][1]'
    assert str(finding) == 'flow.yaml:12:5: steps.a.needs[0]["b.c"][1]: it is wrong. Mend it'
    assert str(Finding("it is wrong")) == "it is wrong"
    assert str(Finding("it is wrong", file="f", path=("a",))) == "f: a: it is wrong"


def test_the_error_survives_a_process_boundary() -> None:
    error = WorkflowSpecError([Finding("one", line=3, file="f"), Finding("two")])
    again = pickle.loads(pickle.dumps(error))
    assert (again.findings, again.path, again.line, str(again)) == (error.findings, "f", 3, "f:3: one\ntwo")
