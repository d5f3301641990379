"""What each key of watch mode does, the same on the whole terminal and in lines."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from rich.console import RenderableType

from workshop.actions.errors import ActionError
from workshop.actions.learner import LearnerActions
from workshop.actions.results import Hints
from workshop.actions.sessions import OpenSession, WatchSession
from workshop.commands import command
from workshop.lesson import Lesson, LessonError, Step
from workshop.progress import Replacement
from workshop.room.client.address import Invitation, InvitationError, invitation
from workshop.room.client.membership import Membership
from workshop.screen.keeping import replacement_lines
from workshop.screen.pages import short
from workshop.screen.watch import texts
from workshop.screen.watch.room import (
    EXAMPLE,
    HOW_TO_JOIN,
    NO_ROOM,
    RoomState,
    apply_event,
    ballot,
    consent,
    place,
    whereabouts,
    with_all_read,
    with_status,
    with_vote,
)
from workshop.screen.watch.state import WatchState, apply, following
from workshop.watch import Event, Finished

if TYPE_CHECKING:
    from workshop.room.client.subscription import RoomEvent

T = TypeVar("T")

FAILURES = (ActionError, LessonError, OSError)
"""What may keep an action from being carried out."""


class Face(Protocol):
    """What shows watch mode: the whole terminal, or lines."""

    def post(self, task: Callable[[], None]) -> None:
        """Call *task* soon in the face's own thread. Called from any thread."""

    def in_background(
        self,
        work: Callable[[], T],
        done: Callable[[T], None],
        failed: Callable[[str], None],
    ) -> None:
        """Call *work*, then *done* with its result.

        A face that does so in another thread calls *failed* with the reason if
        *work* raises one of `FAILURES`. Any other face lets it through.
        """

    def say(self, text: str, *, trouble: bool = False) -> None:
        """Show the result of an action."""

    def ask(self, question: str, action: Callable[[], None]) -> None:
        """Show *question*, and call *action* if the answer is yes."""

    def choose(
        self, question: str, letters: Sequence[str], action: Callable[[str], None]
    ) -> None:
        """Show *question*, and call *action* with the letter that is chosen."""

    def ask_line(
        self, question: str, example: str, action: Callable[[str], None]
    ) -> None:
        """Ask for a line such as *example*, and call *action* with it."""

    def aside(
        self,
        work: Callable[[], T],
        done: Callable[[T], None],
        failed: Callable[[str], None],
    ) -> None:
        """Do the same as `in_background`, always in another thread.

        *work* may wait for a network, and no verdict waits for that.
        """

    def is_open(self, what: str) -> bool:
        """Whether the text with the name *what* can still be read."""

    def read(self, what: str, title: str, text: RenderableType) -> None:
        """Show a text that goes by the name *what*."""

    def close(self) -> None:
        """Close the text that is open."""

    def show_lesson(self) -> None:
        """Show the lesson that was entered."""

    def show_event(self, event: Event, before: WatchState) -> None:
        """Show what *event* has changed since the state *before*."""

    def redraw(self) -> None:
        """Show the state as it is now, unless it was shown line by line."""

    def show_room(self, before: RoomState) -> None:
        """Show what has changed in the room since the state *before*."""

    def show_starting(self) -> None:
        """Show that the app is about to be served."""

    def show_line(self, line: str) -> None:
        """Show a line that the served app has written. Called from any thread."""

    def show_address(self) -> None:
        """Show where the app is served, if it accepts connections already."""

    def show_list(self) -> None:
        """Show all lessons."""

    def show_timeline(self) -> None:
        """Show what the event loop did in the lesson's scenes."""

    def show_keys(self) -> None:
        """Show all keys."""

    def leave(self) -> bool | None:
        """Leave watch mode."""


