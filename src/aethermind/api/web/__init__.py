"""The terminal UI in a browser (`serve --web`)."""
