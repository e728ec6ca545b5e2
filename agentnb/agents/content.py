"""What a model gets to read of a value: text, JSON, a table, a file's content."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agentnb.errors import ConfigurationError

TABLE_ROWS = 20
TABLE_COLUMNS = 30
CELL_CHARACTERS = 200


def as_prompt(value: Any) -> str:
    """The value as text for a prompt; see ``_as_text`` for what becomes of which type.

    Raises:
        ConfigurationError: No text can be made of it.
    """
    try:
        return _as_text(value)
    except ConfigurationError:
        raise
    except Exception as error:
        raise ConfigurationError(
            f"no text can be made of this {type(value).__name__} for a prompt: {type(error).__name__}: {error}"
        ) from error


def _as_text(value: Any) -> str:
    """The value as text for a prompt.

    Text stays as it is; a ``pathlib.Path`` becomes the content of its file; a DataFrame a Markdown table of its first
    ``TABLE_ROWS`` rows with shape and types; a pydantic model, a dict or a list JSON; everything else its ``str``.

    Raises:
        ConfigurationError: A file can't be read, or is not text.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, Path):
        return _file(value)
    if isinstance(value, bytes | bytearray):
        raise ConfigurationError(f"{len(value):,} bytes of binary data can't go into a prompt: decode them, or extract their text first")
    if isinstance(value, type):
        return str(value)
    if hasattr(value, "columns") and hasattr(value, "dtypes") and hasattr(value, "head"):
        return _table(value)
    if hasattr(value, "model_dump_json"):
        return str(value.model_dump_json())
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _file(path: Path) -> str:
    try:
        data = path.expanduser().read_bytes()
    except OSError as error:
        raise ConfigurationError(f"the file {path} can't be read: {error.strerror}") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"the file {path} is no UTF-8 text (byte {error.start}): extract its text first") from None
    if "\0" in text:
        raise ConfigurationError(f"the file {path} is binary: extract its text first")
    return text


def _table(frame: Any) -> str:
    rows, columns = frame.shape
    names = [str(name) for name in frame.columns][:TABLE_COLUMNS]
    head = frame.head(TABLE_ROWS).iloc[:, :TABLE_COLUMNS] if hasattr(frame, "iloc") else frame.head(TABLE_ROWS)
    body = head.to_numpy().tolist() if hasattr(head, "to_numpy") else [list(row) for row in head.rows()]
    lines = [_row(names), _row("---" for _ in names), *(_row(_cell(item) for item in row[:TABLE_COLUMNS]) for row in body)]
    types = ", ".join(f"{name}: {kind}" for name, kind in zip(names, frame.dtypes, strict=False))
    shown = f", the first {len(body)} shown" if rows > len(body) else ""
    return "\n".join([f"Table of {rows} rows{shown} and {columns} columns ({types})", "", *lines])


def _row(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(item: Any) -> str:
    text = str(item).replace("|", "\\|").replace("\n", " ")
    return text if len(text) <= CELL_CHARACTERS else f"{text[:CELL_CHARACTERS]}…"
