"""Where an executed notebook goes: written whole or not at all, and kept in every case."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from agentnb import secrets
from agentnb.errors import ExecutionError

_ATTEMPTS = 3


class OutputLost(ExecutionError):
    """The output can't be written to where it belongs."""


class OutputFile:
    """The place of one run's output, from which secrets are kept out: it may go to a bucket, or be an artifact of a CI.

    Args:
        place: An absolute path, or a URL that papermill can write: ``s3://``, ``gs://``, ``abs://``.
        spool: The local file that stands for a URL until the run has ended, and that takes what can't be written to ``place``.

    Attributes:
        problem: Why the last write failed, or None.
    """

    def __init__(self, place: str, spool: Path) -> None:
        self.place = place
        self._spool = spool
        self.problem: OSError | None = None
        self._text = ""

    @property
    def is_remote(self) -> bool:
        return "://" in self.place

    @property
    def shown(self) -> str:
        """The place without what gives access to it, such as the signature behind an address of Azure."""
        return secrets.bare_url(self.place) if self.is_remote else self.place

    @property
    def local(self) -> Path:
        """The file that is written while the run goes on."""
        return self._spool if self.is_remote else Path(self.place)

    def begin(self, text: str) -> None:
        """Write what there is before anything runs.

        Raises:
            OutputLost: Nothing can be written there, so that there is no use in running.
        """
        self.save(text)
        if self.problem is not None:
            raise OutputLost(f"the output {self.shown} can't be written: {self.problem.strerror or self.problem}; nothing was run")

    def save(self, text: str) -> None:
        """Write what there is so far; where that isn't possible now, it is tried again the next time."""
        self._text = text = secrets.clean_document(text)
        try:
            write_whole(self.local, text)
            self.problem = None
        except OSError as error:
            self.problem = error

    def finish(self) -> None:
        """Bring what was saved last to its place.

        Raises:
            OutputLost: It can't be written; the message says where it lies instead.
        """
        if self.problem is not None:
            self.save(self._text)
        if self.problem is not None:
            raise OutputLost(f"the output {self.shown} can't be written: {self.problem.strerror or self.problem}{self._elsewhere()}")
        if self.is_remote:
            self._upload()

    def _elsewhere(self) -> str:
        if not self.is_remote:
            with suppress(OSError):
                write_whole(self._spool, self._text)
                return f"; it is kept in {self._spool}"
        kept = self.local if self.local.exists() else None
        return f"; what was written before is in {kept}" if kept else ""

    def _upload(self) -> None:
        from papermill.exceptions import PapermillException
        from papermill.iorw import papermill_io

        problem: Any = None
        for _ in range(_ATTEMPTS):
            try:
                papermill_io.get_handler(self.place).write(self._text, self.place)
                self._spool.unlink(missing_ok=True)
                return
            except PapermillException as error:
                problem = error
                break
            except Exception as error:
                problem = error
        raise OutputLost(f"the output can't be written to {self.shown}: {problem}; it is kept in {self._spool}")


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it holds either what it held before or all of the text.

    Raises:
        OSError: It can't be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{uuid4().hex}.tmp")
    try:
        with beside.open("x", encoding="utf-8") as stream:
            stream.write(text)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
