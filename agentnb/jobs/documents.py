"""Job files: read with the place of everything in them, and checked as a whole, all findings at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agentnb.errors import ConfigurationError
from agentnb.jobs import parameters, places, schedule
from agentnb.jobs.spec import JobSpec
from agentnb.workflows.checks.report import existing
from agentnb.workflows.checks.shape import shape_findings
from agentnb.workflows.documents import Document, Finding, WorkflowSpecError

REMOTE = ("s3://", "gs://", "abs://", "http://", "https://", "hdfs://")
WRITABLE = ("s3://", "gs://", "abs://")


class JobSpecError(ConfigurationError):
    """A job's file is wrong.

    Attributes:
        findings: Everything that was found.
    """

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = tuple(findings)


@dataclass(frozen=True)
class Job:
    """A job that can be run.

    Attributes:
        file: Where it is defined: a job's file, or the notebook itself.
        schemas: JSON Schema of its parameters by name.
    """

    spec: JobSpec
    file: Path
    schemas: parameters.Schemas = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def folder(self) -> Path:
        return self.file.parent

    @property
    def source(self) -> Path:
        """The notebook, or the workflow's file."""
        return self.folder / str(self.spec.notebook or self.spec.workflow)


def load(file: Path) -> Job:
    """A job of a file.

    Raises:
        JobSpecError: With all that is wrong.
    """
    job, findings = read(file)
    if job is None or findings:
        raise JobSpecError(findings)
    return job


def of_notebook(file: Path) -> Job:
    """A notebook as a job of its own, with nothing but defaults; it is written beside where one is.

    Raises:
        JobSpecError: There is no such notebook.
    """
    try:
        schemas = parameters.of_file(file)
    except WorkflowSpecError as error:
        raise JobSpecError(error.findings) from None
    name = "".join(letter if letter.isalnum() or letter in "_.-" else "_" for letter in file.stem).lstrip("_.-") or "notebook"
    return Job(JobSpec.model_validate({"name": name[:100], "notebook": file.name}), file.resolve(), schemas)


def read(file: Path) -> tuple[Job | None, list[Finding]]:
    """A job's file, and all that is wrong with it in the order of the lines; None where it hasn't the shape of a job."""
    try:
        document = Document.read(file)
    except WorkflowSpecError as error:
        return None, list(error.findings)
    spec, findings = shape(document.data)
    schemas: parameters.Schemas = {}
    if spec is not None:
        examined = _Examination(spec, file.resolve().parent)
        findings, schemas = [*findings, *examined.findings()], examined.schemas
    job = Job(spec, file.resolve(), schemas) if spec is not None else None
    return job, _placed(findings, document, str(file))


def shape(data: Any) -> tuple[JobSpec | None, list[Finding]]:
    """The document as a model, or what it lacks for that."""
    if not isinstance(data, Mapping):
        return None, [Finding("a job is a mapping", "Write name: … and notebook: …")]
    try:
        return JobSpec.model_validate(data), []
    except ValidationError as error:
        return None, shape_findings(error.errors(include_url=False, include_input=False), data, JobSpec)


def quick(file: Path) -> JobSpec | None:
    """The job of a file without a look at what it names; None where it hasn't the shape of one."""
    try:
        return shape(Document.read(file).data)[0]
    except WorkflowSpecError:
        return None


