"""Server-sent events are parsed as the WHATWG's rules say, whatever the chunks."""

from __future__ import annotations

import pytest

from workshop.room.client.event_stream import EventStream, ServerEvent

BIG = b"x" * 70_000


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (b"data: a\n\n", [("message", "a", "")]),
        (b"data:a\n\ndata\n\n", [("message", "a", ""), ("message", "", "")]),
        (b"event: focus\ndata: a\ndata: b\n\n", [("focus", "a\nb", "")]),
        (b"data: a\r\n\r\ndata: b\r\r", [("message", "a", ""), ("message", "b", "")]),
        (b": comment\n\n: more\ndata: a\n\n", [("message", "a", "")]),
        (
            b"id: 7\ndata: a\n\ndata: b\n\n",
            [("message", "a", "7"), ("message", "b", "7")],
        ),
        (b"id: 7\n\nid: 8\0\ndata: a\n\n", [("message", "a", "7")]),
        (
            b"id: 7\ndata: a\n\nid\ndata: b\n\n",
            [("message", "a", "7"), ("message", "b", "")],
        ),
        (b"event: bye\ndata:\n\n", [("bye", "", "")]),
        (b"event: lost\n\ndata: a\n\n", [("message", "a", "")]),
        (b"other: x\nnothing\ndata:  a\n\n", [("message", " a", "")]),
        (b"data: unfinished\n", []),
        (b"\xef\xbb\xbfdata: a\n\n", [("message", "a", "")]),
        ("data: Jörg → 🎭\n\n".encode(), [("message", "Jörg → 🎭", "")]),
        (b"data: \xff\n\n", [("message", "\ufffd", "")]),
        (b"data: " + BIG + b"\n\ndata: a\n\n", [("message", "a", "")]),
        (b"data: a\n" * 10_000 + b"\ndata: b\n\n", [("message", "b", "")]),
        (b": alive\n" * 10_000 + b"data: a\n\n", [("message", "a", "")]),
        (BIG + b"\n\ndata: a\n\n", [("message", "a", "")]),
    ],
)
def test_events_do_not_depend_on_the_chunks(
    sent: bytes, meant: list[tuple[str, str, str]]
) -> None:
    expected = [ServerEvent(*it) for it in meant]
    sizes = [1, 2, 3, len(sent)] if len(sent) < 1000 else [1000, len(sent)]
    for size in sizes:
        stream = EventStream()
        chunks = [sent[at : at + size] for at in range(0, len(sent), size)]
        assert [it for chunk in chunks for it in stream.feed(chunk)] == expected


def test_a_reconnection_is_asked_for_by_the_last_id_and_after_a_pause() -> None:
    stream = EventStream("3")
    before = stream.last_id
    assert list(stream.feed(b"retry: 2000\nid: 9\ndata: a\n\n: x\nretry: soon\n\n"))

    assert (before, stream.last_id, stream.retry_seconds) == ("3", "9", 2.0)


def test_an_unfinished_event_does_not_count_as_received() -> None:
    stream = EventStream()
    assert not list(stream.feed(b"id: 9\ndata: a\n"))

    assert stream.last_id == ""
