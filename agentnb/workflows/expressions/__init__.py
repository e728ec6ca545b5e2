"""Expressions of workflows: CEL (https://cel.dev), which reads its scope, calls functions of a fixed library, and always ends."""

from agentnb.workflows.expressions.templates import ROOTS, Condition, ExpressionError, Reference, Scope, Template, reference_errors

__all__ = ["ROOTS", "Condition", "ExpressionError", "Reference", "Scope", "Template", "reference_errors"]
