-- The first schema. `events` and `logs` are the truth; every other table but `meta` and `partials` is a
-- projection that `rebuild` makes anew from `events`.

CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- seq_floor: the highest seq that was ever deleted. A seq is never given twice, and inserts pay nothing
-- for it (the AUTOINCREMENT of SQLite would write one more page in each transaction).
-- projection: the version of the projector that made the rows (`flush.PROJECTION`).
INSERT INTO meta VALUES ('seq_floor', 0), ('projection', 1);

-- Streams by number: the seq of their first record. A number keeps the index of `events` small.
CREATE TABLE streams (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE events (
  seq     INTEGER PRIMARY KEY,
  stream  INTEGER NOT NULL,              -- streams.id
  version INTEGER NOT NULL CHECK (version > 0),
  at      INTEGER NOT NULL,              -- epoch milliseconds, here and in every table
  type    TEXT NOT NULL,
  v       INTEGER NOT NULL,
  data    TEXT NOT NULL,                 -- JSON, fields at their default left out
  UNIQUE (stream, version)               -- the guard behind the writer's memory
) STRICT;

-- Log records share the global seq and have no version; this table is the truth of them.
CREATE TABLE logs (
  seq      INTEGER PRIMARY KEY,
  stream   INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  level    INTEGER NOT NULL CHECK (level BETWEEN 0 AND 3),   -- debug, info, warning, error
  message  TEXT NOT NULL,
  step     TEXT,
  attempt  INTEGER,
  agent    TEXT,
  metadata TEXT                          -- JSON object, NULL if empty
) STRICT;
-- By run and time (seq is the time order); by level where that is selective.
CREATE INDEX logs_stream ON logs (stream);
CREATE INDEX logs_stream_severe ON logs (stream, seq) WHERE level >= 2;
CREATE INDEX logs_severe ON logs (seq) WHERE level >= 2;
CREATE INDEX logs_errors ON logs (seq) WHERE level >= 3;

CREATE TRIGGER events_deleted BEFORE DELETE ON events BEGIN
  UPDATE meta SET value = max(value, OLD.seq) WHERE key = 'seq_floor';
END;
CREATE TRIGGER logs_deleted BEFORE DELETE ON logs BEGIN
  UPDATE meta SET value = max(value, OLD.seq) WHERE key = 'seq_floor';
END;

CREATE TABLE runs (
  seq                 INTEGER PRIMARY KEY,          -- of its RunCreated; attempts and calls refer to it
  id                  TEXT NOT NULL UNIQUE,
  workflow            TEXT NOT NULL,
  -- No IN lists in checks: SQLite builds a table for such a list in each statement.
  status              TEXT NOT NULL CHECK (status = 'running' OR status = 'succeeded' OR status = 'queued'
    OR status = 'failed' OR status = 'cancelled' OR status = 'paused' OR status = 'stopping'
    OR status = 'waiting_answer' OR status = 'waiting_budget' OR status = 'parked'),
  priority            INTEGER NOT NULL,
  created_at          INTEGER NOT NULL,
  started_at          INTEGER,
  finished_at         INTEGER,
  input_tokens        INTEGER NOT NULL,
  cached_input_tokens INTEGER NOT NULL,
  cache_write_tokens  INTEGER NOT NULL,
  output_tokens       INTEGER NOT NULL,
  reasoning_tokens    INTEGER NOT NULL,
  cost_micro_usd      INTEGER,                      -- NULL: no call is priced
  calls               INTEGER NOT NULL,             -- those not in flight any more
  unpriced_calls      INTEGER NOT NULL,
  at_most_micro_usd   INTEGER NOT NULL,
  simulated           INTEGER NOT NULL,
  budget_micro_usd    INTEGER,
  source              TEXT,
  error               TEXT,
  waits               TEXT                          -- JSON: what holds it up (paused, asks, …), or NULL
) STRICT;
-- A row is written about three times in its life, and each index makes that dearer: the unfinished are
-- found by status, and both together by the better of the two.
CREATE INDEX runs_status ON runs (status);
CREATE INDEX runs_workflow ON runs (workflow);

CREATE TABLE attempts (
  seq         INTEGER PRIMARY KEY,                  -- of its AttemptStarted
  run         INTEGER NOT NULL,                     -- runs.seq
  step        TEXT NOT NULL,
  attempt     INTEGER NOT NULL,
  kind        TEXT NOT NULL,
  agent       TEXT,
  status      TEXT NOT NULL CHECK (status = 'running' OR status = 'succeeded' OR status = 'failed'
    OR status = 'cancelled' OR status = 'lost'),
  started_at  INTEGER NOT NULL,
  finished_at INTEGER,
  error       TEXT
) STRICT;
-- Those of a run are found through its events, whose index is there anyway (`attempts_of_run`).
-- By agent, status and time (seq is the time order). Steps without an agent cost nothing here.
CREATE INDEX attempts_agent ON attempts (agent) WHERE agent IS NOT NULL;
CREATE INDEX attempts_agent_status ON attempts (agent, status) WHERE agent IS NOT NULL;
CREATE INDEX attempts_bad ON attempts (status) WHERE status <> 'running' AND status <> 'succeeded';

CREATE TABLE calls (
  seq                 INTEGER PRIMARY KEY,          -- of its CallStarted
  run                 INTEGER NOT NULL,             -- runs.seq
  step                TEXT NOT NULL,
  attempt             INTEGER NOT NULL,
  call                INTEGER NOT NULL,
  agent               TEXT,
  provider            TEXT NOT NULL,
  model               TEXT NOT NULL,
  status              TEXT NOT NULL CHECK (status = 'running' OR status = 'succeeded'
    OR status = 'failed' OR status = 'lost'),
  simulated           INTEGER NOT NULL,
  started_at          INTEGER NOT NULL,
  finished_at         INTEGER,
  input_tokens        INTEGER,                      -- all five NULL: the provider did not say
  cached_input_tokens INTEGER,
  cache_write_tokens  INTEGER,
  output_tokens       INTEGER,
  reasoning_tokens    INTEGER,
  cost_micro_usd      INTEGER,                      -- NULL: unknown (price_source says why), or not billed
  price_source        TEXT,                         -- NULL: not settled, or not billed
  reserved_micro_usd  INTEGER,
  error               TEXT
) STRICT;
CREATE INDEX calls_run ON calls (run);
CREATE INDEX calls_open ON calls (run) WHERE status = 'running' OR status = 'lost';
CREATE INDEX calls_time ON calls (simulated, started_at);

-- Sums of calls by the UTC day on which they started (days since the epoch).
CREATE TABLE costs (
  day                 INTEGER NOT NULL,
  model               TEXT NOT NULL,                -- provider:model
  agent               TEXT NOT NULL,                -- '' for none
  workflow            TEXT NOT NULL,
  simulated           INTEGER NOT NULL,
  calls               INTEGER NOT NULL,             -- all that started
  in_flight           INTEGER NOT NULL,
  reserved_micro_usd  INTEGER NOT NULL,             -- by those in flight
  unpriced            INTEGER NOT NULL,
  priced              INTEGER NOT NULL,
  cost_micro_usd      INTEGER NOT NULL,             -- of the priced ones
  input_tokens        INTEGER NOT NULL,
  cached_input_tokens INTEGER NOT NULL,
  cache_write_tokens  INTEGER NOT NULL,
  output_tokens       INTEGER NOT NULL,
  reasoning_tokens    INTEGER NOT NULL,
  PRIMARY KEY (day, model, agent, workflow, simulated)
) STRICT, WITHOUT ROWID;

CREATE TABLE agents (
  name         TEXT PRIMARY KEY,
  registered   INTEGER,                             -- NULL: only seen in runs
  model        TEXT,                                -- of the registered definition
  seen_model   TEXT,                                -- of its last call
  attempts     INTEGER NOT NULL,
  failed       INTEGER NOT NULL,
  last_seen_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE workflows (
  name            TEXT PRIMARY KEY,
  description     TEXT NOT NULL,
  definition_hash TEXT NOT NULL,
  updated_at      INTEGER NOT NULL,
  source          TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE trust (
  path   TEXT NOT NULL,
  sha256 TEXT NOT NULL,                             -- '' for a directory of one's own
  at     INTEGER NOT NULL,
  PRIMARY KEY (path, sha256)
) STRICT, WITHOUT ROWID;

-- What calls in flight have streamed so far; display only, outside the log.
CREATE TABLE partials (
  run_id    TEXT NOT NULL,
  step      TEXT NOT NULL,
  attempt   INTEGER NOT NULL,
  call      INTEGER NOT NULL,
  text      TEXT NOT NULL,
  reasoning TEXT NOT NULL,
  PRIMARY KEY (run_id, step, attempt, call)
) STRICT, WITHOUT ROWID;
