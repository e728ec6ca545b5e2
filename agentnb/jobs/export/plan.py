"""What is exported: jobs with a schedule, each with those that run after it, and how they are called elsewhere."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from posixpath import normpath

from agentnb.errors import ConfigurationError
from agentnb.jobs.catalog import Catalog
from agentnb.jobs.documents import Job, JobSpecError
from agentnb.jobs.spec import SMTP, JobSpec
from agentnb.names import did_you_mean

_PLACES = re.compile(r"\$\{[^}]*\}")
_NAMED = re.compile(r"secret:([A-Za-z_]\w*)|\$\{env\.([A-Za-z_]\w*)\}")
HEADER = "written by `agentnb jobs export`; change the job's file and export again"


@dataclass(frozen=True)
class Options:
    """What a target may be told by ``--set``.

    Attributes:
        command: How agentnb is called; on this machine, this Python's.
        python: Version of Python in a CI or an image.
        install: The shell command that installs agentnb there.
        image: Name of the container image.
        bucket: Where outputs go instead of a volume: ``s3://…``, ``gs://…`` or ``abs://…``.
        namespace: Of Kubernetes.
        storage: Size of the volume.
        secret: Name of the Kubernetes secret that holds the jobs' secrets.
        timezone: The time zone of the machine whose cron runs the jobs; unknown by default.
    """

    command: str = ""
    python: str = "3.11"
    install: str = "pip install jupyter-agentnb"
    image: str = "agentnb-jobs:latest"
    bucket: str = ""
    namespace: str = "default"
    storage: str = "5Gi"
    secret: str = "agentnb-secrets"  # noqa: S105
    timezone: str = ""

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Options:
        """From ``key=value``.

        Raises:
            ConfigurationError: There is no such option.
        """
        known = [field.name for field in fields(cls)]
        odd = next((key for key in given if key not in known), None)
        if odd is not None:
            raise ConfigurationError(f"--set {odd}: {did_you_mean(odd, known)}")
        return cls(**given)


@dataclass(frozen=True)
class Unit:
    """A job that something starts, and those that run after it, each behind all that it needs."""

    job: Job
    after: tuple[Job, ...] = ()

    @property
    def spec(self) -> JobSpec:
        return self.job.spec

    @property
    def cron(self) -> str:
        return (self.spec.schedule.cron or "") if self.spec.schedule else ""

    @property
    def timezone(self) -> str:
        return self.spec.schedule.timezone if self.spec.schedule else "UTC"

    @property
    def all(self) -> tuple[Job, ...]:
        return (self.job, *self.after)

    def needs(self, job: Job) -> list[str]:
        """The jobs of this unit that a job waits for."""
        names = {other.name for other in self.all}
        return [name for name in job.spec.depends_on if name in names]

    def secrets(self) -> list[str]:
        """Names of the environment variables that its jobs need."""
        return list(dict.fromkeys(name for job in self.all for name in needed_by(job)))


@dataclass(frozen=True)
class Plan:
    """Everything that is exported.

    Attributes:
        project: The folder that is the jobs' working folder, and in a CI the checkout.
    """

    units: tuple[Unit, ...]
    folder: Path
    options: Options

    @property
    def project(self) -> Path:
        return self.folder.parent

    @property
    def place(self) -> str:
        """The jobs' folder as the project names it."""
        return self.folder.name

    def artifacts(self, job: Job) -> str:
        """Where a job's outputs are, as the project names them, with a star for what changes; empty where they go elsewhere."""
        template = job.spec.output_template
        return "" if "://" in template else normpath(f"{self.place}/{_PLACES.sub('*', template.replace('${name}', job.name))}")

    def local_command(self) -> str:
        """How agentnb is called on this machine."""
        return self.options.command or f"{shlex.quote(sys.executable)} -m agentnb"

    def command(self) -> str:
        """How agentnb is called elsewhere."""
        return self.options.command or "agentnb"

    def jobs(self) -> Iterator[Job]:
        for unit in self.units:
            yield from unit.all


def needed_by(job: Job) -> list[str]:
    """Names of the environment variables that a job needs: its secrets, and those with which it tells how it ended."""
    notices = [*job.spec.on_success, *job.spec.on_failure]
    named = _NAMED.findall(json.dumps([notice.model_dump(mode="json") for notice in notices]))
    mail = [SMTP] if any(notice.email for notice in notices) else []
    return list(dict.fromkeys([*job.spec.secrets, *(found for names in named for found in names if found), *mail]))


def distinct(jobs: Iterable[Job], identify: Callable[[str], str]) -> None:
    """Refuse jobs whose names become one and the same where fewer letters are allowed.

    Raises:
        ConfigurationError: Two would take each other's place.
    """
    taken: dict[str, str] = {}
    for job in jobs:
        other = taken.setdefault(identify(job.name), job.name)
        if other != job.name:
            raise ConfigurationError(f"{other} and {job.name} would both be called {identify(job.name)} there: rename one of them")


def plan_of(catalog: Catalog, names: Sequence[str], options: Options) -> Plan:
    """What is to be exported.

    Raises:
        ConfigurationError: A job can't be started from elsewhere.
        JobSpecError: A file, or how jobs depend on one another, is wrong.
    """
    wrong = catalog.relations()
    if wrong:
        raise JobSpecError(wrong)
    wanted = list(names) or [spec.name for spec in catalog.specs.values() if spec.schedule and spec.schedule.cron]
    if not wanted:
        raise ConfigurationError(f"no job in {catalog.folder} has a schedule: name the jobs to export")
    units = [_unit(catalog, name) for name in wanted]
    covered = {job.name for unit in units for job in unit.after}
    return Plan(tuple(unit for unit in units if unit.job.name not in covered), catalog.folder.resolve(), options)


def _unit(catalog: Catalog, name: str) -> Unit:
    job = catalog.find(name)
    if job.spec.on_event is not None:
        raise ConfigurationError(f"{name} is started by events of the journal, which only `agentnb jobs serve` hears: leave it out")
    return Unit(job, tuple(catalog.find(other) for other in catalog.downstream(name)))
