"""The store in one SQLite file, in WAL mode: kernel, server, job and command line open it side by side."""

from agentnb.adapters.sqlite.store import SQLiteStore

__all__ = ["SQLiteStore"]
