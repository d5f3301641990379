"""The picture of a timeline, without looking at it."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from tests.timeline.examples import ALL, BLOCKED, CROWD, ENDS, ONE_BY_ONE, TOGETHER
from workshop.timeline import svg, svg_pair
from workshop.timeline.model import Lane, Outcome, Span, State, Timeline
from workshop.timeline.palette import BACKGROUNDS, DARK, LIGHT, SHAPES, TEXTS

SVG = "{http://www.w3.org/2000/svg}"
EVERY_PICTURE = [
    *(svg(it, title=title) for title, it in ALL.items()),
    *(svg(it, title=title, narrow=True) for title, it in ALL.items()),
    svg_pair(ONE_BY_ONE, TOGETHER, title="One by one, and together"),
    svg_pair(ONE_BY_ONE, TOGETHER, title="One by one, and together", narrow=True),
]
every_picture = pytest.mark.parametrize(
    "picture", EVERY_PICTURE, ids=range(len(EVERY_PICTURE))
)


def alone(state: State) -> Timeline:
    return Timeline((Lane("work()", (Span(state, 0, 100),)),), 100)


def width_of_text(picture: str) -> float:
    """Return how far right the text reaches, at a generous width of characters."""
    most = 0.0
    for it in ElementTree.fromstring(picture).iter(f"{SVG}text"):
        length = len(it.text or "") * (8.4 if it.get("class") == "title" else 6.7)
        kind = it.get("class", "")
        x = float(it.get("x", "0"))
        if kind in ("tick", "code", "inside"):
            x -= length / 2
        elif kind in ("total", "ending"):
            x -= length
        if kind != "key":
            most = max(most, x + length)
    return most


@every_picture
def test_a_picture_is_one_well_formed_element_that_is_an_image(picture: str) -> None:
    root = ElementTree.fromstring(picture)

    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"


@every_picture
def test_a_picture_loads_nothing_external(picture: str) -> None:
    outside = re.sub(r'xmlns="[^"]*"', "", picture)

    assert "<script" not in picture
    assert "://" not in outside
    assert "@import" not in picture
    assert all(it.startswith("#") for it in re.findall(r"url\(([^)]*)\)", picture))


@every_picture
def test_every_reference_in_a_picture_resolves(picture: str) -> None:
    there = re.findall(r' id="([^"]*)"', picture)
    meant = re.findall(r"url\(#([^)]*)\)", picture)
    (labels,) = re.findall(r'aria-labelledby="([^"]*)"', picture)

    assert len(there) == len(set(there))
    assert set(meant) | set(labels.split()) <= set(there)


def test_no_two_pictures_of_a_page_share_an_id() -> None:
    ids = [it for text in EVERY_PICTURE for it in re.findall(r' id="([^"]*)"', text)]

    assert len(ids) == len(set(ids))


def test_the_same_timeline_makes_the_same_bytes() -> None:
    again = Timeline.from_json(ENDS.as_json())

    assert svg(again, title="Ends") == svg(ENDS, title="Ends")


@every_picture
def test_a_picture_is_small(picture: str) -> None:
    assert 3_000 < len(picture.encode()) < 16_000


def test_every_state_has_its_own_shape_even_in_grey() -> None:
    shapes = set()
    for state in State:
        picture = svg(alone(state), title="x")
        drawn = re.findall(rf'<(\w+) class="{state}"([^>]*)>', picture)
        element, attributes = drawn[-1]  # the legend's, which all have one size
        shapes.add((element, re.sub(r"#\w+-", "#", attributes)))

    assert len(shapes) == len(State)


def test_every_bad_end_has_its_own_mark() -> None:
    paths = {
        outcome: re.findall(
            rf'class="sign {outcome}" transform="[^"]*" d="([^"]*)"',
            svg(Timeline((Lane("a()", (), 0, outcome),), 10), title="x"),
        )
        for outcome in Outcome
    }

    assert paths.pop(Outcome.DONE) == []
    assert len({path for (path, _) in paths.values()}) == 3


def test_the_legend_explains_only_what_is_shown() -> None:
    picture = svg(BLOCKED, title="x")

    assert "waits for the event loop</text>" in picture
    assert "blocks the event loop</text>" in picture
    assert "runs in a thread</text>" not in picture
    assert "cancelled</text>" not in picture


def test_hovering_over_a_bar_shows_the_code_and_the_times() -> None:
    picture = svg(BLOCKED, title="x")

    assert (
        "<title>#1 GET /shows/1/report blocks the event loop for 300 ms, from 0 to "
        "300 ms: sold = ask_venue(show_id), app.py:28</title>"
    ) in picture


def test_the_description_names_the_blocking_and_the_waiting_lanes() -> None:
    root = ElementTree.fromstring(svg(BLOCKED, title="x"))
    told = root.findtext(f"{SVG}desc")

    assert told is not None
    assert "#1 GET /shows/1/report blocks the event loop from 0 to 300 ms" in told
    assert "#2 GET /ping waits for the event loop from 5 to 300 ms." in told


def test_two_pictures_with_one_duration_have_the_same_axis() -> None:
    def wait_ends_at(picture: str) -> str:
        (found,) = set(
            re.findall(r'class="awaiting" d="M220 [\d.]+H([\d.]+)"', picture)
        )
        return str(found)

    short = Timeline((Lane("a()", (Span(State.AWAITING, 0, 100),)),), 100)
    long = Timeline((Lane("a()", (Span(State.AWAITING, 0, 200),)),), 200)

    assert wait_ends_at(svg(short, title="x")) == wait_ends_at(svg(long, title="x"))
    shared = wait_ends_at(svg(short, title="x", duration=200))
    full = wait_ends_at(svg(long, title="x"))
    assert (float(shared) - 220) * 2 == float(full) - 220


def test_a_pair_shares_one_axis() -> None:
    picture = svg_pair(ONE_BY_ONE, TOGETHER, title="x", names=("Then", "Now"))
    ticks = re.findall(r'class="tick" x="([\d.]+)"[^>]*>(\w+)<', picture)

    assert len(ticks) == 2 * len(set(ticks))
    assert ">Then</text>" in picture
    assert ">Now</text>" in picture


@pytest.mark.parametrize("narrow", [False, True])
def test_long_texts_stay_inside_the_picture(narrow: bool) -> None:
    name = "GET /a/very/long/path/" * 20
    lanes = tuple(
        Lane(
            name,
            (Span(state, 0, 50, "await f(x)" * 30, "app.py:1"), Span(state, 50, 100)),
            depth,
            Outcome.FAILED,
            "ValueError: " + "long words " * 20,
        )
        for state in State
        for depth in range(6)
    )
    picture = svg(
        Timeline(lanes, 100, ("A note. " * 60,)), title="T " * 90, narrow=narrow
    )

    assert width_of_text(picture) <= (350 if narrow else 720)


def test_shortened_text_can_be_read_by_hovering() -> None:
    name = "GET /shows/hamlet/prices/in/all/venues"

    assert f"<title>{name}</title></text>" in svg(
        Timeline((Lane(name, ()),), 1), title="x"
    )


@every_picture
def test_text_is_large_enough_for_a_phone(picture: str) -> None:
    sizes = [float(it) for it in re.findall(r"font(?:-size)?:([\d.]+)px", picture)]

    assert min(sizes) >= 11


def test_foreign_text_is_escaped() -> None:
    evil = '</text><script>alert("x")</script>'
    lane = Lane(
        evil, (Span(State.BLOCKING, 0, 10, evil, evil),), 0, Outcome.FAILED, evil
    )
    picture = svg(Timeline((lane,), 10, (evil,)), title=evil)

    assert "<script" not in picture
    assert ElementTree.fromstring(picture).findtext(f"{SVG}title") == evil


def test_similar_lanes_of_a_crowd_are_drawn_as_one_with_their_count() -> None:
    picture = svg(CROWD, title="x")

    assert re.search(r">└ \d+ more fetch\(…\)<", picture)
    assert "fetch(77)" in picture
    assert "many short steps</text>" in picture


def test_an_empty_recording_is_a_picture_too() -> None:
    picture = svg(Timeline((), 0), title="Nothing")

    assert "Nothing was recorded." in picture
    ElementTree.fromstring(picture)


def test_times_outside_of_the_recording_stay_inside_the_picture() -> None:
    odd = Timeline((Lane("a()", (Span(State.THREAD, -50, 900),)),), 100)
    rects = re.findall(
        r'class="thread" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', svg(odd, title="x")
    )

    assert all(float(x) + float(width) <= 720 for x, width in rects)


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colours as WCAG 2 defines it."""

    def light(colour: str) -> float:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [
            it / 12.92 if it <= 0.04045 else ((it + 0.055) / 1.055) ** 2.4
            for it in parts
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    one, two = sorted((light(first), light(second)))
    return (two + 0.05) / (one + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_everything_has_enough_contrast(colours: dict[str, str]) -> None:
    for background in BACKGROUNDS:
        for text in TEXTS:
            assert contrast(colours[text], colours[background]) >= 4.5
        for shape in SHAPES:
            assert contrast(colours[shape], colours[background]) >= 3


def test_every_colour_is_covered_by_the_contrast_test() -> None:
    used = set(re.findall(r"var\(--(\w+)\)", svg(ENDS, title="x")))

    # The grid only helps to find the way back to the axis.
    assert used <= {*BACKGROUNDS, *TEXTS, *SHAPES, "grid"}
