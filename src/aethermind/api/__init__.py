"""The HTTP and WebSocket API: a server in a thread of its own, in front of an engine in another."""
