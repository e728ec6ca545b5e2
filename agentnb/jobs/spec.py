"""What a job's file may say: the models that check it, and from which its published JSON Schema is made."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, model_validator

from agentnb.workflows.spec import SCHEMA_ID, Duration, Part, Retry, Size

SMTP = "AGENTNB_SMTP"
"""The environment variable that names the mail server."""

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
Name = Annotated[str, Field(pattern=NAME, max_length=100)]
Variable = Annotated[str, Field(pattern=VARIABLE)]


class Schedule(Part):
    """When a job runs by itself."""

    cron: str | None = Field(
        None, description="Minute, hour, day, month, weekday, as Debian's cron reads them; seconds may stand in front."
    )
    timezone: str = Field("UTC", description="IANA name of the time zone in which the cron expression is read, such as Europe/Berlin.")
    misfire: Literal["run_once", "run_all", "skip"] = Field(
        "run_once", description="What becomes of times that nobody was there for: one run for all of them, one for each, or none."
    )
    grace: Duration = Field(60.0, description="How late a run may start and not count as missed.")
    overlap: Literal["skip", "queue", "parallel", "replace"] | None = Field(
        None, description="What to do while an earlier run goes on: skip by default, queue for jobs that events start."
    )


class OnEvent(Part):
    """Run for each event of that type in the journal."""

    type: str = Field(pattern=r"^[a-z][a-z0-9_.]*$", description="Such as external.orders, which a webhook step with event: orders writes.")
    where: dict[str, Any] = Field({}, description="Fields that the event must have with these values.")

    @model_validator(mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return {"type": value} if isinstance(value, str) else value


class JobTimeouts(Part):
    """How long a job may take: all attempts together, and each cell."""

    job: Duration | None = None
    cell: Duration | None = None


class JobResources(Part):
    """What a job needs; memory is also enforced where it runs."""

    memory: Size | None = Field(None, description="A job whose kernel and its children use more is ended.")
    cpu: float | None = Field(None, gt=0, description="Processors: threads of numerical libraries, and what exports ask for.")
    gpu: int | None = Field(None, ge=1, description="What the Kubernetes export asks for, as nvidia.com/gpu.")


class WebhookNotice(Part):
    """A POST with the run's outcome as JSON."""

    url: str = Field(min_length=1, description="May hold ${env.NAME}.")
    headers: dict[str, str] = Field({}, description="May hold secret:NAME, the value of an environment variable.")
    body: Any = Field(None, description="Instead of the outcome: a value with ${name}, ${run.id}, ${run.status}, ${run.error} …")


class EmailNotice(Part):
    """A mail with the run's outcome, by the server that AGENTNB_SMTP names: smtp://USER:PASSWORD@HOST:PORT, or smtps://."""

    to: tuple[str, ...] = Field(min_length=1)
    sender: str = "agentnb@localhost"
    subject: str = "${name} ${run.status}"

    @model_validator(mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"to": [value]}
        return {**value, "to": [value["to"]]} if isinstance(value, dict) and isinstance(value.get("to"), str) else value


class Notice(Part):
    """Who is told: a webhook, or people by e-mail."""

    webhook: WebhookNotice | None = None
    email: EmailNotice | None = None

    @model_validator(mode="after")
    def _one(self) -> Notice:
        if (self.webhook is None) == (self.email is None):
            raise ValueError("needs either webhook or email")
        return self


class Retention(Part):
    """Which output notebooks and logs are kept; the runs stay in the store."""

    runs: int | None = Field(None, ge=1, description="The newest so many.")
    age: Duration | None = Field(None, description="Those that are younger.")


class JobSpec(Part):
    """A job."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: Name
    description: str = ""
    notebook: str | None = Field(None, description="An .ipynb, relative to this file.")
    workflow: str | None = Field(None, description="A workflow's YAML or JSON, relative to this file.")
    steps: bool = Field(False, description="Run the notebook's cells that are tagged step:NAME as a workflow: in parallel where they can.")
    kernel: str | None = Field(None, description="Name of the kernelspec; the notebook's own by default.")
    parameters: dict[Variable, Any] = Field({}, description="Values for the cell tagged parameters: with ${run.date}, ${run.id}, ${name} …")
    schedule: Schedule | None = None
    on_event: OnEvent | None = None
    depends_on: tuple[Name, ...] = Field((), description="Jobs: this one runs each time that all of them have been completed since.")
    retry: Retry | None = Field(None, description="How often a failed run is tried again; what agents and workflows finished isn't redone.")
    timeout: Duration | JobTimeouts | None = None
    max_output: Size = Field(10_000_000, description="What one cell may put out; the rest is left out of the notebook, with a note.")
    resources: JobResources = Field(default_factory=lambda: JobResources.model_validate({}))
    profile: Literal["development", "staging", "production", "devcloud"] | None = Field(None, description="Environment profile.")
    env: dict[Variable, str] = Field({}, description="Environment variables of the kernel.")
    secrets: tuple[Variable, ...] = Field(
        (), description="Environment variables that must be there; exports refer to secrets of that name."
    )
    approvals: Literal["deny", "approve", "wait"] | None = Field(None, description="What becomes of a tool call that needs an approval.")
    record: str | None = Field(None, description="Cassette to which model calls are recorded.")
    replay: str | None = Field(None, description="Cassette from which model calls are answered.")
    output: str | None = Field(
        None, description="Where the executed notebook goes: a path relative to this file, s3://…, gs://…, abs://… with ${run.id} and such."
    )
    on_success: tuple[Notice, ...] = ()
    on_failure: tuple[Notice, ...] = ()
    retention: Retention | None = None

    @property
    def job_timeout(self) -> float | None:
        """Seconds that all attempts together may take."""
        return self.timeout.job if isinstance(self.timeout, JobTimeouts) else self.timeout

    @property
    def cell_timeout(self) -> float | None:
        """Seconds that one cell may take."""
        return self.timeout.cell if isinstance(self.timeout, JobTimeouts) else None

    @property
    def is_notebook(self) -> bool:
        return self.notebook is not None

    @property
    def output_template(self) -> str:
        """Where the output goes, with its places still to be filled."""
        return self.output or f"runs/${{name}}/${{run.id}}.{'ipynb' if self.is_notebook else 'json'}"

    @property
    def attempts(self) -> int:
        return self.retry.max_attempts if self.retry else 1

    @property
    def overlap(self) -> str:
        """What to do while an earlier run goes on."""
        given = self.schedule.overlap if self.schedule else None
        return given or ("skip" if self.schedule and self.schedule.cron else "queue")

    def to_dict(self) -> dict[str, Any]:
        """The document again: what was left out stays left out."""
        return self.model_dump(mode="json", exclude_unset=True)


def json_schema() -> dict[str, Any]:
    """The published JSON Schema of job files."""
    schema = TypeAdapter(JobSpec).json_schema()
    return {"$schema": SCHEMA_ID, **schema, "title": "agentnb job"}
