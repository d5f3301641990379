"""The way out: what is written to the terminal, sanitized and without secrets.

`SafeStream` takes the place of `sys.stdout` and `sys.stderr` of the command line, so
that no sentence can forget it. `copy_sanitized` passes on what another process
writes. What is kept (`failure.txt`, the output of a run) goes through `safe` or
`safe_plain`.
"""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import TextIOBase
from typing import IO, Any

from workshop.terminal.control_codes import Sanitizer, plain, sanitize
from workshop.terminal.secrets import redacted, secrets_of

_CHUNK_BYTES = 65_536


def colours_are_wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether nobody has asked for output without colours (https://no-color.org)."""
    return not environment.get("NO_COLOR")


def safe(text: str) -> str:
    """Return *text* as it may be shown: only colours, and no secret of this user."""
    shown = sanitize(text, colours=colours_are_wanted())
    return redacted(shown, secrets_of(os.environ))


def safe_plain(text: str) -> str:
    """Return *text* as it may be kept, or shown among words of ours: no colours."""
    return redacted(plain(text), secrets_of(os.environ))


class SafeStream(TextIOBase):
    """A text stream that writes to *stream* what is `safe` of each text.

    Control codes of our own go to `trusted`, which is *stream* itself.
    """

    def __init__(self, stream: IO[str]) -> None:
        self.trusted: Any = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream."""
        return str(self.trusted.encoding)

    @property
    def errors(self) -> str:  # type: ignore[override]
        """What the stream does with a character that it cannot encode."""
        return str(self.trusted.errors)

    @property
    def buffer(self) -> IO[bytes]:
        """The stream of bytes below, for what is no text."""
        below: IO[bytes] = self.trusted.buffer
        return below

    def write(self, text: str) -> int:
        """Write what is safe of *text*, and return the length of all of it."""
        self.trusted.write(safe(text))
        return len(text)

    def flush(self) -> None:
        """Pass on what is still in memory."""
        # Python flushes once more when this is collected, perhaps after the end of
        # the stream below. Since 3.13 it reports the error that this would be.
        if not getattr(self.trusted, "closed", False):
            self.trusted.flush()

    def fileno(self) -> int:
        """Return the descriptor of the stream."""
        return int(self.trusted.fileno())

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return bool(self.trusted.isatty())

    def writable(self) -> bool:
        """Whether it can be written to: yes."""
        return True


def trusted(stream: IO[str]) -> IO[str]:
    """Return *stream* without its filter, for what controls the terminal for us."""
    return stream.trusted if isinstance(stream, SafeStream) else stream


@contextmanager
def safe_standard_streams() -> Iterator[None]:
    """Have everything that is printed meanwhile go through a `SafeStream`."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (SafeStream(trusted(each)) for each in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


class SanitizedLines:
    """What another process writes, as text that may be shown.

    Bytes come in as they are read. What `feed` returns can be written at once, also
    in the middle of a line: a prompt has no line break. Only an escape sequence, a
    character or a full buffer's last line that is not complete yet is held back.
    """

    def __init__(self, *, colours: bool = True) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._sanitizer = Sanitizer(colours=colours)
        self._secrets = secrets_of(os.environ)
        self._line = ""

    def feed(self, data: bytes) -> str:
        """Return what may be shown of *data*, and of what was held back before."""
        shown = self._line + self._sanitizer.feed(self._decoder.decode(data))
        self._line = ""
        if len(data) >= _CHUNK_BYTES:
            # More follows at once. A password may be cut in two here.
            shown, line_break, self._line = shown.rpartition("\n")
            shown += line_break
            if len(self._line) > _CHUNK_BYTES:
                shown, self._line = shown + self._line, ""
        return redacted(shown, self._secrets)

    def finish(self) -> str:
        """Return what may be shown of the rest."""
        text = self._sanitizer.feed(self._decoder.decode(b"", final=True))
        return redacted(self._line + text + self._sanitizer.finish(), self._secrets)


def copy_sanitized(source: IO[bytes], target: IO[str], *, colours: bool = True) -> None:
    """Write to *target* what is written to the pipe *source*, until that ends.

    Each piece is passed on when it comes. *target* is written to as it is: it needs
    no filter of its own. Returns when the last writer has closed the pipe.
    """
    lines = SanitizedLines(colours=colours)
    while data := os.read(source.fileno(), _CHUNK_BYTES):
        target.write(lines.feed(data))
        target.flush()
    target.write(lines.finish())
    target.flush()
