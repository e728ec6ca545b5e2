"""Parts that are a function or two each."""

import copy
import itertools
import json
import pickle
import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_output
from pydantic import BaseModel

import agentnb as anb
from agentnb import plugins, secrets
from agentnb.agents import capabilities, schemas
from agentnb.agents.content import as_prompt
from agentnb.agents.identity import AGENT_ID, new_agent_id, new_run_id
from agentnb.agents.lifecycle import AGENT, EXECUTION, advance
from agentnb.agents.output import OutputType
from agentnb.agents.trace import Step, Trace
from agentnb.cli.demo import answer_of
from agentnb.cli.questions import answer_text
from agentnb.errors import ConfigurationError, IllegalTransition, UnknownName, kind_of
from agentnb.notebook import formats, html
from agentnb.notebook.arguments import parse
from agentnb.notebook.interpolation import interpolate
from agentnb.ports.model import Message, ModelRequest, Usage
from agentnb.runtime.results import AgentResult
from agentnb.workflows.trace import StepRecord


def test_tools_given_more_than_once_add_up() -> None:
    found = parse("-t a,b -t c -c x -c y")
    assert found is not None
    assert (found.tools, found.context) == (("a", "b", "c"), ("x", "y"))


def test_agent_ids() -> None:
    assert AGENT_ID.match(new_agent_id(1))
    assert "-0002-" in new_agent_id(10_002)


