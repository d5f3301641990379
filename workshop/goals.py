"""Translate make's goals into the workshop's arguments.

make would build `lesson-01` and `test` as two goals. Here they form one command:
`lesson-01` names the lesson, and `test` is the action.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from workshop.commands import VERBS, lesson_in

# A typing error in one word: leson-01. Two words in one: test-01.
_WORD_AND_LESSON = re.compile(r"([a-z-]+?)[-_]?(\d{1,2})")

# Without a lesson, `test` runs the project's own tests, as in any repository.
_ALONE = {
    verb.goal or verb.name: [verb.name] for verb in VERBS if verb.lesson != "must"
}
_ALONE["test-all"] = ["selftest", "--all"]
_ALONE["test-everywhere"] = ["selftest", "--everywhere"]
_BESIDE = [verb.name for verb in VERBS if verb.lesson != "no"]


class UnclearGoalsError(Exception):
    """The goals are not one command. The message suggests a valid one."""


def translate(goals: Sequence[str]) -> list[str]:
    """Return the workshop's arguments for make's *goals*.

    >>> translate(["lesson-01", "test"])
    ['test', '01']

    The lesson may be written in any way that `lesson_in` accepts.

    Raises:
        UnclearGoalsError: A goal is unknown, or there are two lessons or two actions.

    """
    lessons = [lesson_in(goal) for goal in goals if lesson_in(goal)]
    actions = [goal for goal in goals if not lesson_in(goal)]
    for goal in actions:
        if goal not in _ALONE and goal not in _BESIDE:
            raise UnclearGoalsError(_unknown(goal, lessons, actions))
    if len(lessons) > 1:
        raise UnclearGoalsError(
            f"One lesson at a time, please: `{_spell(lessons[:1], actions[:1])}`."
        )
    if len(actions) > 1:
        raise UnclearGoalsError(
            f"One action at a time, please: `{_spell(lessons, actions[:1])}`."
        )
    if not lessons:
        return _alone(actions[0])
    if not actions:
        return ["show", lessons[0]]
    if actions[0] not in _BESIDE:
        raise UnclearGoalsError(
            f"`{actions[0]}` takes no lesson: `{_spell([], actions)}`."
        )
    return [actions[0], lessons[0]]


def _alone(action: str) -> list[str]:
    if action not in _ALONE:
        raise UnclearGoalsError(
            f"`{action}` needs a lesson: `{_spell(['01'], [action])}`."
        )
    return _ALONE[action]


def _unknown(goal: str, lessons: list[str], actions: list[str]) -> str:
    meant = _with_lesson(goal, actions) if not lessons else ""
    if not meant:
        known = _BESIDE if lessons else [*_ALONE, *_BESIDE]
        # Swapped letters are the most likely typing error.
        same = [name for name in known if sorted(name) == sorted(goal)]
        near = same or difflib.get_close_matches(goal, known, n=1)
        meant = _spell(lessons, near) if near else ""
    question = f" Did you mean `{meant}`?" if meant else ""
    return f"There is no `{goal}`.{question} `make help` lists the goals."


def _with_lesson(goal: str, actions: list[str]) -> str:
    """Return the probable meaning of a *goal* that contains a lesson's number."""
    match = _WORD_AND_LESSON.fullmatch(goal)
    if match is None:
        return ""
    near = difflib.get_close_matches(match[1], ["lesson", *_BESIDE], n=1)
    if near == ["lesson"]:
        return _spell([match[2]], [it for it in actions if it in _BESIDE][:1])
    return _spell([match[2]], near) if near else ""


def _spell(lessons: list[str], actions: list[str]) -> str:
    return " ".join(["make", *(f"lesson-{number}" for number in lessons), *actions])
