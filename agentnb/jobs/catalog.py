"""Finds jobs: the files of a folder, by their names, and how they depend on one another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from agentnb.errors import UnknownName
from agentnb.jobs import documents
from agentnb.jobs.documents import Job, JobSpecError
from agentnb.jobs.spec import JobSpec
from agentnb.names import did_you_mean
from agentnb.workflows.documents import Finding

FOLDER = "papermill_jobs"
ENDINGS = (".yaml", ".yml", ".json")


def folder_of(start: Path | None = None) -> Path:
    """``papermill_jobs`` in the folder or above it; in the folder where there is none."""
    here = (start or Path.cwd()).resolve()
    return next((place / FOLDER for place in (here, *here.parents) if (place / FOLDER).is_dir()), here / FOLDER)


def files_of(folder: Path) -> list[Path]:
    """The job files of a folder, in order."""
    return sorted(path for path in folder.iterdir() if is_job_file(path.name)) if folder.is_dir() else []


def is_job_file(name: str) -> bool:
    """Whether a file of that name defines a job; those of workflows stand beside them."""
    return name.endswith(ENDINGS) and not name.endswith((".workflow.yaml", ".workflow.yml", ".workflow.json"))


@dataclass(frozen=True)
class Catalog:
    """The jobs of a folder."""

    folder: Path
    files: tuple[Path, ...] = field(default=())

    @classmethod
    def of(cls, folder: Path | None = None) -> Catalog:
        """The jobs of a folder; of ``papermill_jobs`` by default."""
        found = folder or folder_of()
        return cls(found, tuple(files_of(found)))

    @cached_property
    def specs(self) -> dict[Path, JobSpec]:
        """By file, those that have the shape of a job."""
        found = {file: documents.quick(file) for file in self.files}
        return {file: spec for file, spec in found.items() if spec is not None}

    @property
    def names(self) -> list[str]:
        return [spec.name for spec in self.specs.values()]

    def find(self, name: str) -> Job:
        """A job by its name, by its file, or a notebook as a job of its own.

        Raises:
            UnknownName: There is no such job.
            JobSpecError: Its file is wrong.
        """
        if name.endswith(".ipynb"):
            return documents.of_notebook(Path(name))
        if name.endswith(ENDINGS):
            return documents.load(Path(name))
        file = next((file for file, spec in self.specs.items() if spec.name == name), None)
        if file is not None:
            return documents.load(file)
        broken = next((file for file in self.files if file not in self.specs and file.stem == name), None)
        if broken is not None:
            return documents.load(broken)
        mend = (
            did_you_mean(name, self.names) or "write one (`agentnb jobs schema` says what it may hold), or name another folder with --dir"
        )
        raise UnknownName(f"no job {name!r} in {self.folder}: {mend}")

    def findings(self) -> list[Finding]:
        """All that is wrong with the jobs of the folder, also with one another."""
        found = [finding for file in self.files for finding in documents.read(file)[1]]
        return found + self.relations()

    def relations(self) -> list[Finding]:
        """Names that are given twice, dependencies on jobs that aren't there, and circles of them."""
        found: list[Finding] = []
        first: dict[str, Path] = {}
        for file, spec in self.specs.items():
            if spec.name in first:
                found.append(
                    Finding(f"{first[spec.name].name} has the name {spec.name!r} already", "Rename one", ("name",), file=str(file))
                )
            first.setdefault(spec.name, file)
            for name in spec.depends_on:
                if name not in self.names:
                    mend = did_you_mean(name, self.names)
                    found.append(Finding(f"depends on {name!r}, and there is no such job", mend, ("depends_on",), file=str(file)))
        circle = _circle({spec.name: spec.depends_on for spec in self.specs.values()})
        if circle:
            found.append(Finding(f"jobs wait for one another: {' → '.join(circle)}", "Take one dependency away", ("depends_on",)))
        return found

    def downstream(self, name: str) -> list[str]:
        """The jobs that depend on it, directly or not, each after all that it depends on."""
        needs = {spec.name: set(spec.depends_on) for spec in self.specs.values()}
        reached = {name}
        while more := {job for job, before in needs.items() if before & reached} - reached:
            reached |= more
        order: list[str] = []
        while left := reached - {name, *order}:
            ready = sorted(job for job in left if not (needs[job] & (left - {job})))
            if not ready:
                raise JobSpecError(self.relations())
            order += ready
        return order


def _circle(needs: dict[str, Iterable[str]]) -> list[str]:
    """A chain of jobs that comes back to its beginning, or nothing."""
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for other in needs.get(name, ()):
            found = walk(other, [*path, name])
            if found:
                return found
        done.add(name)
        return []

    return next((found for name in needs if (found := walk(name, []))), [])
