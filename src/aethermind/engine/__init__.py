"""The engine: drives runs. Knows ports, never adapters, and no user interface."""
