"""One attempt at a job whose source is a notebook: its cells from top to bottom, by papermill."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from agentnb.errors import ExecutionError
from agentnb.jobs.attempt import Attempt
from agentnb.jobs.documents import Job


def perform(job: Job, parameters: Mapping[str, Any], attempt: Attempt) -> None:
    """Execute the notebook; what has come of it is saved as it goes.

    Raises:
        AgentNBError: It failed.
    """
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


def _kernel(job: Job) -> dict[str, str]:
    """Which kernel to use; the notebook's own where it names one."""
    import json

    if job.spec.kernel:
        return {"kernel_name": job.spec.kernel}
    metadata = json.loads(job.source.read_bytes()).get("metadata", {})
    return {} if "kernelspec" in metadata else {"kernel_name": "python3", "language": "python"}
