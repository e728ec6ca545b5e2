"""What the shell completes: runs of the store, and workflow files."""

from __future__ import annotations

from pathlib import Path

_ENDINGS = (".yaml", ".yml", ".json")


def run_ids(incomplete: str) -> list[tuple[str, str]]:
    """The latest runs that begin like that, each with what it is."""
    from agentnb.errors import AgentNBError
    from agentnb.runtime.runtime import current

    try:
        found = current().runs(limit=200)
    except AgentNBError:
        return []
    known = [("last", "the newest run"), *((run.id, f"{run.name}, {run.status}") for run in found)]
    return [(name, what) for name, what in known if name.startswith(incomplete)][:50]


def workflow_files(incomplete: str) -> list[str]:
    """Workflow files, and folders on the way to them."""
    folder = Path(incomplete) if incomplete.endswith("/") else Path(incomplete).parent
    try:
        found = sorted(folder.expanduser().iterdir())
    except OSError:
        return []
    names = [f"{item}/" if item.is_dir() else str(item) for item in found if item.is_dir() or item.name.endswith(_ENDINGS)]
    return [name for name in names if name.startswith(incomplete.removeprefix("./"))]
