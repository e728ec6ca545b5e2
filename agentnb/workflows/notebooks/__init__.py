"""Notebooks as workflows: cells tagged ``step:NAME`` become steps, and the notebook stays as it is."""

from __future__ import annotations

from agentnb.workflows.notebooks.conversion import Conversion, converted
from agentnb.workflows.notebooks.functions import step_function

__all__ = ["Conversion", "converted", "step_function"]
