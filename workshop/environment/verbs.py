"""The verbs: what each is for, what it needs installed, how make spells it.

The one table behind `help`, the Makefile's goals and the set-up.
"""

from __future__ import annotations

import difflib
import itertools
import os
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Verb:
    """One thing to say to the workshop.

    `lesson` tells whether it takes a lesson's number: "no", "must" or "may".
    `goal` is make's word for it where that differs.
    """

    name: str
    purpose: str
    lesson: str = "no"
    goal: str = ""
    groups: tuple[str, ...] = ("core",)

    @property
    def usage(self) -> str:
        """How to say it to Python: `test 01`."""
        return self.name + {"no": "", "must": " 01", "may": " [01]"}[self.lesson]

    @property
    def make(self) -> str:
        """How to say it to make: `lesson-01 test`."""
        if self.name == "show":
            return "lesson-01"
        lesson = {"no": "", "must": "lesson-01 ", "may": "[lesson-01] "}[self.lesson]
        return lesson + (self.goal or self.name)


VERBS = (
    Verb("learn", "start here, or go on where you were"),
    Verb("list", "the lessons, and how far you are"),
    Verb("show", "what the lesson asks for", "must"),
    Verb("test", "check your answer", "must"),
    Verb("watch", "check it at every save", "must"),
    Verb("run", "serve the lesson's app, to try it", "must"),
    Verb("timeline", "who held the loop, who waited", "must"),
    Verb("notebook", "predict, run, change one thing", "must"),
    Verb("hint", "one more hint for your step", "must"),
    Verb("solution", "a right answer, and why it is one", "must"),
    Verb("reset", "the starter back; yours is kept", "must"),
    Verb("catch-up", "your step's start; yours is kept", "must"),
    Verb("undo", "your file, as it was before that", "may"),
    Verb("progress", "export FILE, import FILE"),
    Verb("update", "the course's new files; yours stay"),
    Verb("notebooks", "all of them, in JupyterLab"),
    Verb(
        "prepare",
        "fetch all, for days offline",
        groups=("core", "postgres", "site", "notebook-tests"),
    ),
    Verb("doctor", "what is wrong with this machine", groups=()),
    Verb("help", "this table", groups=()),
    Verb("new-lesson", "write the files of a new lesson"),
    Verb(
        "check",
        "is a lesson fit to be handed out?",
        "may",
        groups=("core", "notebook-tests"),
    ),
    Verb("pages", "renew code and outputs on pages"),
    Verb("pictures", "record the pages' pictures anew"),
    Verb("notebooks-renew", "run them anew", groups=("core", "notebook-tests")),
    Verb("notebooks-test", "do they still hold?", groups=("core", "notebook-tests")),
    Verb("site", "serve the site, reloading", groups=("core", "site")),
    Verb("site-build", "write the site to site/", groups=("core", "site")),
    Verb("pins", "renew requirements/", groups=()),
    Verb(
        "selftest",
        "the workshop's own tests",
        goal="test",
        groups=("core", "postgres", "site", "notebook-tests", "dev"),
    ),
)
BY_NAME = {verb.name: verb for verb in VERBS}
HELP = ("help", "--help", "-h")

# What people mean a lesson by: lesson-01, lesson01, 01, 01_database_session,
# and its folder, whole or with a file in it, as the Tab key completes it.
_LESSON = re.compile(
    r"lesson[-_](?P<word>[\w-]+)|(?:lesson)?(?P<number>\d\w*)"
    r"|(?:.*[/\\])?lessons[/\\](?P<path>\w+)(?:[/\\].*)?"
)


def lesson_in(word: str) -> str:
    """Return the lesson that *word* means, as verbs take it; "" if it means none.

    >>> lesson_in("lesson1"), lesson_in("lessons/01_seats/"), lesson_in("learn")
    ('01', '01_seats', '')
    """
    match = _LESSON.fullmatch(word)
    if match is None:
        return ""
    meant = next(group for group in match.groups() if group)
    return f"{int(meant):02}" if meant.isdecimal() else meant


def groups(arguments: list[str]) -> tuple[str, ...]:
    """Return the groups of packages that the command *arguments* needs.

    >>> groups(["test", "01", "--database", "postgres"])
    ('core', 'postgres')
    """
    needed = BY_NAME[arguments[0]].groups
    wants_postgres = (
        "--database=postgres" in arguments
        or ("--database", "postgres") in itertools.pairwise(arguments)
        or os.environ.get("WORKSHOP_DATABASE_URL", "").startswith("postgres")
    )
    if wants_postgres and needed and "postgres" not in needed:
        return (*needed, "postgres")
    return needed


def unknown(words: list[str]) -> str:
    """Say that *words* begin with no verb, and what was probably meant."""
    lesson = lesson_in(words[0])
    if lesson:
        verb = words[1] if words[1:] and words[1] in BY_NAME else "show"
        return f"The verb comes first: `python -m workshop {verb} {lesson}`."
    # Letters in another order are the likeliest slip.
    same = [name for name in BY_NAME if sorted(name) == sorted(words[0])]
    near = same or difflib.get_close_matches(words[0], BY_NAME, n=1)
    meant = f" Did you mean `{near[0]}`?" if near else ""
    return (
        f"There is no verb `{words[0]}`.{meant} "
        "`python -m workshop help` shows what there is."
    )


def table() -> str:
    """Return the help that `make help` and `python -m workshop help` print."""
    rows = [("make …", "python -m workshop …", "")]
    rows += [(verb.make, verb.usage, verb.purpose) for verb in VERBS]
    rows += [("test-everywhere", "selftest --everywhere", "… on other Pythons, too")]
    first, second = (max(len(row[i]) for row in rows) for i in (0, 1))
    lines = [f"  {a:<{first}}  {b:<{second}}  {c}".rstrip() for a, b, c in rows]
    return "\n".join(
        [
            "Learn async FastAPI by repairing small real applications.",
            "",
            *lines,
            "",
            "Options go after the verb; with make in ARGS:",
            '  make lesson-01 test ARGS="--database postgres"',
            "What a verb takes: python -m workshop test --help",
        ]
    )
