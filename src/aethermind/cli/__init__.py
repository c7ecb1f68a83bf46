"""The command line: one small file per noun, loaded when its command is typed."""
