"""JSON Schema to a grammar of compact JSON in xgrammar's EBNF, https://xgrammar.mlc.ai/docs/.

OpenVINO's own ``json_schema`` allows white space without end and strings and lists of any length, in which a weak model
loops until its tokens are spent. Here nothing is unbounded: what the schema leaves open gets a limit that fits the tokens.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentnb.adapters.openvino import numbers, strings
from agentnb.adapters.openvino.calls import Grammar

_LADDER = ((240, 16), (150, 8), (90, 6), (60, 4), (30, 3), (18, 2))
"""Limits of strings (characters) and lists (items) to try, the widest first."""

_CHARACTERS_PER_TOKEN = 2
_DEPTH = 4
_RULES = 1500

_IGNORED = {
    "title",
    "description",
    "default",
    "examples",
    "$defs",
    "definitions",
    "$schema",
    "$id",
    "deprecated",
    "readOnly",
    "writeOnly",
    "discriminator",
}
_HANDLED = {
    "object": {"type", "properties", "required", "additionalProperties"},
    "array": {"type", "items", "prefixItems", "minItems", "maxItems"},
    "string": {"type", "minLength", "maxLength", "format"},
    "integer": {"type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"},
    "number": {"type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"},
    "boolean": {"type"},
    "null": {"type"},
}


class Unsupported(Exception):
    """A part of a schema that this grammar can't express."""


def constraint(schema: Mapping[str, Any], max_tokens: int, source: str = "") -> Grammar:
    """What holds the text to a schema: EBNF, or the schema itself for what EBNF can't express.

    Args:
        schema: JSON Schema, as pydantic writes it.
        max_tokens: Tokens of the answer; open strings and lists are limited so that it is very likely to end within them.
        source: If given, strings without bounds can only be runs of words of this text.
    """
    try:
        return Grammar("grammar", ebnf(schema, max_tokens, source))
    except Unsupported:
        return Grammar("json_schema", json.dumps(schema))


def ebnf(schema: Mapping[str, Any], max_tokens: int, source: str = "") -> str:
    """The grammar whose rule ``root`` is compact JSON of this schema.

    Raises:
        Unsupported: The schema uses something beyond types, enums, bounds, ``anyOf`` and references.
    """
    writer = _Writer(schema, *_LADDER[-1], source)
    for longest, items in _LADDER:
        writer = _Writer(schema, longest, items, source)
        rule, size = writer.write(schema, 0)
        if size <= max_tokens * _CHARACTERS_PER_TOKEN:
            break
    return "\n".join([f"root ::= {rule}", *(f"{name} ::= {body}" for body, name in writer.rules.items())])


