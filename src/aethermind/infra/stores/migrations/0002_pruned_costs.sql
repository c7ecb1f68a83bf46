-- What runs cost that were pruned: their events are gone, the money is not. A rebuild of `costs` begins with
-- these sums. The columns are those of `costs`.

CREATE TABLE pruned_costs (
  day                 INTEGER NOT NULL,
  model               TEXT NOT NULL,
  agent               TEXT NOT NULL,
  workflow            TEXT NOT NULL,
  simulated           INTEGER NOT NULL,
  calls               INTEGER NOT NULL,
  in_flight           INTEGER NOT NULL,
  reserved_micro_usd  INTEGER NOT NULL,
  unpriced            INTEGER NOT NULL,
  priced              INTEGER NOT NULL,
  cost_micro_usd      INTEGER NOT NULL,
  input_tokens        INTEGER NOT NULL,
  cached_input_tokens INTEGER NOT NULL,
  cache_write_tokens  INTEGER NOT NULL,
  output_tokens       INTEGER NOT NULL,
  reasoning_tokens    INTEGER NOT NULL,
  PRIMARY KEY (day, model, agent, workflow, simulated)
) STRICT, WITHOUT ROWID;
