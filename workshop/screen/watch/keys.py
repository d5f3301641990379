"""The keys of watch mode: the letter, its word, and a sentence for `?`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Key:
    """One key. `action` is what the application calls it."""

    letter: str
    word: str
    action: str
    sentence: str


KEYS = (
    Key("n", "next", "next", "Go on to the next lesson, when this one has passed."),
    Key("h", "hint", "hint", "The next hint for your step; in the end, our change."),
    Key("s", "solution", "solution", "From your file to ours, with the reasons."),
    Key("a", "app", "serve", "Serve the app and show its address; again to stop it."),
    Key("d", "docs", "docs", "The page that explains this lesson."),
    Key("b", "brief", "brief", "What customers see, and what your step asks for."),
    Key("l", "list", "list", "All lessons, to go to any of them."),
    Key("x", "reset", "reset", "Back to the starter. It asks, and keeps your file."),
    Key("c", "catch up", "catch_up", "Our file as your step begins. It keeps yours."),
    Key("u", "undo", "undo", "Take the last reset or catch-up back."),
    Key("r", "rerun", "rerun", "Check once more without a save."),
    Key("k", "end run", "end_run", "End the run that is on; the verdict stays."),
    Key(
        "t", "timeline", "timeline", "Who held the event loop, in your app, in a scene."
    ),
    Key("?", "keys", "keys", "All keys."),
    Key("q", "quit", "leave", "Leave. Everything is kept."),
)

OTHERS = (
    ("Esc", "Close what is open."),
    ("Tab", "Go over to the other half of a wide screen."),
    ("↑ ↓ PgUp PgDn", "Scroll. Home and End go to the ends."),
)


def footer(*, running: bool, passed: bool, serving: bool, timeline: bool) -> list[Key]:
    """Return the keys worth showing now; all of them work at any time."""
    hidden = {"catch_up", "undo"}
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
