"""A poll in a lesson's page, in a real browser: the built site, served by the room."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.room.browsers import PHONE, People, join_on_phone, open_board
from tests.room.relay import relayed
from tests.room.serving import RunningRoom, running_room
from tests.site.chromium import ROOT, axe, needed
from tests.site.visit import Notes, judge, page_names, search_for, wait_for_scheme
from workshop.lesson import Catalogue
from workshop.room.server import feed
from workshop.room.server.course import course_of
from workshop.room.server.settings import Settings
from workshop.site.build import build

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

pytest.importorskip("playwright", reason="only contributors have a browser")
pytest.importorskip("material", reason="mkdocs-material needs Python 3.11.5")

LESSON = "lessons/06_redis_cache.html"


@pytest.fixture(scope="module")
def site(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site of this checkout."""
    folder = tmp_path_factory.mktemp("site")
    assert build(ROOT, folder)
    return folder


@pytest.fixture
def room(
    site: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningRoom]:
    """A room with the real lessons and their pages."""
    monkeypatch.setattr(feed, "INTERVAL_SECONDS", 0.02)
    course = course_of(Catalogue(ROOT).lessons())
    with running_room(replace(settings, site=str(site)), course) as started:
        yield started


def open_poll(board: Page, lesson: str = "06") -> None:
    board.get_by_label("Poll on the question").select_option(lesson)
    board.get_by_role("button", name="Open", exact=True).click()


def test_a_learner_votes_in_the_lessons_page_by_keyboard(
    room: RunningRoom, people: People
) -> None:
    from playwright.sync_api import expect

    board = open_board(people(), room)
    page = join_on_phone(people(**PHONE), room, "Ann")
    notes = Notes(page)
    page.get_by_role("link", name="Read the course").click()
    page.get_by_role("heading", level=1).wait_for()
    with page.expect_response("**/me/stream"):
        page.goto(f"{room.address}/course/{LESSON}")
    poll = page.locator(".room-poll")
    expect(poll.locator(".ballot")).to_be_hidden()

    open_poll(board)
    status = poll.get_by_role("status")
    expect(status).to_have_text("You can vote on this question now.")
    # The ballot is the stop before the answer, so that nobody reads that first.
    page.locator("#predict ~ details > summary").first.focus()
    for _ in "DCBA":
        page.keyboard.press("Shift+Tab")
    first = poll.get_by_role("button", name="Once. After that")
    expect(first).to_be_focused()
    page.keyboard.press("Enter")
    expect(first).to_have_attribute("aria-pressed", "true")
    expect(first).to_contain_text("your choice")
    expect(first).to_be_focused()

    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    second = poll.get_by_role("button", name="Once, and the other pages")
    expect(second).to_have_attribute("aria-pressed", "true")
    expect(first).to_have_attribute("aria-pressed", "false")
    expect(status).to_have_text("Your vote is stored: B.")
    expect(board.locator("#poll")).to_contain_text("1 of 1 voted")
    expect(poll.get_by_text("B looks for the mistake in storing.")).to_have_count(0)

    board.get_by_role("button", name="Close and show votes").click()
    expect(poll).to_contain_text("You chose B.")
    expect(poll.locator(".bars .right")).to_contain_text("A thousand times. ✓ correct")
    expect(poll.get_by_text("B looks for the mistake in storing.")).to_be_visible()
    expect(poll.get_by_role("heading", name="Poll result")).to_be_focused()
    expect(poll.get_by_role("button")).to_have_count(0)
    expect(page.get_by_text("And Redis is read a thousand times")).to_be_hidden()

    # The poll of another lesson is in the page of that lesson only.
    board.get_by_role("button", name="Remove poll").click()
    expect(poll.locator(".ballot")).to_be_hidden()
    open_poll(board, "03")
    expect(poll.locator(".ballot")).to_be_hidden()
    assert notes.visit.said == []
    assert notes.visit.outside(room.address) == []


def test_a_reader_who_has_not_joined_finds_the_way_and_comes_back(
    room: RunningRoom, people: People
) -> None:
    from playwright.sync_api import expect

    open_poll(open_board(people(), room))
    page = people().new_page()
    notes = Notes(page)

    page.goto(f"{room.address}/course/{LESSON}")
    page.locator(".room-poll").get_by_role("link", name="Join the room").click()
    page.get_by_label("Code").fill(room.service.room.code)
    page.get_by_label("Your name").fill("Ann")
    page.get_by_role("button", name="Join").click()
    page.wait_for_url(f"{room.address}/course/{LESSON}#predict")

    expect(page.locator(".room-poll").get_by_role("button")).to_have_count(4)
    assert notes.visit.said == []


def test_a_page_whose_network_was_cut_comes_back_with_the_result(
    room: RunningRoom, people: People
) -> None:
    from playwright.sync_api import expect

    with relayed(room) as network:
        board = open_board(people(), room)
        context = people()
        page = join_on_phone(context, room, "Ann", address=network.address)
        page.goto(f"{network.address}/course/{LESSON}")
        open_poll(board)
        choice = page.locator(".room-poll").get_by_role("button", name="A thousand")
        choice.wait_for()

        network.cut()
        choice.click()
        status = page.locator(".room-poll").get_by_role("status")
        expect(status).to_contain_text("Your vote was not sent")
        board.get_by_role("button", name="Close and show votes").click()
        expect(board.locator(".bars .right")).to_contain_text("0 votes")
        network.mend()

        expect(page.locator(".room-poll .right")).to_contain_text("0 votes")


def test_every_page_works_with_its_policy(room: RunningRoom, people: People) -> None:
    page = people().new_page()
    notes = Notes(page)

    for name in page_names(Path(room.service.settings.site)):
        if name != "404.html":
            address = f"{room.address}/course/{name}"
            page.goto(address, wait_until="domcontentloaded")
    page.reload()  # with pages from the cache
    search_for(page, "turnstiles")
    page.locator(".md-search-result__link[href*='h=turnstiles']").first.click()
    page.locator("mark", has_text="turnstiles").first.wait_for()

    assert notes.visit.said == []
    assert notes.visit.outside(room.address) == []


def test_the_poll_is_accessible_and_fits(room: RunningRoom, people: People) -> None:
    with needed():
        script = axe()
    board = open_board(people(), room)
    stranger = people(reduced_motion="reduce").new_page()
    context = people(reduced_motion="reduce")
    learner = join_on_phone(context, room, "Ann")
    found = {}

    def look(state: str, page: Page, part: str) -> None:
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 844})
            page.emulate_media(color_scheme="light")
            page.goto(f"{room.address}/course/{LESSON}")
            page.locator(f".room-poll {part}").first.wait_for()
            wait_for_scheme(page, "default")
            problems = judge(page)
            page.emulate_media(color_scheme="dark")
            wait_for_scheme(page, "slate")
            problems += [f"dark: {it}" for it in judge(page, "color-contrast")]
            if page.evaluate("document.documentElement.scrollWidth") > width:
                problems.append("it scrolls sideways")
            found[f"{state} {width}"] = problems

    for page in (stranger, learner):
        page.add_init_script(script)
    look("not joined", stranger, "a")
    open_poll(board)
    learner.goto(f"{room.address}/course/{LESSON}")
    learner.locator("#choice-C").click()
    look("open", learner, "[aria-pressed=true]")
    board.get_by_role("button", name="Close and show votes").click()
    board.locator(".bars .right").wait_for()
    look("closed", learner, ".right")

    assert {state: it for state, it in found.items() if it} == {}
    assert len(found) == 6
