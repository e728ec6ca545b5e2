"""DuckDB over the journal: questions in SQL, read-only."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agentnb.errors import ConfigurationError, StoreError

TABLES = {
    "runs": "SELECT id, kind, name, status, reason, agent_id, session, user, parent, input, output, error, attempt, created_at, ended_at,"
    " json_extract(usage, '$.input_tokens') AS input_tokens, json_extract(usage, '$.output_tokens') AS output_tokens,"
    " json_extract(usage, '$.cost') AS cost, json_extract(usage, '$.model_calls') AS model_calls,"
    " json_extract(usage, '$.tool_calls') AS tool_calls FROM runs",
    "events": "SELECT seq, topic, type, run_id, step_id, json_extract(data, '$.timestamp') AS timestamp,"
    " json_extract(data, '$.status') AS status, json_extract(data, '$.execution_time_ms') AS execution_time_ms, data FROM events",
    "steps": "SELECT seq, run_id, step_id, coalesce(json_extract(data, '$.metadata.kind'), json_extract(data, '$.step_type')) AS kind,"
    " coalesce(json_extract(data, '$.metadata.name'), json_extract(data, '$.step_name')) AS name,"
    " json_extract(data, '$.status') AS status, json_extract(data, '$.execution_time_ms') AS execution_time_ms,"
    " json_extract(data, '$.metadata.usage.input_tokens') AS input_tokens,"
    " json_extract(data, '$.metadata.usage.output_tokens') AS output_tokens,"
    " json_extract(data, '$.timestamp') AS timestamp FROM events WHERE type IN ('agent.model_called', 'agent.tool_called',"
    " 'workflow.step_completed', 'workflow.step_failed', 'workflow.step_skipped', 'workflow.step_cancelled')",
    "agents": "SELECT id, name, origin, state, capabilities, created_at FROM agents",
    "turns": "SELECT session, key, run_id, messages FROM turns",
    "signals": "SELECT seq, run_id, name, payload FROM signals",
}
"""Tables that a query may name, each as SQLite gives it; large values show as ``{"$blob": hash}``."""


def query(folder: Path, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Answer one SELECT over the journal in a folder.

    Returns:
        The columns' names, and the rows.

    Raises:
        ConfigurationError: The SQL is wrong, or no SELECT.
        StoreError: The journal can't be read.
    """
    import duckdb

    with duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}) as connection:
        _check(sql)
        for name in [name for name in TABLES if re.search(rf"\b{name}\b", sql, re.IGNORECASE)]:
            _copy(folder, name, connection)
        connection.execute("SET enable_external_access = false")
        connection.execute("SET memory_limit = '1GB'")
        connection.execute("SET lock_configuration = true")
        try:
            found = connection.execute(sql)
        except duckdb.Error as error:
            raise ConfigurationError(f"{error}\nTables: {', '.join(TABLES)}") from None
        return [column[0] for column in found.description or ()], found.fetchall()


def _check(sql: str) -> None:
    import duckdb

    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise ConfigurationError(str(error)) from None
    if len(statements) != 1 or statements[0].type not in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN):
        raise ConfigurationError("one SELECT at a time: the journal is read-only here")


def _copy(folder: Path, name: str, connection: Any) -> None:
    import numpy

    columns, rows = _read(folder / "journal.db", TABLES[name])
    values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    connection.register("incoming", {column: _array(numpy, items) for column, items in zip(columns, values, strict=True)})
    whole = [column for column, items in zip(columns, values, strict=True) if {type(item) for item in items} == {int, type(None)}]
    cast = f" REPLACE ({', '.join(f'{column}::BIGINT AS {column}' for column in whole)})" if whole else ""
    connection.execute(f"CREATE TABLE {name} AS SELECT *{cast} FROM incoming")  # noqa: S608
    connection.unregister("incoming")


def _read(file: Path, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    if not file.exists():
        raise StoreError(f"there is no journal at {file} yet: run an agent first")
    try:
        with sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True) as source:
            cursor = source.execute(sql)
            return [column[0] for column in cursor.description], cursor.fetchall()
    except sqlite3.Error as error:
        raise StoreError(f"the store {file}: {error}") from error


def _array(numpy: Any, items: Sequence[Any]) -> Any:
    kinds = {type(item) for item in items}
    if kinds and kinds <= {int}:
        return numpy.array(items, dtype="int64")
    if kinds and kinds <= {int, float, type(None)} and kinds != {type(None)}:
        return numpy.array([float("nan") if item is None else item for item in items], dtype="float64")
    return numpy.array([None if item is None else str(item) for item in items], dtype=object)
