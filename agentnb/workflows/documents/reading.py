"""Reading workflow documents: YAML 1.2 (core schema) and JSON, with the place of everything that is wrong."""

from __future__ import annotations

import gc
import json
import os
import pathlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from agentnb.workflows.documents.nodes import NUMBER_STARTS, WORDS, Builder, Finding, Node, Path, Stop, WorkflowSpecError

__all__ = ["Document", "Finding", "Path", "WorkflowSpecError"]

MAX_BYTES = 10_000_000

_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_TAG_DIRECTIVE = re.compile(r"^%TAG", re.MULTILINE)
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:]|[^\s{}\[\]:,"]+')
_MENDS = (
    ("mapping values are not allowed", "Put text that holds ': ' in quotes, and check the indentation of this line"),
    ("cannot start any token", "Put text that starts with this character in quotes"),
    ("did not find expected key", "Indent this line like its siblings; put text that holds quotes in quotes as a whole"),
    ("did not find expected '-'", "Indent this line like the items above"),
    ("could not find expected ':'", "Write a key as 'key: value', with a space after the colon"),
    ("block sequence entries are not allowed", "Start the list on a line of its own below the key"),
    ("unexpected end of stream", "Close the quote that was opened"),
    ("did not find expected ',' or", "Close the bracket, or put a comma between the entries"),
    ("escape", "Double the backslash, or use single quotes"),
)
_JSON_MEND = "JSON has double quotes only, no comments and no comma after the last entry; YAML is more lenient"


class _Yaml(Builder):
    """Builds from libyaml's events, which need no recursion however deep the document is nested."""

    def build(self) -> None:
        import yaml

        odd = _UNPRINTABLE.search(self.text)
        if odd:
            self.find(
                odd.start(),
                f"the control character U+{ord(odd[0]):04X} is not allowed",
                'Remove it, or write it as an escape in "…"',
                stop=True,
            )
        directive = _TAG_DIRECTIVE.search(self.text)
        if directive:
            self.find(directive.start(), "%TAG directives are not supported", "Remove it", stop=True)
        handlers: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: lambda event: self._open({}, event),
            yaml.SequenceStartEvent: lambda event: self._open([], event),
            yaml.MappingEndEvent: lambda event: self.close(event.end_mark.index),
            yaml.SequenceEndEvent: lambda event: self.close(event.end_mark.index),
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }
        loader = (yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader)(self.text)
        try:
            while (event := loader.get_event()) is not None:
                handler = handlers.get(type(event))
                if handler:
                    handler(event)
        except yaml.MarkedYAMLError as error:
            self._syntax(error)

    def _scalar(self, event: Any) -> None:
        value, start, style = event.value, event.start_mark.index, event.style or ""
        if event.anchor or event.tag:
            self._refuse(event)
        if not style:
            if value[:1] in NUMBER_STARTS:
                value = self.number(value, start)
            elif value in WORDS:
                value = WORDS[value]
        self.add(Node(value, start, event.end_mark.index, style))

    def _open(self, value: Any, event: Any) -> None:
        if event.anchor or event.tag:
            self._refuse(event)
        self.open(value, event.start_mark.index, "flow" if event.flow_style else "block")

    def _refuse(self, event: Any) -> None:
        if event.tag:
            self.find(
                event.start_mark.index, f"the tag {event.tag[:60]!r} is not allowed", "Remove it; put the value in quotes to have text"
            )
        if event.anchor:
            self.find(event.start_mark.index, f"the anchor &{event.anchor[:60]} is not allowed", "Write the value out where it is used")

    def _alias(self, event: Any) -> None:
        self.find(
            event.start_mark.index,
            f"the alias *{event.anchor[:60]} is not allowed",
            "Write the value out, or put text that starts with * in quotes",
        )
        self.add(Node(f"*{event.anchor}", event.start_mark.index, event.end_mark.index, "'"))

    def _document(self, event: Any) -> None:
        if self.root:
            self.find(
                event.start_mark.index,
                "there is a second document in the text",
                "Keep one document in a file; remove the line ---",
                stop=True,
            )

    def _syntax(self, error: Any) -> None:
        mark = error.problem_mark or error.context_mark
        message = f"{error.context}: {error.problem}" if error.context else str(error.problem)
        mend = next((mend for part, mend in _MENDS if part in message), "Check the indentation, the quotes and the brackets here")
        index = mark.index if mark else 0
        if "\t" in self.text[self.lines[self.place(index)[0] - 1] : index + 1]:
            mend = "Indent with spaces instead of tabs"
        self.find(index, f"not valid YAML: {message}", mend, stop=True)


