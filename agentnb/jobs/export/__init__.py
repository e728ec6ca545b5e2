"""Jobs for what runs them elsewhere: cron, systemd, a CI, a cluster. Each target is a module; the table names them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path

from agentnb.errors import ConfigurationError
from agentnb.jobs.catalog import Catalog
from agentnb.jobs.export.plan import Options, plan_of
from agentnb.jobs.output import write_whole

TARGETS = {
    "crontab": "agentnb.jobs.export.crontab",
    "systemd": "agentnb.jobs.export.systemd",
    "github-actions": "agentnb.jobs.export.github",
    "gitlab-ci": "agentnb.jobs.export.gitlab",
    "kubernetes": "agentnb.jobs.export.kubernetes",
    "airflow": "agentnb.jobs.export.airflow",
}

Files = Mapping[str, str]


def export(catalog: Catalog, target: str, names: Iterable[str] = (), options: Mapping[str, str] | None = None) -> dict[str, str]:
    """The files of a target, by their path.

    Args:
        catalog: The jobs.
        target: One of ``TARGETS``.
        names: Jobs; all that have a schedule by default.
        options: See ``plan.Options``.

    Raises:
        ConfigurationError: There is no such target, or a job can't be expressed there.
        JobSpecError: A job's file is wrong.
    """
    if target not in TARGETS:
        raise ConfigurationError(f"no target {target!r}: there are {', '.join(TARGETS)}")
    plan = plan_of(catalog, list(names), Options.of(options or {}))
    found: dict[str, str] = import_module(TARGETS[target]).files(plan)
    return found


def write(files: Files, folder: Path) -> list[Path]:
    """Write the files below a folder; scripts can be executed.

    Raises:
        ConfigurationError: One can't be written.
    """
    written = []
    for name, text in files.items():
        path = folder / name
        try:
            write_whole(path, text)
            if path.suffix == ".sh":
                path.chmod(0o755)
        except OSError as error:
            raise ConfigurationError(f"{path} can't be written: {error.strerror}") from None
        written.append(path)
    return written
