-- What caching saved: answers that were used again, and the prompt caches of vendors.

ALTER TABLE runs ADD COLUMN saved_micro_usd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN saved_micro_usd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE costs ADD COLUMN saved_micro_usd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE pruned_costs ADD COLUMN saved_micro_usd INTEGER NOT NULL DEFAULT 0;
