"""One run's writes: what happens within one turn of the loop is committed together, on the loop's own thread, under the run's fence."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from agentnb.ports.store import Event, Record

_log = logging.getLogger(__name__)


class Write(Protocol):
    """Writes records in one transaction; ``sync`` also survives a power loss."""

    def __call__(self, *records: Record, sync: bool = False) -> None: ...


class Ledger:
    """Gathers records, and commits them.

    Args:
        write: The run's own way into the store.
        listener: Is told of each event once it is committed.
    """

    def __init__(self, write: Write, listener: Callable[[Event], None] | None = None) -> None:
        self._write = write
        self._listener = listener
        self._records: list[Record] = []
        self._sync = False
        self.failure: BaseException | None = None

    def add(self, *records: Record, sync: bool = False) -> None:
        """Write these with the next commit."""
        self._records += records
        self._sync = self._sync or sync

    def commit(self) -> None:
        """Write all of it now.

        Raises:
            StoreError: It can't be written; nothing of it was.
            LeaseLost: The run belongs to another process by now.
        """
        if self.failure is not None:
            raise self.failure
        if not self._records:
            return
        records, self._records = self._records, []
        sync, self._sync = self._sync, False
        try:
            self._write(*records, sync=sync)
        except BaseException as error:
            self.failure = error
            raise
        for record in records if self._listener is not None else ():
            if isinstance(record, Event):
                tell(self._listener, record)


def tell(listener: Callable[[Event], None] | None, event: Event) -> None:
    """Tell a listener; one that fails harms nobody but itself."""
    if listener is None:
        return
    try:
        listener(event)
    except Exception:
        _log.exception("a listener failed at %s", event.type)
