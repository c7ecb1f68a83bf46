-- Tokens, the audit log, and where the definitions of what is registered are.

-- Follows from `events`.
CREATE TABLE tokens (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL,
  sha256     TEXT NOT NULL,                         -- of the whole token, in hex
  scope      TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER,
  created_by TEXT NOT NULL,
  seq        INTEGER NOT NULL                       -- of its TokenCreated
) STRICT, WITHOUT ROWID;

-- The event that registered it (what is kept of one that was removed says NULL).
ALTER TABLE workflows ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agents ADD COLUMN seq INTEGER;

-- Who did what. Its own truth: no projection, kept when its events are pruned. Each row is chained to the one
-- before it (`infra/stores/chain.py`), and is written in the transaction of the act.
CREATE TABLE audit (
  n      INTEGER PRIMARY KEY CHECK (n > 0),         -- 1, 2, 3, …
  at     INTEGER NOT NULL,
  seq    INTEGER NOT NULL,                          -- of the event
  act    TEXT NOT NULL,
  who    TEXT NOT NULL,
  origin TEXT NOT NULL,
  target TEXT NOT NULL,
  detail TEXT NOT NULL,
  digest TEXT NOT NULL,                             -- SHA-256 of the event's data
  hash   TEXT NOT NULL                              -- SHA-256 over the one before and this row
) STRICT;

CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN
  SELECT RAISE(ABORT, 'rows of the audit log stay');
END;
CREATE TRIGGER audit_is_final BEFORE UPDATE ON audit BEGIN
  SELECT RAISE(ABORT, 'rows of the audit log do not change');
END;

-- Acts up to this seq were recorded before there was an audit log.
INSERT INTO meta SELECT 'audit_from', max(
  (SELECT coalesce(max(seq), 0) FROM events),
  (SELECT coalesce(max(seq), 0) FROM logs),
  (SELECT value FROM meta WHERE key = 'seq_floor')
);
