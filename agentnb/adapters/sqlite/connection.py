"""Opens the SQLite file: where it may lie, how it is set up, and what its errors mean to people."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from agentnb.errors import StoreError

BUSY_SECONDS = 10.0
_NETWORK = re.compile(r"^(nfs\d?|cifs|smb\w*|9p|afs|ceph|glusterfs|lustre|fuse\.(sshfs|s3fs|gcsfuse|rclone|glusterfs))$")


def connect(file: str, synchronous: str) -> sqlite3.Connection:
    """Open the file, make it where it isn't there, and bring its tables up to date.

    Raises:
        StoreError: It can't be had; the message says why and what to do.
    """
    with readable_errors(file):
        _prepare_folder(Path(file).parent)
        connection = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            connection.execute(f"PRAGMA synchronous={synchronous}")
            _use_wal(connection)
            _migrate(connection, file)
        except BaseException:
            connection.close()
            raise
        return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log; SQLite doesn't wait here for others that open a new file at the same time, so this does."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


@contextmanager
def readable_errors(file: str) -> Iterator[None]:
    """Turn what SQLite and the file system say into a StoreError that names the mend."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"the store {file}: {error}. {_mend(error)}") from error
    except OSError as error:
        raise StoreError(f"the store {file}: {error.strerror or error}. Set AGENTNB_STORE to a folder that can be written") from error


def _mend(error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return "The file is damaged: move it away (a new one is made), or try `sqlite3 journal.db .recover` to save what is in it"
    if code == sqlite3.SQLITE_FULL:
        return "The disk is full: free some space and run this again; what was written before is safe"
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return "It can't be written here: set AGENTNB_STORE to a folder that can"
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return f"Another process has kept it locked for {BUSY_SECONDS:g} s: look for one that hangs"
    return "Nothing of this step was written"


def _prepare_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    kind = _file_system(folder.resolve())
    if _NETWORK.match(kind):
        raise StoreError(
            f"the store's folder {folder} is on a network file system ({kind}), where SQLite's WAL loses data: "
            "set AGENTNB_STORE to a local folder"
        )


def _file_system(folder: Path, table: Path = Path("/proc/self/mounts")) -> str:
    try:
        lines = table.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    mounts = [line.split()[1:3] for line in lines if len(line.split()) > 2]
    under = [(len(point), kind) for point, kind in mounts if os.path.commonpath([point, folder]) == point]
    return max(under, default=(0, ""))[1]


def _migrate(connection: sqlite3.Connection, file: str) -> None:
    scripts = sorted(
        (script for script in files(__package__).joinpath("migrations").iterdir() if script.name.endswith(".sql")),
        key=lambda script: script.name,
    )
    done = connection.execute("PRAGMA user_version").fetchone()[0]
    if done > len(scripts):
        raise StoreError(
            f"the store {file} was written by a newer agentnb (version {done} of its tables; this one knows {len(scripts)}): "
            "upgrade jupyter-agentnb"
        )
    if done == len(scripts):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        done = connection.execute("PRAGMA user_version").fetchone()[0]
        for number, script in enumerate(scripts[done:], start=done + 1):
            for statement in script.read_text(encoding="utf-8").split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={number}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # where the disk is full, SQLite has rolled it back by itself
            connection.execute("ROLLBACK")
        raise
