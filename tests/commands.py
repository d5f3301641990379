"""Find the project's own commands in texts and scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from workshop.commands import BY_NAME, HELP
from workshop.goals import UnclearGoalsError, translate

_CODE = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_MAKE = re.compile(r"(?:^|&&|\|\|)\s*(?:\w+=\S*\s+)*make +([^\n&|;#]+)", re.MULTILINE)
_WORKSHOP = re.compile(r"-m\s+workshop\s+([\w-]+)")


def code_in(markdown: str) -> Iterator[str]:
    """Yield the code spans and code blocks of a *markdown* text."""
    for match in _CODE.finditer(markdown):
        yield match[2]


def goals_in(script: str) -> list[str]:
    """Return the goals of each make command in *script*, without variables.

    >>> goals_in("FAST=1 make lesson-01 test ARGS=--all && make help  # both")
    ['lesson-01 test', 'help']
    """
    calls = (match[1].partition("ARGS=")[0].strip() for match in _MAKE.finditer(script))
    return [call for call in calls if call and call != "…"]


def verbs_in(script: str) -> list[str]:
    """Return the verb of each `python -m workshop VERB` in *script*."""
    return [match[1] for match in _WORKSHOP.finditer(script)]


def unknown_commands(script: str) -> list[str]:
    """Return the commands in *script* that make or the workshop would reject."""
    known = {*BY_NAME, *HELP}
    refused = [f"workshop {verb}" for verb in verbs_in(script) if verb not in known]
    for goals in goals_in(script):
        try:
            verb = translate(goals.split())[0]
        except UnclearGoalsError as error:
            refused.append(f"make {goals}: {error}")
        else:
            refused += [] if verb in known else [f"make {goals}"]
    return refused
