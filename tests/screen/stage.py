"""Watch mode without an engine: a session and actions that tests play."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from textual.events import Key
from textual.pilot import Pilot

from tests.tiny import write_lesson
from workshop.actions.errors import ActionError
from workshop.actions.learner import LearnerActions
from workshop.actions.results import Comparison
from workshop.actions.room import RoomActions
from workshop.grading import LessonVerdict, StepVerdict, TestVerdict, Verdict
from workshop.lesson import Lesson
from workshop.progress import Replacement, Snapshot, Store
from workshop.room.client import Participation
from workshop.scenario import Scene
from workshop.screen.watch.app import WatchApp
from workshop.timeline import Lane, Span, Timeline
from workshop.timeline import State as TimelineState
from workshop.watch import Event, Finished, Reported, Started, StepJudged, Watching

PASSED, FAILED = Verdict.PASSED, Verdict.FAILED
PREDICT = """\
## Predict

Two customers ask for A1. Who gets it?

- **A.** Both.
- **B.** One of them.

<details>
<summary>Answer</summary>

**B.** The *second* one gets a 409.

</details>
"""
WRAP_UP = "## Wrap-up\n\nOne thing to keep:\n\n1. Seats are\n   counted.\n"


def write_lessons(root: Path) -> list[Lesson]:
    """Write two lessons, 90 and 91, and return them."""
    lessons = [write_lesson(root), write_lesson(root, name="91_halls")]
    lessons[0].page.write_text(
        f"# 90 · Seats\n\n{PREDICT}\n{WRAP_UP}", encoding="utf-8"
    )
    readme = lessons[1].folder / "README.md"
    text = readme.read_text(encoding="utf-8").replace("# 90 · Seats", "# 91 · Halls")
    readme.write_text(text, encoding="utf-8")
    return lessons


def verdict_on(lesson: Lesson, *steps: Verdict, seen: str = "Seen.") -> LessonVerdict:
    """Return a verdict with the given word for each step of *lesson*."""
    return LessonVerdict(
        lesson,
        tuple(
            StepVerdict(
                step.number,
                step.title,
                tuple(
                    TestVerdict(test, word, "" if word is PASSED else seen)
                    for test in step.tests
                ),
            )
            for step, word in zip(lesson.steps, steps, strict=True)
        ),
        seconds=0.5,
    )


@dataclass
class PlayedSession:
    """A fake engine that sends the test's events and records its calls."""

    lesson: Lesson
    listen: Callable[[Event], None]
    told: list[str] = field(default_factory=list)
    runs: int = 0

    def start(self) -> None:
        self.told.append("start")

    def rerun(self) -> None:
        self.told.append("rerun")

    def end_run(self) -> None:
        self.told.append("end run")

    def change(self, lesson: Lesson, environment: Mapping[str, str]) -> None:
        self.lesson = lesson
        self.told.append(f"change {lesson.number}")


class PlayedActions(LearnerActions):
    """Actions that keep their record in a folder, start nothing, and note it."""

    def __init__(self, root: Path, lessons: list[Lesson], trouble: str = "") -> None:
        super().__init__(
            store=Store(root / "progress.json"), room=RoomActions(Participation(root))
        )
        self.there = lessons
        self.done: list[str] = []
        self.trouble = trouble
        self.log: Callable[[str], None] | None = None
        self.accept: Callable[[str], None] | None = None
        self.accepts = True

    def remember(self, slug: str, **known: Any) -> None:
        """Let *known* be in the record of a lesson."""
        self._store.update(lambda state: vars(state.of(slug)).update(known))

    def lessons(self) -> Sequence[Lesson]:
        return self.there

    def enter(self, lesson: Lesson) -> Mapping[str, str]:
        if self.trouble:
            raise ActionError(self.trouble)
        self.done.append(f"enter {lesson.number}")
        return {}

    def solution(self, lesson: Lesson, step: int | None = None) -> Comparison:
        self.done.append("solution")
        return super().solution(lesson, step)

    def reset(self, lesson: Lesson) -> Replacement:
        self.done.append("reset")
        folder = lesson.folder.parents[1] / "a_safe_place"
        return Replacement(
            lesson, "reset", True, Snapshot(folder, 1, datetime.now(UTC), "reset"), 1
        )

    def undo(self, lesson: Lesson, number: int | None = None) -> Replacement:
        raise ActionError("There is nothing to undo.")

    def serve(
        self,
        lesson: Lesson,
        listen: Callable[[str], None],
        accept: Callable[[str], None],
    ) -> None:
        self.log = listen
        self.accept = accept
        self.done.append("serve")
        if self.accepts:
            accept("http://127.0.0.1:7357")

    def stop_serving(self) -> None:
        self.done.append("stop serving")

    def scenes(self, lesson: Lesson) -> Sequence[Scene]:
        return [Scene("open", "The doors open"), Scene("close", "The doors close")]

    def timeline(
        self,
        lesson: Lesson,
        scene: Scene,
        answer: Path | None = None,
        *,
        virtual: bool = False,
    ) -> Timeline:
        self.done.append(f"timeline {scene.name}")
        span = Span(TimelineState.BLOCKING, 0, 300, "ask_venue()", "app.py:25")
        return Timeline((Lane("GET /report", (span,)),), 300)

    def browse(self, lesson: Lesson) -> str:
        return ""


