"""Server-sent events as bytes: encoded once, then sent to every stream."""

from __future__ import annotations

KEEP_ALIVE = b"event: alive\ndata:\n\n"
"""An event, not a comment, because JavaScript in a browser cannot see comments."""
BYE = b"event: bye\ndata:\n\n"
RETRY = b"retry: 2000\n\n"


def event(name: str, data: str, seq: int) -> bytes:
    """Return an event with the id *seq*. *data* may have several lines."""
    # Each of \n, \r and \r\n would start a new field.
    lines = data.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    body = "".join(f"data: {line}\n" for line in lines)
    return f"event: {name}\nid: {seq}\n{body}\n".encode()
