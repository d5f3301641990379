"""Events reach the room, each once, and nobody waits for it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.room.client.conftest import Learner
from tests.room.client.fake_room import (
    CODE,
    LOST,
    FakeRoom,
    Reply,
    garbage,
    silent_address,
)
from workshop.room.client import Membership, reports
from workshop.room.client.membership import Memberships
from workshop.room.client.outbox import Outbox

EVENTS = "/api/events"
Process = Callable[[], Learner]


def steps(room: FakeRoom) -> list[int]:
    """Return the steps of the stored events."""
    return [it["step"] for it in room.stored.values()]


def test_nothing_is_sent_written_or_started_before_joining(
    ann: Learner, room: FakeRoom, tmp_path: Path
) -> None:
    ann.listen()
    ann.part.start()
    ann.part.report(reports.opened("00", 1), reports.help_wanted(True))
    ann.part.close()

    assert room.requests == []
    assert list(tmp_path.iterdir()) == []
    assert ann.part.status.words == ""


def test_events_are_sent_in_order_after_joining(ann: Learner, room: FakeRoom) -> None:
    ann.join(room)
    for step in range(1, 6):
        ann.part.report(reports.opened("00", step))
    room.until_stored(5)

    assert steps(room) == [1, 2, 3, 4, 5]
    assert room.names.popitem()[1] == "Ann"


@pytest.mark.parametrize(
    "trouble",
    [
        LOST,
        Reply(500, {"detail": "a defect"}),
        Reply(503, {}, {"Retry-After": "0"}),
        Reply(429, {}, {"Retry-After": "0"}),
        Reply(429, {}, {"Retry-After": "soon"}),
        Reply(404, raw=b"<h1>Not here</h1>", kind="text/html"),
        Reply(401, raw=b"<h1>Log in to the Wi-Fi</h1>", kind="text/html"),
        Reply(422, raw=b"<h1>What?</h1>", kind="text/html"),
        Reply(302, headers={"Location": "http://127.0.0.1:9/elsewhere"}),
        Reply(200, raw=b"<h1>Welcome to the Wi-Fi</h1>", kind="text/html"),
        Reply(200, {"new": "many"}),
        Reply(200, raw=b"{" * 100_000),
        garbage(b"SSH-2.0-OpenSSH_9.9\r\n"),
        garbage(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
    ],
    ids=lambda reply: f"{reply.status} {reply.raw[:12]!r} {reply.headers or ''}",
)
def test_after_trouble_the_same_events_are_sent_again(
    ann: Learner, room: FakeRoom, trouble: Reply
) -> None:
    room.reply(EVENTS, trouble, trouble)
    ann.join(room)
    ann.part.report(reports.opened("00", 1))
    third = room.until_request("POST", EVENTS, 3)
    room.until_stored(1)
    first, second = room.of("POST", EVENTS)[:2]

    assert first.ids == second.ids
    assert set(first.ids) <= set(third.ids)
    assert steps(room) == [1]


def test_an_event_whose_response_is_lost_is_stored_once(
    ann: Learner, room: FakeRoom
) -> None:
    room.reply(EVENTS, LOST)
    ann.join(room)
    ann.part.report(reports.help_wanted(True))
    room.until_request("POST", EVENTS, 2)
    ann.part.report(reports.help_wanted(False))
    room.until_stored(2)

    assert [it["wanted"] for it in room.stored.values()] == [True, False]


@pytest.mark.parametrize("status", [413, 422])
def test_a_batch_that_the_room_rejects_is_dropped(
    ann: Learner, room: FakeRoom, status: int
) -> None:
    room.reply(EVENTS, Reply(status, {"detail": "no"}))
    ann.join(room)
    ann.part.report(reports.opened("00", 1))
    room.until_request("POST", EVENTS)
    ann.part.report(reports.opened("00", 2))
    room.until_stored(1)

    assert steps(room) == [2]


def test_an_event_that_is_not_in_the_protocol_takes_no_other_with_it(
    ann: Learner, room: FakeRoom
) -> None:
    ann.join(room)
    ann.part.report({**reports.opened("00", 1), "step": 0}, reports.opened("00", 2))
    room.until_stored(1)

    assert steps(room) == [2]


def test_a_room_that_does_not_know_the_learner_ends_the_membership(
    ann: Learner, room: FakeRoom, tmp_path: Path
) -> None:
    ann.listen()
    ann.join(room)
    room.until(lambda: bool(room.streams))
    room.learners.clear()
    ann.part.report(reports.opened("00", 1))
    ann.until_status("room: ended, j joins again")
    asked = len(room.requests)
    ann.part.report(reports.opened("00", 2))
    ann.part.close()

    assert len(room.requests) == asked
    assert ann.part.membership is None
    assert not (tmp_path / "room.json").exists()
    assert not list(tmp_path.rglob("*.json"))


def test_many_events_are_sent_in_batches_of_a_hundred(
    ann: Learner, room: FakeRoom, process: Process, tmp_path: Path
) -> None:
    joined = ann.join(room)
    ann.part.close()
    put_into_outbox(joined, tmp_path, 250)
    process().part.start()
    room.until_stored(250)

    assert [len(it.ids) for it in room.of("POST", EVENTS)] == [100, 100, 50]


def put_into_outbox(member: Membership, folder: Path, number: int) -> None:
    """Let *number* events wait, as a process without a network has left them."""
    outbox = Outbox(folder / "room_outbox" / member.learner)
    for _ in range(number):
        outbox.put(reports.opened("00", 1))


def test_what_one_process_could_not_send_the_next_one_sends(
    ann: Learner, room: FakeRoom, process: Process
) -> None:
    ann.join(room)
    room.gate.clear()
    ann.part.report(reports.opened("00", 1))
    ann.part.close()
    room.gate.set()
    process().part.start()
    room.until_stored(1)

    assert steps(room) == [1]


def test_two_processes_of_a_learner_lose_and_double_nothing(
    ann: Learner, room: FakeRoom, process: Process
) -> None:
    ann.join(room)
    other = process()
    for step in range(1, 50):
        (ann, other)[step % 2].part.report(reports.opened("00", step))
    room.until_stored(49)
    ann.part.close()
    other.part.close()

    assert sorted(steps(room)) == list(range(1, 50))


def test_joining_in_one_terminal_is_noticed_in_another(
    ann: Learner, room: FakeRoom, process: Process
) -> None:
    watching = process()
    watching.listen()
    ann.join(room)
    watching.part.report(reports.opened("00", 1))
    room.until_stored(1)
    left = ann.part.leave()
    watching.part.report(reports.opened("00", 2))

    assert left.name == "Ann"
    assert steps(room) == [1]
    assert room.learners == {}
    assert watching.part.status.membership is None


def test_watch_mode_sends_heartbeats_that_are_never_stored(
    ann: Learner, room: FakeRoom, tmp_path: Path
) -> None:
    ann.listen()
    ann.join(room)
    first = room.until_request("POST", EVENTS)
    ann.until_status("room: connected")

    assert [it["kind"] for it in first.events] == ["heartbeat"]
    assert list(tmp_path.rglob("room_outbox/*/*")) == []


def test_no_network_is_described_with_the_number_of_waiting_events(
    ann: Learner, room: FakeRoom, tmp_path: Path
) -> None:
    ann.join(room)
    ann.part.close()
    now = Learner(tmp_path)
    room.close()
    now.listen()
    now.until_status("room: offline")
    now.part.report(reports.opened("00", 1))
    one = now.part.status.words
    now.part.report(reports.opened("00", 2), reports.help_wanted(True))
    three = now.part.status.words
    now.part.close()

    assert one == "room: offline, 1 event waiting"
    assert three == "room: offline, 3 events waiting"


def test_a_room_that_never_responds_holds_nobody_up(
    ann: Learner, tmp_path: Path
) -> None:
    with silent_address() as address:
        Memberships(tmp_path).save(
            Membership(address, str(uuid.UUID(int=1)), "t" * 32, "Ann", "Monday")
        )
        ann.part.report(reports.opened("00", 1))
        ann.part.close()
        waiting = list(tmp_path.rglob("room_outbox/*/*.json"))

    assert len(waiting) == 1


def test_no_request_contains_more_than_the_protocol_says(
    ann: Learner, room: FakeRoom
) -> None:
    ann.join(room)
    ann.part.report({**reports.opened("00", 1), "source": "async def app(): ..."})
    ann.part.report(reports.opened("00", 2))
    room.until_stored(1)

    sent = b"".join(it.body for it in room.requests)
    assert b"async def" not in sent
    assert json.loads(room.requests[0].body)["code"] == CODE
