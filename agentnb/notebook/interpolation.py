"""``{name}`` in a cell's text: replaced where it is a variable, left alone everywhere else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agentnb.agents.content import as_prompt
from agentnb.errors import ConfigurationError, UnknownName
from agentnb.names import nearest

_PLACE = re.compile(r"\{\{([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\}\}|\{([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\}")

_EXPRESSION = re.compile(r"(?<!\{)\{([A-Za-z_]\w*)[\[(:!.][^{}\n]*\}")
_STAYS = re.compile(r" stays? as written")
_LISTED = 5


def interpolate(text: str, namespace: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The text with its variables, and what is to be said about names in braces that are none.

    ``{name}`` and ``{name.attribute}`` are replaced where ``name`` is bound; ``{{name}}`` becomes ``{name}``; every other
    brace stays as it is, so JSON and code pass.

    Raises:
        ConfigurationError: Reading a value failed, or no text can be made of it.
    """
    notes: list[str] = []
    unknown: dict[str, str] = {}

    def replaced(match: re.Match[str]) -> str:
        if match[1]:
            return f"{{{match[1]}}}"
        name, *attributes = match[2].split(".")
        if name not in namespace:
            unknown.setdefault(match[0], name)
            return match[0]
        value = namespace[name]
        for attribute in attributes:
            try:
                value = getattr(value, attribute)
            except AttributeError:
                near = nearest(attribute, dir(value))
                hint = f"; did you mean .{near}?" if near else ""
                notes.append(f"{match[0]} stays as written: {name} has no attribute {attribute!r}{hint}")
                return match[0]
            except Exception as error:
                raise ConfigurationError(f"{match[0]} can't be read: {type(error).__name__}: {error}") from error
        return as_prompt(value)

    said = _PLACE.sub(replaced, text)
    notes.extend(
        f"{match[0]} stays as written: only {{name}} and {{name.attribute}} are replaced; put the value into a variable first"
        for match in _EXPRESSION.finditer(text)
        if match[1] in namespace and not _PLACE.fullmatch(match[0])
    )
    return said, [*notes, *_about(unknown, namespace)]


def replaced(word: str, namespace: Mapping[str, Any]) -> str:
    """A word of the first line with its variables.

    Raises:
        UnknownName: Something in braces is none; ``{{name}}`` stands for ``{name}``.
    """
    said, notes = interpolate(word, namespace)
    if notes:
        raise UnknownName(f"%%agent: {_STAYS.sub('', notes[0], count=1)}")
    return said


def near_variable(name: str, namespace: Mapping[str, Any]) -> str:
    """``; did you mean {document}?``, or nothing where no variable is called alike."""
    own = [known for known in namespace if not known.startswith("_")]
    near = nearest(name, own, cutoff=0.75)
    return f"; did you mean {{{near}}}?" if near else ""


def _about(unknown: Mapping[str, str], namespace: Mapping[str, Any]) -> list[str]:
    """A line for each name that looks misspelt, and one for all others: they may be meant."""
    hints = {place: near_variable(name, namespace) for place, name in unknown.items()}
    lines = [f"{place} stays as written: there is no variable of that name{hint}" for place, hint in hints.items() if hint]
    plain = [place for place, hint in hints.items() if not hint]
    if not plain:
        return lines
    places = ", ".join(plain[:_LISTED]) + (f" and {len(plain) - _LISTED} more" if len(plain) > _LISTED else "")
    stay = (
        "stays as written: there is no variable of that name"
        if len(plain) == 1
        else "stay as written: there are no variables of these names"
    )
    return [*lines, f"{places} {stay}; {{{plain[0]}}} says that it is meant so"]
