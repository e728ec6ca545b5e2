"""The files that workflows are read from and saved to: YAML 1.2 and JSON, with the place of everything in them."""

from agentnb.workflows.documents.reading import Document, Finding, Path, WorkflowSpecError

__all__ = ["Document", "Finding", "Path", "WorkflowSpecError"]
