"""Both interfaces of watch mode show what the room tells, and answer it."""

from __future__ import annotations

import io
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.room.client.conftest import SHORT
from tests.room.client.fake_room import CODE, SECONDS, FakeRoom
from tests.screen.stage import (
    FAILED,
    PASSED,
    PlayedActions,
    PlayedSession,
    raised,
    verdict_on,
    write_lessons,
)
from workshop.actions.room import RoomActions, judged_steps
from workshop.lesson import Lesson
from workshop.room.client.address import Invitation
from workshop.room.client.membership import Membership
from workshop.room.client.participation import Participation
from workshop.room.client.status import RoomStatus
from workshop.room.protocol import Focus, HelpOffer, Message, Poll
from workshop.screen.lines import Lines
from workshop.screen.watch.room import (
    RoomState,
    apply_event,
    with_all_read,
    with_status,
)
from workshop.watch import Event, Finished, Started

FOCUS = {"lesson": "91", "step": 2}
MESSAGE = {"text": "Break until 11. \x1b[31m", "by": "Ben"}
POLL: dict[str, Any] = {
    "id": "00000000-0000-0000-0000-000000000001",
    "lesson": "90",
    "question": "Two customers ask for A1.\nWho gets it?",
    "choices": [{"letter": "A", "text": "Both."}, {"letter": "B", "text": "One."}],
    "open": True,
}
CLOSED: dict[str, Any] = {
    **POLL,
    "open": False,
    "right": "B",
    "choices": [
        {"letter": "A", "text": "Both.", "votes": 1, "explanation": "Not at once."},
        {"letter": "B", "text": "One.", "votes": 12, "explanation": "The first."},
    ],
}


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a checkout of our own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("workshop.paths.ROOT", tmp_path)
    monkeypatch.delenv("WORKSHOP_HOME", raising=False)
    monkeypatch.delenv("MAKELEVEL", raising=False)


@pytest.fixture
def actions(tmp_path: Path) -> Iterator[PlayedActions]:
    """The actions of a learner who has not joined yet."""
    actions = PlayedActions(tmp_path, write_lessons(tmp_path))
    actions.room = RoomActions(Participation(tmp_path, SHORT))
    yield actions
    actions.close()


# On the whole terminal


def flat(text: str) -> str:
    """Return *text* in one line, without the border of a question."""
    return " ".join(text.replace("┃", " ").split())


class Screen:
    """The screen of a learner in a room."""

    def __init__(self, stage: Any) -> None:
        self.stage = stage

    async def until(self, *words: str) -> str:
        """Return the screen when it shows *words*."""
        text = ""
        for _ in range(2_000):
            text = await self.stage.settled()
            if all(flat(it) in flat(text) for it in words):
                return str(text)
        raise AssertionError(f"The screen never showed {words}:\n{text}")


def join(actions: PlayedActions, room: FakeRoom) -> None:
    """Join *room* from another terminal."""
    actions.room.join(Invitation(room.address, CODE, "Ann"))


async def test_the_screen_shows_focus_message_poll_and_help(
    tmp_path: Path, actions: PlayedActions, room: FakeRoom
) -> None:
    join(actions, room)
    async with raised(tmp_path, actions=actions, size=(80, 40)) as stage:
        screen = Screen(stage)
        await stage.save(FAILED, FAILED, seen="Two seats were lost.")
        await screen.until("room: connected · watching")
        room.tell("focus", FOCUS)
        room.tell("message", MESSAGE)
        room.tell("poll", POLL)
        told = await screen.until(
            "Ben: Break until 11.",
            "The room is on 91 · step 2. f takes you there.",
            "Poll: the instructor asks a question.",
            "Two seats were lost.",
        )
        await stage.press("w")
        asked = await screen.until(
            "You are in the help queue. w withdraws your request."
        )
        room.tell("help", {"by": "Ben"})
        coming = await screen.until("Ben is coming to help you.")
        closed = await stage.press("escape")

    assert "\x1b" not in told
    assert " w  need help" in asked
    assert "Break until 11" in coming
    assert "Break until 11" not in closed
    room.until(lambda: "help" in room.kinds())


