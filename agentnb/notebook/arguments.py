"""The first line of a ``%%agent`` cell."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from keyword import iskeyword
from pathlib import Path
from typing import Any, NoReturn

from agentnb.errors import ConfigurationError
from agentnb.names import nearest


class CellParser(argparse.ArgumentParser):
    """argparse that raises instead of ending the process, and takes no beginning of an option for it."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        end = "" if message.endswith("?") else "."
        raise ConfigurationError(f"{self.prog}: {message}{end} {self.prog} --help shows the options")

    @property
    def names(self) -> list[str]:
        """The options, as ``--model``."""
        return [text for action in self._actions for text in action.option_strings if text.startswith("--")]

    def asked_by(self, word: str) -> str:
        """The name of the value that has to follow an option; empty where none does."""
        action = self._option_string_actions.get(word)
        return action.dest if action is not None and action.nargs != 0 else ""

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise _HelpShown


class _HelpShown(Exception):
    pass


@dataclass(frozen=True)
class AgentArguments:
    """What was asked for; None and empty where it was not."""

    name: str
    model: str | None
    tools: tuple[str, ...]
    variable: str | None
    schema: str | None
    instructions: str | None
    context: tuple[str, ...]
    session: str | None
    continues: bool
    fresh: bool
    record: Path | None
    replay: Path | None
    max_steps: int | None
    timeout: float | None
    max_tokens: int | None
    temperature: float | None
    background: bool

    @property
    def changes(self) -> bool:
        """Whether the line says anything about what the agent is made of."""
        numbers = self.max_steps is not None or self.timeout is not None
        return bool(self.model or self.tools or self.schema or self.instructions or self.options) or numbers

    @property
    def options(self) -> dict[str, Any]:
        """Sampling settings that the line gives."""
        given = {"max_tokens": self.max_tokens, "temperature": self.temperature}
        return {key: value for key, value in given.items() if value is not None}


def parser() -> CellParser:
    """The options of ``%%agent``."""
    options = CellParser(
        prog="%%agent",
        description="Ask an agent; the cell's text is the prompt, {name} in it and in this line is replaced by that variable.",
    )
    options.add_argument(
        "name",
        nargs="?",
        default="",
        help="agent: a variable, a name of this notebook's cells, or an ID (AGENT-…); cells of one name share a conversation, "
        "a cell without a name begins a new one",
    )
    options.add_argument("-m", "--model", help="provider:model, such as openvino:smollm2-135m")
    options.add_argument(
        "-t", "--tools", action="append", default=[], help="functions that the model may call, by name, with commas between"
    )
    options.add_argument("-o", "--output", dest="variable", help="variable that gets the result")
    options.add_argument("--schema", help="pydantic model that the answer must fit")
    options.add_argument("--instructions", help="system prompt")
    options.add_argument(
        "-c", "--context", action="append", default=[], help="variables or files to put before the prompt, with commas between"
    )
    conversation = options.add_mutually_exclusive_group()
    conversation.add_argument(
        "--continue",
        dest="continues",
        action="store_true",
        help="go on with the most recent conversation of this notebook, and with its agent; run again, the cell stays in its conversation",
    )
    conversation.add_argument("--session", help="conversation that outlives the kernel")
    conversation.add_argument("--fresh", action="store_true", help="neither read nor write a conversation")
    options.add_argument("--record", type=Path, help="cassette file to record the model's answers to")
    options.add_argument("--replay", type=Path, help="cassette file to answer from, without a model")
    options.add_argument("--max-steps", type=int, help="model calls that it may take")
    options.add_argument("--timeout", type=float, help="seconds that it may take")
    options.add_argument("--max-tokens", type=int, help="tokens that one answer of the model may have")
    options.add_argument("--temperature", type=float, help="0 for the likeliest words, so the same answer every time; more for variety")
    options.add_argument(
        "--background",
        action="store_true",
        help="go on with other cells meanwhile; where nobody watches, as under papermill, the cell waits",
    )
    return options


def parse(line: str, said: Callable[[str], str] = str) -> AgentArguments | None:
    """The options of a line; None where it asked for help, which is printed then.

    Args:
        line: What follows ``%%agent``.
        said: What is done to each of its words, as to put variables in.

    Raises:
        ConfigurationError: The line can't be understood.
    """
    found = parsed_cell(parser(), line, said)
    if found is None:
        return None
    if found["timeout"] is not None and not 0 < found["timeout"] < float("inf"):
        raise ConfigurationError(f"%%agent: --timeout {found['timeout']}: must be a number of seconds above 0")
    if found["continues"] and found["name"]:
        raise ConfigurationError(f"%%agent: {found['name']} goes on with its conversation anyway: leave --continue out, or the name")
    return AgentArguments(
        **{**found, "tools": _listed("-t", found["tools"], found["name"]), "context": _listed("-c", found["context"], found["name"])}
    )


def parsed(options: CellParser, line: str, said: Callable[[str], str] = str) -> dict[str, Any] | None:
    """What a line says, by the names of the options; None where it asked for help, which is printed then.

    Raises:
        ConfigurationError: The line can't be understood.
    """
    try:
        found, left = options.parse_known_args([said(word) for word in words(line, options.prog)])
    except _HelpShown:
        return None
    if left:
        options.error(_about(left, options))
    return vars(found)


def parsed_cell(options: CellParser, line: str, said: Callable[[str], str] = str) -> dict[str, Any] | None:
    """Like ``parsed``, for the first line of a cell, which has ``--record``, ``--replay`` and ``-o``.

    Raises:
        ConfigurationError: The line can't be understood, or contradicts itself.
    """
    found = parsed(options, line, said)
    if found is None:
        return None
    if found["record"] and found["replay"]:
        raise ConfigurationError(f"{options.prog}: --record and --replay exclude each other: record first, then replay")
    variable = found["variable"]
    if variable and (not variable.isidentifier() or iskeyword(variable)):
        raise ConfigurationError(
            f"{options.prog}: -o {variable!r}: that is no name for a variable: use letters, digits and _, and no keyword"
        )
    return found


def _about(left: list[str], options: CellParser) -> str:
    """What is to be said of words that the options don't take."""
    unknown = next((word.partition("=")[0] for word in left if word.startswith("-")), None)
    if unknown is not None:
        return f"there is no option {unknown}{did_you_mean(unknown, options.names)}"
    below = "; what the cell is to do goes below its first line" if options.prog.startswith("%%") else ""
    return f"{' '.join(left)!r} is too much: a value with spaces goes in quotes{below}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean --model?``, or nothing where no name is like the word."""
    near = nearest(word, [name for name in known if not name.startswith("_")])
    return f"; did you mean {near}?" if near else ""


def words(line: str, magic: str) -> list[str]:
    """The words of a line; quotes hold several together.

    Raises:
        ConfigurationError: A quote isn't closed.
    """
    try:
        return shlex.split(line)
    except ValueError as error:
        raise ConfigurationError(f"{magic}: {error}: check the quotes in {line!r}") from None


def _listed(option: str, given: list[str], name: str) -> tuple[str, ...]:
    """The words between commas of an option that may be given more than once."""
    for text in given:
        if text.endswith(",") or name.startswith(","):
            together = ",".join([text.strip(","), name.strip(",") or "…"])
            raise ConfigurationError(f"%%agent: {option} {text} {name}: no blanks around a comma: write {option} {together}")
    return tuple(word.strip() for word in ",".join(given).split(",") if word.strip())
