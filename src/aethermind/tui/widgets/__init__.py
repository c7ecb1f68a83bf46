"""Live panes on the line API, and the one-line widgets around them."""
