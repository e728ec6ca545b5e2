"""The values of a workflow document with their places, and what is wrong with it."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from agentnb.workflows.spec import WorkflowError

Path = tuple[str | int, ...]
"""Where a value stands in a document: keys of mappings and indices of lists."""

MAX_DEPTH = 50
MAX_NODES = 1_000_000
MAX_FINDINGS = 100

_BREAK = re.compile(r"\r\n|\r|\n")
NUMBER = re.compile(
    r"[-+]?[0-9]+"
    r"|(0o[0-7]+|0x[0-9a-fA-F]+)"
    r"|([-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)"
    r"|([-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"
)
NUMBER_STARTS = frozenset("+-.0123456789")
WORDS: dict[str, Any] = {"": None, "~": None}
for _word, _value in (("null", None), ("true", True), ("false", False)):
    WORDS |= dict.fromkeys((_word, _word.capitalize(), _word.upper()), _value)
_PLAIN_KEY = re.compile(r"[^\s.\[\]\"]+")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a document.

    Attributes:
        message: The cause, without a point at the end.
        mend: What to do about it.
        line: From 1; 0 where it is unknown. The same holds for ``column``.
    """

    message: str
    mend: str = ""
    path: Path = ()
    line: int = 0
    column: int = 0
    file: str = ""
    severity: Literal["error", "warning"] = "error"

    @property
    def field(self) -> str:
        """The path as text: ``steps.a.needs[0]``."""
        text = ""
        for part in self.path:
            if isinstance(part, int):
                text += f"[{part}]"
            elif _PLAIN_KEY.fullmatch(part):
                text += f".{part}" if text else part
            else:
                text += f"[{json.dumps(part, ensure_ascii=False)}]"
        return text

    def __repr__(self) -> str:
        return f"<{self.severity} {self}>"

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        said = ": ".join(part for part in (place, self.field, self.message) if part)
        return f"{said}. {self.mend}" if self.mend else said


class WorkflowSpecError(WorkflowError):
    """A workflow document is wrong.

    Attributes:
        findings: Everything that was found.
        path: The file, or an empty string.
        line: Where the first finding is; 0 where it is unknown.
    """

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = tuple(findings)
        self.path = findings[0].file if findings else ""
        self.line = findings[0].line if findings else 0

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.findings,)


class Node:
    """A value with its place: indices into the text, from ``start`` up to ``end``.

    Attributes:
        style: ``"``, ``'``, ``|``, ``>`` or nothing for a scalar; ``flow`` or ``block`` for a mapping or a list.
        entries: Key and value by key, for a mapping.
        items: For a list.
        key: Of a mapping that is being read: the key whose value comes next.
    """

    __slots__ = ("end", "entries", "items", "key", "start", "style", "value")

    entries: dict[str, tuple[Node, Node]]
    items: list[Node]
    key: Node | None

    def __init__(self, value: Any, start: int, end: int, style: str) -> None:
        self.value = value
        self.start = start
        self.end = end
        self.style = style


class Stop(Exception):
    """Nothing more can be found."""


class Builder:
    """Puts nodes together, and keeps what is wrong with them."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.findings: list[Finding] = []
        self.root: Node | None = None
        self.stack: list[Node] = []
        self.left = MAX_NODES

    @cached_property
    def lines(self) -> list[int]:
        return [0, *(found.end() for found in _BREAK.finditer(self.text))]

    def place(self, index: int) -> tuple[int, int]:
        line = bisect_right(self.lines, index)
        return line, index - self.lines[line - 1] + 1

    def find(self, index: int, message: str, mend: str, *, stop: bool = False) -> None:
        """Keep a finding about the value that comes next.

        Raises:
            Stop: There is no going on after it.
        """
        self.findings.append(Finding(message, mend, self._path(), *self.place(index), self.file))
        if stop or len(self.findings) >= MAX_FINDINGS:
            raise Stop

    def _path(self) -> Path:
        path: list[str | int] = []
        for node in self.stack:
            last = node is self.stack[-1]
            if type(node.value) is list:
                path.append(len(node.items) - (not last))
            elif node.key or not last:
                path.append((node.key or next(reversed(node.entries.values()))[0]).value)
        return tuple(path)

    def add(self, node: Node) -> None:
        self.left -= 1
        if not self.left:
            self.find(node.start, f"the document has more than {MAX_NODES:,} values", "Split it into sub-workflows", stop=True)
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1]
        value = parent.value
        if type(value) is list:
            parent.items.append(node)
            value.append(node.value)
        elif (key := parent.key) is None:
            if type(node.value) is not str or node.value in parent.entries or node.value == "<<":
                node = self._odd_key(parent, node)
            parent.key = node
        else:
            parent.key = None
            parent.entries[key.value] = (key, node)
            value[key.value] = node.value

    def _odd_key(self, parent: Node, node: Node) -> Node:
        if type(node.value) in (dict, list):
            self.find(node.start, "a mapping or a list can't be a key", "Put text that starts with { or [ in quotes")
        elif type(node.value) is not str:
            shown = self.text[node.start : node.end]
            self.find(node.start, f"a key must be text, not {shown or 'nothing'}", f'Put it in quotes: "{shown}"')
        elif node.value in parent.entries:
            line, column = self.place(parent.entries[node.value][0].start)
            first = f"the key {node.value[:100]!r} is here for the second time; first on line {line}, column {column}"
            self.find(node.start, first, "Remove or rename one of them")
            return node
        elif not node.style:
            self.find(node.start, "merge keys (<<) are not part of YAML 1.2", "Write the keys out")
            return node
        else:
            return node
        return Node(self.text[node.start : node.end], node.start, node.end, "")

    def open(self, value: Any, start: int, style: str) -> None:
        node = Node(value, start, start, style)
        if type(value) is list:
            node.items = []
        else:
            node.entries, node.key = {}, None
        if len(self.stack) >= MAX_DEPTH:
            self.find(start, f"nested deeper than {MAX_DEPTH} levels", "Flatten it, or move the inner part to a sub-workflow", stop=True)
        self.add(node)
        self.stack.append(node)

    def close(self, end: int) -> None:
        node = self.stack.pop()
        if node.style == "flow":
            node.end = end
        elif type(node.value) is list:
            node.end = node.items[-1].end
        else:
            key, value = next(reversed(node.entries.values()))
            node.end = max(key.end, value.end)

    def number(self, text: str, start: int) -> Any:
        """The number that a plain scalar is in the core schema, or the text itself."""
        found = NUMBER.fullmatch(text)
        if found is None:
            return text
        try:
            value = int(text, 0) if found[1] else float(text) if found[2] else None if found[3] else int(text)
        except ValueError:
            value = None
        if value is None or value in (float("inf"), float("-inf")):
            self.find(start, f"{text[:20]} is no number that can be stored", "Use a finite number, or put it in quotes to have text")
        return value
