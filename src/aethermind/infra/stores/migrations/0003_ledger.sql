-- What calls may have cost whose amount nobody knows, in the sums; and the ledger of the days' budgets.

ALTER TABLE costs ADD COLUMN at_most_micro_usd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE pruned_costs ADD COLUMN at_most_micro_usd INTEGER NOT NULL DEFAULT 0;

-- One row for each UTC day (days since the epoch) on which calls started. The writer reserves in it, in the
-- transaction that records a call's intent.
CREATE TABLE ledger (
  scope    TEXT NOT NULL,                           -- 'day': real money, 'day:sim': of simulated runs
  day      INTEGER NOT NULL,
  spent    INTEGER NOT NULL,                        -- micro-USD, as the rest
  at_most  INTEGER NOT NULL,                        -- by calls whose amount nobody knows
  reserved INTEGER NOT NULL,                        -- by calls in flight
  cap      INTEGER,                                 -- set for this day alone; NULL: what is configured holds
  PRIMARY KEY (scope, day)
) STRICT, WITHOUT ROWID;
