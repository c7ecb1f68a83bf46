-- What `db check` and `db prune` ask.

-- name: counts
SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM events), (SELECT count(*) FROM logs)

-- name: gaps
-- Streams whose events are not numbered 1, 2, 3, … in the order of their seqs.
SELECT name, count(*), min(version), max(version)
FROM events JOIN streams ON streams.id = events.stream GROUP BY stream
HAVING min(version) <> 1 OR max(version) <> count(*)
ORDER BY min(seq) LIMIT :limit

-- name: disorder
SELECT name, version FROM (
  SELECT stream, version, seq, lag(seq) OVER (PARTITION BY stream ORDER BY version) AS before FROM events
) JOIN streams ON streams.id = stream WHERE seq < before LIMIT :limit

-- name: nameless_events
SELECT seq FROM events WHERE stream NOT IN (SELECT id FROM streams) LIMIT :limit

-- name: nameless_logs
SELECT seq FROM logs WHERE stream NOT IN (SELECT id FROM streams) LIMIT :limit

-- name: homeless_attempts
SELECT seq FROM attempts WHERE run NOT IN (SELECT seq FROM runs) LIMIT :limit

-- name: homeless_calls
SELECT seq FROM calls WHERE run NOT IN (SELECT seq FROM runs) LIMIT :limit

-- name: doubles
-- A seq belongs to an event or to a log record, never to both.
SELECT seq FROM events WHERE seq IN (SELECT seq FROM logs) LIMIT :limit

-- name: choose
-- The finished runs that ended before a time, with the number of their stream.
CREATE TEMP TABLE gone AS
SELECT runs.seq AS run, runs.id AS id, runs.workflow AS workflow, runs.finished_at AS finished_at,
  events.stream AS stream
FROM runs JOIN events ON events.seq = runs.seq
WHERE runs.status IN ('succeeded', 'failed', 'cancelled') AND runs.finished_at < :before

-- name: chosen
SELECT id, workflow, finished_at FROM gone ORDER BY finished_at, id

-- name: chosen_counts
SELECT (SELECT count(*) FROM events WHERE stream IN (SELECT stream FROM gone)),
  (SELECT count(*) FROM logs WHERE stream IN (SELECT stream FROM gone)),
  (SELECT count(*) FROM calls WHERE run IN (SELECT run FROM gone))

-- name: old_unfinished
SELECT count(*) FROM runs WHERE status NOT IN ('succeeded', 'failed', 'cancelled') AND created_at < :before

-- name: keep_costs
-- What these runs had cost, as the projection `costs` sums it up.
INSERT INTO pruned_costs
SELECT calls.started_at / 86400000, provider || ':' || model, coalesce(agent, ''), runs.workflow,
  calls.simulated, count(*), sum(calls.status = 'running'),
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
WHERE calls.run IN (SELECT run FROM gone)
GROUP BY 1, 2, 3, 4, 5
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

-- name: drop_events
DELETE FROM events WHERE stream IN (SELECT stream FROM gone)

-- name: drop_logs
DELETE FROM logs WHERE stream IN (SELECT stream FROM gone)

-- name: drop_streams
DELETE FROM streams WHERE id IN (SELECT stream FROM gone)

-- name: drop_partials
DELETE FROM partials WHERE run_id IN (SELECT id FROM gone)
