"""An engine somewhere else: the `Client` protocol over a unix socket, an SSH bridge or TCP.

target.py    what may be typed after `attach` and `--connect`
lines.py     byte streams to an engine: unix socket, TCP with TLS
mux.py       several streams over one pair of pipes (sans-I/O)
ssh.py       a line that is a process of the system's `ssh`;  bridge.py  its other end, on the host
http.py      requests and answers over such a stream;  watching.py  the WebSocket over one
asking.py    requests that are sent again when the line breaks, and problems as our errors
feed.py      events without a gap or a double, however often the line breaks
client.py    `RemoteClient`
opening.py   from a target to a client that has been answered
"""
