"""What models may call: the adapters of the port `engine/toolbox.py`.

    toolbox.py    all of them together: names, arguments, limits, what is shown
    tool.py       one tool, and the words for refusals
    files.py      read_file, list_files, search_files, write_file, edit_file
    changes.py    what a write does to a file; `diffs.py` shows it
    seek.py       the process of a search
    shell.py      shell
    functions.py  Python functions, of the user's files (in a child) and of the SDK (in this process)
    mcp.py        tools of MCP servers; `mcp_session.py` is one warm connection, `mcp_stdio.py` its pipes

What a tool returns is untrusted: it is made harmless, cut to size and scrubbed in one place, `toolbox.py`.
"""

from __future__ import annotations
