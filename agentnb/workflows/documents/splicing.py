"""Changing parts of a YAML or JSON text: only the lines of what changed are touched."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from agentnb.workflows.documents import Document, differences, rendering
from agentnb.workflows.documents.differences import Plan, same
from agentnb.workflows.documents.nodes import MAX_DEPTH, Node
from agentnb.workflows.documents.rendering import Layout

_BREAK = re.compile(r"\r\n|\r|\n|\Z")
_LAST_BREAK = re.compile(r"(?:\r\n|\r|\n)\Z")
_COMMENT_LINE = re.compile(r"([ \t]*)(#[^\r\n]*)?(?:\r\n|\r|\n|\Z)")
_BLOCK_HEADER = re.compile(r"[|>][-+0-9]*")
_JSON_INDENT = re.compile(r"\n([ \t]+)\S")


def spliced(document: Document, new: Any) -> Iterator[str]:
    """Texts in which each part that differs is replaced by the new one, finest parts first; their meaning is to be checked."""
    body = document.text.removeprefix("\ufeff")
    lead = document.text[: len(document.text) - len(body)]
    ends = ("",) if _LAST_BREAK.search(body) else ("", "\n")
    for depth in (MAX_DEPTH, 2, 1):
        for end in ends:
            splice = _Splice(body, document, depth)
            with suppress(_Tangled):
                if end:
                    splice.keep_last_text(document.root)
                splice.root(document.root, new)
                found = splice.result()
                yield lead + found
                if end:
                    yield lead + found + splice.newline


class _Tangled(Exception):
    """The edits get into each other's way, or the text is of a form that is not edited in place."""


class _Entry(NamedTuple):
    """A key and its value, or an item: from ``start``; the value comes after ``head``."""

    start: int
    head: int
    node: Node


