"""Tool calls as families of models write them, whole, cut off and wrong."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnb.adapters.openvino.dialects import DIALECTS, ParsedCall, taught
from agentnb.adapters.openvino.native import Held

PARIS = ParsedCall("weather", '{"city": "Paris"}')


@pytest.mark.parametrize(
    ("dialect", "text", "said", "calls"),
    [
        ("hermes", '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>', "", [PARIS]),
        ("hermes", 'I look.\n<tool_call>{"name": "weather", "arguments": {"city": "Paris"}}', "I look.", [PARIS]),
        ("hermes", '<think>Hm, <tool_call></think><tool_call>{"arguments": {"city": "Paris"}, "name": "weather"}</tool_call>', "", [PARIS]),
        ("hermes", "<tool_call>{}</tool_call>", "<tool_call>{}</tool_call>", []),
        ("hermes", '<tool_call>{"name": "weather", "argum', '<tool_call>{"name": "weather", "argum', []),
        ("hermes", '<tool_call>{"name": "now"}</tool_call><tool_call>{"name": "now"}</tool_call>', "", [ParsedCall("now", "{}")] * 2),
        ("llama3", '{"name": "weather", "parameters": {"city": "Paris"}}', "", [PARIS]),
        ("llama3", '<|python_tag|>{"name": "weather", "parameters": {"city": "Paris"}}<|eom_id|>', "", [PARIS]),
        ("llama3", '{"type": "function", "function": {"name": "weather", "parameters": {"city": "Paris"}}}', "", [PARIS]),
        (
            "llama3",
            '{"name": "now", "parameters": {}}; {"name": "weather", "parameters": {"city": "Paris"}}',
            "",
            [ParsedCall("now", "{}"), PARIS],
        ),
        ("llama3", '[weather(city="Paris"), now()]', "", [PARIS, ParsedCall("now", "{}")]),
        ("llama3", "[1, 2, 3]", "[1, 2, 3]", []),
        ("llama3", '[open(__import__("os"))]', '[open(__import__("os"))]', []),
        ("llama3", 'The object {"name": "x"} is one.', 'The object {"name": "x"} is one.', []),
        ("mistral", '[TOOL_CALLS][{"name": "weather", "arguments": {"city": "Paris"}}]', "", [PARIS]),
        ("mistral", '[TOOL_CALLS][{"name": 5}]', '[TOOL_CALLS][{"name": 5}]', []),
    ],
)
def test_calls_are_read(dialect: str, text: str, said: str, calls: list[ParsedCall]) -> None:
    assert DIALECTS[dialect].parse(text) == (said, tuple(calls))


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.name)
@given(st.text(), st.dictionaries(st.text(min_size=1), st.one_of(st.text(), st.integers(), st.booleans())))
def test_what_a_frame_writes_its_parser_reads(dialect: object, noise: str, arguments: dict[str, object]) -> None:
    begin, end = dialect.frame("some.tool")  # type: ignore[attr-defined]
    text = f"{begin}{json.dumps(arguments)}{end}"
    _, [call] = dialect.parse(text)  # type: ignore[attr-defined]
    assert (call.name, json.loads(call.arguments)) == ("some.tool", arguments)
    said, calls = dialect.parse(noise)  # type: ignore[attr-defined]
    assert calls or said == noise


def test_templates_say_which_dialect_they_teach() -> None:
    assert taught("{% if tools %}<tool_call>{% endif %}") is DIALECTS["hermes"]
    assert taught("Environment: ipython") is DIALECTS["llama3"]
    assert taught("<|im_start|>{{ message }}") is None


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("text", ["Hello there, [friend] <tool> {x}.", "{curly} start", "[list] start", " lead"])
def test_text_is_shown_whole_where_there_is_no_call(dialect: object, text: str) -> None:
    pieces: list[str] = []
    held = Held(pieces.append, dialect)  # type: ignore[arg-type]
    for char in text:
        held.add(char)
    held.rest(text)
    assert "".join(pieces) == text


def test_a_call_is_never_shown() -> None:
    pieces: list[str] = []
    held = Held(pieces.append, DIALECTS["hermes"])
    for char in 'I look. <tool_call>{"name": "now"}</tool_call>':
        held.add(char)
    held.rest("I look.")
    assert "".join(pieces) == "I look."
