"""``%%agent`` cells as agent steps: their options, and their prompt as a template."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from agentnb.workflows.notebooks.cells import Cell, CellProblem

DEFAULT_NAME = "assistant"
_PLACE = re.compile(r"\{\{([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\}\}|\{([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\}")
_SETTINGS = ("model", "instructions", "max_steps", "timeout")
_OPTIONS = ("max_tokens", "temperature")
_SUPPORTED = "-m, -o, -c, --instructions, --max-steps, --timeout, --max-tokens, --temperature, --fresh"


@dataclass(frozen=True)
class AgentCell:
    """What an agent's cell says.

    Attributes:
        name: Of the agent; empty where the cell names none, and shares nothing with others.
        definition: The entry under ``agents:``; only what the cell's line gives.
        variable: That gets the answer, or an empty string.
        fresh: Whether the cell has no part in a conversation.
        prompt: The text with ``{name}``, what ``-c`` names in front.
    """

    name: str
    definition: dict[str, Any]
    variable: str
    fresh: bool
    prompt: str

    @property
    def places(self) -> list[str]:
        """What may be a variable in it: ``name`` or ``name.attribute``."""
        return list(dict.fromkeys(match[2] for match in _PLACE.finditer(self.prompt) if match[2]))

    def text(self, expression: Callable[[str], str | None]) -> str:
        """The prompt with ``${…}``; ``expression`` gives that of a place, or None where it is no variable."""
        made, literal, at = "", "", 0
        for match in _PLACE.finditer(self.prompt):
            found = expression(match[2]) if match[2] else None
            literal += self.prompt[at : match.start()]
            at = match.end()
            if found is None:
                literal += f"{{{match[1]}}}" if match[1] else match[0]
                continue
            made += f"{_literal(literal, followed=True)}${{{found}}}"
            literal = ""
        return made + _literal(literal + self.prompt[at:])


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def agent_of(cell: Cell) -> AgentCell:
    """What an agent's cell says.

    Raises:
        CellProblem: It asks for something that no workflow step can do.
    """
    _, line, text = cell.magic or ("", "", "")
    try:
        found, unknown = _parser().parse_known_args(shlex.split(line))
    except (ValueError, argparse.ArgumentError) as error:
        raise CellProblem(f"%%agent: {error}", f"Options that a step can have: {_SUPPORTED}", 1) from None
    if unknown:
        mend = f"Take it away, or move the cell into one without a tag; a step can have {_SUPPORTED}"
        raise CellProblem(f"%%agent: {' '.join(unknown)} has no meaning in a workflow", mend, 1)
    if not text.strip():
        raise CellProblem("the prompt is empty", "Write what the agent is to do below %%agent")
    if found.variable and not found.variable.isidentifier():
        raise CellProblem(f"%%agent: -o {found.variable!r} is no name for a variable", "Use letters, digits and _", 1)
    definition = {key: getattr(found, key) for key in _SETTINGS if getattr(found, key) is not None}
    options = {key: getattr(found, key) for key in _OPTIONS if getattr(found, key) is not None}
    context = [name.strip() for name in found.context.split(",") if name.strip()]
    odd = next((name for name in context if not name.isidentifier()), None)
    if odd:
        raise CellProblem(f"%%agent: -c {odd} is no variable", "Read the file in an earlier step, and pass its text", 1)
    prompt = "\n\n".join([*(f"{{{name}}}" for name in context), text.strip()])
    return AgentCell(
        found.name, definition | ({"options": options} if options else {}), found.variable, found.fresh or not found.name, prompt
    )


def _parser() -> argparse.ArgumentParser:
    options = _Parser(prog="%%agent", add_help=False, allow_abbrev=False)
    options.add_argument("name", nargs="?", default="")
    options.add_argument("-m", "--model")
    options.add_argument("-o", "--output", dest="variable", default="")
    options.add_argument("-c", "--context", default="")
    options.add_argument("--instructions")
    options.add_argument("--fresh", action="store_true")
    options.add_argument("--max-steps", type=int)
    options.add_argument("--timeout", type=float)
    options.add_argument("--max-tokens", type=int)
    options.add_argument("--temperature", type=float)
    return options


def _literal(text: str, *, followed: bool = False) -> str:
    """Text that reads back as it is; a ``$`` before an expression would hide that."""
    escaped = text.replace("${", "$${")
    return f"{escaped[:-1]}${{'$'}}" if followed and escaped.endswith("$") else escaped