def test_run_ids_sort_by_time_and_are_unique() -> None:
    ids = [new_run_id("exec") for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(re.fullmatch(r"exec_[0-9a-z]{26}", item) for item in ids)
    assert ids[0][:14] <= ids[-1][:14]


def test_lifecycle_of_mission() -> None:
    states = ["CREATED", "INITIALIZING", "VALIDATING", "VALIDATED", "READY"]
    for old, new in itertools.pairwise(states):
        assert advance(AGENT, "a", old, new) == new  # type: ignore[arg-type]
    assert all(advance(AGENT, "a", state, "TERMINATED") for state in AGENT if state != "TERMINATED")
    assert advance(EXECUTION, "e", "EXECUTING", "FAILED") == "FAILED"


@pytest.mark.parametrize(("old", "new"), [("CREATED", "READY"), ("TERMINATED", "READY"), ("READY", "CREATED"), ("VALIDATED", "VALIDATING")])
def test_illegal_changes_are_refused(old: str, new: str) -> None:
    with pytest.raises(IllegalTransition, match=f"{old} and can't become {new}"):
        advance(AGENT, "the agent 'x'", old, new)  # type: ignore[arg-type]


def test_capabilities() -> None:
    assert capabilities.checked(["TEXT_PROCESSING", "MY_OWN", "TEXT_PROCESSING"]) == ("TEXT_PROCESSING", "MY_OWN")
    with pytest.raises(ConfigurationError, match="'text'"):
        capabilities.checked(["text"])


class City(BaseModel):
    name: str
    people: int


def test_structured_output() -> None:
    kind = OutputType(City)
    assert kind.parse('{"name": "Rome", "people": 3}') == City(name="Rome", people=3)
    assert kind.parse('```json\n{"name": "Rome", "people": 3}\n```').people == 3
    assert kind.load(kind.dump(City(name="a", people=1))) == City(name="a", people=1)
    with pytest.raises(ValueError, match="people: Field required") as caught:
        kind.parse('{"name": 3}')
    assert len(caught.value.args) == 2
    with pytest.raises(ValueError, match="Invalid JSON"):
        kind.parse("no")


@pytest.mark.parametrize(
    ("kind", "text", "value"), [(list[int], '{"result": [1, 2]}', [1, 2]), (Literal["a", "b"], '{"result": "a"}', "a")]
)
def test_types_that_are_no_object_are_wrapped(kind: object, text: str, value: object) -> None:
    output = OutputType(kind)
    assert output.schema["type"] == "object"
    assert output.parse(text) == value
    with pytest.raises(ValueError, match="result"):
        output.parse("{}")


def test_output_without_a_schema_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no JSON Schema"):
        OutputType(open)


def test_a_schema_reads_nothing_but_itself(tmp_path: Path) -> None:
    file = tmp_path / "else.json"
    file.write_text('{"type": "string"}')
    schema = {"type": "object", "properties": {"a": {"$ref": file.as_uri()}}}
    with pytest.raises(schemas.SchemaInvalid, match="nothing but its own parts"):
        schemas.check(schema)
    [misfit] = schemas.misfits(schema, {"a": 5})
    assert "nothing but its own parts" in misfit.message
    schemas.check({"$schema": file.as_uri(), "type": "object"})


def test_a_reference_that_leads_nowhere_is_no_schema() -> None:
    parts = {"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}}
    with pytest.raises(schemas.SchemaInvalid, match=r"leads nowhere.*/\$defs/b"):
        schemas.check(parts)
    schemas.check({**parts, "$defs": {"b": {"type": "string"}}})


def test_content(tmp_path: Path) -> None:
    import pandas

    (tmp_path / "a.txt").write_text("grüße", encoding="utf-8")
    (tmp_path / "a.bin").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "b.bin").write_bytes(b"a\x00b")
    assert as_prompt("x {y}") == "x {y}"
    assert as_prompt(tmp_path / "a.txt") == "grüße"
    assert as_prompt({"a": 1}) == '{"a": 1}'
    assert as_prompt(City(name="a", people=1)) == '{"name":"a","people":1}'
    assert as_prompt(3.5) == "3.5"
    table = as_prompt(pandas.DataFrame({"a": range(50), "b|c": ["x|y"] * 50}))
    assert table.startswith("Table of 50 rows, the first 20 shown and 2 columns (a: int64, b|c: ")
    assert "| 0 | x\\|y |" in table
    assert len(table.splitlines()) == 24
    for name, message in [("a.bin", "no UTF-8 text"), ("b.bin", "is binary"), ("none", "can't be read")]:
        with pytest.raises(ConfigurationError, match=message):
            as_prompt(tmp_path / name)
    with pytest.raises(ConfigurationError, match="binary data"):
        as_prompt(b"x")


def test_interpolation() -> None:
    class Thing:
        size = 4

        @property
        def broken(self) -> str:
            raise RuntimeError("no")

    names = {"city": "Rome", "thing": Thing()}
    text = 'In {city} {{city}} {thing.size} {"a": {"b": 1}} {x} def f(): {} {{ jinja }} {city!r} {0}'
    expected = 'In Rome {city} 4 {"a": {"b": 1}} {x} def f(): {} {{ jinja }} {city!r} {0}'
    same, warnings = interpolate(text, names)
    assert same == expected
    assert warnings == [
        "{city!r} stays as written: only {name} and {name.attribute} are replaced; put the value into a variable first",
        "{x} stays as written: there is no variable of that name; {{x}} says that it is meant so",
    ]
    assert interpolate("{{x}} {x}", names)[0] == "{x} {x}"
    assert interpolate("{{x}}", names)[1] == []
    many = r"\frac{a}{b} {a} {c} {d} {e} {f} {citi}"
    assert interpolate(many, names) == (
        many,
        [
            "{citi} stays as written: there is no variable of that name; did you mean {city}?",
            "{a}, {b}, {c}, {d}, {e} and 1 more stay as written: there are no variables of these names; {{a}} says that it is meant so",
        ],
    )
    assert interpolate("{citi}", names) == ("{citi}", ["{citi} stays as written: there is no variable of that name; did you mean {city}?"])
    same, warnings = interpolate("{thing.siez}", names)
    assert same == "{thing.siez}"
    assert "did you mean .size?" in warnings[0]
    assert interpolate("{city}", {"city": "{thing}", "thing": 1})[0] == "{thing}"
    with pytest.raises(ConfigurationError, match=r"\{thing.broken\} can't be read: RuntimeError: no"):
        interpolate("{thing.broken}", names)


def test_cell_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    found = parse("helper -m openai:gpt -t a,b -o r --schema City --session s --record c.jsonl --background")
    assert found is not None
    assert (found.name, found.model, found.tools, found.variable) == ("helper", "openai:gpt", ("a", "b"), "r")
    assert (found.schema, found.session, found.record, found.background) == ("City", "s", Path("c.jsonl"), True)
    assert parse("--help") is None
    assert "--background" in capsys.readouterr().out
    for line in (
        "a b c",
        "--nope",
        "'",
        "--record a --replay b",
        "--max-steps x",
        "-o 'not valid'",
        "--timeout nan",
        "--session s --fresh",
        "--continue --session s",
    ):
        with pytest.raises(ConfigurationError, match="%%agent"):
            parse(line)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "0 ms"), (820.4, "820 ms"), (999.6, "1.0 s"), (12_400, "12.4 s"), (59_990, "1 m 00 s"), (185_000, "3 m 05 s")],
)
def test_durations(milliseconds: float, text: str) -> None:
    assert formats.duration(milliseconds) == text


