"""Tool calls by a chat template that teaches them, on the real pipeline: the small model with Hermes' template."""

from __future__ import annotations

import json

import pytest

from agentnb.adapters.openvino import OpenVINOModel, OpenVINOProvider, catalog, gguf
from agentnb.errors import ConfigurationError
from agentnb.ports.model import Message, ModelRequest, ToolSpec

pytestmark = pytest.mark.model

TEMPLATE = """{%- if tools %}<|im_start|>system
Tools, called as <tool_call>{"name": ..., "arguments": {...}}</tool_call>:
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}<|im_end|>
{% endif %}{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}{% if message.tool_calls %}{% for call in message.tool_calls %}<tool_call>
{{ call.function | tojson }}
</tool_call>{% endfor %}{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
TOOLS = (ToolSpec("weather", "Weather of a city.", SCHEMA), ToolSpec("book_hotel", "Book a hotel.", SCHEMA))


@pytest.fixture(scope="module")
def model(local_model: str, tmp_path_factory: pytest.TempPathFactory) -> OpenVINOModel:
    source = gguf.converted(catalog.find(local_model.partition(":")[2]), catalog.models_folder())
    folder = tmp_path_factory.mktemp("hermes") / "small"
    folder.mkdir()
    for file in source.iterdir():
        (folder / file.name).symlink_to(file)
    (folder / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
    return OpenVINOProvider().model(str(folder), tools="native")


def ask(*messages: Message, **options: object) -> ModelRequest:
    return ModelRequest("x", messages, TOOLS, options={"max_tokens": 80, **options})


async def test_a_call_is_well_formed_even_of_a_weak_model(model: OpenVINOModel) -> None:
    pieces: list[str | None] = []
    response = await model.generate(ask(Message("user", "What is the weather in Paris?"), tool_choice="required"), pieces.append)
    assert response.finish_reason == "tool_calls"
    for call in response.tool_calls:
        assert call.name in ("weather", "book_hotel")
        assert set(json.loads(call.arguments)) == {"city"}
    assert "<tool_call>" not in "".join(piece or "" for piece in pieces)
    assert "".join(piece or "" for piece in pieces).strip() == response.text


async def test_one_call_at_most_where_the_caller_wants_one(model: OpenVINOModel) -> None:
    shown = "\n".join(
        f'<tool_call>\n{{"name": "weather", "arguments": {{"city":"{city}"}}}}\n</tool_call>' for city in ("Paris", "Rome", "Oslo")
    )
    question = Message("user", f"Write:\n{shown}")
    many = await model.generate(ask(question, tool_choice="required"))
    assert len(many.tool_calls) > 1
    one = await model.generate(ask(question, tool_choice="required", parallel_tool_calls=False))
    assert [call.arguments for call in one.tool_calls] == [many.tool_calls[0].arguments]


async def test_the_conversation_goes_on_after_a_result(model: OpenVINOModel) -> None:
    question = Message("user", "What is the weather in Paris?")
    called = await model.generate(ask(question, tool_choice="required"))
    result = Message("tool", "18 degrees", tool_call_id=called.tool_calls[0].id)
    answer = await model.generate(ask(question, Message("assistant", called.text, called.tool_calls), result))
    assert answer.text or answer.tool_calls


def test_a_template_without_tools_is_refused(local_model: str) -> None:
    with pytest.raises(ConfigurationError, match="knows no tools"):
        OpenVINOProvider().model(local_model.partition(":")[2], tools="native")
    with pytest.raises(ConfigurationError, match="must be one of auto, ranked, native"):
        OpenVINOProvider().model(local_model.partition(":")[2], tools="best")
