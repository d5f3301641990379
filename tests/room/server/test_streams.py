"""The open streams."""

import pytest

from workshop.room.server import sse
from workshop.room.server.streams import FullError, Stream, Streams


def snapshot() -> bytes:
    return b"snapshot"


async def test_what_is_put_while_a_client_reads_is_sent_together_and_in_order() -> None:
    stream = Stream(snapshot)
    chunks = stream.chunks(b"first")
    assert (await anext(chunks)).endswith(b"first")
    for data in (b"a", b"b"):
        stream.put(data)
    assert await anext(chunks) == b"ab"


async def test_a_client_that_does_not_read_gets_a_snapshot_instead_of_everything() -> (
    None
):
    stream = Stream(snapshot)
    chunks = stream.chunks(b"")
    await anext(chunks)
    for number in range(1_000):
        stream.put(str(number).encode())
    assert await anext(chunks) == b"snapshot"
    stream.put(b"next")
    assert await anext(chunks) == b"next"


async def test_a_closed_stream_says_good_bye_and_ends() -> None:
    streams = Streams(10)
    with streams.opened(("board:03",), snapshot) as stream:
        chunks = stream.chunks(b"")
        await anext(chunks)
        streams.close()
        assert [chunk async for chunk in chunks] == [sse.BYE]
    with pytest.raises(FullError), streams.opened(("board:03",), snapshot):
        pass


async def test_a_stream_counts_until_its_client_leaves_however_that_happens() -> None:
    streams = Streams(1)

    def fail_while_it_is_open() -> None:
        with streams.opened(("a", "b"), snapshot):
            assert streams.is_full
            with pytest.raises(FullError), streams.opened(("a",), snapshot):
                pass
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_while_it_is_open()
    assert (len(streams), streams.channels("")) == (0, [])


async def test_a_channel_reaches_its_own_streams_only() -> None:
    streams = Streams(10)
    with (
        streams.opened(("board:03",), snapshot) as three,
        streams.opened(("board:04",), snapshot) as four,
    ):
        threes, fours = three.chunks(b""), four.chunks(b"")
        await anext(threes)
        await anext(fours)
        streams.send("board:03", b"3")
        streams.send("board:04", b"4")
        streams.send("board:05", b"5")
        assert (await anext(threes), await anext(fours)) == (b"3", b"4")


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "a\rb"])
def test_no_line_end_in_the_data_can_begin_another_field(text: str) -> None:
    assert sse.event("message", text, 7) == (
        b"event: message\nid: 7\ndata: a\ndata: b\n\n"
    )
