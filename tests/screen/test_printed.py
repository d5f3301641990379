"""What an app printed, as a verdict tells it."""

import pytest

from workshop.screen.printed import folded, printed


def raised(where: str, error: str = "OSError: no line") -> str:
    """Return the log's text for an error."""
    return f"ERROR uvicorn.error: Exception in {where}\n  app.py:9  f()\n  {error}\n"


def test_a_repeated_error_is_printed_once() -> None:
    assert folded(raised("GET /shows/7") * 6).splitlines() == [
        *raised("GET /shows/7").splitlines(),
        "[the same 5 times more]",
    ]


def test_an_error_in_several_requests_is_printed_once_with_their_names() -> None:
    text = "".join(raised(f"GET /shows/{number}") for number in range(20))

    assert folded(text).splitlines() == [
        *raised("GET /shows/0").splitlines(),
        "[the same 19 times more, in GET /shows/1, GET /shows/2, GET /shows/3 "
        "and 16 more]",
    ]


def test_a_single_repetition_has_its_own_words() -> None:
    assert folded(raised("GET /a") + raised("GET /b")).splitlines()[3:] == [
        "[the same again, in GET /b]"
    ]


@pytest.mark.parametrize(
    "text",
    [
        raised("GET /a") + "asked\n" + raised("GET /a"),
        raised("GET /a") + raised("GET /a", "OSError: another"),
        "asked\nasked\nanswered\nasked\n",
        "  indented\n\nlast\n",
        "",
    ],
)
def test_text_without_repetitions_is_unchanged(text: str) -> None:
    assert folded(text).splitlines() == text.splitlines()


def test_folded_repetitions_leave_room_for_the_rest() -> None:
    text = "asked\n" * 40 + "".join(f"seat {number}\n" for number in range(27))

    assert printed(text).splitlines()[:3] == [
        "asked",
        "[the same 39 times more]",
        "seat 0",
    ]
    assert "left out" not in printed(text)
