"""Moments that are marked in a lane, and the headline above the picture."""

from __future__ import annotations

import asyncio
import re
from itertools import combinations
from xml.etree import ElementTree

import pytest

from tests.timeline.telling import lane, names, recorded, spans
from workshop.timeline import Lane, Mark, Span, State, Timeline, call, mark, svg, text
from workshop.timeline.marks import place
from workshop.timeline.words import story

SVG = "{http://www.w3.org/2000/svg}"
ORDER = Timeline(
    (
        Lane(
            "Ann: POST /orders",
            (Span(State.AWAITING, 0, 28),),
            marks=(Mark(4, "response 201"), Mark(27.5, "commit")),
        ),
    ),
    28,
    headline="Ann's confirmation: 404 Not Found",
)


def test_a_mark_belongs_to_the_lane_that_is_running() -> None:
    async def buy() -> None:
        await asyncio.sleep(0.1)
        mark("commit")

    async def code() -> None:
        await asyncio.gather(buy())

    assert lane(recorded(code), "buy()").marks == (Mark(100, "commit"),)


def test_marks_of_a_named_lane_share_it() -> None:
    async def code() -> None:
        mark("A1", "reader")
        await asyncio.sleep(0.1)
        mark("A2", "reader")

    reader = lane(recorded(code), "reader")

    assert reader.marks == (Mark(0, "A1"), Mark(100, "A2"))
    assert reader.spans == ()


def test_without_a_recording_nothing_is_marked() -> None:
    async def code() -> str:
        mark("commit")
        with call("ask()"):
            return "done"

    mark("outside of any loop")
    assert asyncio.run(code()) == "done"


def test_a_call_has_a_lane_below_its_caller() -> None:
    async def ask() -> None:
        for venue in ("Apollo", "Bijou"):
            with call(f"ask({venue!r})"):
                await asyncio.sleep(0.1)

    async def code() -> None:
        await asyncio.gather(ask())

    timeline = recorded(code)

    assert names(timeline) == [(0, "ask()"), (1, "ask('Apollo')"), (1, "ask('Bijou')")]
    assert spans(timeline.lanes[2]) == [(State.AWAITING, 100, 200)]


def test_a_task_that_only_makes_a_call_shares_its_lane() -> None:
    async def part(euros: list[int]) -> None:
        with call(f"charge({euros[0]})"):
            await asyncio.sleep(0.1)
            mark("charged")

    async def code() -> None:
        await asyncio.gather(part([20]))

    (charge,) = recorded(code).lanes

    assert charge.name == "charge(20)"
    assert charge.marks == (Mark(100, "charged"),)


def test_marks_and_headline_survive_conversion_to_json() -> None:
    assert Timeline.from_json(ORDER.as_json()) == ORDER


def test_a_timeline_from_before_there_were_marks_can_be_read() -> None:
    old = Timeline((Lane("a()", (Span(State.AWAITING, 0, 1),)),), 1).as_json()
    del old["headline"]
    for it in old["lanes"]:
        del it["marks"]

    assert Timeline.from_json(old).lanes[0].marks == ()


@pytest.mark.parametrize("narrow", [False, True])
def test_a_picture_shows_name_headline_and_marks(narrow: bool) -> None:
    picture = svg(ORDER, title="Ann buys", name="Before", narrow=narrow)
    root = ElementTree.fromstring(picture)
    words = " ".join(it.text or "" for it in root.iter(f"{SVG}text"))

    for each in ("Before", "404 Not Found", "response 201", "commit"):
        assert each in words
    assert root.findtext(f"{SVG}title") == "Before: Ann buys"
    assert "28 ms" not in words  # the headline takes the place of the duration


def test_a_screen_reader_gets_headline_and_marks() -> None:
    words = story(ORDER)

    assert words.startswith("Ann's confirmation: 404 Not Found. ")
    assert "response 201 at 4 ms, commit at 27.5 ms" in words


@pytest.mark.parametrize("ascii_only", [False, True])
def test_text_shows_each_mark_below_its_lane(ascii_only: bool) -> None:
    sign = "^" if ascii_only else "▲"
    lines = text(ORDER, ascii_only=ascii_only).splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("Ann: POST"))

    assert f"{sign} response 201" in lines[at + 1]
    assert f"commit {sign}" in lines[at + 1]


TITLE = "A customer opens a page that is not in the cache yet, and three more follow"


def test_the_title_is_complete_on_a_phone() -> None:
    picture = svg(ORDER, title=TITLE, narrow=True)
    shown = re.findall(r'class="title"[^>]*>([^<]*)<', picture)

    assert " ".join(shown) == TITLE


CROWDED = [
    [(0, "opens"), (60, "charges"), (80, "closes"), (100, "response 201")],
    [(200, "opens"), (260, "charges"), (280, "closes"), (300, "response 201")],
    [(n * 30, f"sells A{n}") for n in range(3, 11)],
]


@pytest.mark.parametrize("times", CROWDED)
def test_no_label_covers_another_label_or_a_stem(times: list[tuple[int, str]]) -> None:
    marks = [Mark(at, label) for at, label in times]
    placed = place(marks, float, lambda label: 7.0 * len(label) + 8, 330, near=5)
    labels = [
        (it.x - 7 * len(it.label) - 8, it.x - 5)
        if it.before
        else (it.x + 5, it.x + 7 * len(it.label) + 8)
        for it in placed
    ]
    boxes = list(zip(placed, labels, strict=True))

    assert len(placed) == len(marks)
    assert max(right for _, right in labels) <= 330
    for (one, box), (other, another) in combinations(boxes, 2):
        if one.level == other.level:
            assert box[1] <= another[0] or another[1] <= box[0]
    for stem, _ in boxes:
        for it, (left, right) in boxes:
            if it.level < stem.level:
                assert not left < stem.x < right, (stem, it)


def test_a_label_that_fits_on_neither_side_is_split() -> None:
    marks = [Mark(50, "commit"), Mark(51, "response 201")]
    placed = place(marks, float, len, 60, near=5)
    assert [it.label for it in placed] == ["commit, then response 201"]

    apart = place(marks, float, lambda label: 4.0 * len(label), 100, near=5)
    assert {it.label for it in apart} == {"commit", "response 201"}
    assert len({it.level for it in apart}) == 2


def test_marks_at_the_same_place_share_a_label_in_order_of_time() -> None:
    (one,) = place(
        [Mark(10, "commit"), Mark(11, "response 201"), Mark(11, "reads A1")],
        float,
        len,
        300,
        near=5,
    )

    assert one.label == "commit, then response 201, reads A1"
