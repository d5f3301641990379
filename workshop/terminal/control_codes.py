"""Remove terminal control codes from text, optionally keeping colours.

A terminal obeys escape sequences: they move the cursor, erase the screen, set the
window's title, write to the clipboard. The grammar is defined by ECMA-48:

- `ESC [ parameters intermediates final`: a control sequence. The one that ends in
  `m` (SGR) sets colours, and is the only one that is kept.
- `ESC ] … ST`, and the same with `P`, `X`, `^` and `_`: a control string, up to its
  terminator. An unterminated one ends at the end of the line.
- `ESC intermediates final`: any other escape sequence.
- The characters U+0080 to U+009F (C1) mean the same as `ESC` and a letter.

Rich's own ANSI decoder lets parts of control strings, `ESC c` and all C1 characters
through, so it only gets text that has been filtered here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

RESET = "\x1b[0m"
"""Resets all colours."""

# The maximum number of colours carried over to the next line, to limit abuse.
_MOST_COLOURS = 16

_PARAMETERS = r"[\x30-\x3f]*"
_INTERMEDIATES = r"[\x20-\x2f]*"
_C0 = r"\x00-\x1f"
# The terminator belongs to the string; a line break or the next escape does not.
_IN_STRING = r"[^\x07\x0a-\x0d\x1b\x80-\x9f]*"
_END_OF_STRING = r"(?:\x07|\x1b\\|\x9c|(?=[\x0a-\x0d\x1b\x80-\x9f])|\Z)"

# At each character that is not plain, the alternatives are tried in this order.
_TOKEN = re.compile(
    rf"""
      (?:\x1b\[|\x9b) (?: (?P<colour>[0-9;:]{{0,64}}) m
                        | {_PARAMETERS} {_INTERMEDIATES} [\x40-\x7e]? )
    | (?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])
      {_IN_STRING} {_END_OF_STRING}
    | \x1b {_INTERMEDIATES} [\x30-\x7e]?
    | (?P<line>\r\n|[\n\r\x0b\x0c\x85\u2028\u2029])
    | (?P<deceit>[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069])
    | (?P<broken>[\ud800-\udfff\ufffe\uffff])
    | [{_C0}\x7f-\x9f]
    """,
    re.VERBOSE,
)
# A tab counts as plain.
_NOT_PLAIN = re.compile(
    r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
    r"\ud800-\udfff\ufffe\uffff]"
)
_BEGUN = re.compile(
    rf"(?:\x1b|(?:\x1b\[|\x9b){_PARAMETERS}{_INTERMEDIATES}|\x1b{_INTERMEDIATES}"
    rf"|(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f]){_IN_STRING}\x1b?|\r)\Z"
)


@dataclass(frozen=True)
class _Piece:
    """A part of a text: its kind, and how it may be shown."""

    kind: Literal["text", "colour", "line"]
    shown: str


def sanitize(text: str, *, colours: bool = True) -> str:
    r"""Return *text* without anything that controls a terminal, except colours.

    Each line is independent: a colour that continues on the next line is set again
    there, and none is left on at the end. A lone carriage return becomes a line break,
    and characters that change the writing direction are shown as escapes. Without
    *colours*, colours are removed too.

    >>> sanitize("\x1b[2Jred: \x1b[31mno\x1b]0;title\x07 reset")
    'red: \x1b[31mno reset\x1b[0m'
    """
    if not _NOT_PLAIN.search(text):
        return text
    shown: list[str] = []
    active: list[str] = []
    is_on = False
    for piece in _pieces(text):
        if piece.kind == "line":
            shown += [RESET, "\n"] if is_on else ["\n"]
            is_on = False
        elif piece.kind == "text":
            shown += [piece.shown] if is_on else [*active, piece.shown]
            is_on = bool(active)
        elif colours:
            shown += [piece.shown] if is_on else [*active, piece.shown]
            active = _after(active, piece.shown)
            is_on = bool(active)
    if is_on:
        shown.append(RESET)
    return "".join(shown)


def plain(text: str) -> str:
    r"""Return *text* without control codes and colours; line breaks remain.

    >>> plain("\x1b[1mSold\x1b[0m\r\n\x9b2Jout\x08")
    'Sold\nout'
    """
    return sanitize(text, colours=False)


def plain_line(text: str) -> str:
    """Return *text* without colours and line breaks, such as a name or a path."""
    return plain(text).replace("\n", " ")


def visible(text: str) -> str:
    r"""Return *text*, a line of a file, with its control codes shown as escapes.

    Nothing is removed, because a diff has to show what is in the file.

    >>> print(visible("if admin:\u202e # \x1b[8m"))
    if admin:\u202e # \x1b[8m
    """
    return _NOT_PLAIN.sub(lambda found: _escaped(found[0]), text)


def cleaned(value: object, clean: Callable[[str], str] = plain) -> object:
    """Return *value*, which comes from JSON, with every string in it cleaned."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [cleaned(each, clean) for each in value]
    if isinstance(value, dict):
        return {
            cleaned(name, clean): cleaned(each, clean) for name, each in value.items()
        }
    return value


class Sanitizer:
    """Sanitizes a text that arrives in chunks of any size.

    The result of `feed` can be written at once. Each chunk ends with colours off, so
    that other output can be written before the next chunk; a colour that continues in
    the same line is set again. Colours end with their line, because the next line may
    come from another program.
    """

    _MOST_HELD = 65_536

    def __init__(self, *, colours: bool = True) -> None:
        self._colours = colours
        self._held = ""
        self._active: list[str] = []

    def feed(self, text: str) -> str:
        """Return the part of *text*, and of earlier rests, that can be shown now."""
        text = self._held + text
        begun = _BEGUN.search(text)
        # Do not keep an apparent control string without an end forever.
        held = begun and len(text) - begun.start() <= self._MOST_HELD
        end = begun.start() if begun and held else len(text)
        self._held = text[end:]
        return self._shown(text[:end])

    def finish(self) -> str:
        """Return the rest that can be shown."""
        rest, self._held = self._held, ""
        return self._shown(rest)

    def _shown(self, text: str) -> str:
        if not _NOT_PLAIN.search(text) and not self._active:
            return text
        shown = list(self._active) if text else []
        for piece in _pieces(text):
            if piece.kind == "line":
                shown += [RESET, "\n"] if self._active else ["\n"]
                self._active = []
            elif piece.kind == "text":
                shown.append(piece.shown)
            elif self._colours:
                self._active = _after(self._active, piece.shown)
                shown.append(piece.shown)
        if self._active and text:
            shown.append(RESET)
        return "".join(shown)


def _pieces(text: str) -> Iterator[_Piece]:
    at = 0
    while found := _NOT_PLAIN.search(text, at):
        if found.start() > at:
            yield _Piece("text", text[at : found.start()])
        token = _TOKEN.match(text, found.start())
        assert token is not None  # every character that is not plain starts a token
        if token["colour"] is not None:
            yield _Piece("colour", f"\x1b[{token['colour']}m")
        elif token["line"]:
            yield _Piece("line", "\n")
        elif token["deceit"]:
            yield _Piece("text", _escaped(token["deceit"]))
        elif token["broken"]:
            yield _Piece("text", "\ufffd")
        at = token.end()
    if at < len(text):
        yield _Piece("text", text[at:])


def _after(active: list[str], colour: str) -> list[str]:
    """Return the colours that are active after *colour*."""
    first, *others = re.split(r"[;:]", colour[2:-1])
    if first.strip("0"):
        return [*active, colour][-_MOST_COLOURS:]
    # The sequence begins with a reset and may set new colours after it.
    return [colour] if others else []


def _escaped(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
