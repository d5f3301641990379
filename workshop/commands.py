"""The verbs: their purpose, the packages they need, and their names in make.

`help`, the Makefile's goals and the set-up all use this table.
"""

from __future__ import annotations

import difflib
import itertools
import os
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Verb:
    """One command of the workshop.

    Attributes:
        name: The word on the command line.
        purpose: A few words for the table of verbs.
        lesson: Whether it takes a lesson's number: "no", "must" or "may".
        goal: Its name in make, if that is different.
        groups: The groups of packages that it needs.

    """

    name: str
    purpose: str
    lesson: str = "no"
    goal: str = ""
    groups: tuple[str, ...] = ("core",)

    @property
    def usage(self) -> str:
        """The arguments for Python: `test 01`."""
        return self.name + {"no": "", "must": " 01", "may": " [01]"}[self.lesson]

    @property
    def make(self) -> str:
        """The goals for make: `lesson-01 test`."""
        if self.name == "show":
            return "lesson-01"
        lesson = {"no": "", "must": "lesson-01 ", "may": "[lesson-01] "}[self.lesson]
        return lesson + (self.goal or self.name)


_AUTHORS = ("core", "notebook-tests", "authors")
_CONTRIBUTORS = ("core", "postgres", "room", "site", "notebook-tests", "authors", "dev")

VERBS = (
    Verb("learn", "start here, or continue"),
    Verb("list", "the lessons and your progress"),
    Verb("show", "a lesson's brief: scene and steps", "must"),
    Verb("test", "grade your app.py, step by step", "must"),
    Verb("watch", "grade it after every save", "must"),
    Verb("run", "serve the lesson's app", "must"),
    Verb("timeline", "see what blocked the event loop", "must"),
    Verb("notebook", "open the lesson's notebook", "must"),
    Verb("hint", "the next hint for your step", "must"),
    Verb("solution", "the solution, and why it works", "must"),
    Verb("reset", "restore the starter (saves yours)", "must"),
    Verb("catch-up", "solve earlier steps (saves yours)", "must"),
    Verb("undo", "restore the file replaced last", "may"),
    Verb("progress", "export FILE, or import FILE"),
    Verb("join", "join a room (ADDRESS CODE NAME)"),
    Verb("leave", "leave it; your data is deleted"),
    Verb("room", "for instructors: a live board", groups=("core", "room")),
    Verb("update", "get the course's latest files"),
    Verb("notebooks", "open all notebooks in JupyterLab"),
    Verb(
        "prepare",
        "download all, to work offline",
        groups=("core", "postgres", "room", "site", "notebook-tests"),
    ),
    Verb("doctor", "check this machine", groups=()),
    Verb("help", "show this table", groups=()),
    Verb("new-lesson", "write a new lesson (NAME --steps 4)"),
    Verb(
        "check",
        "check lessons before release",
        "may",
        groups=_AUTHORS,
    ),
    Verb("pages", "update code and outputs on pages", groups=("core", "authors")),
    Verb("pictures", "record the pages' pictures again"),
    Verb("notebooks-renew", "regenerate and run notebooks", groups=_AUTHORS),
    Verb(
        "notebooks-test",
        "check the notebooks' outputs",
        groups=("core", "notebook-tests"),
    ),
    Verb("site", "serve the site, with reload", groups=("core", "site")),
    Verb("site-build", "build the site into site/", groups=("core", "site")),
    Verb("bundle", "write a memory stick for a group", groups=("core", "site")),
    Verb("pins", "update requirements/", groups=()),
    Verb("install-dev", "install contributors' packages", groups=_CONTRIBUTORS),
    Verb(
        "selftest",
        "the project's own tests: quick ones",
        goal="test",
        groups=_CONTRIBUTORS,
    ),
)
BY_NAME = {verb.name: verb for verb in VERBS}
HELP = ("help", "--help", "-h")
HELP_OPTIONS = HELP[1:]

# The forms in which people type a lesson: lesson-01, lesson01, 01,
# 01_database_session, and the path of its folder or of a file in it, as completed
# by the Tab key.
_LESSON = re.compile(
    r"lesson[-_](?P<word>[\w-]+)|(?:lesson)?(?P<number>\d\w*)"
    r"|(?:.*[/\\])?lessons[/\\](?P<path>\w+)(?:[/\\].*)?"
)


