"""Tab completion of ``%agentnb``, ``%%agent`` and ``%%workflow`` lines."""

from __future__ import annotations

from agentnb.notebook.arguments import CellParser

_TAKES_RUN = {"show", "replay", "resume", "cancel", "graph", "rerun", "diff", "report"}


def candidates(line: str, namespace: dict[str, object] | None = None) -> list[str]:
    """What may follow in this line; ``namespace`` holds the notebook's variables."""
    from agentnb.notebook.magics import COMMANDS

    words = line.split()
    begun = "" if line.endswith(" ") else words[-1]
    if line.startswith("%%agent"):
        return _agent(words, begun)
    if line.startswith("%%workflow"):
        return _workflow(words, begun, namespace or {})
    if len(words) > 1 and words[1] in ("optimize", "benchmark"):
        return _performance(words[1])
    if len(words) > 1 and words[1] == "stale":
        return [*_workflows(namespace or {}), *_runs("workflow")]
    if len(words) > 1 and words[1] in _TAKES_RUN:
        return _runs("")
    return sorted(COMMANDS)


def _performance(command: str) -> list[str]:
    from agentnb.notebook.performance_magics import benchmark_parser, optimize_parser

    return _options(optimize_parser() if command == "optimize" else benchmark_parser())


def _agent(words: list[str], begun: str) -> list[str]:
    from agentnb.notebook.arguments import parser
    from agentnb.runtime.runtime import current

    if words[-2:][0] in ("-m", "--model") or (words[-1] in ("-m", "--model") and not begun):
        return [info.name for info in current().models.catalog()]
    return [*_options(parser()), *(agent.name for agent in current().agents.all())]


def _workflow(words: list[str], begun: str, namespace: dict[str, object]) -> list[str]:
    from agentnb.notebook.workflow_arguments import parser

    before = words[-1] if not begun else words[-2]
    if before == "--rerun":
        return ["last", *_runs("workflow")]
    found = next((namespace[word] for word in words[1:] if word in _workflows(namespace)), None)
    if before == "--from" and found is not None:
        return _steps(found)
    return [*_options(parser()), *_workflows(namespace)]


def _options(parser: CellParser) -> list[str]:
    return [text for action in parser._actions for text in action.option_strings if text.startswith("--")]


def _workflows(namespace: dict[str, object]) -> list[str]:
    from agentnb.runtime.workflow import Workflow

    return [name for name, value in namespace.items() if isinstance(value, Workflow) and not name.startswith("_")]


def _steps(workflow: object) -> list[str]:
    data = workflow.to_dict() if hasattr(workflow, "to_dict") else {}
    return list(data.get("steps") or data.get("states") or ())


def _runs(kind: str) -> list[str]:
    from agentnb.runtime.runtime import current

    return [run.id for run in current().runs(kind=kind, limit=20)]