class _Examination:
    """What is wrong with a job beyond its shape."""

    def __init__(self, spec: JobSpec, folder: Path) -> None:
        self._spec = spec
        self._folder = folder
        self.schemas: parameters.Schemas = {}

    def findings(self) -> list[Finding]:
        return [*self._source(), *self._parameters(), *self._triggers(), *self._output(), *self._notices()]

    def _source(self) -> Iterator[Finding]:
        spec = self._spec
        if (spec.notebook is None) == (spec.workflow is None):
            yield Finding("needs either notebook or workflow", "Write notebook: NAME.ipynb", ("workflow",) if spec.workflow else ())
            return
        if spec.notebook is not None:
            yield from self._notebook(spec.notebook)
        elif spec.workflow is not None:
            yield from self._workflow(spec.workflow)

    def _notebook(self, name: str) -> Iterator[Finding]:
        try:
            self.schemas = parameters.of_file(self._folder / name)
            if self._spec.steps:
                from agentnb.workflows.notebooks import converted

                converted(self._folder / name)
        except WorkflowSpecError as error:
            for finding in error.findings:
                yield Finding(f"{name}: {finding.message}", finding.mend, ("notebook",))

    def _workflow(self, name: str) -> Iterator[Finding]:
        from agentnb.runtime.workflow import Workflow

        if self._spec.steps or self._spec.kernel:
            yield Finding("steps and kernel belong to a notebook", "Take it away", ("steps" if self._spec.steps else "kernel",))
        try:
            workflow = Workflow.load(self._folder / name)
            wrong = [finding for finding in workflow.validate() if finding.severity == "error"]
        except WorkflowSpecError as error:
            wrong = list(error.findings)
        for finding in wrong:
            place = f", line {finding.line}" if finding.line else ""
            yield Finding(f"{name}{place}: {finding.message}", finding.mend, ("workflow",))
        if not wrong:
            self.schemas = workflow.spec.inputs

    def _parameters(self) -> Iterator[Finding]:
        given = self._spec.parameters
        fixed = {name: value for name, value in given.items() if places.is_constant(value)}
        if self.schemas or not given or self._readable():
            for name, (message, mend) in parameters.problems(self.schemas, fixed).items():
                yield Finding(message, mend, ("parameters", name))
            for name in given.keys() - fixed.keys():
                message = places.problem(given[name]) or parameters.problems(self.schemas, {name: None}).get(name, ("", ""))[0]
                if message and (name not in self.schemas or places.problem(given[name])):
                    yield Finding(message, "", ("parameters", name))

    def _readable(self) -> bool:
        return (
            bool(self._spec.notebook or self._spec.workflow) and (self._folder / str(self._spec.notebook or self._spec.workflow)).is_file()
        )

    def _triggers(self) -> Iterator[Finding]:
        spec = self._spec
        found = spec.schedule
        if found is not None and found.cron is not None:
            try:
                schedule.check(found.cron, found.timezone)
            except schedule.NotASchedule as error:
                wrong = "timezone" if "time zone" in str(error) else "cron"
                yield Finding(str(error), "" if wrong == "timezone" else 'Write five fields, such as "0 6 * * 1-5"', ("schedule", wrong))
        given = {"schedule": found is not None and found.cron is not None, "on_event": spec.on_event, "depends_on": spec.depends_on}
        several = [name for name, value in given.items() if value]
        if len(several) > 1:
            yield Finding(f"{' and '.join(several)} exclude one another", "Keep the one that starts the job", (several[-1],))
        if found is not None and not several:
            yield Finding("a schedule needs cron, or the job on_event or depends_on", 'Write cron: "0 6 * * *"', ("schedule",))
        if spec.name in spec.depends_on:
            yield Finding("a job can't depend on itself", "Take it away", ("depends_on",))

    def _output(self) -> Iterator[Finding]:
        template = self._spec.output_template
        wrong = places.problem(template)
        if wrong:
            yield Finding(wrong, "", ("output",))
        elif "://" in template and not template.startswith(WRITABLE):
            yield Finding(
                f"nothing can be written to {template.partition('://')[0]}://", f"Use a path, or {', '.join(WRITABLE)}", ("output",)
            )
        elif self._spec.output is not None and "${run.id}" not in template and "${run.time}" not in template:
            kept = self._spec.retention is not None or bool(self._spec.retry)
            if kept and "${run." not in template:
                yield Finding("every run would overwrite the one before", "Put ${run.id} into the name", ("output",))
        for key in ("record", "replay"):
            value = getattr(self._spec, key)
            if value and (wrong := places.problem(value)):
                yield Finding(wrong, "", (key,))

    def _notices(self) -> Iterator[Finding]:
        for key in ("on_success", "on_failure"):
            for place, notice in enumerate(getattr(self._spec, key)):
                wrong = places.problem(notice.model_dump(), outcome=True)
                if wrong:
                    yield Finding(wrong, "", (key, place))


def _placed(findings: Sequence[Finding], document: Document, file: str) -> list[Finding]:
    found: list[Finding] = []
    for finding in findings:
        line, column = document.position(existing(document.data, finding.path))
        found.append(replace(finding, line=line, column=column, file=file))
    return sorted(found, key=lambda finding: (finding.line, finding.column))
