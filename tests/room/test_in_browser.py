"""The room's pages in a real browser, while learners work and networks fail."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.room.browsers import PHONE, People, join_on_phone, open_board
from tests.room.relay import relayed
from tests.room.serving import Learner, RunningRoom, running_room
from tests.site.chromium import axe, needed
from tests.site.visit import Notes, judge
from workshop.room.server import feed
from workshop.room.server.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

pytest.importorskip("playwright", reason="only contributors have a browser")

LONG_NAMES = [
    "Maximiliane Freifrau von und zu Hohenst.",
    "Pneumonoultramicroscopicsilicovolcanocon",
    "محمد بن عبد الله",
    "👩🏽‍💻 Robin",
]
TEST = "test_shutdown_waits_for_every_job_" + "even_if_one_of_them_fails_" * 6
HOSTILE = "<img src=/x onerror=alert(1)>"


def row_of(board: Page, name: str) -> Any:
    return board.locator("#rows tr", has=board.get_by_text(name, exact=True))


def test_two_learners_and_an_instructor_play_a_lesson(
    room: RunningRoom, people: People, join: Callable[[str], Learner]
) -> None:
    from playwright.sync_api import expect

    desk, pocket = people(), people(**PHONE)
    board = open_board(desk, room)
    notes = [Notes(board)]
    projector = desk.new_page()
    notes.append(Notes(projector))
    projector.goto(f"{room.address}/board/projector")
    ann, cy = join("Ann"), join("Cy")
    phone = join_on_phone(pocket, room, "Bea")
    notes.append(Notes(phone))

    # Everyone is told where to work, and two learners fail the same test.
    board.get_by_label("Lesson and step").select_option("06.2")
    board.get_by_role("button", name="Set for everyone").click()
    expect(phone.locator("#panel")).to_contain_text("lesson 06 · step 2: Share it")
    expect(projector.locator("#focus")).to_contain_text("06 · step 2")
    for learner in (ann, cy):
        learner.send(learner.opened("06", 2), learner.judged("06", 2, TEST))
    expect(row_of(board, "Ann")).to_contain_text("1 failing")
    expect(board.locator("#failures")).to_contain_text("2 of 2")
    expect(board.locator("#heads .focus")).to_contain_text("2 on it, 0 passed")

    # Help is asked for on the phone and in watch mode, and both see who comes.
    phone.get_by_role("button", name="I need help").click()
    expect(phone.locator("#panel")).to_contain_text("You are in the help queue.")
    ann.send({"kind": "help", "wanted": True})
    expect(board.locator("#queue li")).to_have_count(2)
    expect(board).to_have_title(re.compile(r"^\(2\) "))
    expect(projector.locator("#counts")).to_contain_text("waiting for help")
    board.get_by_role("button", name="I'll help Bea").click()
    expect(phone.locator("#panel")).to_contain_text("Iris is on the way to you.")
    board.get_by_role("button", name="I'll help Ann").click()
    expect(row_of(board, "Ann")).to_contain_text("Iris is helping")
    with ann.client.stream("GET", "/api/stream", headers=ann.headers) as stream:
        assert '"by":"Iris"' in next(stream.iter_text())
    board.get_by_role("button", name="Done with Bea").click()
    expect(phone.get_by_role("button", name="I need help")).to_be_visible()

    board.get_by_label("Message to everyone").fill("Coffee is outside.")
    board.get_by_role("button", name="Send").click()
    expect(phone.locator("#panel")).to_contain_text("Coffee is outside.")
    expect(projector.locator("#announced")).to_contain_text("Coffee is outside.")
    expect(board.get_by_label("Message to everyone")).to_have_value("")

    board.get_by_label("Timer in minutes").fill("5")
    board.get_by_role("button", name="Start").click()
    for page in (board, projector):
        expect(page.get_by_role("timer")).to_contain_text("left")

    # The votes of a poll are hidden until it is closed.
    board.get_by_label("Poll on the question").select_option("06")
    board.get_by_role("button", name="Open", exact=True).click()
    chosen = phone.get_by_role("button", name="A thousand times.")
    chosen.click()
    expect(chosen).to_have_attribute("aria-pressed", "true")
    poll = room.service.board.poll
    assert poll is not None
    ann.send({"kind": "vote", "poll": str(poll.id), "choice": "A"})
    expect(projector.locator("#poll")).to_contain_text("2 of 3 voted")
    expect(projector.get_by_text("✓ correct")).to_have_count(0)
    board.get_by_role("button", name="Close and show votes").click()
    for page in (board, projector, phone):
        expect(page.locator(".bars .right")).to_contain_text("1 vote")
        expect(page.locator(".bars")).to_contain_text("A assumes that a stored value")
    expect(phone.locator("#panel")).to_contain_text("You chose B.")
    board.get_by_role("button", name="Remove poll").click()
    expect(projector.locator(".poll")).to_have_count(0)

    ann.send(ann.judged("06", 2))
    expect(row_of(board, "Ann")).to_contain_text("passed")
    for name in ("Ann", "Bea", "Cy", "Iris"):
        expect(projector.locator("body")).not_to_contain_text(name)

    # Learners who leave disappear, on their own page as well.
    phone.get_by_role("button", name="Leave").click()
    expect(phone.get_by_role("heading", name="Join")).to_be_visible()
    expect(row_of(board, "Bea")).to_have_count(0)
    cy.client.delete("/api/learner", headers=cy.headers)
    expect(row_of(board, "Cy")).to_have_count(0)
    expect(row_of(board, "Ann")).to_have_count(1)
    assert [it.visit.said for it in notes] == [[], [], []]


def test_pages_whose_network_was_cut_come_back_with_everything(
    room: RunningRoom, people: People, join: Callable[[str], Learner]
) -> None:
    from playwright.sync_api import expect

    with relayed(room) as network:
        board = open_board(people(), room, address=network.address)
        phone = join_on_phone(people(**PHONE), room, "Dan", address=network.address)
        eve = join("Eve")
        expect(row_of(board, "Eve")).to_contain_text("not started")

        network.cut()
        for page in (board, phone):
            expect(page.locator("body.lost #status")).to_contain_text("Reconnecting")
        board.get_by_label("Message to everyone").fill("Not sent")
        board.get_by_role("button", name="Send").click()
        expect(board.get_by_label("Message to everyone")).to_have_value("Not sent")
        help_wanted = {"kind": "help", "wanted": True}
        eve.send(eve.opened("01", 1), eve.judged("01", 1), help_wanted)
        room.catch_up()
        assert board.get_by_text("needs help").count() == 0
        network.mend()

        expect(board.locator("#queue")).to_contain_text("Eve")
        expect(row_of(board, "Eve")).to_contain_text("needs help")
        expect(board.locator("body.lost")).to_have_count(0)
        board.get_by_role("button", name="Send").click()
        expect(phone.locator("#panel")).to_contain_text("Not sent")


def test_a_page_notices_a_stream_that_is_open_but_dead(
    room: RunningRoom, people: People, join: Callable[[str], Learner]
) -> None:
    from playwright.sync_api import expect

    with relayed(room) as network:
        page = people().new_page()
        page.clock.install()
        board = open_board(page, room, address=network.address)
        fay = join("Fay")
        expect(row_of(board, "Fay")).to_have_count(1)

        network.silence()
        fay.send({"kind": "help", "wanted": True})
        room.catch_up()
        assert board.locator("#queue", has_text="Fay").count() == 0
        # The browser also tries its other old connections, one after the other.
        for _ in range(10):
            board.clock.fast_forward(60_000)
            with contextlib.suppress(AssertionError):
                expect(board.locator("#queue")).to_contain_text("Fay", timeout=2_000)
                break

        assert board.locator("#queue", has_text="Fay").count() == 1


def test_a_phone_says_that_it_is_still_there(room: RunningRoom, people: People) -> None:
    context = people(**PHONE)
    context.clock.install()
    phone = join_on_phone(context, room, "Jo")
    room.catch_up()
    learner = next(it for it in room.service.board.learners.values() if it.name == "Jo")
    joined = learner.seen

    with phone.expect_response("**/me/alive") as response:
        phone.clock.fast_forward(31_000)

    assert response.value.status == 204
    room.catch_up()
    assert learner.seen > joined
    assert learner.active == joined


def test_pages_come_back_after_a_restart_of_the_server(
    settings: Settings, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    from playwright.sync_api import expect

    monkeypatch.setattr(feed, "INTERVAL_SECONDS", 0.02)
    with running_room(settings) as room, room.client() as client:
        board = open_board(people(), room)
        phone = join_on_phone(people(**PHONE), room, "Bea")
        ann = Learner(client, "Ann")
        ann.join(room.service.room.code)
        expect(row_of(board, "Ann")).to_have_count(1)
        code = room.service.room.code

        room.stop()
        for page in (board, phone):
            expect(page.locator("#status")).to_contain_text("Reconnecting")
        room.start()

        assert room.service.room.code == code
        ann.send(ann.opened("06", 1), {"kind": "help", "wanted": True})
        expect(board.locator("#queue")).to_contain_text("Ann")
        expect(board.locator("body.lost")).to_have_count(0)
        board.get_by_label("Message to everyone").fill("We are back.")
        board.get_by_role("button", name="Send").click()
        expect(phone.locator("#panel")).to_contain_text("We are back.")
        expect(phone.locator("body.lost")).to_have_count(0)


def test_the_keyboard_is_enough_and_keeps_its_place(
    room: RunningRoom, people: People, join: Callable[[str], Learner]
) -> None:
    from playwright.sync_api import expect

    finn, gil = join("Finn"), join("Gil")
    finn.send({"kind": "help", "wanted": True})
    board = open_board(people(), room)
    row = board.locator("#queue li", has_text="Finn")
    row.wait_for()

    def tab_to(locator: Any) -> None:
        for _ in range(60):
            board.keyboard.press("Tab")
            if locator.evaluate("it => it === document.activeElement"):
                return
        raise AssertionError(f"the keyboard does not reach {locator}")

    tab_to(row.get_by_role("button", name="I'll help"))
    board.keyboard.press("Enter")
    # That button is gone now. The next one is focused, and nothing is lost.
    done = row.get_by_role("button", name="Done")
    expect(done).to_be_focused()
    gil.send({"kind": "help", "wanted": True})
    expect(board.locator("#queue")).to_contain_text("Gil")
    expect(done).to_be_focused()
    board.keyboard.press("Enter")
    expect(row).to_have_count(0)
    expect(board.locator("#queue")).to_be_focused()

    text = board.get_by_label("Message to everyone")
    tab_to(text)
    board.keyboard.type("Half of a ")
    gil.send(gil.judged("06", 1, "test_a"), {"kind": "help", "wanted": False})
    expect(board.locator("#queue")).not_to_contain_text("Gil")
    expect(text).to_be_focused()
    board.keyboard.type("message")
    board.keyboard.press("Enter")
    expect(board.locator("#sent")).to_contain_text("Half of a message")


def test_everything_works_without_javascript(room: RunningRoom, people: People) -> None:
    from playwright.sync_api import expect

    board = open_board(people(java_script_enabled=False), room)
    phone = join_on_phone(people(java_script_enabled=False), room, "Hal")

    board.get_by_label("Poll on the question").select_option("06")
    board.get_by_role("button", name="Open", exact=True).click()
    phone.reload()
    phone.get_by_role("button", name="A thousand times.").click()
    expect(phone.locator("[aria-pressed=true]")).to_contain_text("your choice")
    phone.get_by_role("button", name="I need help").click()
    expect(phone.locator("#panel")).to_contain_text("You are in the help queue.")
    board.reload()
    board.get_by_role("button", name="I'll help Hal").click()
    expect(board.locator("#queue")).to_contain_text("Iris is helping")
    board.get_by_role("button", name="Close and show votes").click()
    expect(board.locator(".bars .right")).to_contain_text("1 vote")
    board.get_by_role("button", name="Remove poll").click()
    phone.goto(f"{room.address}/me")
    expect(phone.locator("#panel")).to_contain_text("Iris is on the way to you.")
    phone.get_by_role("button", name="Leave").click()
    expect(phone.get_by_role("heading", name="Join")).to_be_visible()

    # A browser without a script gets a page when something is wrong.
    board.get_by_label("Message to everyone").evaluate("it => it.required = false")
    board.get_by_role("button", name="Send").click()
    expect(board.get_by_role("alert")).to_contain_text("The message is empty")


def test_no_text_that_people_send_becomes_a_script(
    settings: Settings, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    from playwright.sync_api import expect

    monkeypatch.setattr(feed, "INTERVAL_SECONDS", 0.02)
    hostile = Settings(settings.database, title=f"</title>{HOSTILE}")
    with running_room(hostile) as room, room.client() as client:
        desk = people()
        board = open_board(desk, room, f"<b onclick=alert(2)>{HOSTILE}"[:40])
        phone = join_on_phone(people(**PHONE), room, HOSTILE)
        projector = desk.new_page()
        pages = [board, phone, projector]
        notes = [Notes(it) for it in pages]
        asked: list[str] = []
        for page in pages:
            page.on("dialog", lambda dialog: asked.append(dialog.message))
            page.on("request", lambda request: asked.append(request.url))
        projector.goto(f"{room.address}/board/projector")
        for number in (1, 2):
            learner = Learner(client, f"{number}{HOSTILE}")
            assert learner.join(room.service.room.code).status_code == 200
            test = f"test_x]}}'\"><script>alert({number})</script>{HOSTILE}"
            learner.send(
                learner.judged("06", 1, test, HOSTILE), {"kind": "help", "wanted": True}
            )
        board.get_by_label("Message to everyone").fill(f"{HOSTILE}<script>alert(3)")
        board.get_by_role("button", name="Send").click()
        expect(board.locator("#queue li")).to_have_count(2)
        expect(phone.locator("#panel")).to_contain_text("<script>alert(3)")
        expect(projector.locator("#announced")).to_contain_text("onerror")
        board.get_by_role("button", name="I'll help 1").click()
        expect(board.locator("#failures")).to_contain_text("onerror")
        board.reload()
        expect(board.locator("#queue li")).to_have_count(2)

        assert board.locator("img[src='/x'], body script").count() == 0
        assert [it.visit.said for it in notes] == [[], [], []]
        assert [it for it in asked if not it.startswith(room.address)] == []
        assert [it for it in asked if it.endswith("/x")] == []


@pytest.fixture
def busy(room: RunningRoom, join: Callable[[str], Learner]) -> RunningRoom:
    """A room with long names, failures, a queue, a message and a timer."""
    for name in LONG_NAMES:
        learner = join(name)
        help_wanted = {"kind": "help", "wanted": True}
        learner.send(learner.opened("06", 1), learner.judged("06", 1, TEST))
        learner.send(help_wanted, {"kind": "solution", "lesson": "06"})
    return room


@pytest.mark.parametrize("state", ["working", "voting", "result"])
def test_every_page_is_accessible_and_fits(
    state: str, busy: RunningRoom, people: People
) -> None:
    with needed():
        script = axe()
    desk, pocket = people(viewport={"width": 1280, "height": 720}), people(**PHONE)
    board = open_board(desk, busy)
    phone = join_on_phone(pocket, busy, "Bea")
    forms: dict[str, dict[str, Any]] = {
        "/board/focus": {"place": "06.1"},
        "/board/message": {"text": "word " * 20 + "x" * 150},
        "/board/timer": {"minutes": "5"},
    }
    if state != "working":
        forms["/board/poll"] = {"lesson": "06"}
    for path, form in forms.items():
        sent = desk.request.post(busy.address + path, form=form, max_redirects=0)
        assert sent.status == 303
    if state == "result":
        poll = busy.service.board.poll
        assert poll is not None
        desk.request.post(
            f"{busy.address}/board/poll/close", form={"poll": str(poll.id)}
        )
    found = {}
    paths = {board: ("/board", "/board/projector", "/board/login"), phone: ("/me",)}
    if state == "working":
        paths[phone] += (f"/join?code={busy.service.room.code}", "/board/stream")
    for page, visited in paths.items():
        page.add_init_script(script)
        for path in visited:
            for width in (1280, 390):
                page.set_viewport_size({"width": width, "height": 720})
                page.emulate_media(color_scheme="light")
                page.goto(busy.address + path)
                problems = judge(page)
                page.emulate_media(color_scheme="dark")
                problems += [f"dark: {it}" for it in judge(page, "color-contrast")]
                size = page.evaluate(
                    "[document.documentElement.scrollWidth,"
                    " document.documentElement.scrollHeight]"
                )
                if size[0] > width:
                    problems.append(f"it is {size[0]} pixels wide")
                if path.endswith("projector") and width == 1280 and size[1] > 720:
                    problems.append(f"the projector scrolls: {size[1]} pixels")
                found[f"{path} {width}"] = problems
    board.get_by_role("heading").first.wait_for()
    desk.request.post(
        f"{busy.address}/board/poll/remove",
        form={
            "poll": str(busy.service.board.poll.id if busy.service.board.poll else 0)
        },
    )

    assert {path: it for path, it in found.items() if it} == {}
    assert len(found) >= 8
