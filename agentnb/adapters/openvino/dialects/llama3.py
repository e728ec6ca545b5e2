"""Llama 3.1 to 3.3: ``{"name": …, "parameters": {…}}``, several after semicolons; Llama 3.2 and 4 also ``[function(argument=value)]``."""

from __future__ import annotations

import ast
import json

from agentnb.adapters.openvino.dialects.dialect import Dialect, Parsed, ParsedCall, read_call

_TAG = "<|python_tag|>"
_SPECIAL = (_TAG, "<|eom_id|>", "<|eot_id|>")


def parse(text: str) -> Parsed:
    """Calls that make up the whole text, or all that follows the python tag; anything else is no call."""
    said, tag, rest = text.partition(_TAG)
    body = rest if tag else said
    for special in _SPECIAL:
        body = body.replace(special, "")
    calls = _objects(body.strip()) or _pythonic(body.strip())
    return (said.strip() if tag else "", calls) if calls else (text, ())


def _objects(body: str) -> tuple[ParsedCall, ...]:
    calls = []
    while body.startswith("{"):
        call, end = read_call(body)
        if call is None:
            return ()
        calls.append(call)
        body = body[end:].lstrip().lstrip(";,").lstrip()
    return () if body else tuple(calls)


def _pythonic(body: str) -> tuple[ParsedCall, ...]:
    if not (body.startswith("[") and body.endswith("]")):
        return ()
    try:
        tree = ast.parse(body, mode="eval").body
        return tuple(_call(node) for node in tree.elts) if isinstance(tree, ast.List) else ()
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()


def _call(node: ast.expr) -> ParsedCall:
    if not isinstance(node, ast.Call) or node.args or any(keyword.arg is None for keyword in node.keywords):
        raise ValueError("no call with named arguments")
    arguments = {keyword.arg: ast.literal_eval(keyword.value) for keyword in node.keywords}
    return ParsedCall(ast.unparse(node.func), json.dumps(arguments, ensure_ascii=False))


def frame(name: str) -> tuple[str, str]:
    return f'{{"name": {json.dumps(name)}, "parameters": ', "}"


LLAMA3 = Dialect("llama3", (_TAG, "Environment: ipython"), ('{"name"', '{ "name"', "[", _TAG), parse, frame, '{"name": "', anywhere=False)
