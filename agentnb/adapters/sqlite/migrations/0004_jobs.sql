CREATE TABLE firings (
  job         TEXT NOT NULL,
  trigger     TEXT NOT NULL,
  position    REAL NOT NULL,
  status      TEXT NOT NULL,
  run_id      TEXT NOT NULL,
  owner       TEXT NOT NULL,
  lease_until REAL NOT NULL,
  attempt     INTEGER NOT NULL,
  note        TEXT NOT NULL,
  PRIMARY KEY (job, trigger, position)
) WITHOUT ROWID;
CREATE INDEX firings_open ON firings (status, lease_until) WHERE status IN ('claimed', 'queued', 'started');
ALTER TABLE runs ADD COLUMN job TEXT NOT NULL DEFAULT '';
CREATE INDEX runs_of_job ON runs (job) WHERE job <> ''
