"""Odd, absurd and hostile requests get a sentence, and never a 500."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.room.serving import Learner, RunningRoom, running_room
from workshop.room.server.limits import BODY_BYTES, HEADERS
from workshop.room.server.settings import Settings

Visit = Callable[..., httpx2.Client]
JoinRoom = Callable[[str], Learner]


def sentence(response: httpx2.Response) -> str:
    detail = response.json()["detail"]
    assert isinstance(detail, str)
    assert detail.endswith(".")
    return detail


def chunks(size: int) -> Iterator[bytes]:
    yield b'{"events": "'
    for _ in range(size // 100_000 + 1):
        yield b"x" * 100_000
    yield b'"}'


def test_a_body_over_the_limit_gets_a_413_with_or_without_its_length(
    join: JoinRoom,
) -> None:
    ann = join("Ann")
    whole = b"".join(chunks(BODY_BYTES))

    for body in (whole, chunks(BODY_BYTES)):
        response = ann.client.post("/api/events", content=body, headers=ann.headers)
        assert response.status_code == 413
        assert {name: response.headers.get(name) for name in HEADERS} == HEADERS


def test_a_form_over_the_limit_gets_a_413(iris: httpx2.Client) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    whole = b"".join(chunks(BODY_BYTES))

    known = iris.post("/board/message", content=whole, headers=form)
    unknown = iris.post("/board/message", content=chunks(BODY_BYTES), headers=form)

    assert known.status_code == 413
    # One field may only have half of that.
    assert unknown.status_code == 400
    assert sentence(unknown)


def test_a_full_batch_of_long_failures_is_not_too_large(join: JoinRoom) -> None:
    ann = join("Ann")
    failed = ["test_" + "x" * 195] * 50

    response = ann.send(*[ann.judged("06", 1, *failed) for _ in range(100)])

    assert response.status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *(("/join", 200), ("/board/login", 200), ("/static/room.css", 200)),
        *(("/static/none.css", 404), ("/none", 404), ("/board", 401), ("/bundle", 404)),
        *(("/course/", 404), ("/me/poll?lesson=06", 200), ("/me/poll", 422)),
        *(("/api/join", 405), ("/openapi.json", 200), ("/", 303)),
        ("/board/stream?lesson=99", 401),
    ],
)
def test_every_response_has_the_security_headers(
    path: str, status: int, visit: Visit
) -> None:
    response = visit().get(path)

    assert response.status_code == status
    assert {name: response.headers.get(name) for name in HEADERS} == HEADERS
    assert "unsafe" not in HEADERS["content-security-policy"]
    assert "server" not in response.headers


def test_a_defect_gets_a_500_with_a_sentence_and_the_headers(
    room: RunningRoom, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room.service.parts, "page", lambda *_: 1 / 0)
    client = visit()
    client.post(
        "/board/login", data={"secret": room.service.room.secret, "name": "Iris"}
    )

    response = client.get("/board")

    assert response.status_code == 500
    assert {name: response.headers.get(name) for name in HEADERS} == HEADERS
    assert "ZeroDivisionError" not in response.text


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("  Ann \t Marie  ", "Ann Marie"),
        ("Ann\x00\x1b[31m", "Ann [31m"),
        ("A\u202enn\u200b", "A nn"),
        ("Zoë 👩🏽‍💻", "Zoë 👩🏽 💻"),
        ("محمد", "محمد"),
        ("x" * 40, "x" * 40),
    ],
)
def test_names_are_cleaned(
    given: str, shown: str, join: JoinRoom, room: RunningRoom
) -> None:
    ann = join(given)

    room.catch_up()

    assert room.service.board.learners[ann.id].name == shown


@pytest.mark.parametrize("name", ["", " ", "\x00", "\u202e", "x" * 41])
def test_a_name_that_cannot_be_shown_is_refused(
    name: str, room: RunningRoom, visit: Visit
) -> None:
    client = visit()
    code = room.service.room.code

    by_program = Learner(client, name).join(code)
    on_a_phone = client.post("/join", data={"code": code, "name": name})

    assert by_program.status_code == 422
    assert sentence(by_program)
    assert on_a_phone.status_code == 422
    assert 'role="alert"' in on_a_phone.text


@pytest.mark.parametrize(
    "at",
    [
        *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"),
        *("9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00"),
        *("2026-01-01T00:00:00", "1970-01-01T00:00:00-11:30", 0, -1e12, 2**40),
    ],
)
def test_a_time_that_cannot_be_true_is_replaced_by_the_servers(
    at: object, join: JoinRoom, room: RunningRoom
) -> None:
    ann = join("Ann")

    response = ann.send({**ann.opened("06", 1), "at": at})

    if response.status_code == 422:
        assert sentence(response)
        return
    assert response.status_code == 200
    room.catch_up()
    learner = room.service.board.learners[ann.id]
    assert datetime.now(UTC) - learner.active < timedelta(minutes=5)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"null", b"[]", b'"x"', b"\xff\xfe", b'{"events": []}', b"1e999"),
        b'{"events": [{"kind": "heartbeat"}]}',
        b'{"events": [{"kind": "\\ud800"}]}',
        b'{"events": [{"kind": "solution", "lesson": "\\ud800"}]}',
        b'{"events": [{"kind": "opened", "lesson": "\\u0000\\u0000", "step": 1}]}',
        b'{"events": [{"kind": "judged", "seconds": NaN, "step": Infinity}]}',
        b'{"events": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b'{"events": [{"id": "x", "at": "' + b"9" * 5_000 + b'"}]}',
        b'{"events": [{"step": ' + b"9" * 5_000 + b"}]}",
    ],
)
def test_events_that_cannot_be_read_get_a_sentence(body: bytes, join: JoinRoom) -> None:
    ann = join("Ann")
    headers = {**ann.headers, "Content-Type": "application/json"}

    response = ann.client.post("/api/events", content=body, headers=headers)

    assert response.status_code in (400, 422)
    assert sentence(response)


@pytest.mark.parametrize(
    "change",
    [
        *(
            {"lesson": "7"},
            {"lesson": "٠٣"},
            {"step": 0},
            {"step": 100},
        ),
        *({"failed": ["x" * 201]}, {"failed": ["x"] * 51}),
        *({"seconds": -1}, {"seconds": 1e300}, {"more": 1}, {"kind": "left"}),
        *({"id": "x"}, {"at": "soon"}, {"passed": "perhaps"}),
    ],
)
def test_an_event_outside_of_the_protocol_is_refused(
    change: dict[str, Any], join: JoinRoom
) -> None:
    ann = join("Ann")

    response = ann.send({**ann.judged("06", 1, "test_a"), **change})

    assert response.status_code == 422
    assert sentence(response)


def test_texts_with_nul_and_controls_are_stored_and_shown(
    join: JoinRoom, iris: httpx2.Client, room: RunningRoom
) -> None:
    for learner in (join("Ann"), join("Bea")):
        failed = learner.judged("06", 1, "test_\x00\x1b\r\n<i>x</i>")
        assert learner.send(failed).status_code == 200
    room.catch_up()

    page = iris.get("/board?lesson=06").text

    assert "&lt;i&gt;x&lt;/i&gt;" in page
    assert "<i>x</i>" not in page


def test_a_step_outside_of_the_course_does_not_harm_the_board(
    join: JoinRoom, iris: httpx2.Client, room: RunningRoom
) -> None:
    ann = join("Ann")
    ann.send(ann.opened("99", 99), ann.judged("06", 99, "test_a"))
    room.catch_up()

    for path in ("/board", "/board/projector", "/board?lesson=99", "/board?lesson=06"):
        assert iris.get(path).status_code == 200


@pytest.mark.parametrize(
    ("path", "form", "text"),
    [
        ("/board/focus", {"place": "06.3"}, "This step does not exist."),
        ("/board/focus", {"place": "06"}, "This step does not exist."),
        ("/board/focus", {"place": "99.1"}, "This step does not exist."),
        ("/board/focus", {"place": "06.²"}, "This step does not exist."),
        (
            "/board/focus",
            {"place": "06.001" + "1" * 5_000},
            "This step does not exist.",
        ),
        ("/board/message", {"text": " \x00 "}, "The message is empty."),
        ("/board/message", {"text": "x" * 281}, "has 281 characters"),
        ("/board/poll", {"lesson": "01"}, "has no question for a poll"),
        ("/board/poll", {"lesson": "99"}, "has no question for a poll"),
        ("/board/timer", {"minutes": "soon"}, "minutes: "),
        ("/board/timer", {"minutes": "601"}, "minutes: "),
        ("/board/timer", {}, "minutes: "),
        ("/board/claim", {"learner": "Ann"}, "learner: "),
        ("/board/poll/close", {"poll": "the last one"}, "poll: "),
    ],
)
def test_a_form_of_the_board_that_cannot_be_right_gets_a_sentence(
    path: str, form: dict[str, str], text: str, iris: httpx2.Client, room: RunningRoom
) -> None:
    before = room.service.board.seq
    to_script = iris.post(path, data=form)
    to_browser = iris.post(path, data=form, headers={"Accept": "text/html"})

    assert to_script.status_code == 422
    assert text in sentence(to_script)
    assert to_browser.status_code == 422
    assert text in to_browser.text
    assert "<h1>" in to_browser.text
    room.catch_up()
    assert room.service.board.seq == before


def test_claiming_for_a_learner_who_is_gone_changes_nothing(
    iris: httpx2.Client,
) -> None:
    for path in ("/board/claim", "/board/answered"):
        response = iris.post(path, data={"learner": str(uuid4())})
        assert response.headers["location"] == "/board"


def test_a_vote_after_the_end_of_the_poll_gets_a_sentence_and_does_not_count(
    join: JoinRoom, iris: httpx2.Client, visit: Visit, room: RunningRoom
) -> None:
    ann = join("Ann")
    phone = visit()
    phone.post("/join", data={"code": room.service.room.code, "name": "Bea"})
    iris.post("/board/poll", data={"lesson": "06"})
    poll = room.service.board.poll
    assert poll is not None
    ann.send({"kind": "vote", "poll": str(poll.id), "choice": "A"})
    odd = phone.post("/me/vote", data={"poll": str(poll.id), "choice": "H"})
    iris.post("/board/poll/close", data={"poll": str(poll.id)})

    late = phone.post("/me/vote", data={"poll": str(poll.id), "choice": "B"})
    # A program may have collected its vote while it had no network.
    stored = ann.send({"kind": "vote", "poll": str(poll.id), "choice": "B"})

    assert odd.status_code == 422
    assert sentence(odd) == "This is not one of the choices. Reload the page."
    assert late.status_code == 409
    assert sentence(late) == "This poll is closed, so your vote was not counted."
    assert stored.status_code == 200
    room.catch_up()
    assert poll.votes == {ann.id: "A"}


def test_votes_and_the_right_choice_are_hidden_until_the_poll_is_closed(
    join: JoinRoom, iris: httpx2.Client, room: RunningRoom
) -> None:
    ann = join("Ann")
    iris.post("/board/poll", data={"lesson": "06"})
    poll = room.service.board.poll
    assert poll is not None
    ann.send({"kind": "vote", "poll": str(poll.id), "choice": "A"})
    room.catch_up()

    assert re.search(r"1 of \d+ voted", iris.get("/board/projector").text)
    assert "✓ correct" not in iris.get("/board/projector").text

    iris.post("/board/poll/close", data={"poll": str(poll.id)})
    closed = iris.get("/board/projector").text
    assert "✓ correct" in closed
    assert "A assumes that a stored value is also used." in closed

    iris.post("/board/poll/remove", data={"poll": str(poll.id)})
    assert "voted" not in iris.get("/board/projector").text


def test_the_projector_names_no_learner(
    join: JoinRoom, iris: httpx2.Client, room: RunningRoom
) -> None:
    ann = join("Annabella")
    ann.send(ann.judged("06", 1, "test_annabella"), {"kind": "help", "wanted": True})
    room.catch_up()
    iris.post("/board/message", data={"text": "Coffee is outside."})
    iris.post("/board/claim", data={"learner": str(ann.id)})

    page = iris.get("/board/projector").text

    assert "Coffee is outside." in page
    for word in ("annabella", "iris"):
        assert word not in page.lower()


def test_a_page_shows_what_its_form_has_just_changed(
    visit: Visit, iris: httpx2.Client, room: RunningRoom
) -> None:
    phone = visit(follow_redirects=True)
    page = phone.post("/join", data={"code": room.service.room.code, "name": "Bea"})
    assert "Bea" in page.text

    page = phone.post("/me/help", data={"wanted": "yes"})
    assert "You are in the help queue." in page.text

    iris.post("/board/message", data={"text": "Coffee."})
    assert "Coffee." in iris.get("/board").text


def test_a_board_without_a_chosen_lesson_follows_the_room(
    iris: httpx2.Client, join: JoinRoom
) -> None:
    join("Ann")
    iris.post("/board/focus", data={"place": "01.1"})
    with iris.stream("GET", "/board/stream") as stream:
        text = ""
        for chunk in stream.iter_text():
            if not text:
                assert "Commit first" in chunk
                iris.post("/board/focus", data={"place": "06.1"})
            text += chunk
            if "Close it" in text.partition('"heads"')[2]:
                break
            text = text[-100_000:]

    assert '"rows"' in text


@pytest.mark.parametrize("last", ["", "-1", "9" * 5_000, "٣", "x", "1e9"])
def test_any_last_event_id_opens_the_stream(last: str, join: JoinRoom) -> None:
    ann = join("Ann")
    headers = [
        (b"authorization", ann.headers["Authorization"].encode()),
        (b"last-event-id", last.encode()),
    ]

    with ann.client.stream("GET", "/api/stream", headers=headers) as stream:
        assert stream.status_code == 200
        assert b"event: focus" in next(stream.iter_raw())


def test_queries_may_contain_anything(iris: httpx2.Client) -> None:
    for query in ("%00", "%ED%A0%80", "%FF", "<script>", "x" * 5_000):
        for path in ("/board?lesson=", "/join?code=", "/board/login?secret="):
            response = iris.get(path + query)
            assert response.status_code == 200
            assert "<script>" not in response.text


def test_a_secret_or_code_may_contain_anything(visit: Visit) -> None:
    for text in ("\x00", "ß" * 50, "\u202e", "💥"):
        client = visit()
        guess = {"secret": text, "name": "Eve"}
        assert client.post("/board/login", data=guess).status_code == 403
        assert Learner(client, "Eve").join(text).status_code == 403


def test_a_title_is_escaped(settings: Settings) -> None:
    titled = Settings(settings.database, title="<script>alert(1)</script> & Co")

    with running_room(titled) as room, room.client() as client:
        for path in ("/join", "/board/login"):
            page = client.get(path).text
            assert "<script>alert" not in page
            assert "&lt;script&gt;" in page


def test_the_schema_declares_every_problem_as_a_sentence(visit: Visit) -> None:
    schema = visit().get("/openapi.json").json()

    for path in schema["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                if status >= "400":
                    content = response["content"]["application/json"]
                    assert content["schema"]["$ref"].endswith("/Problem")