@dataclass
class Stage:
    """The application in a headless terminal, with its fakes."""

    pilot: Pilot[None]
    app: WatchApp
    actions: PlayedActions
    session: PlayedSession

    @property
    def text(self) -> str:
        """The text on the screen."""
        # The one way to see what a terminal would, with what is cut off.
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    async def press(self, *keys: str) -> str:
        """Type *keys* at once and return the resulting screen."""
        for key in keys:
            typed = key if len(key) == 1 else None
            self.app.post_message(Key(key, typed))
        return await self.settled()

    async def resize(self, columns: int, lines: int) -> str:
        """Resize the window and return the resulting screen."""
        await self.pilot.resize_terminal(columns, lines)
        return await self.settled()

    async def tell(self, *events: Event) -> str:
        """Send *events* from the engine and return the resulting screen."""
        for event in events:
            self.session.listen(event)
        return await self.settled()

    async def settled(self) -> str:
        """Return the screen after all messages have been handled."""
        text = await self._quiet()
        if self.app.workers:
            await self.app.workers.wait_for_complete()
            text = await self._quiet()
        return text

    async def _quiet(self) -> str:
        """Handle messages until nothing changes any more."""
        seen: list[str] = []
        while len(seen) < 5 or len(set(seen[-5:])) > 1:
            await self.pilot.pause(0)  # what is queued now, in every widget
            await self.pilot.wait_for_animation()
            seen.append(self.text)
        return seen[-1]

    async def begin(self) -> str:
        """Begin a run."""
        lesson = self.session.lesson
        self.session.runs += 1
        run = self.session.runs
        return await self.tell(Started(lesson.slug, run, len(lesson.tests)))

    async def test(self) -> str:
        """Begin the next test of the run."""
        event = {"event": "start", "id": "any"}
        slug = self.session.lesson.slug
        return await self.tell(Reported(slug, self.session.runs, event))

    async def judge_step(
        self, number: int, word: Verdict, *, seen: str = "Seen."
    ) -> str:
        """Judge one step while the others run."""
        lesson = self.session.lesson
        steps = [word if it.number == number else PASSED for it in lesson.steps]
        step = verdict_on(lesson, *steps, seen=seen).steps[number - 1]
        return await self.tell(StepJudged(lesson.slug, self.session.runs, step))

    async def finish(self, *steps: Verdict, seen: str = "Seen.") -> str:
        """Finish the run with a verdict."""
        lesson = self.session.lesson
        verdict = verdict_on(lesson, *steps, seen=seen)
        run = self.session.runs
        return await self.tell(Finished(lesson.slug, run, verdict, f"content {run}"))

    async def save(self, *steps: Verdict, seen: str = "Seen.") -> str:
        """Send the verdict on a save."""
        await self.begin()
        return await self.finish(*steps, seen=seen)


@asynccontextmanager
async def raised(
    root: Path,
    *,
    size: tuple[int, int] = (80, 24),
    actions: PlayedActions | None = None,
    tried: bool = True,
) -> AsyncIterator[Stage]:
    """Open watch mode at lesson 90, with the earlier verdict *tried*."""
    actions = actions or PlayedActions(root, write_lessons(root))
    if tried:
        actions.remember("90_seats", verdicts={1: "failed", 2: "failed"})
    sessions: list[PlayedSession] = []

    def open_session(
        lesson: Lesson,
        environment: Mapping[str, str],
        listen: Callable[[Event], None],
    ) -> PlayedSession:
        sessions.append(PlayedSession(lesson, listen))
        return sessions[-1]

    app = WatchApp(actions, open_session, actions.there[0])
    async with app.run_test(size=size) as pilot:
        await app.workers.wait_for_complete()
        await pilot.pause()
        listen = app._controller.listen
        session = sessions[0] if sessions else PlayedSession(actions.there[0], listen)
        stage = Stage(pilot, app, actions, session)
        lesson = actions.there[0]
        if sessions:
            await stage.tell(Watching(lesson.slug, lesson.app_file, False, ""))
        yield stage