class WatchController:
    """Carries out the keys of watch mode, and keeps what both interfaces show.

    Attributes:
        now: the state of the lesson.
        progress: the learner's progress, as it was last read.
        is_serving: whether the app is served, or being started.
        address: where the app accepts connections, empty until it does.
        in_room: what the learner has received from the room, if they have joined one.

    """

    def __init__(
        self,
        actions: LearnerActions,
        open_session: OpenSession,
        lesson: Lesson,
        face: Face,
    ) -> None:
        self.now = WatchState(lesson)
        self.progress = actions.state()
        self.is_serving = False
        self.address = ""
        self.in_room = RoomState()
        self._start = 0
        self._actions = actions
        self._open_session = open_session
        self._session: WatchSession | None = None
        self._entered = ""
        self._asked = ""
        """The lesson whose prediction was shown last."""
        self._face = face

    def press(self, action: str) -> None:
        """Carry out the *action* of a key, and say why if that fails."""
        with self.explained():
            # Another terminal may have changed it.
            self.progress = self._actions.state()
            getattr(self, action)()

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Say why an action in this block has failed."""
        try:
            yield
        except BrokenPipeError:
            raise  # the reader of the messages has gone
        except FAILURES as problem:
            self._face.say(str(problem), trouble=True)

    @property
    def step(self) -> Step:
        """The current step: the first that has not passed, or the last."""
        steps = self.now.lesson.steps
        if self.now.verdict is not None:
            current = self.now.verdict.current
            return steps[current.number - 1] if current else steps[-1]
        record = self.progress.of(self.now.lesson.slug)
        return steps[record.current_step(len(steps)) - 1]

    @property
    def following(self) -> Lesson | None:
        """The lesson to continue with, None if all others are finished."""
        lessons = list(self._actions.lessons())
        unfinished = {it.slug for it in lessons if not self._is_finished(it)}
        return following(self.now.lesson, lessons, unfinished)

    def _is_finished(self, lesson: Lesson) -> bool:
        record = self.progress.of(lesson.slug)
        return record.is_finished(len(lesson.brief.sections))

    # Events

    def listen(self, event: Event) -> None:
        """Record and show *event*. Called from the session's thread."""
        if isinstance(event, Finished):
            self._actions.record(event.verdict, event.content)
        self._face.post(partial(self._apply, event))

    def _apply(self, event: Event) -> None:
        before = self.now
        self.now = apply(before, event)
        if isinstance(event, Finished):
            self.progress = self._actions.state()
        self._face.show_event(event, before)

    # Lessons

    def begin(self) -> None:
        """Listen to the room, if there is one, and go to the first lesson."""
        self._actions.room.listen(
            lambda event: self._face.post(partial(self._on_event, event)),
            lambda: self._face.post(self._update_room),
        )
        self.in_room = with_status(self.in_room, self._actions.room.status)
        self.go(self.now.lesson)

    def go(self, lesson: Lesson) -> None:
        """Go to *lesson*.

        Raises:
            ActionError: if the face is in lines and a service cannot be started.
            LessonError: if the lesson cannot be read. The old one stays then.

        """
        _ = lesson.steps  # read here, while the old lesson can stay
        self.stop_serving()
        self.now = WatchState(lesson)
        self._enter()
        self._actions.room.opened(lesson, self.step.number)
        self._face.show_lesson()

    def _enter(self) -> None:
        lesson = self.now.lesson
        self._face.in_background(
            partial(self._actions.enter, lesson),
            partial(self._watch, lesson),
            partial(self._show_trouble, lesson),
        )

    def _watch(self, lesson: Lesson, environment: Mapping[str, str]) -> None:
        if lesson.slug != self.now.lesson.slug:
            return  # The learner has already gone to yet another lesson.
        self._entered = lesson.slug
        if self._session is None:
            self._session = self._open_session(lesson, environment, self.listen)
            self._session.start()
        else:
            self._session.change(lesson, environment)

    def _show_trouble(self, lesson: Lesson, why: str) -> None:
        if lesson.slug == self.now.lesson.slug:
            self.now = replace(self.now, trouble=why)
            self._face.redraw()

    def next(self) -> None:
        """Go to the next lesson, if this one has passed."""
        if not self.now.passed and not self._is_finished(self.now.lesson):
            step = self.step
            self._face.say(
                f"Step {step.number} has not passed yet: {step.title}. "
                "l goes to any lesson."
            )
            return
        then = self.following
        if then is None:
            self._face.say("You have finished every lesson. l goes to any of them.")
        else:
            self.go(then)

    def list(self) -> None:
        """Show all lessons."""
        self._face.show_list()

    # Texts

    def toggle(self, what: str, title: str, text: Callable[[], RenderableType]) -> None:
        """Open a text, or close it if it is open."""
        if self._face.is_open(what):
            self._face.close()
        else:
            self._face.read(what, title, text())

    def brief(self) -> None:
        """Show what the lesson and the step are about."""
        self.toggle("brief", "Brief", lambda: texts.brief(self.now.lesson, self.step))

    def docs(self) -> None:
        """Open the lesson's page, in a browser if there is one."""
        lesson = self.now.lesson
        address = "" if self._face.is_open("docs") else self._actions.browse(lesson)
        if address:
            self._face.say(f"Opened in your browser: {address}")
        else:
            self.toggle("docs", "Page", lambda: texts.page(lesson))

    def predict(self) -> None:
        """Show what the lesson's page asks first; the answer if that is open."""
        prediction = self.now.lesson.prediction
        if prediction is None:
            self._face.say("This lesson does not ask for a prediction.")
        elif self._face.is_open("answer"):
            self._face.close()
        elif self._asked == self.now.lesson.slug and self._face.is_open("predict"):
            self._face.read("answer", "Answer", texts.answer(prediction))
        else:
            self._asked = self.now.lesson.slug
            self._face.read("predict", "Predict", texts.question(prediction))

    def hint(self) -> None:
        """Show the hints seen so far; one more if they are open already."""
        if self.now.passed:
            self._face.say(
                "Every step has passed. s shows the solution, n goes to the next "
                "lesson."
            )
            return
        lesson, number = self.now.lesson, self.step.number
        hints = self._actions.hints(lesson, number)
        if self._face.is_open("hint") or not hints.seen:
            if not hints.all_seen:
                hints = self._actions.next_hint(lesson, number)
            elif not hints.change_is_shown:
                self._face.ask(
                    f"Show the change for step {number}? The step is then marked "
                    "as shown.",
                    partial(self._show_change, lesson, number),
                )
                return
        self._read_hints(hints)

    def _show_change(self, lesson: Lesson, number: int) -> None:
        self._actions.show_change(lesson, number)
        self._read_hints(self._actions.hints(lesson, number))

    def _read_hints(self, hints: Hints) -> None:
        self.progress = self._actions.state()
        title = f"Hints for step {hints.step.number}"
        self._face.read("hint", title, texts.hints(hints))

    def solution(self) -> None:
        """Show the solution; ask first if some step has not passed."""
        seen = self.progress.of(self.now.lesson.slug).solution_seen
        if seen or self.now.passed or self._face.is_open("solution"):
            self._show_solution()
        else:
            question = "Show the solution of every step? h shows one hint at a time."
            self._face.ask(question, self._show_solution)

    def _show_solution(self) -> None:
        lesson = self.now.lesson
        self.toggle(
            "solution",
            "The solution",
            lambda: texts.solution(self._actions.solution(lesson)),
        )

    def timeline(self) -> None:
        """Show what the event loop did in a scene."""
        if self._actions.scenes(self.now.lesson):
            self._face.show_timeline()
        else:
            self._face.say("This lesson has no scene to record.")

    def keys(self) -> None:
        """Show all keys."""
        self._face.show_keys()

    # The learner's file

    def reset(self) -> None:
        """Ask, then replace the file with the starter."""
        lesson = self.now.lesson
        self._face.ask(
            f"Put the starter back as {short(lesson.app_file)}? "
            "Your file is kept, and u brings it back.",
            lambda: self._say_replaced(self._actions.reset(lesson)),
        )

    def catch_up(self) -> None:
        """Ask, then replace the file with the start of the step."""
        lesson, number = self.now.lesson, self.step.number
        self._face.ask(
            f"Replace your file with the start of step {number}? "
            "Your file is kept, and u brings it back.",
            lambda: self._say_replaced(self._actions.catch_up(lesson, number)),
        )

    def undo(self) -> None:
        """Undo the last reset or catch-up."""
        self._say_replaced(self._actions.undo(self.now.lesson))

    def _say_replaced(self, done: Replacement) -> None:
        self._face.say("\n".join(replacement_lines(done, undo="press u.")))

    # The room

    @property
    def room_keys(self) -> set[str]:
        """The room's actions that are useful now."""
        now = self.in_room
        if not now.is_joined:
            return {"room"} if now.status.ended else set()
        keys = {"room", "need_help"}
        if now.poll is not None:
            keys.add("vote")
        if now.focus is not None and now.focus.lesson != self.now.lesson.number:
            keys.add("follow")
        return keys

    def _on_event(self, event: RoomEvent) -> None:
        self._show_room(apply_event(self.in_room, event))

    def _update_room(self) -> None:
        self._show_room(with_status(self.in_room, self._actions.room.status))

    def _show_room(self, now: RoomState) -> None:
        before, self.in_room = self.in_room, now
        self._face.show_room(before)

    def drop_message(self) -> None:
        """Close the room's notes that the learner has read."""
        self.in_room = with_all_read(self.in_room)

    def room(self) -> None:
        """Ask how to join a room or, in a room, whether to leave it."""
        if self._actions.room.membership is None:
            self._face.ask_line(HOW_TO_JOIN, EXAMPLE, self.join)
        else:
            self._face.ask(whereabouts(self._actions.room.status), self._leave_room)

    def join(self, typed: str) -> None:
        """Say what will be sent to the room in the line *typed*, and ask to confirm."""
        try:
            wanted = invitation(typed.split())
        except InvitationError as problem:
            raise ActionError(str(problem)) from None
        if wanted.missing:
            missing = ", ".join(wanted.missing)
            raise ActionError(f"Missing: {missing}. For example: j {EXAMPLE}")
        self._face.ask(consent(wanted), partial(self._join, wanted))

    def _join(self, wanted: Invitation) -> None:
        self._face.say("Joining the room …")
        self._face.aside(
            lambda: self._actions.room.join(wanted),
            self._show_joined,
            partial(self._face.say, trouble=True),
        )

    def _show_joined(self, joined: Membership) -> None:
        self._face.say(f"You are in the room {joined.room!r} as {joined.name}.")
        self._update_room()

    def _leave_room(self) -> None:
        self._face.aside(
            self._actions.room.leave,
            self._show_left,
            partial(self._face.say, trouble=True),
        )

    def _show_left(self, left: Membership) -> None:
        self._face.say("You have left the room. It has deleted your data.")
        self._update_room()

    def need_help(self) -> None:
        """Ask for help in the room, or withdraw the request."""
        if self._actions.room.membership is None:
            self._face.say(NO_ROOM)
            return
        wanted = not self.in_room.wants_help
        self._actions.room.ask_for_help(wanted)
        if not self.in_room.status.online:
            what = "Your request" if wanted else "The withdrawal"
            sent = f"{what} will be sent once the room responds."
        elif wanted:
            sent = "You are in the help queue on the board. w withdraws your request."
        else:
            sent = "You withdrew your request for help."
        self._face.say(sent)
        self.in_room = replace(self.in_room, wants_help=wanted, helper="")
        self._face.redraw()

    def follow(self) -> None:
        """Go to the room's current lesson."""
        focus = self.in_room.focus
        if focus is None:
            here = "Everyone works at their own pace. l goes to any lesson."
            self._face.say(here if self.in_room.is_joined else NO_ROOM)
            return
        if focus.lesson == self.now.lesson.number:
            self._face.say(f"You are there already: the room is on {place(focus)}.")
            return
        for lesson in self._actions.lessons():
            if lesson.number == focus.lesson:
                self.go(lesson)
                return
        self._face.say(
            f"Your copy of the course has no lesson {focus.lesson}. To get it: "
            f"{command('update')}"
        )

    def vote(self) -> None:
        """Show the room's poll, and take the learner's vote while it is open."""
        poll = self.in_room.poll
        if poll is None:
            here = "There is no poll in the room now."
            self._face.say(here if self.in_room.is_joined else NO_ROOM)
            return
        self.show_poll()
        if poll.open:
            letters = [choice.letter for choice in poll.choices]
            self._face.choose("Your vote?", letters, partial(self._vote, str(poll.id)))

    def show_poll(self) -> None:
        """Show the poll or, once it is closed, its result."""
        if self.in_room.poll is not None:
            text = ballot(self.in_room.poll, self.in_room.vote)
            self._face.read("poll", "Poll", text)

    def _vote(self, poll: str, letter: str) -> None:
        now = self.in_room.poll
        if now is None or str(now.id) != poll or not now.open:
            self._face.say("The poll is closed, so your vote was not counted.")
            return
        self._actions.room.vote(poll, letter)
        self._face.say(f"You voted {letter}. v shows the poll again.")
        self._show_room(with_vote(self.in_room, poll, letter))

    # Runs

    def rerun(self) -> None:
        """Grade once more. If grading could not begin, try that again."""
        if self._session is not None and self._entered == self.now.lesson.slug:
            self._session.rerun()
        else:
            self.now = replace(self.now, trouble="")
            self._face.redraw()
            self._enter()

    def end_run(self) -> None:
        """End the current run."""
        if self._session is not None and self.now.running:
            self._session.end_run()
        else:
            self._face.say("No run is in progress. r checks again.")

    # The learner's app, served

    def serve(self) -> None:
        """Serve the app, or stop it if it is served."""
        if self.is_serving:
            self.stop_serving()
            self._face.say("The app is stopped.")
            return
        lesson = self.now.lesson
        self.is_serving = True
        self._start += 1
        start = self._start

        def accept(address: str) -> None:
            self._face.post(lambda: self._show_served(start, address))

        self._face.show_starting()
        try:
            self._face.in_background(
                lambda: self._actions.serve(lesson, self._face.show_line, accept),
                lambda _: self._show_served(start),
                lambda why: self._show_not_served(start, why),
            )
        except FAILURES:
            self.is_serving = False
            raise

    def _show_served(self, start: int, address: str = "") -> None:
        if start != self._start or not self.is_serving:
            # The learner stopped the app while it started, or left its lesson. If
            # another app was started since then, that has ended this one.
            if not self.is_serving:
                self._actions.stop_serving()
            return
        # The address may come first.
        self.address = address or self.address
        self._face.show_address()

    def _show_not_served(self, start: int, why: str) -> None:
        if start == self._start:
            self.is_serving = False
        self._face.say(why, trouble=True)

    def stop_serving(self) -> None:
        """Stop the served app, if there is one."""
        if self.is_serving:
            self.is_serving = False
            self.address = ""
            self._actions.stop_serving()
            if self._face.is_open("app"):
                self._face.close()

    def leave(self) -> None:
        """Leave watch mode."""
        self._face.leave()
