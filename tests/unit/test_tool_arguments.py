"""Which parts of a request are a tool's arguments."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnb.adapters.openvino.choosing import choose
from agentnb.adapters.openvino.filling import fill
from agentnb.adapters.openvino.grammar import constraint
from agentnb.adapters.openvino.spans import numbers, spans
from agentnb.ports.model import ToolSpec


async def embed(texts: list[str]) -> list[list[float]]:
    """Nothing is near to anything: what is left are the signs in the text."""
    return [[0.0]] * len(texts)


def schema(*required: str, **properties: Any) -> dict[str, Any]:
    kinds = {key: {"type": kind} if isinstance(kind, str) else kind for key, kind in properties.items()}
    return {"type": "object", "properties": kinds, "required": list(required or properties)}


@pytest.mark.parametrize(
    ("request_", "properties", "expected"),
    [
        ("Is it raining in Salt Lake City?", {"city": "string"}, {"city": "Salt Lake City"}),
        ("Count the words of 'to be or not'", {"text": "string"}, {"text": "to be or not"}),
        ("Count the words of this: to be or not", {"text": "string"}, {"text": "to be or not"}),
        ("Trains from Kyoto to Leeds?", {"origin": "string", "destination": "string"}, {"origin": "Kyoto", "destination": "Leeds"}),
        ("Trains to Leeds from Kyoto?", {"origin": "string", "destination": "string"}, {"origin": "Kyoto", "destination": "Leeds"}),
        ("Add 17 and 2.5", {"a": "number", "b": "number"}, {"a": 17, "b": 2.5}),
        ("What is 8% of 1,200 dollars?", {"amount": "number", "percent": "number"}, {"amount": 1200, "percent": 8}),
        ("Make the Hall brighter", {"room": {"type": "string", "enum": ["hall", "attic"]}}, {"room": "hall"}),
        (
            "Meet Ms. Okafor tomorrow at 10 am",
            {"person": "string", "time": "string"},
            {"person": "Ms. Okafor", "time": "tomorrow at 10 am"},
        ),
        ("Show src/app.py", {"path": "string"}, {"path": "src/app.py"}),
        ("Set a timer for seven minutes", {"minutes": "integer"}, {"minutes": 7}),
    ],
)
async def test_arguments_are_parts_of_the_request(request_: str, properties: dict[str, Any], expected: dict[str, Any]) -> None:
    found = await fill("do_it", "Does it.", schema(**properties), request_, embed)
    assert found
    assert found[0].arguments == expected


async def test_what_the_request_lacks_is_not_made_up() -> None:
    assert await fill("timer", "", schema(minutes="integer"), "Start the timer", embed) is None
    assert await fill("timer", "", schema(minutes={"type": "integer", "maximum": 60}), "Start for 90 minutes", embed) is None
    assert await fill("room", "", schema(room={"type": "string", "enum": ["hall"]}), "Heat the kitchen", embed) is None
    optional = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}
    found = await fill("forecast", "", optional, "The weather in Paris", embed)
    assert found
    assert found[0].arguments == {"city": "Paris"}
    found = await fill("forecast", "", optional, "The weather in Paris for 5 days", embed)
    assert found
    assert found[0].arguments == {"city": "Paris", "days": 5}


async def test_other_schemas_are_left_to_the_model() -> None:
    assert await fill("t", "", schema(items={"type": "array", "items": {"type": "string"}}), "a and b", embed) is None
    assert await fill("t", "", {"type": "object", "properties": {}, "required": ["x"]}, "a", embed) is None
    many = {"type": "object", "properties": {f"word_{number}": {"type": "string"} for number in range(1000)}}
    assert await fill("t", "", many, "a and b", embed) is None


async def test_a_tool_may_have_an_argument_that_is_none_or_anything() -> None:
    tool = ToolSpec("save", "Save it.", schema(a={"type": "string"}) | {"properties": {"a": False, "b": True, "c": {"type": "string"}}})
    assert await choose([tool], "Save 5 cups", embed, {}, required=True) is tool


@pytest.mark.parametrize("step", [{"$ref": "#/$defs/a"}, {"anyOf": [{"$ref": "#/$defs/a"}]}])
def test_a_reference_that_leads_to_itself_is_left_to_the_pipeline(step: dict[str, Any]) -> None:
    assert constraint(schema(a={"$ref": "#/$defs/a"}) | {"$defs": {"a": step}}, 100).kind == "json_schema"


@given(st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    for span in spans(text):
        assert text[span.start : span.end] == span.text
        assert span.text
    for number in numbers(text):
        assert number.start < number.end


async def test_a_long_request_takes_no_time() -> None:
    found = await fill("t", "", schema(a="string", b="string", c="string", d="string"), "one Two three Four five " * 80, embed)
    assert found
