-- Queries of the readers. `{where}` stands for the conditions of a filter; every page is a keyset page
-- (`seq` beyond the cursor's, one row more than asked for, to see whether there is a next page).

-- name: stream
SELECT seq, :stream, version, at, type, v, data FROM events
WHERE stream = (SELECT id FROM streams WHERE name = :stream) AND version > :after
ORDER BY version LIMIT :limit

-- name: all
-- Events and logs by seq. Each side is cut to the limit before they are merged.
SELECT seq, name, version, at, type, v, data, level, message, step, attempt, agent, metadata
FROM (
  SELECT * FROM (
    SELECT seq, stream, version, at, type, v, data,
      NULL AS level, NULL AS message, NULL AS step, NULL AS attempt, NULL AS agent, NULL AS metadata
    FROM events WHERE seq > :after ORDER BY seq LIMIT :limit
  )
  UNION ALL
  SELECT * FROM (
    SELECT seq, stream, 0, at, NULL, NULL, NULL, level, message, step, attempt, agent, metadata
    FROM logs WHERE seq > :after ORDER BY seq LIMIT :limit
  )
) JOIN streams ON streams.id = stream
ORDER BY seq LIMIT :limit

-- name: all_of_stream
-- The same of one stream. Its events are found by version: a binary search for the last one up to
-- `:after` (both rise together), so that a page late in a long stream does not scan from its start.
WITH RECURSIVE
wanted (id) AS (SELECT id FROM streams WHERE name = :stream),
search (low, high) AS (
  SELECT 0, (SELECT coalesce(max(version), 0) FROM events WHERE stream = (SELECT id FROM wanted))
  UNION ALL
  SELECT
    iif((SELECT seq FROM events
      WHERE stream = (SELECT id FROM wanted) AND version >= (low + high + 1) / 2
      ORDER BY version LIMIT 1) <= :after,
      (low + high + 1) / 2, low),
    iif((SELECT seq FROM events
      WHERE stream = (SELECT id FROM wanted) AND version >= (low + high + 1) / 2
      ORDER BY version LIMIT 1) <= :after,
      high, (low + high + 1) / 2 - 1)
  FROM search WHERE low < high
)
SELECT * FROM (
  SELECT * FROM (
    SELECT seq, :stream, version, at, type, v, data, NULL, NULL, NULL, NULL, NULL, NULL
    FROM events
    WHERE stream = (SELECT id FROM wanted) AND version > (SELECT low FROM search WHERE low = high)
    ORDER BY version LIMIT :limit
  )
  UNION ALL
  SELECT * FROM (
    SELECT seq, :stream, 0, at, NULL, NULL, NULL, level, message, step, attempt, agent, metadata
    FROM logs WHERE stream = (SELECT id FROM wanted) AND seq > :after ORDER BY seq LIMIT :limit
  )
) ORDER BY seq LIMIT :limit

-- name: last_seq
SELECT max(
  (SELECT coalesce(max(seq), 0) FROM events),
  (SELECT coalesce(max(seq), 0) FROM logs),
  (SELECT value FROM meta WHERE key = 'seq_floor')
)

-- name: runs
SELECT * FROM runs WHERE seq < :cursor {where} ORDER BY seq DESC LIMIT :limit

-- name: attempts
SELECT attempts.*, runs.id, attempts.seq FROM attempts JOIN runs ON runs.seq = attempts.run
WHERE attempts.seq < :cursor {where} ORDER BY attempts.seq DESC LIMIT :limit

-- name: attempts_of_run
-- A row of `attempts` has the seq of its AttemptStarted, so the run's events lead to them.
SELECT attempts.*, :run_id, events.version FROM events CROSS JOIN attempts ON attempts.seq = events.seq
WHERE events.stream = (SELECT id FROM streams WHERE name = :stream) AND events.version < :cursor {where}
ORDER BY events.version DESC LIMIT :limit

-- name: calls
SELECT calls.*, runs.id, runs.workflow FROM calls JOIN runs ON runs.seq = calls.run
WHERE calls.run = (SELECT seq FROM runs WHERE id = :run_id) AND calls.seq > :cursor
ORDER BY calls.seq LIMIT :limit

-- name: logs
SELECT seq, name, at, level, message, step, attempt, agent, metadata
FROM logs JOIN streams ON streams.id = logs.stream
WHERE seq > :cursor {where} ORDER BY seq LIMIT :limit

-- name: logs_searched
-- The same where each row has to be looked at: no more than :scan of them for one page.
SELECT seq, name, at, level, message, step, attempt, agent, metadata
FROM (SELECT * FROM logs WHERE seq > :cursor {where} ORDER BY seq LIMIT :scan) AS seen
JOIN streams ON streams.id = seen.stream
WHERE true {searched} ORDER BY seq LIMIT :limit

-- name: logs_seen
-- How far such a look gets.
SELECT count(*), max(seq) FROM (SELECT seq FROM logs WHERE seq > :cursor {where} ORDER BY seq LIMIT :scan)

-- name: costs_by_day
-- The sums of whole days, by {key} (an expression over `costs`).
SELECT {key}, sum(calls), sum(in_flight), sum(reserved_micro_usd), sum(unpriced), sum(priced),
  sum(cost_micro_usd), sum(input_tokens), sum(cached_input_tokens), sum(cache_write_tokens),
  sum(output_tokens), sum(reasoning_tokens), sum(at_most_micro_usd), sum(saved_micro_usd)
FROM costs WHERE simulated = :simulated AND day >= :first_day GROUP BY {key}

-- name: costs_by_call
-- The sums of single calls, for what is no whole day, by {key} (an expression over `calls` and `runs`).
SELECT {key}, count(*), sum(calls.status = 'running'),
  sum(iif(calls.status = 'running', coalesce(reserved_micro_usd, 0), 0)),
  sum(calls.status IN ('succeeded', 'failed') AND calls.cost_micro_usd IS NULL
    AND price_source IS NOT NULL AND price_source <> 'reserved'),
  count(calls.cost_micro_usd), coalesce(sum(calls.cost_micro_usd), 0),
  coalesce(sum(calls.input_tokens), 0), coalesce(sum(calls.cached_input_tokens), 0),
  coalesce(sum(calls.cache_write_tokens), 0), coalesce(sum(calls.output_tokens), 0),
  coalesce(sum(calls.reasoning_tokens), 0),
  sum(iif(calls.status = 'lost' OR price_source = 'reserved', coalesce(reserved_micro_usd, 0), 0)),
  sum(calls.saved_micro_usd)
FROM calls JOIN runs ON runs.seq = calls.run
WHERE calls.simulated = :simulated AND calls.started_at >= :since AND calls.started_at < :until
GROUP BY {key}

-- name: costs_by_run
-- Of all time: a run's row has its sums, only what is in flight is counted. Ordered as `cost_rows` does.
SELECT runs.id, runs.calls + coalesce(flying.calls, 0), coalesce(flying.calls, 0),
  coalesce(flying.reserved, 0), unpriced_calls, cost_micro_usd IS NOT NULL, coalesce(cost_micro_usd, 0),
  input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, at_most_micro_usd,
  saved_micro_usd
FROM runs LEFT JOIN (
  SELECT run, count(*) AS calls, sum(coalesce(reserved_micro_usd, 0)) AS reserved
  FROM calls WHERE (status = 'running' OR status = 'lost') AND status = 'running' GROUP BY run
) AS flying ON flying.run = runs.seq
WHERE simulated = :simulated AND (runs.calls > 0 OR flying.calls > 0)
ORDER BY cost_micro_usd IS NULL, cost_micro_usd DESC, runs.id LIMIT :limit

-- name: ledger
SELECT spent, at_most, reserved, cap FROM ledger WHERE scope = ? AND day = ?

-- name: agents
-- Registered ones and those seen in runs; the money is the real one.
SELECT name, registered, model, seen_model, attempts, failed, last_seen_at, money.cost
FROM agents LEFT JOIN (
  SELECT agent, sum(cost_micro_usd) AS cost FROM costs
  WHERE simulated = 0 GROUP BY agent HAVING sum(priced) > 0
) AS money ON money.agent = agents.name
WHERE registered = 1 OR last_seen_at IS NOT NULL ORDER BY name

-- name: workflows
SELECT name, description, definition_hash, updated_at, source FROM workflows ORDER BY name

-- name: answer
-- The recorded event of the newest answer to this.
SELECT events.seq, name, version, at, type, v, data
FROM answers CROSS JOIN events ON events.seq = answers.seq CROSS JOIN streams ON streams.id = events.stream
WHERE content_key = ?

-- name: registered_workflow
SELECT events.seq, streams.name, version, at, type, v, data
FROM workflows CROSS JOIN events ON events.seq = workflows.seq CROSS JOIN streams ON streams.id = events.stream
WHERE workflows.name = ?

-- name: registered_agent
SELECT events.seq, streams.name, version, at, type, v, data
FROM agents CROSS JOIN events ON events.seq = agents.seq CROSS JOIN streams ON streams.id = events.stream
WHERE agents.name = ? AND registered = 1

-- name: tokens
SELECT id, name, sha256, scope, created_at, expires_at, revoked_at, created_by FROM tokens ORDER BY seq DESC

-- name: token
SELECT id, name, sha256, scope, created_at, expires_at, revoked_at, created_by FROM tokens WHERE id = ?

-- name: audit
SELECT * FROM audit WHERE n < :cursor ORDER BY n DESC LIMIT :limit

-- name: audit_on
-- The rows in their order, for a check.
SELECT * FROM audit WHERE n > ? ORDER BY n LIMIT ?

-- name: audit_from
SELECT coalesce((SELECT value FROM meta WHERE key = 'audit_from'), 0)

-- name: event_data
SELECT seq, data FROM events WHERE seq IN ({seqs})

-- name: acts
-- Events after a seq that can be acts: of these types (a JSON array).
SELECT seq FROM events WHERE seq > :after AND type IN (SELECT value FROM json_each(:types)) ORDER BY seq

-- name: event
SELECT events.seq, name, version, at, type, v, data
FROM events JOIN streams ON streams.id = events.stream WHERE events.seq = ?

-- name: first_of_stream
SELECT events.seq, name, version, at, type, v, data
FROM events JOIN streams ON streams.id = events.stream
WHERE events.stream = (SELECT stream FROM events WHERE seq = ?) AND version = 1

-- name: trusted
SELECT 1 FROM trust WHERE path = ? AND sha256 = ?

-- name: partials
SELECT run_id, step, attempt, call, text, reasoning FROM partials WHERE run_id = ?
ORDER BY step, attempt, call
