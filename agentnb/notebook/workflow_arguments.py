"""The first line of a ``%%workflow`` cell."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentnb.errors import ConfigurationError, UnknownName, kind_of
from agentnb.notebook.arguments import CellParser, parsed_cell
from agentnb.notebook.interpolation import interpolate, near_variable

_VARIABLE = re.compile(r"\{([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\}")


@dataclass(frozen=True)
class WorkflowArguments:
    """What was asked for; None and empty where it was not."""

    name: str
    run: bool
    inputs: tuple[str, ...]
    variable: str | None
    rerun: str
    start: tuple[str, ...]
    record: Path | None
    replay: Path | None
    background: bool


def parser() -> CellParser:
    """The options of ``%%workflow``."""
    options = CellParser(
        prog="%%workflow",
        description="A workflow as YAML or JSON; or as Python, where @wf.step makes a function a step. Shows its plan; --run runs it.",
    )
    options.add_argument(
        "name",
        nargs="?",
        default="",
        help="variable that gets the workflow; in YAML, name: says it too. With an empty cell: the variable or the file of the workflow",
    )
    options.add_argument("-r", "--run", action="store_true", help="run it")
    options.add_argument(
        "-i", "--input", "-p", dest="inputs", action="append", default=[], metavar="KEY=VALUE",
        help="an input: text, JSON, or {variable}; once for each",
    )  # fmt: skip
    options.add_argument("-o", "--output", dest="variable", help="variable that gets the workflow, or with --run its run")
    options.add_argument(
        "--rerun", default="", metavar="RUN", help="run it, and take what is the same from that run; last is the latest one"
    )
    options.add_argument("--from", dest="start", action="append", default=[], metavar="STEP", help="with --rerun: run this step anew")
    options.add_argument("--record", type=Path, help="cassette file to record the models' answers to")
    options.add_argument("--replay", type=Path, help="cassette file to answer from, without a model")
    options.add_argument(
        "--background",
        action="store_true",
        help="go on with other cells meanwhile; where nobody watches, as under papermill, the cell waits",
    )
    return options


def parse(line: str) -> WorkflowArguments | None:
    """The options of a line; None where it asked for help, which is printed then.

    Raises:
        ConfigurationError: The line can't be understood.
    """
    found = parsed_cell(parser(), line)
    if found is None:
        return None
    if found["start"] and not found["rerun"]:
        raise ConfigurationError("%%workflow: --from needs --rerun RUN: which run shall the other results come from?")
    run = found["run"] or bool(found["rerun"])
    if found["inputs"] and not run:
        raise ConfigurationError("%%workflow: -i gives inputs to a run: add --run")
    return WorkflowArguments(**{**found, "run": run, "inputs": tuple(found["inputs"]), "start": tuple(found["start"])})


def inputs_of(given: tuple[str, ...], schemas: Mapping[str, Mapping[str, Any]], namespace: Mapping[str, Any]) -> dict[str, Any]:
    """The values of ``KEY=VALUE`` words: a whole ``{variable}`` is its value, an input of the type string is text, the rest JSON or text.

    Raises:
        ConfigurationError: A word has no ``=``.
    """
    found: dict[str, Any] = {}
    for word in given:
        key, equals, text = word.partition("=")
        if not equals:
            raise ConfigurationError(f"%%workflow: -i {word}: write KEY=VALUE, in quotes where there are spaces")
        found[key] = _value(text, schemas.get(key, {}), namespace)
    return found


def _value(text: str, schema: Mapping[str, Any], namespace: Mapping[str, Any]) -> Any:
    whole = _VARIABLE.fullmatch(text)
    if whole:
        return _jsonable(_looked_up(whole[1], namespace), text)
    said, misses = interpolate(text, namespace)
    for miss in misses:
        print(miss, file=sys.stderr)  # noqa: T201
    if schema.get("type") == "string":
        return said
    try:
        return json.loads(said)
    except ValueError:
        return said


def _looked_up(path: str, namespace: Mapping[str, Any]) -> Any:
    name, *attributes = path.split(".")
    if name not in namespace:
        hint = near_variable(name, namespace)
        raise UnknownName(f"%%workflow: -i {{{path}}}: there is no variable {name!r}{hint or f': write {{{{{path}}}}} for the text'}")
    value = namespace[name]
    for attribute in attributes:
        if not hasattr(value, attribute):
            raise ConfigurationError(f"%%workflow: -i {{{path}}}: {name} has no attribute {attribute!r}")
        value = getattr(value, attribute)
    return value


def _jsonable(value: Any, said: str) -> Any:
    from pydantic_core import PydanticSerializationError, to_jsonable_python

    try:
        return to_jsonable_python(value)
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"%%workflow: -i {said}: {kind_of(value)} is no JSON ({error}): give text, numbers, lists or mappings"
        ) from None
