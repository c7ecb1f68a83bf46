"""The pure core: definitions, events, the run state machine and its views.

No I/O, no clock, no randomness, no asyncio; the one third-party import is msgspec (records).
"""