class _Splice:
    """Collects replacements of parts of a text."""

    def __init__(self, text: str, document: Document, depth: int) -> None:
        self.text = text if _LAST_BREAK.search(text) else text + "\n"
        self.cut = len(self.text) - len(text)
        self.json = document.is_json
        self.depth = depth
        self.lines = [0, *(found.end() for found in _BREAK.finditer(self.text) if found[0])]
        self.layout = self._layout(document.root)
        self.newline = _BREAK.search(self.text)[0]  # type: ignore[index]
        self.edits: list[tuple[int, int, str]] = []

    def result(self) -> str:
        parts, place = [], 0
        for start, end, text in sorted(self.edits, key=lambda edit: edit[:2]):
            if start < place:
                raise _Tangled
            parts += [self.text[place:start], text.replace("\n", self.newline)]
            place = end
        found = "".join([*parts, self.text[place:]])
        return found[: -self.cut] if self.cut and found.endswith("\n") else found

    def keep_last_text(self, node: Node) -> None:
        """Let a block of text at the very end, without a line break, stay without one where lines come after it."""
        while node.style == "block":
            node = node.items[-1] if isinstance(node.value, list) else next(reversed(node.entries.values()))[1]
        header = _BLOCK_HEADER.match(self.text, node.start)
        if node.style in ("|", ">") and header and header[0][-1] not in "+-":
            self.edits.append((header.end(), header.end(), "-"))

    def value(self, entry: _Entry, new: Any, column: int, level: int, *, flow: bool, in_list: bool) -> None:
        """Make an entry's value the new one."""
        node = entry.node
        if same(node.value, new):
            return
        if level < self.depth and type(new) in (dict, list) and type(new) is type(node.value) and new and node.value:
            plan = differences.plan(node.value, new)
            if plan.kept:
                self._apply(node, plan, level)
                return
        if flow:
            self._replace_flow(entry, new)
        else:
            self._replace(entry, new, column, in_list)

    def root(self, node: Node, new: Any) -> None:
        plan = differences.plan(node.value, new)
        if node.style == "flow" and not plan.kept:
            self.edits.append((node.start, node.end, self._flow(new, node.start)))
        elif not new or not node.value:
            raise _Tangled
        else:
            self._apply(node, plan, 0)

    def _apply(self, node: Node, plan: Plan, level: int) -> None:
        flow, in_list = node.style == "flow", isinstance(node.value, list)
        entries = self._entries(node)
        column = self._column(node.start)
        for place, value in plan.kept.items():
            self.value(entries[place], value, column, level + 1, flow=flow, in_list=in_list)
        if flow:
            self._remove_flow(entries, plan)
            self._add_flow(entries, plan)
        else:
            self._remove(entries, plan, column)
            self._add(entries, plan, column)

    def _entries(self, node: Node) -> list[_Entry]:
        if isinstance(node.value, dict):
            return [_Entry(key.start, self._colon(key, value), value) for key, value in node.entries.values()]
        if node.style == "flow":
            return [_Entry(item.start, item.start, item) for item in node.items]
        dash = re.compile(rf"^[ ]{{{self._column(node.start)}}}-(?=\s)", re.MULTILINE)
        entries: list[_Entry] = []
        place = node.start
        for item in node.items:
            if entries:
                found = dash.search(self.text, self._end(entries[-1].node))
                if not found or found.end() > item.start:
                    raise _Tangled
                place = found.end() - 1
            entries.append(_Entry(place, place + 1, item))
        return entries

    def _colon(self, key: Node, value: Node) -> int:
        found = self.text.find(":", key.end, max(value.start, key.end) + 1)
        return -1 if found < 0 or self.text[key.end : found].strip() else found + 1

    def _replace_flow(self, entry: _Entry, new: Any) -> None:
        node = entry.node
        lead = "" if node.start < node.end else ": " if entry.head < 0 else " "
        self.edits.append((node.start, node.end, lead + self._flow(new, entry.start, node.style)))

    def _replace(self, entry: _Entry, new: Any, column: int, in_list: bool) -> None:
        node, head = entry.node, entry.head
        if head < 0:
            raise _Tangled
        empty = node.start == node.end
        inline, below = rendering.block(new, column, self.layout, used=head - self._start(head) + 1, in_list=in_list, style=node.style)
        end = self._line_end(self._end(node))
        start = head if empty else node.start
        same_line = empty or self._line_end(head) >= node.start
        scalar_like = node.style not in ("|", ">", "block")
        if scalar_like and (same_line or not below):
            self._put(head, start, start if empty else node.end, inline)
            self._below(end, end, below)
        elif same_line and node.style != "block":
            header = _BLOCK_HEADER.match(self.text, node.start)
            stop = header.end() if header else node.start
            self._put(head, start, stop, inline)
            self._below(self._line_end(stop), end, below)
        elif same_line:
            self._put(head, start, end, inline)
            self._below(end, end, below)
        else:
            self._put(head, head, head, inline)
            self._below(self._line_end(head), end, below)

    def _put(self, head: int, start: int, end: int, inline: str) -> None:
        if inline:
            self.edits.append((start, end, f" {inline}" if start == head else inline))
        else:
            self.edits.append((head, end, ""))

    def _below(self, start: int, end: int, lines: list[str]) -> None:
        if lines or start < end:
            self.edits.append((start, end, "".join(f"\n{line}" for line in lines)))

    def _remove(self, entries: list[_Entry], plan: Plan, column: int) -> None:
        gone = plan.removed
        first = entries[0].start
        if gone and gone[0] == 0 and self.text[self._start(first) : first].strip() not in ("", "?"):
            stay = min(plan.kept, default=0)
            if not stay:
                raise _Tangled
            start = entries[stay].start
            if "#" in self.text[self._after(entries[stay - 1], column) : start]:
                self.edits.append((first - 1, self._line_end(self._end(entries[stay - 1].node)), ""))
            else:
                self.edits.append((first, start, ""))
            gone = [place for place in gone if place > stay]
        for place in gone:
            self.edits.append((self._start(entries[place].start), self._after(entries[place], column), ""))

    def _add(self, entries: list[_Entry], plan: Plan, column: int) -> None:
        for after, key, value in plan.added:
            if key is None:
                lines = rendering.sequence([value], column, self.layout)
            else:
                lines = rendering.mapping({key: value}, column, self.layout)
            text = "".join(f"{line}\n" for line in lines)
            if after >= 0:
                place = self._after(entries[after], column)
            else:
                place = entries[0].start
                text = text[column:] + " " * column
            self.edits.append((place, place, text))

    def _remove_flow(self, entries: list[_Entry], plan: Plan) -> None:
        last = max(plan.kept)
        for place in plan.removed:
            if place < last:
                self.edits.append((entries[place].start, entries[place + 1].start, ""))
        if last + 1 < len(entries):
            start, end = self._flow_end(entries[last]), self._flow_end(entries[-1])
            if "#" in self.text[start : entries[last + 1].start]:
                start = entries[last + 1].start
            self.edits.append((start, end, ""))

    def _add_flow(self, entries: list[_Entry], plan: Plan) -> None:
        for after, key, value in plan.added:
            stay = max((place for place in plan.kept if place <= after), default=-1)
            near = entries[max(stay, 0)]
            lead = self.text[self._start(near.start) : near.start]
            between = ", " if lead.strip() else f",\n{lead}"
            new = self._flow(value, near.start)
            if key is not None:
                new = f"{json.dumps(key, ensure_ascii=False)}: {new}" if self.json else rendering.flow_entry(key, value)
            if stay < 0:
                self.edits.append((near.start, near.start, new + between))
            else:
                self.edits.append((self._flow_end(near),) * 2 + (between + new,))

    def _flow(self, value: Any, start: int, style: str = "") -> str:
        if not self.json:
            return rendering.flow(value, style)
        found = _JSON_INDENT.search(self.text)
        lead = re.match(r"[ \t]*", self.text[self._start(start) : start])
        text = json.dumps(value, ensure_ascii=False, indent=found[1] if found else None)
        return text.replace("\n", "\n" + (lead[0] if lead else ""))

    def _flow_end(self, entry: _Entry) -> int:
        return max(entry.node.end, entry.head)

    def _start(self, place: int) -> int:
        return self.lines[bisect_right(self.lines, place) - 1]

    def _column(self, place: int) -> int:
        return place - self._start(place)

    def _line_end(self, place: int) -> int:
        found = _BREAK.search(self.text, place)
        return found.start() if found else len(self.text)

    def _end(self, node: Node) -> int:
        """Where a value ends, without the blank lines after it that mean nothing."""
        if node.style == "block":
            if isinstance(node.value, list):
                return self._end(node.items[-1])
            key, value = next(reversed(node.entries.values()))
            return max(key.end, self._end(value))
        if node.style in ("|", ">") and node.end > node.start:
            text = self.text[node.start : node.end]
            header = _BLOCK_HEADER.match(text)
            if header and "+" in header[0]:
                return node.end - len(found[0]) if (found := _LAST_BREAK.search(text)) else node.end
            return node.start + len(text.rstrip())
        return node.end

    def _after(self, entry: _Entry, column: int) -> int:
        """The start of the line after an entry and after the comments below it that are indented deeper than it is."""
        found = _BREAK.search(self.text, self._end(entry.node))
        after = place = found.end() if found else len(self.text)
        while place < len(self.text) and (line := _COMMENT_LINE.match(self.text, place)):
            place = line.end()
            if line[2]:
                if len(line[1]) <= column:
                    break
                after = place
        return after

    def _layout(self, root: Node) -> Layout:
        """How the document is indented, by its last nested mapping and its last list below a key."""
        found: dict[str, int] = {}
        nodes = [root]
        while nodes and len(found) < 2:
            node = nodes.pop()
            children = [value for _, value in node.entries.values()] if isinstance(node.value, dict) else node.items
            nested = [child for child in children if child.style == "block"]
            nodes += nested
            for child in nested if isinstance(node.value, dict) else ():
                kind = "dash" if isinstance(child.value, list) else "step"
                found.setdefault(kind, self._column(child.start) - self._column(node.start))
        step = found.get("step", 2)
        return Layout(step, found.get("dash", step))