def lesson_in(word: str) -> str:
    """Return the lesson that *word* names, in the form that verbs take, or "".

    >>> lesson_in("lesson1"), lesson_in("lessons/01_seats/"), lesson_in("learn")
    ('01', '01_seats', '')
    """
    match = _LESSON.fullmatch(word)
    if match is None:
        return ""
    meant = next(group for group in match.groups() if group)
    return f"{int(meant):02}" if meant.isdecimal() else meant


def command(
    verb: str, lesson: str = "", options: str = "", *, make: bool | None = None
) -> str:
    """Return how the learner would type *verb*.

    That is with make if *make* says so. By default, it is what they have typed.
    """
    if "MAKELEVEL" in os.environ if make is None else make:
        arguments = f' ARGS="{options}"' if options else ""
        if not lesson:
            return f"make {verb}{arguments}"
        action = "" if verb == "show" else f" {verb}"
        return f"make lesson-{lesson}{action}{arguments}"
    words = ["python -m workshop", verb, lesson, options]
    return " ".join(word for word in words if word)


def groups(arguments: list[str]) -> tuple[str, ...]:
    """Return the groups of packages that the command *arguments* needs.

    >>> groups(["test", "01", "--database", "postgres"])
    ('core', 'postgres')
    """
    needed = BY_NAME[arguments[0]].groups
    if asks_for_help(arguments):
        return needed[:1]
    wants_postgres = (
        any(word.startswith("--database=postgres") for word in arguments)
        or any(
            option == "--database" and value.startswith("postgres")
            for option, value in itertools.pairwise(arguments)
        )
        or os.environ.get("WORKSHOP_DATABASE_URL", "").startswith("postgres")
    )
    if wants_postgres and needed and "postgres" not in needed:
        return (*needed, "postgres")
    return needed


def asks_for_help(arguments: list[str]) -> bool:
    """Return whether *arguments*, a verb and what follows it, ask for its help.

    >>> asks_for_help(["pins", "--help"]), asks_for_help(["selftest", "--", "-h"])
    (True, False)
    """
    options = itertools.takewhile(lambda word: word != "--", arguments[1:])
    return any(word in HELP_OPTIONS for word in options)


def help_of(name: str) -> str:
    """Return the help of the verb *name* that needs no packages."""
    verb = BY_NAME[name]
    lines = [f"Usage: python -m workshop {verb.usage}", "", f"  {verb.purpose}"]
    if verb.groups:
        lines += ["", "Its options are shown when the workshop is set up, which"]
        lines += ["`python -m workshop learn` does."]
    return "\n".join(lines)


def unknown(words: list[str]) -> str:
    """Return the error for *words* that do not begin with a verb, with a guess."""
    lesson = lesson_in(words[0])
    if lesson:
        verb = words[1] if words[1:] and words[1] in BY_NAME else "show"
        return f"The verb comes first: `python -m workshop {verb} {lesson}`."
    # Swapped letters are the most likely typing error.
    same = [name for name in BY_NAME if sorted(name) == sorted(words[0])]
    near = same or difflib.get_close_matches(words[0], BY_NAME, n=1)
    meant = f" Did you mean `{near[0]}`?" if near else ""
    return (
        f"There is no verb `{words[0]}`.{meant} "
        "`python -m workshop help` lists the verbs."
    )


def table() -> str:
    """Return the help that `make help` and `python -m workshop help` print."""
    rows = [("make …", "python -m workshop …", "")]
    rows += [(verb.make, verb.usage, verb.purpose) for verb in VERBS]
    rows += [
        ("test-all", "selftest --all", "… all of them"),
        ("test-everywhere", "selftest --everywhere", "… on other Pythons too"),
    ]
    first, second = (max(len(row[i]) for row in rows) for i in (0, 1))
    lines = [f"  {a:<{first}}  {b:<{second}}  {c}".rstrip() for a, b, c in rows]
    return "\n".join(
        [
            "Learn async FastAPI by repairing broken apps.",
            "",
            *lines,
            "",
            "Options go after the verb or, with make, into ARGS:",
            '  make lesson-01 test ARGS="--database postgres"',
            "The options of a verb: python -m workshop test --help",
        ]
    )
