"""Event stores: SQLite (`sqlite.open_store`), in memory (`memory.InMemoryStore`), and the lease.

Both stores number events with the same `Sequencer` and fold them with the same `Projector`; they
differ only in where the rows go.
"""
