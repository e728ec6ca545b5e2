"""Names that are given once: IDs of agents and of runs."""

from __future__ import annotations

import os
import re
import secrets
import time
from datetime import UTC, datetime

AGENT_ID = re.compile(r"^AGENT-\d{8}-\d{6}-\d{4}-[0-9A-F]{4}$")
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_agent_id(number: int) -> str:
    """``AGENT-YYYYMMDD-HHMMSS-NNNN-XXXX``: UTC, a sequence number, four random hex digits; reserve it in the store."""
    return f"AGENT-{datetime.now(UTC):%Y%m%d-%H%M%S}-{number % 10_000:04d}-{secrets.token_hex(2).upper()}"


def new_run_id(prefix: str) -> str:
    """A ULID behind a prefix, ``exec_01k9…``: sorts by time, to the millisecond."""
    value = int(time.time() * 1000) << 80 | int.from_bytes(os.urandom(10), "big")
    return f"{prefix}_" + "".join(_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))
