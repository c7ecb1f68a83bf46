-- What is really there of a batch whose commit failed.

-- name: events
SELECT seq, streams.name, version, at, type, v, data
FROM events JOIN streams ON streams.id = events.stream
WHERE seq BETWEEN ? AND ?

-- name: logs
SELECT seq, streams.name, at, level, message, step, attempt, agent, metadata
FROM logs JOIN streams ON streams.id = logs.stream
WHERE seq BETWEEN ? AND ?
