-- Statements of the writer. `{rows}` stands for VALUES and as many rows as a batch has.

-- name: last_seq
-- The highest seq that was ever given, deleted ones included.
SELECT max(
  (SELECT coalesce(max(seq), 0) FROM events),
  (SELECT coalesce(max(seq), 0) FROM logs),
  (SELECT value FROM meta WHERE key = 'seq_floor')
)

-- name: stream
-- A stream's number and last version.
SELECT id, (SELECT coalesce(max(version), 0) FROM events WHERE stream = streams.id) FROM streams WHERE name = ?

-- name: log_count
SELECT count(*) FROM logs WHERE stream = ?

-- name: run
SELECT * FROM runs WHERE id = ?

-- name: running_attempts
-- A row of `attempts` has the seq of its AttemptStarted.
SELECT attempts.* FROM events CROSS JOIN attempts ON attempts.seq = events.seq
WHERE events.stream = (SELECT stream FROM events WHERE seq = ?) AND status = 'running'
ORDER BY events.version

-- name: open_calls
SELECT * FROM calls WHERE run = ? AND (status = 'running' OR status = 'lost') ORDER BY seq

-- name: insert_streams
INSERT INTO streams {rows}

-- name: insert_events
INSERT INTO events {rows}

-- name: insert_logs
INSERT INTO logs {rows}

-- name: put_runs
-- Everything that can change; who and when it was created can't.
INSERT INTO runs {rows}
ON CONFLICT (seq) DO UPDATE SET
  status = excluded.status,
  started_at = excluded.started_at,
  finished_at = excluded.finished_at,
  input_tokens = excluded.input_tokens,
  cached_input_tokens = excluded.cached_input_tokens,
  cache_write_tokens = excluded.cache_write_tokens,
  output_tokens = excluded.output_tokens,
  reasoning_tokens = excluded.reasoning_tokens,
  cost_micro_usd = excluded.cost_micro_usd,
  calls = excluded.calls,
  unpriced_calls = excluded.unpriced_calls,
  at_most_micro_usd = excluded.at_most_micro_usd,
  budget_micro_usd = excluded.budget_micro_usd,
  error = excluded.error,
  waits = excluded.waits,
  saved_micro_usd = excluded.saved_micro_usd

-- name: put_attempts
INSERT INTO attempts {rows}
ON CONFLICT (seq) DO UPDATE SET
  status = excluded.status,
  finished_at = excluded.finished_at,
  error = excluded.error

-- name: end_attempts
UPDATE attempts SET status = 'succeeded', finished_at = ?, error = NULL WHERE seq IN ({rows})

-- name: put_calls
INSERT INTO calls {rows}
ON CONFLICT (seq) DO UPDATE SET
  status = excluded.status,
  finished_at = excluded.finished_at,
  input_tokens = excluded.input_tokens,
  cached_input_tokens = excluded.cached_input_tokens,
  cache_write_tokens = excluded.cache_write_tokens,
  output_tokens = excluded.output_tokens,
  reasoning_tokens = excluded.reasoning_tokens,
  cost_micro_usd = excluded.cost_micro_usd,
  price_source = excluded.price_source,
  error = excluded.error,
  saved_micro_usd = excluded.saved_micro_usd

-- name: add_costs
-- Sums: what is given is added.
INSERT INTO costs {rows}
ON CONFLICT (day, model, agent, workflow, simulated) DO UPDATE SET
  calls = calls + excluded.calls,
  in_flight = in_flight + excluded.in_flight,
  reserved_micro_usd = reserved_micro_usd + excluded.reserved_micro_usd,
  unpriced = unpriced + excluded.unpriced,
  priced = priced + excluded.priced,
  cost_micro_usd = cost_micro_usd + excluded.cost_micro_usd,
  input_tokens = input_tokens + excluded.input_tokens,
  cached_input_tokens = cached_input_tokens + excluded.cached_input_tokens,
  cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens,
  output_tokens = output_tokens + excluded.output_tokens,
  reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens,
  at_most_micro_usd = at_most_micro_usd + excluded.at_most_micro_usd,
  saved_micro_usd = saved_micro_usd + excluded.saved_micro_usd

-- name: add_ledger
-- As `LedgerSum.plus`: sums are added, a NULL says nothing.
INSERT INTO ledger {rows}
ON CONFLICT (scope, day) DO UPDATE SET
  spent = spent + excluded.spent,
  at_most = at_most + excluded.at_most,
  reserved = reserved + excluded.reserved,
  cap = coalesce(excluded.cap, cap)

-- name: ledger
SELECT spent, at_most, reserved, cap FROM ledger WHERE scope = ? AND day = ?

-- name: add_agents
-- As `AgentSum.plus`: counts are added, a NULL says nothing.
INSERT INTO agents {rows}
ON CONFLICT (name) DO UPDATE SET
  registered = coalesce(excluded.registered, registered),
  model = CASE WHEN excluded.registered IS NULL THEN model ELSE excluded.model END,
  seen_model = coalesce(excluded.seen_model, seen_model),
  attempts = attempts + excluded.attempts,
  failed = failed + excluded.failed,
  last_seen_at = max(coalesce(last_seen_at, excluded.last_seen_at), coalesce(excluded.last_seen_at, last_seen_at)),
  seq = CASE WHEN excluded.registered IS NULL THEN seq ELSE excluded.seq END

-- name: put_answers
-- The newest answer to the same is the one that is used.
INSERT INTO answers {rows}
ON CONFLICT (content_key) DO UPDATE SET seq = excluded.seq

-- name: put_workflow
INSERT OR REPLACE INTO workflows VALUES (?, ?, ?, ?, ?, ?)

-- name: drop_workflow
DELETE FROM workflows WHERE name = ?

-- name: put_trust
INSERT OR REPLACE INTO trust VALUES (?, ?, ?)

-- name: drop_trust
DELETE FROM trust WHERE path = ?

-- name: put_token
INSERT OR REPLACE INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: revoke_token
UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL

-- name: insert_audit
INSERT INTO audit {rows}

-- name: audit_head
SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1

-- name: put_partial
INSERT OR REPLACE INTO partials VALUES (?, ?, ?, ?, ?, ?)

-- name: drop_partial
DELETE FROM partials WHERE run_id = ? AND step = ? AND attempt = ? AND call = ?

-- name: drop_partials_of_run
DELETE FROM partials WHERE run_id = ?

-- name: history
-- The whole log, for a rebuild.
SELECT seq, stream, name, at, type, v, data
FROM events JOIN streams ON streams.id = events.stream
WHERE seq > ? ORDER BY seq LIMIT ?

-- name: costs_of_pruned
-- A rebuild begins with what pruned runs had cost.
INSERT INTO costs SELECT * FROM pruned_costs

-- name: ledger_of_pruned
INSERT INTO ledger
SELECT iif(simulated, 'day:sim', 'day'), day, sum(cost_micro_usd), sum(at_most_micro_usd),
  sum(reserved_micro_usd), NULL
FROM pruned_costs GROUP BY 1, 2
HAVING sum(cost_micro_usd) <> 0 OR sum(at_most_micro_usd) <> 0 OR sum(reserved_micro_usd) <> 0