async def test_a_vote_on_the_screen_and_its_result(
    tmp_path: Path, actions: PlayedActions, room: FakeRoom
) -> None:
    join(actions, room)
    async with raised(tmp_path, actions=actions, size=(80, 40)) as stage:
        screen = Screen(stage)
        room.tell("poll", POLL)
        await screen.until("v shows it, so that you can vote")
        asked = await stage.press("v")
        not_now = await stage.press("x")
        voted = await stage.press("v", "A")
        room.tell("poll", CLOSED)
        result = await screen.until("The poll is closed. B is correct.", "12 votes")
        room.until(lambda: "vote" in room.kinds())

    assert "Who gets it?" in asked
    assert "A B: choose" in asked
    assert "12" not in asked
    assert "Nothing was changed." in not_now
    assert "You voted A." in voted
    assert "A  Both.  1 vote  (your vote)" in result
    assert "B  One.  12 votes  ✓ correct" in result
    assert "Not at once." in result
    votes = [it["choice"] for it in room.stored.values() if it["kind"] == "vote"]
    assert votes == ["A"]
    assert "reset" not in actions.done


async def test_a_poll_that_is_removed_is_gone(
    tmp_path: Path, actions: PlayedActions, room: FakeRoom
) -> None:
    join(actions, room)
    async with raised(tmp_path, actions=actions, size=(80, 40)) as stage:
        screen = Screen(stage)
        room.tell("poll", POLL)
        await screen.until("v shows it, so that you can vote")
        room.tell("no_poll", {})
        room.tell("message", MESSAGE)
        after = await screen.until("Ben: Break until 11.")
        asked = await stage.press("v")

    assert "v shows it" not in after
    assert "There is no poll in the room now." in asked


async def test_joining_and_leaving_on_the_screen(
    tmp_path: Path, actions: PlayedActions, room: FakeRoom
) -> None:
    async with raised(tmp_path, actions=actions, size=(60, 24)) as stage:
        screen = Screen(stage)
        before = stage.text
        question = await stage.press("j")
        await stage.press(*f"{room.address} {CODE} Ann")
        asked = await stage.press("enter")
        requests = len(room.requests)
        await stage.press("y")
        await screen.until("You are in the room 'Monday' as Ann.", "room: connected")
        room.until(lambda: "opened" in room.kinds())
        where = await stage.press("j")
        await stage.press("y")
        left = await screen.until("You have left the room", "deleted")
        room.until(lambda: room.learners == {})

    assert "room" not in before
    assert "its address, the code and your name" in flat(question)
    assert f"Join {room.address} as Ann?" in asked
    assert "Your code and output are never sent." in flat(asked)
    assert "j leaves the room and deletes your data." in flat(asked)
    assert "y: yes" in asked
    assert requests == 0
    assert f"You are Ann in 'Monday' ({room.address}), connected." in flat(where)
    assert "room:" not in left


async def test_a_wrong_line_to_join_is_explained(
    tmp_path: Path, actions: PlayedActions
) -> None:
    async with raised(tmp_path, actions=actions) as stage:
        await stage.press("j")
        await stage.press(*"10.0.0.1 K7")
        missing = await stage.press("enter")
        await stage.press("j", "escape")
        back = await stage.press("w")

    assert "! Missing: name." in missing
    assert "You are not in a room. j joins one." in back


