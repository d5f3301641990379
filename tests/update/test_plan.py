"""What becomes of a file is decided by its four versions alone."""

from __future__ import annotations

import pytest

from workshop.update.plan import MISSING, SPECIAL, Entry, Plan, decide
from workshop.update.source import choose_ref, choose_remote

# What these look at is the same on every Python.
pytestmark = pytest.mark.one_python

APP, TEST, TOOL = "lessons/01_a/app.py", "lessons/01_a/test_a.py", "workshop/tool.py"


def entry(name: str | None) -> Entry | None:
    return Entry("100644", name) if name else None


def decided(
    path: str,
    base: str | None,
    committed: str | None,
    course: str | None,
    disk: str | Entry | None,
    *,
    overwrite: bool = False,
) -> Plan:
    """Return the plan for one file. Versions with the same beginning can be merged."""

    def merge(old: str, own: str, new: str) -> str | None:
        return f"{own}+{new}" if old[0] == own[0] == new[0] else None

    trees = [
        {path: it} if (it := entry(name)) else {} for name in (base, committed, course)
    ]
    there = disk if isinstance(disk, Entry) else entry(disk) or MISSING
    states = {} if there == trees[1].get(path, MISSING) else {path: there}
    return decide(trees[0], trees[1], trees[2], states, merge, overwrite=overwrite)


@pytest.mark.parametrize(
    ("base", "committed", "course", "disk", "written", "tree"),
    [
        ("s1", "s1", "s2", "s1", "s2", "s2"),  # untouched
        ("s1", "s1", "s2", "mine", None, "s2"),  # edited
        ("s1", "mine", "s2", "mine", None, "same"),  # committed
        ("s1", "mine", "s2", "newer", None, "same"),
        ("s1", "mine", "s2", None, "mine", "same"),  # deleted afterwards
        ("s1", "s1", "s2", None, "s2", "s2"),  # deleted
        ("s1", "s1", "s2", "s2", None, "s2"),  # taken by hand
        ("s1", "s1", "s1", "mine", None, "same"),  # nothing new
        (None, None, "s1", None, "s1", "s1"),  # a new lesson
        (None, None, "s1", "mine", None, "s1"),  # made by hand before
        ("s1", "s1", "s2", SPECIAL, None, "s2"),  # a link
    ],
)
def test_an_app_is_only_written_over_an_unedited_one(
    base: str | None,
    committed: str | None,
    course: str | None,
    disk: str | Entry | None,
    written: str | None,
    tree: str,
) -> None:
    plan = decided(APP, base, committed, course, disk)

    assert plan.writes == ({APP: entry(written)} if written else {})
    assert plan.tree == ({} if tree == "same" else {APP: entry(tree)})
    assert [*plan.deletes, *plan.conflicts, *plan.obstacles, *plan.replaced] == []


@pytest.mark.parametrize(
    ("committed", "disk", "retired"),
    [("s1", "s1", []), ("s1", "mine", ["01_a"]), ("mine", "mine", ["01_a"])],
)
def test_the_app_of_a_removed_lesson_is_deleted_and_named_if_edited(
    committed: str, disk: str, retired: list[str]
) -> None:
    plan = decided(APP, "s1", committed, None, disk)

    assert (plan.deletes, plan.retired, plan.tree) == ([APP], retired, {APP: None})


@pytest.mark.parametrize(
    ("base", "committed", "course", "disk", "written"),
    [
        ("a1", "a1", "a2", "a1", "a2"),
        ("a1", "a1", "a2", None, "a2"),  # deleted on the disk
        ("a1", None, "a2", None, "a2"),  # deleted in a commit
        ("a1", "a1", "a2", "a3", "a3+a2"),  # edited
        ("a1", "a3", "a2", "a3", "a3+a2"),  # committed
        ("a1", "a2", "a2", "a2", None),  # the same change
        ("a1", "a1", "a1", "b", None),  # the course has not changed it
        (None, None, "a1", "a1", None),  # the same file was there
    ],
)
def test_changes_to_other_files_are_merged(
    base: str | None,
    committed: str | None,
    course: str,
    disk: str | None,
    written: str | None,
) -> None:
    plan = decided(TOOL, base, committed, course, disk)

    assert plan.writes == ({TOOL: entry(written)} if written else {})
    assert [*plan.deletes, *plan.conflicts, *plan.replaced] == []


@pytest.mark.parametrize(
    ("committed", "course", "disk"),
    [("a1", "a2", "b"), ("b", "a2", "b"), ("a1", None, "b"), ("b", None, "b")],
)
def test_a_conflict_is_decided_by_the_files_place(
    committed: str, course: str | None, disk: str
) -> None:
    in_tool = decided(TOOL, "a1", committed, course, disk)
    assert (in_tool.conflicts, in_tool.writes, in_tool.deletes) == ([TOOL], {}, [])

    for plan, path in (
        (decided(TEST, "a1", committed, course, disk), TEST),
        (decided(TOOL, "a1", committed, course, disk, overwrite=True), TOOL),
    ):
        assert (plan.conflicts, plan.replaced) == ([], [path])
        assert plan.writes == ({path: entry(course)} if course else {})
        assert plan.deletes == ([] if course else [path])


def test_something_that_is_not_a_file_is_an_obstacle() -> None:
    assert decided(TOOL, "a1", "a1", "a2", SPECIAL).obstacles == [TOOL]
    assert decided(APP, "a1", "a1", None, SPECIAL).obstacles == [APP]


@pytest.mark.parametrize(
    ("remotes", "chosen"),
    [
        (["origin"], "origin"),
        (["origin", "upstream"], "upstream"),
        (["friend", "origin"], "origin"),
        (["course"], "course"),
        (["friend", "course"], ""),
        ([], ""),
    ],
)
def test_the_remote_of_the_course_is_chosen_by_its_name(
    remotes: list[str], chosen: str
) -> None:
    assert choose_remote(remotes) == chosen


@pytest.mark.parametrize(
    ("listing", "chosen"),
    [
        (
            "ref: refs/heads/trunk\tHEAD\nabc\tHEAD\nabc\trefs/heads/trunk",
            "refs/heads/trunk",
        ),
        ("abc\tHEAD\nabc\trefs/heads/main", "HEAD"),
        ("abc\trefs/heads/a\nabc\trefs/heads/main", "refs/heads/main"),
        ("abc\trefs/heads/only", "refs/heads/only"),
        ("abc\trefs/tags/v1", ""),
        ("", ""),
    ],
)
def test_the_branch_of_the_course_is_the_one_head_points_to(
    listing: str, chosen: str
) -> None:
    assert choose_ref(listing) == chosen
