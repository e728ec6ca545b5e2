"""What the server says on standard error: for people, or as JSON; never what was asked or answered."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from agentnb.runtime.embedding import DEFAULT_EMBEDDER

log = logging.getLogger("agentnb.serve")
_SHOWN = 10
_LINES = {
    "loading": "loading {model}",
    "ready": "{model} is ready: it took {seconds} s",
    "failed": "{model} can't be loaded: {error}",
    "closing": "stopping: what is under way ({running}) has {seconds:g} s to end; Ctrl+C again cancels it",
    "closed": "stopped",
}
"""Of each event what people read; of others its name and its facts."""


def say(event: str, **facts: Any) -> None:
    """One line of the log."""
    log.info(event, extra={"facts": facts})


class Lines(logging.Formatter):
    """Log lines for people, or as JSON."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._json = as_json

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        facts: dict[str, Any] = getattr(record, "facts", {})
        trouble = {"trace": self.formatException(record.exc_info)} if record.exc_info else {}
        if self._json:
            line = {"time": at.isoformat(timespec="milliseconds"), "level": record.levelname.lower(), "event": record.getMessage()}
            return json.dumps({**line, **facts, **trouble}, ensure_ascii=False)
        return "\n".join([f"{at.astimezone():%H:%M:%S} {_text(record.getMessage(), facts)}", *trouble.values()])


def _text(event: str, facts: dict[str, Any]) -> str:
    if event == "listening":
        return _welcome(**facts)
    if event in _LINES:
        return _LINES[event].format(**facts)
    return " ".join([event, *(f"{key}={value}" for key, value in facts.items())])


def _welcome(url: str, key: bool, models: Sequence[str]) -> str:
    """Where it is, what it offers, how to call it, how to stop it."""
    more = [f"and {len(models) - _SHOWN} more: {url}/models"] if len(models) > _SHOWN else []
    given = 'os.environ["AGENTNB_SERVE_KEY"]' if key else '"none"'
    named = next((name for name in models if name != DEFAULT_EMBEDDER), "MODEL")
    return f"""serving at {url}
  models  {", ".join([*models[:_SHOWN], *more]) or "none: fetch one with `agentnb models pull`, or define an agent"}
  call    from openai import OpenAI
          client = OpenAI(base_url="{url}", api_key={given})
          client.chat.completions.create(model="{named}", messages=[{{"role": "user", "content": "Hello"}}])
  stop    Ctrl+C"""


def log_to_stderr(*, as_json: bool) -> None:
    """Send the log to standard error, and what libraries warn of in the same shape."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines(as_json=as_json))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    log.setLevel(logging.INFO)
