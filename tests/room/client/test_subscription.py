"""The learner receives what the room tells, also after the connection was lost."""

from __future__ import annotations

import uuid

import pytest

from tests.room.client.conftest import Learner
from tests.room.client.fake_room import FakeRoom, Reply, garbage
from workshop.room.protocol import Choice, Focus, HelpOffer, Message, Poll

STREAM = "/api/stream"
POLL = {
    "id": str(uuid.UUID(int=1)),
    "lesson": "03",
    "question": "Who gets it?",
    "choices": [{"letter": "A", "text": "Both", "colour": "of a newer room"}],
    "open": True,
}


def test_what_the_room_tells_arrives_as_models(ann: Learner, room: FakeRoom) -> None:
    ann.listen()
    ann.join(room)
    room.tell("focus", {"lesson": "03", "step": 2, "since": "of a newer room"})
    room.tell("weather", {"sunny": True})
    room.tell("message", {"text": "no author"})
    room.tell("message", {"text": "Back at 11", "by": "Ben"})
    room.tell("poll", POLL)
    room.tell("help", {"by": "Ben"})
    ann.until(lambda: len(ann.told) == 4)

    assert ann.told == [
        Focus(lesson="03", step=2),
        Message(text="Back at 11", by="Ben"),
        Poll(
            id=uuid.UUID(int=1),
            lesson="03",
            question="Who gets it?",
            choices=(Choice(letter="A", text="Both"),),
            open=True,
        ),
        HelpOffer(by="Ben"),
    ]


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(503, {}, {"Retry-After": "0"}),
        Reply(200, raw=b"<h1>Welcome to the Wi-Fi</h1>", kind="text/html"),
        Reply(302, headers={"Location": "/login"}),
        garbage(b"220 mail.example.org ESMTP\r\n"),
    ],
    ids=lambda reply: f"{reply.status} {reply.raw[:12]!r}",
)
def test_a_stream_that_cannot_be_opened_is_tried_again(
    ann: Learner, room: FakeRoom, trouble: Reply
) -> None:
    room.reply(STREAM, trouble, trouble)
    ann.listen()
    ann.join(room)
    room.tell("help", {"by": "Ben"})
    ann.until(lambda: bool(ann.told))

    assert len(room.of("GET", STREAM)) == 3


def test_a_lost_stream_continues_after_its_last_event(
    ann: Learner, room: FakeRoom
) -> None:
    ann.listen()
    ann.join(room)
    room.tell("message", {"text": "One", "by": "Ben"}, id="41")
    room.tell("bye", "")
    room.end_streams()
    second = room.until_request("GET", STREAM, 2)
    room.tell("message", {"text": "One", "by": "Ben"}, id="41")
    room.tell("message", {"text": "One", "by": "Ben"}, id="42")
    room.tell("help", {"by": "Ben"})
    ann.until(lambda: HelpOffer(by="Ben") in ann.told)

    assert second.headers["last-event-id"] == "41"
    assert [it.text for it in ann.told if isinstance(it, Message)] == ["One", "One"]


def test_a_command_receives_nothing(ann: Learner, room: FakeRoom) -> None:
    ann.join(room)
    ann.part.close()

    assert room.of("GET", STREAM) == []


def test_after_leaving_nothing_is_received(ann: Learner, room: FakeRoom) -> None:
    ann.listen()
    ann.join(room)
    room.tell("help", {"by": "Ben"})
    ann.until(lambda: bool(ann.told))
    ann.part.leave()
    room.tell("help", {"by": "Cleo"})
    ann.part.close()

    assert ann.told == [HelpOffer(by="Ben")]
    assert room.learners == {}


def test_a_room_that_is_new_ends_the_membership(ann: Learner, room: FakeRoom) -> None:
    ann.listen()
    ann.join(room)
    room.until(lambda: bool(room.streams))
    room.learners.clear()
    room.end_streams()
    ann.until_status("room: ended, j joins again")

    assert ann.part.membership is None
