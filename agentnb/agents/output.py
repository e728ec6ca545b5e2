"""Structured output: from a Python type to a JSON Schema, and from the model's text back to a value of the type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from agentnb.agents import schemas
from agentnb.errors import ConfigurationError

_KEY = "result"


class OutputType:
    """What an agent must answer with.

    Args:
        type_: A pydantic model, or anything else that pydantic can check: ``list[str]``, ``Literal[…]``, a dataclass; or the JSON
            Schema of an object, whose answers are mappings.

    Raises:
        ConfigurationError: It has no JSON Schema.
    """

    def __init__(self, type_: Any) -> None:
        self.type = type_
        self._given = isinstance(type_, Mapping)
        try:
            self._adapter: TypeAdapter[Any] = TypeAdapter(dict[str, Any] if self._given else type_)
            schema = _checked(type_) if self._given else self._adapter.json_schema()
        except Exception as error:
            raise ConfigurationError(
                f"output={type_!r} has no JSON Schema: {error}. Use a pydantic model, or a type such as list[str]"
            ) from error
        self._wrapped = schema.get("type") != "object" and "$ref" not in schema
        self.schema: dict[str, Any] = schema
        if self._wrapped:
            definitions = schema.pop("$defs", None)
            self.schema = {"type": "object", "properties": {_KEY: schema}, "required": [_KEY], "additionalProperties": False}
            if definitions:
                self.schema["$defs"] = definitions

    def parse(self, text: str) -> Any:
        """The value.

        Raises:
            ValueError: The text doesn't fit; its arguments are the findings, one a field.
        """
        try:
            if not self._wrapped:
                value = self._adapter.validate_json(_bare(text))
                return self._fitting(value) if self._given else value
            return TypeAdapter(dict[str, self.type]).validate_json(_bare(text))[_KEY]  # type: ignore[name-defined]
        except ValidationError as error:
            findings = [f"{'.'.join(map(str, item['loc'])) or 'answer'}: {item['msg']}" for item in error.errors(include_url=False)]
            raise ValueError(*findings) from None
        except KeyError:
            raise ValueError(f"{_KEY}: Field required") from None

    def _fitting(self, value: dict[str, Any]) -> dict[str, Any]:
        found = schemas.misfits(self.schema, value)
        if found:
            raise ValueError(*map(str, found))
        return value

    def dump(self, value: Any) -> Any:
        """The value as JSON can hold it."""
        return self._adapter.dump_python(value, mode="json")

    def load(self, data: Any) -> Any:
        """The value again, from what ``dump`` gave."""
        return self._adapter.validate_python(data)


def _checked(schema: Mapping[str, Any]) -> dict[str, Any]:
    schemas.check(schema)
    if schema.get("type") != "object":
        raise ValueError("a schema must be one of an object: {type: object, properties: …}")
    return dict(schema)


def _bare(text: str) -> str:
    """The JSON without a Markdown fence around it, which models like to write."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```"):
        text = text[3:-3].strip()
        text = text.removeprefix("json").lstrip()
    return text