def test_counts() -> None:
    assert [formats.count(number) for number in (7, 1234, 5_600_000)] == ["7", "1.2k", "5.6M"]
    usage = {"model_calls": 3, "tool_calls": 2, "input_tokens": 1000, "output_tokens": 234, "cost": 0.00123, "replayed": 0}
    assert formats.usage_line("m", usage, 4100) == "m · 3 calls · 2 tools · 1.2k tokens · $0.0012 · 4.1 s"


def test_a_result_says_how_many_tools_failed() -> None:
    steps = [Step("m1", "model", "m", "completed"), Step("m1.t1", "tool", "f", "failed"), Step("m1.t2", "tool", "f", "completed")]
    result = AgentResult("x", "x", "completed", "a", "AGENT-1", "exec_1", 4100, {"model_calls": 1, "tool_calls": 2}, Trace(steps))
    assert formats.result_line("m", result) == "m · 1 call · 2 tools, 1 failed · 4.1 s"
    assert "1 call · 2 tools, 1 failed" in html.of_result(result)
    assert repr(result) == "<completed result of a: 'x', 3 steps, 1 tool failed, 4100 ms>"
    with pytest.raises(AttributeError, match=r"AgentResult has no attribute 'ouput'; did you mean output\?"):
        _ = result.ouput  # type: ignore[attr-defined]
    assert pickle.loads(pickle.dumps(result)) == copy.deepcopy(result) == result
    one = replace(result, trace=Trace(steps[:1]), usage={"model_calls": 1})
    assert repr(one) == "<completed result of a: 'x', 1 step, 4100 ms>"
    assert formats.result_line("a", replace(one, usage={}, execution_time_ms=0.0)) == "a"


def test_the_package_names_what_is_public() -> None:
    assert dir(anb) == sorted(anb.__all__)
    with pytest.raises(AttributeError, match=r"module 'agentnb' has no attribute 'Agnt'; did you mean Agent\?"):
        _ = anb.Agnt


def test_a_trace_knows_its_steps_by_their_ids() -> None:
    trace = Trace([Step("m1", "model", "m"), Step("m1.t1", "tool", "f")])
    assert (trace["m1.t1"], trace["m1"]) == (trace[-1], trace[0])
    assert trace[:1] == (trace[0],)
    with pytest.raises(UnknownName, match=r"no step 'm2' in the trace; there are: m1, m1\.t1"):
        trace["m2"]


@pytest.mark.parametrize(("value", "said"), [(3, "an int"), ([], "a list"), (None, "a NoneType")])
def test_the_article_fits_the_kind(value: object, said: str) -> None:
    assert kind_of(value) == said


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "abcdefgh-not-shaped")
    secrets.refresh()
    text = "k=abcdefgh-not-shaped Bearer abcdefghijklmnop12 sk-abcdefghijklmnopqrst ghp_abcdefghijklmnopqrstuvwx safe"
    assert secrets.redact(text) == "k=[secret] Bearer [secret] [secret] [secret] safe"
    monkeypatch.delenv("SOME_API_KEY")
    secrets.refresh()
    assert secrets.redact("abcdefgh-not-shaped") == "abcdefgh-not-shaped"


