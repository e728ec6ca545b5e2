"""What commands print, as text or as JSON, and what they exit with."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from agentnb.errors import AgentNBError, ConfigurationError
from agentnb.notebook.formats import printable
from agentnb.secrets import to_json

if TYPE_CHECKING:
    from agentnb.notebook.tables import Table

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

FAILED, USAGE, REFUSED, TIMED_OUT, INTERRUPTED = 1, 2, 3, 4, 130
_CODES = {"policy": REFUSED, "timed_out": TIMED_OUT, "cancelled": INTERRUPTED}


@contextmanager
def exit_codes(*, as_json: bool = False) -> Iterator[None]:
    """End the process with the code that belongs to what went wrong, its message on standard error."""
    try:
        yield
    except KeyboardInterrupt as error:
        stop("\n".join(["interrupted", *_notes(error)]), INTERRUPTED, as_json=as_json)
    except AgentNBError as error:
        stop(error, code_of(error), as_json=as_json)


def code_of(error: BaseException) -> int:
    """The exit code of an error."""
    code = _CODES.get(getattr(error, "reason", ""))
    if code is not None:
        return code
    return USAGE if isinstance(error, ConfigurationError) else FAILED


def stop(error: BaseException | str, code: int, *, as_json: bool) -> NoReturn:
    """Say what went wrong, and exit."""
    name = "" if isinstance(error, str) else type(error).__name__
    message = "\n".join([str(error), *_notes(error)])
    if as_json:
        put({"error": {"type": name, "message": message, "run": getattr(error, "run_id", "")}})
    else:
        sys.stderr.write(printable(f"{name}: {message}\n" if name else f"{message}\n"))
    raise typer.Exit(code)


def _notes(error: object) -> list[str]:
    """What was added to an error on its way."""
    return list(getattr(error, "__notes__", ()))


def put(value: Any) -> None:
    """Print a value as JSON."""
    sys.stdout.write(json.dumps(json.loads(to_json(_plain_all(value))), ensure_ascii=False, indent=2) + "\n")


def put_table(table: Table, key: str, *, as_json: bool) -> None:
    """Print rows: as a table, or as ``{key: […]}``."""
    if as_json:
        put({key: list(table.data)})
    else:
        sys.stdout.write(printable(f"{table!r}\n"))


def put_text(text: str, output: Path | None) -> None:
    """Print a text, or write it to a file.

    Raises:
        ConfigurationError: The file can't be written.
    """
    if output is None:
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{output} can't be written: {error.strerror}") from error
    sys.stderr.write(f"wrote {output.absolute()}\n")


def _plain_all(value: Any) -> Any:
    """Data classes as mappings, wherever they are."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, dict):
        return {key: _plain_all(item) for key, item in value.items()}
    return [_plain_all(item) for item in value] if isinstance(value, list | tuple) else value
