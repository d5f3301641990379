"""Whatever a text holds: what is left of it writes, and does nothing else."""

import random
import re

import pyte
import pytest

from workshop.terminal.control_codes import (
    RESET,
    Sanitizer,
    cleaned,
    plain,
    sanitize,
    visible,
)

_COLOURS = re.compile(r"\x1b\[[0-9;:]*m")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SEEDS = range(80)
_NO_COLOURS = pyte.Screen(1, 1).cursor.attrs


def soup(seed: int) -> str:
    """Return random sequences of characters that occur in control codes."""
    chosen = random.Random(seed)
    parts = [
        *("\x1b", "\x1b[", "\x1b]", "\x1bP", "\x1b_", "\x1b\\", "\x9b", "\x9d", "\x90"),
        *("\x9c", "\x07", "\x08", "\r", "\n", "\r\n", "\x0b", "\x0c", "\x85", "\x0e"),
        *("\x1b[31m", "\x1b[0m", "\x1b[38;5;0m", "\x1b[2J", "\x1b]52;c;QUJD\x07"),
        *("\x1bc", "\x1b(0", "\x1b#8", "\x1b[?1049h", "\x1b[10;10H", "\x1b]0;title"),
        *("0", "1", ";", "?", ">", "m", "H", "J", "A", " ", "text", "é", "界", "\t"),
        *("\u202e", "\u2066", "\ud800", "\uffff", "\x00", "\x7f", "\x1e"),
    ]
    length = chosen.randrange(1, 60)
    random_characters = [chr(chosen.randrange(0x110)) for _ in range(20)]
    return "".join(chosen.choices(parts + random_characters, k=length))


def screen_of(text: str) -> tuple[list[str], tuple[int, int], str, bool]:
    """Return a terminal's lines, cursor and title, and whether colours are off."""
    screen = pyte.Screen(120, 24)
    pyte.Stream(screen).feed(text.replace("\n", "\r\n"))
    at = screen.cursor
    return list(screen.display), (at.x, at.y), screen.title, at.attrs == _NO_COLOURS


@pytest.mark.parametrize("seed", _SEEDS)
def test_only_text_line_breaks_and_colours_are_left(seed: int) -> None:
    shown = sanitize(soup(seed))

    assert not _CONTROLS.search(_COLOURS.sub("", shown))
    shown.encode("utf-8")  # no half of a surrogate pair


@pytest.mark.parametrize("seed", _SEEDS)
def test_a_terminal_shows_the_text_and_keeps_its_state(seed: int) -> None:
    text = soup(seed)

    lines, cursor, title, colours_off = screen_of(sanitize(text))
    assert (lines, cursor) == screen_of(plain(text))[:2]
    assert title == ""
    assert colours_off


@pytest.mark.parametrize("seed", _SEEDS)
def test_sanitizing_is_idempotent(seed: int) -> None:
    shown = sanitize(soup(seed))

    assert sanitize(shown) == shown


@pytest.mark.parametrize("seed", _SEEDS)
def test_chunks_give_the_same_result_as_the_whole_text(seed: int) -> None:
    text = soup(seed)
    cuts = random.Random(seed)
    sanitizer, shown, at = Sanitizer(), "", 0
    while at < len(text):
        to = at + cuts.randrange(1, 5)
        piece = sanitizer.feed(text[at:to])
        last = _COLOURS.findall(piece)[-1:]
        assert last in ([], [RESET], ["\x1b[m"]), "a colour is left on"
        shown, at = shown + piece, to
    shown += sanitizer.finish()

    assert plain(shown) == plain(text)
    assert not _CONTROLS.search(_COLOURS.sub("", shown))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("\x1b[2J\x1b[Hblank", "blank"),
        ("\x1b]52;c;cm0gLXJm\x07copied", "copied"),
        ("\x1b]52;c;cm0gLXJm\nunterminated", "\nunterminated"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b2JC1\x9d0;title\x9c", "C1"),
        ("\x1bP1$r\x1b\\DCS", "DCS"),
        ("\x1bcreset", "reset"),
        ("a\x08b\x07", "ab"),
        ("passed\rfailed", "passed\nfailed"),
        ("Windows\r\nlines", "Windows\nlines"),
        ("admin\u202e", "admin\\u202e"),
        ("half \udc9b", "half \ufffd"),
        ("\x1b[>4;1mno colour", "no colour"),
    ],
)
def test_known_attacks_are_removed(text: str, left: str) -> None:
    assert sanitize(text) == left


def test_each_line_sets_its_own_colour_and_resets_it() -> None:
    assert sanitize("\x1b[31ma\nb") == f"\x1b[31ma{RESET}\n\x1b[31mb{RESET}"
    assert sanitize("\x1b[31ma\x1b[m\nb") == "\x1b[31ma\x1b[m\nb"


def test_without_colours_the_text_stays() -> None:
    assert sanitize("\x1b[1;31mno\x1b[0m", colours=False) == "no"


def test_an_unterminated_string_is_not_held_back_forever() -> None:
    sanitizer = Sanitizer()

    shown = sanitizer.feed("\x1b]52;c;" + "A" * 200_000)
    shown += sanitizer.feed("\nthe next line")

    assert shown.endswith("\nthe next line")


def test_a_file_s_control_codes_are_shown_as_escapes() -> None:
    assert visible("x = 1  # \u202e \x1b[8m") == "x = 1  # \\u202e \\x1b[8m"


def test_every_text_in_data_is_cleaned() -> None:
    data = {"a\x07": ["\x1b[31mred", 1, None, {"b": "\x9b2J"}]}

    assert cleaned(data) == {"a": ["red", 1, None, {"b": ""}]}
