"""Tab completion of ``%agentnb`` and ``%%agent`` lines."""

from __future__ import annotations

_TAKES_RUN = {"show", "replay", "resume", "cancel"}


def candidates(line: str) -> list[str]:
    """What may follow in this line."""
    from agentnb.notebook.arguments import parser
    from agentnb.notebook.magics import COMMANDS
    from agentnb.runtime.runtime import current

    words = line.split()
    begun = "" if line.endswith(" ") else words[-1]
    if line.startswith("%%agent"):
        if words[-2:][0] in ("-m", "--model") or (words[-1] in ("-m", "--model") and not begun):
            return [info.name for info in current().models.catalog()]
        options = [text for action in parser()._actions for text in action.option_strings if text.startswith("--")]
        return [*options, *(agent.name for agent in current().agents.all())]
    if len(words) > 1 and words[1] in _TAKES_RUN:
        return [run.id for run in current().runs(limit=20)]
    return sorted(COMMANDS)