async def test_f_goes_to_the_lesson_of_the_room(
    tmp_path: Path, actions: PlayedActions, room: FakeRoom
) -> None:
    join(actions, room)
    async with raised(tmp_path, actions=actions, size=(80, 40)) as stage:
        screen = Screen(stage)
        room.tell("focus", FOCUS)
        await screen.until("f takes you there")
        there = await stage.press("f")
        again = await stage.press("f")
        room.tell("focus", {})
        await screen.until("You are there")

    assert "Lesson 91 · Halls" in there
    assert "The room is on 91 · step 2." in there
    assert "f takes you there" not in there
    assert "You are there already: the room is on 91 · step 2." in again
    room.until(lambda: room.kinds().count("opened") == 2)
    assert [it["lesson"] for it in room.stored.values()] == ["90", "91"]


# In lines


class Played:
    """Watch mode in lines: lines are typed when the output shows what was awaited."""

    def __init__(self, actions: PlayedActions) -> None:
        self._actions = actions
        self._typed: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._written: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.text = ""
        self.session: PlayedSession | None = None

    def run(self, script: Callable[[Played], None]) -> str:
        """Run watch mode while *script* plays, and return the whole output."""
        problems: list[BaseException] = []

        def play() -> None:
            try:
                script(self)
            except BaseException as problem:  # noqa: BLE001 -- raised below
                problems.append(problem)
            finally:
                self._typed.put("q")
                self._typed.put(None)

        page = _Page(self._written)
        lines = Lines(
            self._actions,
            self._open,
            self._actions.there[0],
            Console(file=page, width=100, highlight=False),
        )
        player = threading.Thread(target=play)
        player.start()
        lines.run(iter(self._typed.get, None))
        player.join()
        if problems:
            raise problems[0]
        return self.text + page.rest()

    def type(self, line: str) -> None:
        """Type a line."""
        self._typed.put(line)

    def until(self, words: str) -> None:
        """Read the output until it has *words*."""
        while words not in self.text:
            self.text += self._written.get(timeout=SECONDS)

    def _open(
        self,
        lesson: Lesson,
        environment: Mapping[str, str],
        listen: Callable[[Event], None],
    ) -> PlayedSession:
        self.session = PlayedSession(lesson, listen)
        return self.session


class _Page(io.StringIO):
    """A page whose text goes to a queue."""

    def __init__(self, written: queue.SimpleQueue[str]) -> None:
        super().__init__()
        self._written = written

    def write(self, text: str) -> int:
        self._written.put(text)
        return len(text)

    def rest(self) -> str:
        text = ""
        while not self._written.empty():
            text += self._written.get()
        return text


def test_lines_show_focus_message_poll_and_help(
    actions: PlayedActions, room: FakeRoom
) -> None:
    def script(it: Played) -> None:
        it.until("Room: connected.")
        room.tell("message", MESSAGE, id="1")
        it.until("Ben: Break until 11.")
        room.tell("focus", FOCUS)
        it.until("The room is on 91 · step 2. f takes you there.")
        it.type("w")
        it.until("You are in the help queue on the board.")
        room.tell("help", {"by": "Ben"})
        it.until("Ben is coming to help you.")
        room.tell("poll", POLL)
        it.until("Poll: the instructor asks a question.")
        it.type("v")
        it.until("Type A, B, or Enter for no vote.")
        it.type("b")
        it.until("You voted B.")
        room.tell("poll", CLOSED)
        it.until("The poll is closed. B is correct.")
        it.type("vote")
        it.until("The first.")
        it.type("f")
        it.until("Lesson 91 · Halls")
        room.tell("focus", {})
        it.until("Everyone works at their own pace now.")
        room.until(lambda: "vote" in room.kinds())

    join(actions, room)
    text = Played(actions).run(script)

    assert "12 votes" in text
    assert "Not at once." not in text  # another choice than the learner's
    assert text.count("Break until 11.") == 1
    assert [k for k in room.kinds() if k in ("help", "vote")] == ["help", "vote"]