def constant(value: object) -> str:
    """The terminal for one JSON value."""
    return strings.literal(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


@dataclass
class _Writer:
    """Writes rules, sharing equal ones; every part comes with the length in characters that it has at most."""

    root: Mapping[str, Any]
    longest: int
    items: int
    source: str
    rules: dict[str, str] = field(default_factory=dict)

    def write(self, schema: Mapping[str, Any] | bool, depth: int) -> tuple[str, int]:
        if isinstance(schema, bool) or not schema.keys() - _IGNORED:
            return self._string({"type": "string"})
        if "$ref" in schema:
            if depth > 2 * _DEPTH:
                raise Unsupported("too deep")
            return self.write(self._resolve(schema["$ref"]), depth + 1)
        if "const" in schema:
            return constant(schema["const"]), len(json.dumps(schema["const"]))
        if "enum" in schema:
            return self._rule(" | ".join(constant(value) for value in schema["enum"])), max(
                len(json.dumps(value)) for value in schema["enum"]
            )
        alternatives = self._alternatives(schema)
        if alternatives:
            return self._choice(alternatives, depth)
        return self._typed(schema, depth)

    def _alternatives(self, schema: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        for key in ("anyOf", "oneOf", "allOf"):
            if key in schema:
                if schema.keys() - _IGNORED - {key, "type"} or (key == "allOf" and len(schema[key]) > 1):
                    raise Unsupported(f"{key} beside {sorted(schema)}")
                return list(schema[key])
        kind = schema.get("type")
        return [{**schema, "type": one} for one in kind] if isinstance(kind, list) else ()

    def _choice(self, schemas: Sequence[Mapping[str, Any]], depth: int) -> tuple[str, int]:
        parts = []
        for schema in schemas:
            own = _HANDLED.get(str(schema.get("type")), set())
            try:
                parts.append(
                    self.write({key: value for key, value in schema.items() if not own or key in own | {"enum", "const", "pattern"}}, depth)
                )
            except Unsupported:
                continue
        if not parts:
            raise Unsupported("no alternative can be expressed")
        return self._rule(" | ".join(part for part, _ in parts)), max(size for _, size in parts)

    def _typed(self, schema: Mapping[str, Any], depth: int) -> tuple[str, int]:
        kind = schema.get("type", "object" if "properties" in schema else None)
        beyond = schema.keys() - _IGNORED - _HANDLED.get(str(kind), set())
        if kind not in _HANDLED or beyond:
            raise Unsupported(f"{kind}: {sorted(beyond)}")
        if kind in ("object", "array"):
            if depth > 2 * _DEPTH or len(self.rules) > _RULES:
                raise Unsupported("too deep")
            return self._object(schema, depth + 1) if kind == "object" else self._array(schema, depth + 1)
        if kind == "string":
            return self._string(schema)
        if kind in ("integer", "number"):
            return self._number(schema, str(kind))
        return ('("true" | "false")', 5) if kind == "boolean" else ('"null"', 4)

    def _number(self, schema: Mapping[str, Any], kind: str) -> tuple[str, int]:
        body = numbers.integer(schema) if kind == "integer" else numbers.number(schema)
        if body is None:
            raise Unsupported(f"{kind} with these bounds")
        return self._rule(body), 16

    def _string(self, schema: Mapping[str, Any]) -> tuple[str, int]:
        found = strings.string(schema, self.longest, self.source, self._rule)
        if found is None:
            raise Unsupported(f"string with {sorted(schema)}")
        return found

    def _array(self, schema: Mapping[str, Any], depth: int) -> tuple[str, int]:
        if "prefixItems" in schema:
            parts = [self.write(item, depth) for item in schema["prefixItems"]]
            inside = ' "," '.join(part for part, _ in parts)
            return self._rule(f'"[" {inside} "]"'), sum(size + 1 for _, size in parts)
        low = int(schema.get("minItems", 0))
        high = min(int(schema.get("maxItems", max(low, self.items))), max(low, self.items))
        if high == 0:
            return '"[]"', 2
        try:
            item, size = self.write(schema.get("items", {}), depth)
        except Unsupported:
            if low:
                raise
            return '"[]"', 2
        filled = f'"[" {item} ("," {item}){{{max(low - 1, 0)},{high - 1}}} "]"'
        return self._rule(filled if low else f'"[]" | {filled}'), high * (size + 1) + 2

    def _object(self, schema: Mapping[str, Any], depth: int) -> tuple[str, int]:
        required = set(schema.get("required", ()))
        pairs: list[tuple[str, bool]] = []
        total = 2
        for name, part in schema.get("properties", {}).items():
            try:
                value, size = self.write(part, depth)
            except Unsupported:
                if name in required:
                    raise
                continue
            pairs.append((f"{strings.literal(json.dumps(name, ensure_ascii=False) + ':')} {value}", name in required))
            total += size + len(name) + 4
        if required - schema.get("properties", {}).keys():
            raise Unsupported("a required property without a schema")
        return self._rule(f'"{{" {self._members(pairs)} "}}"'), total

    def _members(self, pairs: Sequence[tuple[str, bool]]) -> str:
        """The properties in their order, with commas between those that are there."""
        rest, first = '""', '""'
        for pair, required in reversed(pairs):
            with_comma = self._rule(f'"," {pair} {rest}')
            alone = self._rule(f"{pair} {rest}")
            first = alone if required else self._rule(f"{alone} | {first}")
            rest = with_comma if required else self._rule(f"{with_comma} | {rest}")
        return first

    def _resolve(self, reference: str) -> Mapping[str, Any]:
        found: Any = self.root
        for step in reference.removeprefix("#/").split("/"):
            if not isinstance(found, Mapping) or step not in found:
                raise Unsupported(f"reference {reference}")
            found = found[step]
        return dict(found)

    def _rule(self, body: str) -> str:
        return self.rules.setdefault(body, f"r{len(self.rules)}")
