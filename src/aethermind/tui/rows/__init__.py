"""Row models: what the panes show, as pure functions and folds. No Textual in here."""
