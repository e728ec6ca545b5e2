CREATE INDEX runs_by_status ON runs (status, created_at);
CREATE INDEX runs_by_kind ON runs (kind, created_at, status);
CREATE INDEX runs_by_name ON runs (name, created_at);
CREATE INDEX runs_by_agent ON runs (agent_id, created_at) WHERE agent_id <> '';
CREATE INDEX runs_by_parent ON runs (parent) WHERE parent <> '';

ALTER TABLE definitions ADD COLUMN used_at TEXT NOT NULL DEFAULT '';
UPDATE definitions SET used_at = coalesce((SELECT max(created_at) FROM runs WHERE runs.definition = definitions.hash), '');
CREATE INDEX definitions_by_name ON definitions (kind, name, used_at)
