CREATE TABLE events (
  seq        INTEGER PRIMARY KEY AUTOINCREMENT,
  topic      TEXT NOT NULL,
  type       TEXT NOT NULL,
  run_id     TEXT NOT NULL,
  step_id    TEXT NOT NULL,
  input_hash TEXT NOT NULL,
  data       TEXT NOT NULL
);
CREATE INDEX events_of_run ON events (run_id, seq) WHERE run_id <> '';

CREATE TABLE blobs (
  hash TEXT PRIMARY KEY,
  data TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE runs (
  id          TEXT PRIMARY KEY,
  kind        TEXT NOT NULL,
  name        TEXT NOT NULL,
  status      TEXT NOT NULL,
  definition  TEXT NOT NULL,
  agent_id    TEXT NOT NULL,
  reason      TEXT NOT NULL,
  session     TEXT NOT NULL,
  user        TEXT NOT NULL,
  parent      TEXT NOT NULL,
  input       TEXT NOT NULL,
  output      TEXT NOT NULL,
  error       TEXT NOT NULL,
  owner       TEXT NOT NULL,
  lease_until REAL NOT NULL,
  attempt     INTEGER NOT NULL,
  created_at  TEXT NOT NULL,
  ended_at    TEXT NOT NULL,
  usage       TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX runs_by_time ON runs (created_at);
CREATE INDEX runs_unfinished ON runs (owner) WHERE status IN ('queued', 'running', 'waiting');

CREATE TABLE definitions (
  hash   TEXT PRIMARY KEY,
  kind   TEXT NOT NULL,
  name   TEXT NOT NULL,
  spec   TEXT NOT NULL,
  code   BLOB NOT NULL,
  python TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE agents (
  number       INTEGER PRIMARY KEY AUTOINCREMENT,
  id           TEXT NOT NULL UNIQUE,
  name         TEXT NOT NULL,
  origin       TEXT NOT NULL,
  definition   TEXT NOT NULL,
  state        TEXT NOT NULL,
  capabilities TEXT NOT NULL,
  created_at   TEXT NOT NULL
);
CREATE INDEX agents_by_name ON agents (name, origin);

CREATE TABLE turns (
  number   INTEGER PRIMARY KEY AUTOINCREMENT,
  session  TEXT NOT NULL,
  key      TEXT NOT NULL,
  run_id   TEXT NOT NULL,
  messages TEXT NOT NULL,
  UNIQUE (session, key)
);

CREATE TABLE signals (
  seq     INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id  TEXT NOT NULL,
  name    TEXT NOT NULL,
  payload TEXT NOT NULL
);
CREATE INDEX signals_of_run ON signals (run_id, seq);
