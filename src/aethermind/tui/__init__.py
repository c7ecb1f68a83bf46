"""The terminal UI. Keys answer at once; what is shown is a fold of recorded facts; nothing here sees an
adapter, and nothing here runs in the engine's thread.
"""
