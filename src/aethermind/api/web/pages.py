"""The two pages: where a token is asked for, and the terminal. No script of ours, nothing from elsewhere."""

from __future__ import annotations

from html import escape

CONTENT_SECURITY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""xterm sets styles on its elements, so those may be inline; scripts may not."""

_HEAD = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Aethermind</title>
<meta name="viewport" content="width=device-width"><style>
html,body{height:100%;margin:0;background:#0b0f14;color:#d7dde5;font:16px/1.5 system-ui,sans-serif}
main{max-width:28rem;margin:0 auto;padding:20vh 1rem 0}
input,button{font:inherit;padding:.5rem .7rem;border:1px solid #3a4552;border-radius:.3rem;color:inherit}
input{background:#121820;width:100%;box-sizing:border-box;margin:.5rem 0}button{background:#1d2733}
code{background:#121820;padding:0 .3rem}.wrong{color:#ff8f7e}
#terminal{height:100%}.textual-terminal{height:100%;width:100%}
</style>"""


def login(*, wrong: str = "") -> str:
    """`wrong`: why it is asked again."""
    told = f'<p class="wrong" role="alert">{escape(wrong)}</p>' if wrong else ""
    return f"""{_HEAD}</head><body><main><h1>Aethermind</h1>{told}
<form method="post" action="/login"><label for="token">A token of scope admin</label>
<input id="token" name="token" type="password" autocomplete="off" autofocus required>
<button>Open</button></form>
<p>On the engine's machine: <code>aethermind tokens create NAME --scope admin</code></p>
</main></body></html>"""


def terminal(socket_url: str) -> str:
    """`socket_url`: where the terminal's WebSocket is."""
    return f"""{_HEAD}<link rel="stylesheet" href="/static/css/xterm.css">
<script src="/static/js/textual.js"></script></head><body>
<div id="terminal" class="textual-terminal" data-session-websocket-url="{escape(socket_url)}"
 data-font-size="16"></div></body></html>"""
