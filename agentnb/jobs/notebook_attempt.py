"""One attempt at a job whose source is a notebook: its cells from top to bottom, by papermill."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from agentnb.errors import ExecutionError
from agentnb.jobs.attempt import Attempt
from agentnb.jobs.documents import Job

_GRAMMARS = "rfc3987_syntax"


def perform(job: Job, parameters: Mapping[str, Any], attempt: Attempt) -> None:
    """Execute the notebook; what has come of it is saved as it goes.

    Raises:
        AgentNBError: It failed.
    """
    with _without_grammars():
        import papermill
        from papermill.exceptions import PapermillException

    logging.getLogger("papermill").setLevel(logging.WARNING)
    kernel = _kernel(job)
    try:
        papermill.execute_notebook(
            str(job.source).replace("{", "{{").replace("}", "}}"),
            None,
            dict(parameters),
            engine_name="agentnb",
            progress_bar=False,
            cwd=str(job.source.parent),
            attempt=attempt,
            **kernel,
        )
    except PapermillException as failure:
        raise ExecutionError(str(failure)) from None


@contextmanager
def _without_grammars() -> Iterator[None]:
    """Import nbformat without a parser of international URLs, which takes half a second of the processor: no notebook has any."""
    absent = _GRAMMARS not in sys.modules
    if absent:
        sys.modules[_GRAMMARS] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if absent:
            del sys.modules[_GRAMMARS]


def _kernel(job: Job) -> dict[str, str]:
    """Which kernel to use; the notebook's own where it names one."""
    import json

    if job.spec.kernel:
        return {"kernel_name": job.spec.kernel}
    named = json.loads(job.source.read_bytes())["metadata"].get("kernelspec", {}).get("name")
    return {} if named else {"kernel_name": "python3", "language": "python"}
