"""What an app printed, as a verdict tells it."""

import pytest

from workshop.screen.printed import folded, printed


def raised(where: str, error: str = "OSError: no line") -> str:
    """Return how the log tells of an error."""
    return f"ERROR uvicorn.error: Exception in {where}\n  app.py:9  f()\n  {error}\n"


def test_an_error_that_comes_again_and_again_is_told_once() -> None:
    assert folded(raised("GET /shows/7") * 6).splitlines() == [
        *raised("GET /shows/7").splitlines(),
        "[the same 5 times more]",
    ]


def test_the_same_error_in_other_requests_is_told_once_and_they_are_named() -> None:
    text = "".join(raised(f"GET /shows/{number}") for number in range(20))

    assert folded(text).splitlines() == [
        *raised("GET /shows/0").splitlines(),
        "[the same 19 times more, in GET /shows/1, GET /shows/2, GET /shows/3 "
        "and 16 more]",
    ]


def test_a_second_time_is_told_in_words() -> None:
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
def test_what_does_not_repeat_is_told_as_it_is(text: str) -> None:
    assert folded(text).splitlines() == text.splitlines()


def test_what_repeats_leaves_room_for_what_comes_after_it() -> None:
    text = "asked\n" * 40 + "".join(f"seat {number}\n" for number in range(27))

    assert printed(text).splitlines()[:3] == [
        "asked",
        "[the same 39 times more]",
        "seat 0",
    ]
    assert "left out" not in printed(text)
