"""Sanitize everything that is written to the terminal, and hide secrets in it.

`SafeStream` replaces `sys.stdout` and `sys.stderr` of the command line, so no output
can bypass it. `copy_sanitized` passes on what another process writes. Text that is
stored (`failure.txt`, the output of a run) goes through `safe` or `safe_plain`.
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
    """Whether the environment allows colours (https://no-color.org)."""
    return not environment.get("NO_COLOR")


def safe(text: str) -> str:
    """Return *text* for the screen: colours are kept, control codes and secrets not."""
    shown = sanitize(text, colours=colours_are_wanted())
    return redacted(shown, secrets_of(os.environ))


def safe_plain(text: str) -> str:
    """Return *text* for storage, or for use in our own output: no colours either."""
    return redacted(plain(text), secrets_of(os.environ))


class SafeStream(TextIOBase):
    """A text stream that passes text through `safe` and writes it to *stream*.

    The workshop's own control codes go to `trusted`, which is *stream* itself.
    """

    def __init__(self, stream: IO[str]) -> None:
        self.trusted: Any = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream."""
        return str(self.trusted.encoding)

    @property
    def errors(self) -> str:  # type: ignore[override]
        """The error handling of the stream's encoding."""
        return str(self.trusted.errors)

    @property
    def buffer(self) -> IO[bytes]:
        """The underlying stream of bytes, for binary output."""
        below: IO[bytes] = self.trusted.buffer
        return below

    def write(self, text: str) -> int:
        """Write the sanitized *text* and return the length of the original."""
        self.trusted.write(safe(text))
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        # Python flushes again on garbage collection, perhaps after the underlying
        # stream is closed. Since 3.13 it reports the resulting error.
        if not getattr(self.trusted, "closed", False):
            self.trusted.flush()

    def fileno(self) -> int:
        """Return the descriptor of the stream."""
        return int(self.trusted.fileno())

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return bool(self.trusted.isatty())

    def writable(self) -> bool:
        """Whether the stream is writable: always."""
        return True


def trusted(stream: IO[str]) -> IO[str]:
    """Return *stream* without its filter, for the workshop's own control codes."""
    return stream.trusted if isinstance(stream, SafeStream) else stream


@contextmanager
def safe_standard_streams() -> Iterator[None]:
    """Pass everything printed in the block through a `SafeStream`."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (SafeStream(trusted(each)) for each in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


class SanitizedLines:
    """Converts the output of another process to text that can be shown.

    `feed` takes bytes as they are read. Its result can be written at once, even in the
    middle of a line, because a prompt has no line break. Only an incomplete escape
    sequence or character, or the last line of a full buffer, is held back.
    """

    def __init__(self, *, colours: bool = True) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._sanitizer = Sanitizer(colours=colours)
        self._secrets = secrets_of(os.environ)
        self._line = ""

    def feed(self, data: bytes) -> str:
        """Return the part of *data*, and of earlier rests, that can be shown now."""
        shown = self._line + self._sanitizer.feed(self._decoder.decode(data))
        self._line = ""
        if len(data) >= _CHUNK_BYTES:
            # More data follows at once, so a password may be cut in two here.
            shown, line_break, self._line = shown.rpartition("\n")
            shown += line_break
            if len(self._line) > _CHUNK_BYTES:
                shown, self._line = shown + self._line, ""
        return redacted(shown, self._secrets)

    def finish(self) -> str:
        """Return the rest that can be shown."""
        text = self._sanitizer.feed(self._decoder.decode(b"", final=True))
        return redacted(self._line + text + self._sanitizer.finish(), self._secrets)


def copy_sanitized(source: IO[bytes], target: IO[str], *, colours: bool = True) -> None:
    """Copy the pipe *source* to *target* until its end, sanitized.

    Each chunk is passed on as it arrives. *target* needs no filter of its own. Returns
    when the last writer has closed the pipe.
    """
    lines = SanitizedLines(colours=colours)
    while data := os.read(source.fileno(), _CHUNK_BYTES):
        target.write(lines.feed(data))
        target.flush()
    target.write(lines.finish())
    target.flush()
