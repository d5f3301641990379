"""The keys of watch mode: the letter, its word, and a sentence for `?`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Key:
    """One key. `action` is the application's name for it."""

    letter: str
    word: str
    action: str
    sentence: str


KEYS = (
    Key("n", "next", "next", "Go to the next lesson, if this one has passed."),
    Key("h", "hint", "hint", "The next hint for your step; then the change."),
    Key("s", "solution", "solution", "The diff to the solution, with the reasons."),
    Key("a", "app", "serve", "Serve the app and show its address; again to stop it."),
    Key("d", "docs", "docs", "The page that explains this lesson."),
    Key("b", "brief", "brief", "What customers see, and what your step asks for."),
    Key("p", "predict", "predict", "The question to answer first; then its answer."),
    Key("l", "list", "list", "All lessons, to go to any of them."),
    Key("x", "reset", "reset", "Back to the starter. Asks first; keeps your file."),
    Key("c", "catch up", "catch_up", "The solution up to your step. Keeps your file."),
    Key("u", "undo", "undo", "Undo the last reset or catch-up."),
    Key("r", "rerun", "rerun", "Check again without saving."),
    Key("k", "end run", "end_run", "Stop the run in progress; the verdict stays."),
    Key("t", "timeline", "timeline", "What blocked your app's event loop, in a scene."),
    Key("j", "room", "room", "Join an instructor's room, or leave it."),
    Key("w", "need help", "need_help", "Ask for help in the room; again to withdraw."),
    Key("f", "follow", "follow", "Go to the room's current lesson."),
    Key("v", "vote", "vote", "Vote in the room's poll, and later see the result."),
    Key("?", "keys", "keys", "All keys."),
    Key("q", "quit", "leave", "Quit. Your progress is saved."),
)

IN_ROOM = {"room", "need_help", "follow", "vote"}
"""The actions that belong to a room."""

OTHERS = (
    ("Esc", "Close the open text."),
    ("Tab", "Go to the other half of a wide screen."),
    ("↑ ↓ PgUp PgDn", "Scroll. Home and End go to the ends."),
)


def footer(
    *,
    running: bool,
    passed: bool,
    serving: bool,
    timeline: bool,
    room: Iterable[str] = (),
) -> list[Key]:
    """Return the keys worth showing now. All keys work at any time.

    *room* contains the room's actions that are useful now. It is empty without a room.
    """
    hidden = {"catch_up", "undo", *(IN_ROOM - set(room))}
    hidden.add("rerun" if running else "end_run")
    if not timeline:
        hidden.add("timeline")
    if passed:
        hidden |= {"hint", "reset"}
    keys = [key for key in KEYS if key.action not in hidden]
    if serving:
        stop = Key("a", "stop app", "serve", "")
        keys = [stop if key.action == "serve" else key for key in keys]
    return keys
