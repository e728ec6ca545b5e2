"""JSON Schema (draft 2020-12): whether a value fits, and whether a schema is one.

By the Rust library: the Python one takes seconds to import where Jupyter has installed all of its formats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Misfit:
    """Something that doesn't fit.

    Attributes:
        path: Where in the value; of what is missing, where it should be.
        instance: The part that doesn't fit.
    """

    path: tuple[str | int, ...]
    message: str
    instance: Any = None

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.path))}: {self.message}" if self.path else self.message


class SchemaInvalid(ValueError):
    """A schema is none; ``misfit`` says where."""

    def __init__(self, misfit: Misfit) -> None:
        super().__init__(str(misfit))
        self.misfit = misfit


def misfits(schema: Mapping[str, Any], value: Any) -> list[Misfit]:
    """Everything in the value that doesn't fit the schema, in the order of the value."""
    try:
        errors = list(_validator(schema).iter_errors(value))
    except ValueError as error:
        return [Misfit((), str(error), value)]
    found = [_misfit(error) for error in errors]
    return sorted(found, key=lambda misfit: [str(part) for part in misfit.path])


def check(schema: Mapping[str, Any]) -> None:
    """Check that it is a JSON Schema.

    Raises:
        SchemaInvalid: It is none, is nested too deep, or a ``$ref`` of it leads nowhere, or out of it.
    """
    import jsonschema_rs

    try:
        _validator(schema)
    except jsonschema_rs.ValidationError as error:
        raise SchemaInvalid(_misfit(error)) from None
    except ValueError as error:
        raise SchemaInvalid(Misfit((), str(error))) from None


def _validator(schema: Mapping[str, Any]) -> Any:
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(dict(schema), retriever=_elsewhere)


def _elsewhere(_address: str) -> Any:
    """Instead of the library's own, which reads files and calls servers: schemas come from outside, too."""
    raise ValueError("a schema may refer to nothing but its own parts")


def _misfit(error: Any) -> Misfit:
    path = tuple(error.instance_path)
    if error.kind.name == "$ref":
        return Misfit(path, f"a $ref leads nowhere: {error.message}")
    if error.kind.name == "required":
        return Misfit((*path, error.kind.value), "is missing", error.instance)
    return Misfit(path, error.message, error.instance)