class _Json(Builder):
    """Checks by the parser of the standard library, then takes values and places from the tokens."""

    def build(self) -> None:
        try:
            json.loads(self.text, parse_int=str, parse_float=str, parse_constant=str)
        except json.JSONDecodeError as error:
            self.find(error.pos, f"not valid JSON: {error.msg}", _JSON_MEND, stop=True)
        except RecursionError:
            pass
        for found in _JSON_TOKEN.finditer(self.text):
            part, start = found[0], found.start()
            if part in ("{", "["):
                self.open({} if part == "{" else [], start, "flow")
            elif part in ("}", "]"):
                self.close(found.end())
            elif part != ":":
                style = '"' if part[0] == '"' else ""
                self.add(Node(self._text(part, start) if style else self._plain(part, start), start, found.end(), style))

    def _text(self, token: str, start: int) -> str:
        if "\\" not in token:
            return token[1:-1]
        value = str(json.loads(token))
        if _surrogate(value) >= 0:
            self.find(start, "half of a surrogate pair is no character", "Write both halves, or the character itself")
        return value

    def _plain(self, token: str, start: int) -> Any:
        if token in ("NaN", "Infinity", "-Infinity"):
            self.find(start, f"{token} is no number that can be stored", "Use a finite number, or put it in quotes to have text")
            return None
        return WORDS[token] if token in WORDS else self.number(token, start)


class Document:
    """A document that was read: its text, its data and where everything stands.

    Attributes:
        text: As it was given.
        data: Plain dict, list, str, int, float, bool and None.
        root: The same with the places in the text, counted after a byte order mark.
    """

    def __init__(self, text: str, file: str, builder: Builder, root: Node) -> None:
        self.text = text
        self.file = file
        self.data: Any = root.value
        self.root = root
        self._builder = builder

    @property
    def is_json(self) -> bool:
        return isinstance(self._builder, _Json)

    @classmethod
    def parse(cls, text: str, file: str = "") -> Document:
        """Read YAML, or JSON where the file ends in ``.json`` or the text starts with ``{``.

        Raises:
            WorkflowSpecError: With all findings that can be had.
        """
        _check_size(text, file)
        body = text.removeprefix("\ufeff")
        if file.endswith(".json"):
            return cls._built(text, _Json(body, file))
        if body.lstrip()[:1] == "{":
            try:
                return cls._built(text, _Json(body, file))
            except WorkflowSpecError:
                if not file.endswith((".yaml", ".yml")):
                    raise
        return cls._built(text, _Yaml(body, file))

    @classmethod
    def _built(cls, text: str, builder: Any) -> Document:
        try:
            with _uncollected():
                builder.build()
            if builder.root is None:
                builder.find(0, "the document is empty", "Start with name: …", stop=True)
            elif not isinstance(builder.root.value, dict):
                builder.find(builder.root.start, "the document must be a mapping of keys to values", "Start with name: …")
        except Stop:
            pass
        if builder.findings:
            raise WorkflowSpecError(builder.findings)
        return cls(text, builder.file, builder, builder.root)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Document:
        """Read a file in UTF-8.

        Raises:
            WorkflowSpecError: It can't be read, is too large or no UTF-8, or its text is wrong.
        """
        file = str(path)
        try:
            with pathlib.Path(path).open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
        except FileNotFoundError:
            raise WorkflowSpecError(
                [Finding("there is no such file", "Check the path, and the folder that it starts from", file=file)]
            ) from None
        except IsADirectoryError:
            raise WorkflowSpecError([Finding("this is a folder", "Name the file in it", file=file)]) from None
        except (OSError, ValueError) as error:
            cause = getattr(error, "strerror", None) or str(error)
            raise WorkflowSpecError(
                [Finding(f"the file can't be read: {cause}", "Check its path and its permissions", file=file)]
            ) from error
        if len(data) > MAX_BYTES:
            raise WorkflowSpecError([_too_large(file)])
        try:
            return cls.parse(data.decode(), file)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise WorkflowSpecError([Finding("the file is not UTF-8", "Save it as UTF-8", line=line, file=file)]) from None

    def position(self, path: Path) -> tuple[int, int]:
        """Line and column, from 1, of a value (of its key in a mapping), or of the nearest part above that is there."""
        node, start = self.root, self.root.start
        for part in path:
            if isinstance(node.value, dict) and part in node.entries:
                key, node = node.entries[str(part)]
                start = key.start
            elif isinstance(node.value, list) and isinstance(part, int) and 0 <= part < len(node.items):
                node = node.items[part]
                start = node.start
            else:
                break
        return self._builder.place(start)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the collector from searching the growing tree, which has no cycles, over and over: a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _surrogate(text: str) -> int:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return error.start
    return -1


def _too_large(file: str) -> Finding:
    return Finding(
        f"larger than {MAX_BYTES // 1_000_000} MB", "Split it into sub-workflows, and keep data in files of their own", file=file
    )


def _check_size(text: str, file: str) -> None:
    broken = _surrogate(text)
    if broken >= 0:
        place = Builder(text, file).place(broken)
        raise WorkflowSpecError([Finding("half of a surrogate pair is no character", "Remove it", (), *place, file)])
    if len(text) > MAX_BYTES or len(text.encode()) > MAX_BYTES:
        raise WorkflowSpecError([_too_large(file)])