def test_joining_and_leaving_in_lines(actions: PlayedActions, room: FakeRoom) -> None:
    def script(it: Played) -> None:
        it.type("w")
        it.until("You are not in a room. j joins one.")
        it.type(f"j {room.address} k7qf Ann Lee")
        it.until("Type y for yes.")
        it.type("y")
        it.until("You are in the room 'Monday' as Ann Lee.")
        room.until(lambda: "opened" in room.kinds())
        it.type("j")
        it.until("You are Ann Lee in 'Monday'")
        it.type("y")
        it.until("You have left the room. It has deleted your data.")
        it.type("j")
        it.until("For example: http://")
        it.type("nonsense:x")
        it.until("is not an address")

    Played(actions).run(script)

    assert room.learners == {}


def test_a_verdict_is_printed_while_the_room_does_not_respond(
    actions: PlayedActions, room: FakeRoom
) -> None:
    def script(it: Played) -> None:
        it.type(f"j {room.address} {CODE} Ann")
        it.until("Type y for yes.")
        room.gate.clear()
        it.type("y")
        room.until_request("POST", "/api/join")
        lesson = actions.there[0]
        assert it.session is not None
        it.session.listen(Started(lesson.slug, 1, 2))
        verdict = verdict_on(lesson, FAILED, FAILED, seen="Two seats were lost.")
        it.session.listen(Finished(lesson.slug, 1, verdict, "content"))
        it.until("Two seats were lost.")
        room.gate.set()
        it.until("You are in the room 'Monday' as Ann.")

    Played(actions).run(script)


# Decisions


def test_the_room_hears_of_the_current_step_and_of_what_has_changed(
    tmp_path: Path,
) -> None:
    lesson = write_lessons(tmp_path)[0]

    def steps(*words: Any, known: dict[int, bool] | None = None) -> list[int]:
        at = {("90", step): passed for step, passed in (known or {}).items()}
        found = judged_steps(verdict_on(lesson, *words), at)
        return [step.number for step in found]

    assert steps(FAILED, FAILED) == [1]
    assert steps(FAILED, PASSED) == [1]
    assert steps(PASSED, FAILED) == [1, 2]
    assert steps(PASSED, FAILED, known={1: True}) == [2]
    assert steps(PASSED, FAILED, known={1: False}) == [1, 2]
    assert steps(PASSED, PASSED, known={1: True, 2: True}) == [2]


def test_another_room_begins_without_what_the_first_one_told() -> None:
    ann = RoomStatus(Membership("http://a", "1", "t", "Ann", "Monday"))
    other = RoomStatus(Membership("http://b", "2", "t", "Ann", "Tuesday"))
    now = with_status(RoomState(), ann)
    for told in (
        Focus(lesson="03", step=2),
        Message(text="Hello", by="Ben"),
        HelpOffer(by="Ben"),
        Poll.model_validate(POLL),
    ):
        now = apply_event(now, told)

    assert (now.focus, now.message, now.poll) != (None, None, None)
    assert now.helper == "Ben"
    assert with_status(now, ann) == now
    assert with_status(now, other) == RoomState(other)
    assert apply_event(now, Focus()).focus is None
    helped = apply_event(now, HelpOffer(by="", wanted=False))
    assert (now.wants_help, helped.wants_help, helped.helper) == (True, False, "")


def test_a_call_for_help_stays_until_someone_has_come() -> None:
    called = RoomState(wants_help=True)

    assert apply_event(called, HelpOffer(by="")).wants_help
    assert not apply_event(called, HelpOffer(by="", wanted=False)).wants_help


def test_a_poll_that_was_over_before_the_learner_came_is_not_news() -> None:
    now = apply_event(RoomState(), Poll.model_validate(CLOSED))
    opened = apply_event(now, Poll.model_validate(POLL))
    closed = apply_event(opened, Poll.model_validate(CLOSED))

    assert not now.poll_is_news
    assert opened.poll_is_news
    assert closed.poll_is_news
    assert with_all_read(opened).poll_is_news
    assert not with_all_read(closed).poll_is_news
