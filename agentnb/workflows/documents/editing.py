"""Saving workflow documents: fresh, or as an edit of the text that is there."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from agentnb.workflows.documents import Document, WorkflowSpecError, rendering
from agentnb.workflows.documents.differences import same
from agentnb.workflows.documents.rendering import Layout
from agentnb.workflows.documents.splicing import spliced


def dump(data: Mapping[str, Any]) -> str:
    """Fresh YAML: two spaces, keys in the order that they have, text of several lines as ``|``.

    Raises:
        WorkflowSpecError: The data hold something that a document can't.
    """
    value = rendering.plain(data)
    return "\n".join(rendering.mapping(value, 0, Layout())) + "\n" if value else "{}\n"


def updated(text: str, data: Mapping[str, Any]) -> str:
    """The text changed so that it reads as ``data``; what didn't change stays as it is, comments and quotes included.

    Added keys come after their siblings. The order of keys in ``data`` does not matter.

    Raises:
        WorkflowSpecError: The text is no valid document, or the data hold something that a document can't.
    """
    document = _parsed(text)
    new = rendering.plain(data)
    if same(document.data, new):
        return text
    for found in spliced(document, new):
        if _reads_as(found, new):
            return found
    ordered = _ordered(document.data, new)
    return json.dumps(ordered, ensure_ascii=False, indent=2) + "\n" if document.is_json else dump(ordered)


def _parsed(text: str) -> Document:
    try:
        return Document.parse(text, ".yaml")
    except WorkflowSpecError as error:
        raise WorkflowSpecError([dataclasses.replace(finding, file="") for finding in error.findings]) from None


def _reads_as(text: str, data: Any) -> bool:
    try:
        return same(_parsed(text).data, data)
    except WorkflowSpecError:
        return False


def _ordered(old: Any, new: Any) -> Any:
    """The new data with the keys that the old data has in the old order."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {
            key: _ordered(old.get(key), new[key]) for key in [*(key for key in old if key in new), *(key for key in new if key not in old)]
        }
    if isinstance(old, list) and isinstance(new, list):
        return [_ordered(old[place] if place < len(old) else None, item) for place, item in enumerate(new)]
    return new
