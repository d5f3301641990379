"""A checkout that git has left in conflict gets out of it with the learner's file."""

from __future__ import annotations

import pytest

from tests.update.conftest import APP, MINE, TESTS, Repository
from workshop.update.git import UpdateError
from workshop.update.settling import obstacle

# What these look at is the same on every Python.
pytestmark = pytest.mark.one_python

THEIR_TESTS = "# tests of the course\n"


@pytest.fixture
def newest(course: Repository, news: str) -> str:
    """A course that changes the same lines as the learner, and the tests."""
    return course.commit({TESTS: THEIR_TESTS})


def is_settled(clone: Repository) -> bool:
    """Whether no git operation is in progress and the course's files are installed."""
    return (
        clone.git("status", "--porcelain=v2", "--branch").count("\nu ") == 0
        and clone.read("workshop/tool.py") == "VERSION = 2\n"
        and clone.read(TESTS) == THEIR_TESTS
        and not (clone.root / ".git" / "MERGE_HEAD").exists()
        and not (clone.root / ".git" / "rebase-merge").exists()
    )


@pytest.mark.parametrize("way", ["--no-rebase", "--rebase"])
def test_a_pull_that_ended_in_conflicts_is_undone_and_my_file_stays(
    clone: Repository, newest: str, way: str
) -> None:
    clone.commit({APP: MINE}, "My answer")
    clone.git("pull", way, code=1)
    conflicted = clone.read(APP)
    assert "<<<<<<<" in conflicted

    report = clone.update()

    assert clone.read(APP) == MINE
    assert is_settled(clone)
    assert clone.git("branch", "--show-current") == "main"
    assert clone.kept() == [conflicted]
    assert len(report.notes) == 1
    assert clone.update().is_empty


def test_manual_resolutions_stay(clone: Repository, newest: str) -> None:
    clone.commit({APP: MINE}, "My answer")
    clone.git("pull", "--no-rebase", code=1)
    clone.write({APP: MINE + "# resolved\n"})

    clone.update()

    assert clone.read(APP) == MINE + "# resolved\n"
    assert is_settled(clone)


def test_a_stash_pop_with_conflicts_keeps_my_file(
    clone: Repository, newest: str
) -> None:
    clone.write({APP: MINE})
    clone.git("stash")
    clone.git("pull", "-q")
    clone.git("stash", "pop", code=1)
    assert "<<<<<<<" in clone.read(APP)

    report = clone.update()

    assert report.is_empty
    assert clone.read(APP) == MINE
    assert is_settled(clone)


def test_committed_markers_are_removed_keeping_my_side(
    clone: Repository, newest: str
) -> None:
    clone.commit({APP: MINE}, "My answer")
    clone.git("pull", "--no-rebase", code=1)
    clone.commit({}, "I do not know what this is")
    assert "<<<<<<<" in clone.read(APP)

    report = clone.update()

    assert clone.read(APP) == MINE
    assert len(report.notes) == 1
    assert "<<<<<<<" in clone.kept()[-1]


def test_a_conflicted_test_becomes_the_courses_and_mine_is_copied(
    clone: Repository, newest: str
) -> None:
    clone.commit({APP: MINE, TESTS: "# my tests\n"}, "My answer")
    clone.git("pull", "--no-rebase", code=1)

    report = clone.update()

    assert is_settled(clone)
    assert clone.read(APP) == MINE
    assert report.kept_in[TESTS].read_text() == "# my tests\n"


def test_an_authors_conflicts_are_left_to_the_author(
    clone: Repository, newest: str
) -> None:
    clone.commit({APP: MINE, "workshop/tool.py": "VERSION = 'mine'\n"}, "My tool")
    clone.git("pull", "--no-rebase", code=1)
    before = clone.files()

    with pytest.raises(UpdateError, match=r"workshop/tool\.py is in conflict"):
        clone.update()

    assert clone.files() == before
    assert (clone.root / ".git" / "MERGE_HEAD").exists()


def test_a_check_during_a_conflict_changes_nothing(
    clone: Repository, newest: str
) -> None:
    clone.commit({APP: MINE}, "My answer")
    clone.git("pull", "--no-rebase", code=1)
    before = clone.files()

    clone.updates().check(None, None, clone.root, overwrite=False)

    assert clone.files() == before
    assert (clone.root / ".git" / "MERGE_HEAD").exists()


@pytest.mark.parametrize(
    ("operation", "unmerged", "words"),
    [
        ("", [], ""),
        ("", [APP], ""),
        ("merge", [APP, TESTS], ""),
        ("rebase", [APP], ""),
        ("", ["README.md"], "git reset --merge"),
        ("rebase", [APP, "README.md"], "git rebase --abort"),
        ("merge", [], "git commit"),
        ("rebase", [], "git rebase --continue"),
        ("cherry-pick", [APP], "git cherry-pick --abort"),
        ("revert", [], "git revert --abort"),
        ("bisect", [], "git bisect reset"),
    ],
)
def test_an_operation_for_the_user_to_finish_is_named_with_its_command(
    operation: str, unmerged: list[str], words: str
) -> None:
    why_not = obstacle(operation, dict.fromkeys(unmerged))

    assert bool(why_not) is bool(words)
    assert words in why_not
