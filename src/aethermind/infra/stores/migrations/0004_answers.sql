-- Answers that may be used again: by the digest of what was sent, the newest call that was answered in full.
-- The text is in that event. Follows from `events`: when a run is pruned, its answers are gone.

CREATE TABLE answers (
  content_key TEXT PRIMARY KEY,
  seq         INTEGER NOT NULL                      -- of its CallFinished
) STRICT, WITHOUT ROWID;
