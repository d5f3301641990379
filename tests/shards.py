"""How several processes share the tests: `pytest tests -n auto`."""

from __future__ import annotations

import re

from xdist.scheduler import LoadFileScheduling

_DIVIDED = {
    "tests/check/test_lessons.py",
    "tests/check/test_surroundings.py",
    "tests/grading/test_tampering.py",
}
"""Files of long tests that share no fixture of their module."""

_GRADED_TOGETHER = (
    "after_k_repairs_exactly_k_steps_pass",
    "its_solution_passes",
    "a_variant_is_judged_as_declared",
)
_LESSON = re.compile(rf"::test_(?:{'|'.join(_GRADED_TOGETHER)})\[(?P<lesson>\d\w*)")


class Shards(LoadFileScheduling):
    """Gives each process whole files, but divides those that take longest."""

    def _split_scope(self, nodeid: str) -> str:
        return shard_of(nodeid)


def shard_of(nodeid: str) -> str:
    """Return the name of the shard to which a test belongs.

    All tests of a shard run in one process, one after the other. Answers to one
    lesson stay together, because the same fork servers grade them.

    >>> shard_of("tests/cli/test_learn.py::test_it")
    'tests/cli/test_learn.py'
    >>> shard_of("tests/check/test_lessons.py::test_its_solution_passes[01_seats]")
    'tests/check/test_lessons.py, answers to 01_seats'
    """
    file = nodeid.partition("::")[0]
    if file not in _DIVIDED:
        return file
    found = _LESSON.search(nodeid)
    return f"{file}, answers to {found['lesson']}" if found else nodeid
