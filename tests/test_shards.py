"""Tests that need each other stay in one process when several share the tests."""

from __future__ import annotations

import pytest

from tests.shards import shard_of

LESSONS = "tests/check/test_lessons.py"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # A module's fixtures are made once.
        ("tests/test_make.py::test_a[x]", "tests/test_make.py::test_b"),
        # The same fork servers grade the states of a lesson and all answers to it.
        (
            f"{LESSONS}::test_after_k_repairs_exactly_k_steps_pass[01_seats]",
            f"{LESSONS}::test_a_variant_is_judged_as_declared[01_seats, wrong: a]",
        ),
    ],
)
def test_they_share_what_was_made_for_them(one: str, other: str) -> None:
    assert shard_of(one) == shard_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tests/cli/test_learn.py::test_a", "tests/cli/test_output.py::test_a"),
        (
            f"{LESSONS}::test_a_variant_is_judged_as_declared[01_seats, wrong: a]",
            f"{LESSONS}::test_a_variant_is_judged_as_declared[02_shows, wrong: a]",
        ),
        (
            f"{LESSONS}::test_its_solution_passes[01_seats]",
            f"{LESSONS}::test_its_solution_passes_in_any_order[01_seats]",
        ),
        (
            f"{LESSONS}::test_its_starter_serves[01_seats]",
            f"{LESSONS}::test_its_starter_serves[02_shows]",
        ),
    ],
)
def test_what_takes_long_is_divided(one: str, other: str) -> None:
    assert shard_of(one) != shard_of(other)


@pytest.mark.parametrize("path", ["check/test_lessons.py", "grading/test_tampering.py"])
def test_the_divided_files_exist(path: str, request: pytest.FixtureRequest) -> None:
    file = request.config.rootpath / "tests" / path

    assert file.is_file()
    assert shard_of(f"tests/{path}::test_a") != shard_of(f"tests/{path}::test_b")