def test_what_is_printed_of_a_step_is_short_and_has_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "s3cret-of-the-house")
    secrets.refresh()
    long = "word " * 10 + "s3cret-of-the-house" + " word" * 100

    class Odd:
        def __repr__(self) -> str:
            return "word " + "." * 65 + "s3cret-of-the-house" + "." * 100

    for step in (
        Step("m1.t1", "tool", "t", output=Odd()),
        AgentResult(long, long, "completed", "a", "", "exec_1", 1.0),
        Step("m1.t1", "tool", "t", output=long),
        Step("m1.t1", "tool", "t", error=long[:80]),
        StepRecord("a", "tool", output=[long]),
    ):
        said = repr(step)
        assert "word" in said
        assert len(said) < 200
        assert "house" not in said
        assert "s3c" not in said


def test_passwords_of_urls_are_masked() -> None:
    assert (
        secrets.redact("see https://bob:hunter2@host/x, or postgres://:pw@db") == "see https://[secret]@host/x, or postgres://[secret]@db"
    )
    assert secrets.to_json({"dsn": "redis://u:p@h:1"}) == secrets.plain_json({"dsn": "redis://u:p@h:1"}) == '{"dsn":"redis://[secret]@h:1"}'
    for text in (
        "https://host/~bob@home",
        "git@host:path and https://host:80/x",
        "https://a:1/b, bob@host",
        "{'u': 'http://a:8', 'm': 'b@c'}",
    ):
        assert secrets.redact(text) == text
    assert secrets.bare_url("https://bob:hunter2@[::1]:8/v1?key=k") == "https://[::1]:8/v1"


def test_the_key_of_a_request_does_not_depend_on_order_or_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    def key(text: str, **options: int) -> str:
        return ModelRequest("m", (Message("user", text),), options=options).sha256()

    assert key("a", temperature=0, seed=1) == key("a", seed=1, temperature=0)
    assert key("a") != key("b")
    assert key("sk-aaaaaaaaaaaaaaaaaaaa") == key("sk-bbbbbbbbbbbbbbbbbbbb")


def test_usage_adds_up() -> None:
    assert Usage(1, 2, 1, None) + Usage(1, 1, 0, 0.5) == Usage(2, 3, 1, 0.5)
    assert (Usage() + Usage()).cost is None


def test_plugins_name_what_there_is() -> None:
    with pytest.raises(ConfigurationError, match="openai, openvino, scripted"):
        plugins.load("agentnb.models", "nope")


def test_requests_survive_json() -> None:
    request = ModelRequest("m", (Message("user", "ü"),))
    assert Message.from_dict(json.loads(json.dumps(request.as_dict()))["messages"][0]) == request.messages[0]


def test_the_demo_says_where_an_answer_was_cut_off() -> None:
    def cell(*, cut_off: bool) -> NotebookNode:
        line = formats.usage_line("m", {"cut_off": cut_off}, 10)
        data = {"text/plain": "Rome is", "text/html": html.trace("completed", line, [])}
        return new_code_cell("%%agent", outputs=[new_output("display_data", data)])

    assert answer_of(cell(cut_off=True)) == "Rome is … (cut off at max_tokens)"
    assert answer_of(cell(cut_off=False)) == "Rome is"


@pytest.mark.parametrize(
    ("data", "text"), [(None, "approved by ann"), ({}, "approved by ann"), ({"stars": 3}, 'approved by ann {"stars": 3}')]
)
def test_an_answer_shows_its_form_only_where_it_was_filled_in(data: object, text: str) -> None:
    assert answer_text({"kind": "human"}, {"approved": True, "by": "ann", "data": data, "note": ""}) == text
