"""`join` and `leave`, and what the other commands then report."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.room.client.fake_room import (
    LOST,
    FakeRoom,
    Reply,
    garbage,
    silent_address,
)
from tests.tiny import GOOD
from workshop import paths
from workshop.lesson import Lesson
from workshop.room.client.membership import Membership, Memberships

Said = Callable[..., tuple[int, str, str]]
JOIN = "/api/join"


@pytest.fixture(autouse=True)
def piped(lesson: Lesson, monkeypatch: pytest.MonkeyPatch) -> None:
    """No terminal, in a checkout of our own."""
    monkeypatch.setattr("sys.stdin", io.StringIO())


@pytest.fixture
def joined(room: FakeRoom, said: Said) -> FakeRoom:
    """A room that the learner has joined."""
    assert said("join", room.address, "k7qf", "Ann", "Lee", "--yes")[0] == 0
    return room


def test_joining_says_what_is_sent_and_how_to_leave(said: Said, room: FakeRoom) -> None:
    code, out, err = said("join", f"{room.address}/join?code=K7QF", "Ann", "--yes")

    assert (code, err) == (0, "")
    assert f"Ann joins the room at {room.address}." in out
    assert "verdicts (seconds, names of failed tests)" in out
    assert "Your code and output are never sent." in out
    assert "python -m workshop leave" in out
    assert "You are in the room 'Monday' as Ann." in out
    assert json.loads(room.of("POST", JOIN)[0].body)["name"] == "Ann"


def test_without_consent_nothing_is_sent(said: Said, room: FakeRoom) -> None:
    code, out, err = said("join", room.address, "K7QF", "Ann")

    assert code == 2
    assert "--yes" in err
    assert "Your code and output are never sent." in out
    assert room.requests == []


@pytest.mark.parametrize(
    ("answer", "exit_code", "requests"), [("\n", 0, 1), ("n\n", 1, 0)]
)
def test_a_terminal_is_asked(
    said: Said,
    room: FakeRoom,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    exit_code: int,
    requests: int,
) -> None:
    typed = io.StringIO(f"{room.address}/join?code=K7QF\nAnn Lee\n{answer}")
    monkeypatch.setattr("workshop.cli.joining._has_terminal", lambda: True)
    monkeypatch.setattr("sys.stdin", typed)
    code, out, _ = said("join")

    assert code == exit_code
    assert "The room's address" in out
    assert "The code" not in out  # the link has it
    assert "Join? [Y/n]" in out
    assert len(room.of("POST", JOIN)) == requests
    assert set(room.names.values()) <= {"Ann Lee"}


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(403, {}), "'K7QF' is not this room's code. Check the code"),
        (Reply(422, {}), "does not accept the name 'Ann'. A name has 1 to 40"),
        (Reply(429, {}, {"Retry-After": "17"}), "Too many wrong codes"),
        (Reply(429, {}, {"Retry-After": "17"}), "Wait 17 seconds, then run"),
        (
            Reply(503, {}, {"Retry-After": "5"}),
            "is full or busy. Wait 5 seconds, then run",
        ),
        (Reply(404, {}), "is not a room: it responds with status 404"),
        (Reply(302, {}, {"Location": "/login"}), "the Wi-Fi's login page"),
        (Reply(200, raw=b"<h1>Hi</h1>", kind="text/html"), "is not a room"),
        (Reply(200, {"rooms": []}), "is not a room"),
        (garbage(b"SSH-2.0-OpenSSH_9.9\r\n"), "is not a room"),
    ],
)
def test_a_refusal_is_one_sentence_with_the_next_command(
    said: Said, room: FakeRoom, reply: Reply, words: str
) -> None:
    room.reply(JOIN, reply, reply)
    code, _, err = said("join", room.address, "K7QF", "Ann", "--yes")

    assert code == 3
    assert words in err
    assert "python -m workshop join" in err
    assert "Traceback" not in err
    assert Memberships(paths.home()).load() is None


def test_no_answer_names_the_likely_causes(said: Said, room: FakeRoom) -> None:
    room.close()
    code, _, err = said("join", room.address, "K7QF", "Ann", "--yes")

    assert code == 3
    assert f"No response from {room.address}." in err
    assert "same Wi-Fi" in err
    assert f"{room.address.rpartition(':')[2]} is the port" in err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "Missing: address, code, name."),
        (["10.0.0.1", "K7QF"], "Missing: name."),
        (["x" * 70 + ".org", "K7QF", "Ann", "--yes"], "No response from"),
        (["http://", "K7QF", "Ann"], "'http://' is not an address."),
        (
            ["10.0.0.1", "K7QF", "x" * 41, "--yes"],
            "A name has 1 to 40 visible characters.",
        ),
    ],
)
def test_wrong_words_are_explained(
    said: Said, words: list[str], complaint: str
) -> None:
    code, _, err = said("join", *words)

    assert code in (2, 3)
    assert complaint in err


def test_a_join_whose_response_is_lost_is_repeated_with_the_same_id(
    said: Said, room: FakeRoom
) -> None:
    room.reply(JOIN, LOST)
    code, _, _ = said("join", room.address, "K7QF", "Ann", "--yes")
    first, second = (json.loads(it.body) for it in room.of("POST", JOIN))

    assert code == 0
    assert first == second
    assert len(room.learners) == 1


def test_an_id_that_another_learner_has_is_replaced(said: Said, room: FakeRoom) -> None:
    room.reply(JOIN, Reply(409, {}))
    code, _, _ = said("join", room.address, "K7QF", "Ann", "--yes")
    first, second = (json.loads(it.body) for it in room.of("POST", JOIN))

    assert code == 0
    assert first["learner"] != second["learner"]


def test_joining_again_changes_the_name_of_the_same_learner(
    said: Said, joined: FakeRoom
) -> None:
    said("join", joined.address, "K7QF", "Anne", "--yes")

    assert list(joined.names.values()) == ["Anne"]


def test_leaving_deletes_the_learner_in_the_room_and_here(
    said: Said, joined: FakeRoom
) -> None:
    code, out, _ = said("leave")
    again, _, err = said("leave")

    assert code == 0
    assert "You have left the room 'Monday'. It has deleted your data." in out
    assert joined.learners == {}
    assert not list(paths.home().glob("room*"))
    assert again == 3
    assert "You are not in a room." in err


def test_a_room_that_cannot_be_reached_is_asked_again_by_the_next_command(
    said: Said, joined: FakeRoom
) -> None:
    joined.reply("/api/learner", Reply(503, {}))
    code, _, err = said("leave")
    there = len(joined.learners)
    said("hint", "90")
    joined.until_request("DELETE", "/api/learner", 2)
    joined.until(lambda: joined.learners == {})

    assert code == 3
    assert there == 1
    assert "it may still have your data" in err
    assert "leave --local" in err
    assert joined.of("POST", "/api/events") == []


def test_a_room_can_be_forgotten_without_asking_it(
    said: Said, joined: FakeRoom
) -> None:
    code, out, _ = said("leave", "--local")

    assert code == 0
    assert "7 days" in out
    assert joined.of("DELETE", "/api/learner") == []
    assert not list(paths.home().glob("room*"))


def test_the_commands_report_what_they_show(
    said: Said, joined: FakeRoom, lesson: Lesson
) -> None:
    said("test", "90")
    said("hint", "90")
    for _ in range(3):
        said("hint", "90")  # the last shows nothing new
    said("hint", "90", "--show")
    said("solution", "90")
    lesson.app_file.write_text(GOOD, encoding="utf-8")
    said("test", "90")
    said("test", "90", "--solution")
    joined.until_stored(10)
    told = [
        (it["kind"], it.get("step"), it.get("passed"), it.get("failed"), it.get("rung"))
        for it in joined.stored.values()
    ]

    assert told == [
        ("opened", 1, None, None, None),
        ("judged", 1, False, ["test_the_free_seats_are_shown"], None),
        ("hint", 1, None, None, 1),
        ("hint", 1, None, None, 2),
        ("hint", 1, None, None, 3),
        ("hint", 1, None, None, 4),
        ("solution", None, None, None, None),
        ("judged", 1, True, [], None),
        ("opened", 2, None, None, None),
        ("judged", 2, True, [], None),
    ]


def test_a_command_says_that_the_room_does_not_know_the_learner(
    said: Said, joined: FakeRoom, lesson: Lesson
) -> None:
    joined.learners.clear()
    code, _, err = said("test", "90")
    asked = len(joined.requests)
    said("hint", "90")

    assert code == 1
    assert "You are no longer in the room" in err
    assert "python -m workshop join" in err
    assert not list(paths.home().glob("room*/*.json"))
    assert len(joined.requests) == asked


def test_no_request_contains_code_paths_output_or_messages(
    said: Said, joined: FakeRoom, lesson: Lesson, tmp_path: Path
) -> None:
    secret = 'print("a-printed-secret")\nraise RuntimeError("a-raised-secret")\n'
    lesson.app_file.write_text(GOOD + secret, encoding="utf-8")
    code, _, _ = said("test", "90")
    joined.until_stored(2)
    sent = b"".join(it.body for it in joined.requests).decode()

    assert code == 1
    assert "test_the_free_seats_are_shown" in sent
    for word in ("secret", "FastAPI", "app.py", str(tmp_path), "RuntimeError"):
        assert word not in sent


def test_a_verdict_does_not_wait_for_a_room_that_never_responds(
    said: Said, lesson: Lesson
) -> None:
    with silent_address() as address:
        learner = "00000000-0000-4000-8000-000000000000"
        Memberships(paths.home()).save(Membership(address, learner, "t" * 32, "Ann"))
        code, out, err = said("test", "90")
        waiting = list(paths.home().glob("room_outbox/*/*.json"))

    assert code == 1
    assert "0 of 2 steps passed" in out
    assert err == ""
    assert len(waiting) == 2
