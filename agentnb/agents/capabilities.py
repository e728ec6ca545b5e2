"""What agents can do, by name, so that they can be found by it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from agentnb.errors import ConfigurationError

BUILT_IN = ("TEXT_PROCESSING", "DOCUMENT_ANALYSIS", "API_INTEGRATION", "WORKFLOW_CONTROL")
_NAME = re.compile(r"^[A-Z][A-Z0-9_]*$")


def checked(names: Iterable[str]) -> tuple[str, ...]:
    """The names, once each, in their order.

    Raises:
        ConfigurationError: A name is not in upper case with underscores.
    """
    found = tuple(dict.fromkeys(names))
    for name in found:
        if not _NAME.match(name):
            raise ConfigurationError(
                f"capability {name!r}: must be upper case with underscores, such as {BUILT_IN[0]}; your own are welcome"
            )
    return found
