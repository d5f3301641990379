"""An update brings the course's new files; what is the learner's stays."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.update.conftest import APP, MINE, NEW_STARTER, TESTS, Repository
from workshop.cli import main
from workshop.update.git import UpdateError

# What these look at is the same on every Python.
pytestmark = pytest.mark.one_python

CRLF = MINE.replace("\n", "\r\n") + "# no line end"


def is_updated(clone: Repository) -> bool:
    return (
        clone.read("workshop/tool.py") == "VERSION = 2\n"
        and clone.has("workshop/more.py")
        and not clone.has("docs/page.md")
    )


def test_a_clone_without_work_becomes_equal_to_the_course(
    clone: Repository, course: Repository, news: str
) -> None:
    report = clone.update()

    assert clone.head() == news
    assert clone.files() == course.files()
    assert clone.git("status", "--porcelain") == ""
    assert (report.commits, report.files) == (1, 5)
    assert (report.plan.kept, report.snapshots) == ([], [])


@pytest.mark.parametrize("mine", [MINE, CRLF, ""], ids=["edited", "crlf", "empty"])
def test_an_edited_app_is_unchanged_and_copied(
    clone: Repository, news: str, mine: str
) -> None:
    clone.write({APP: mine})

    report = clone.update()

    assert clone.read(APP) == mine
    assert is_updated(clone)
    assert clone.head() == news
    assert report.plan.kept == report.plan.new_starters == ["90_seats"]
    (snapshot,) = report.snapshots
    assert snapshot.app_file.read_bytes().decode() == mine


def test_committed_edits_are_merged_without_a_git_identity(
    clone: Repository, news: str
) -> None:
    own = clone.commit({APP: MINE}, "My answer")

    report = clone.update()

    assert clone.read(APP) == MINE
    assert is_updated(clone)
    assert clone.git("rev-parse", "HEAD^1", "HEAD^2").split() == [own, news]
    assert clone.git("status", "--porcelain") == ""
    assert report.plan.new_starters == ["90_seats"]
    assert clone.kept() == [MINE]


def test_uncommitted_edits_after_a_commit_stay_too(
    clone: Repository, news: str
) -> None:
    clone.commit({APP: MINE}, "My answer")
    clone.write({APP: MINE + "# more\n"})

    clone.update()

    assert clone.read(APP) == MINE + "# more\n"
    assert clone.git("show", f"HEAD:{APP}") == MINE.strip()


def test_two_updates_in_a_row_find_nothing_new_the_second_time(
    clone: Repository, news: str
) -> None:
    clone.commit({APP: MINE}, "My answer")
    clone.update()
    head = clone.head()

    report = clone.update()

    assert report.is_empty
    assert clone.head() == head
    assert clone.kept() == [MINE]  # the same is not kept twice


def test_own_files_staged_files_and_progress_stay(clone: Repository, news: str) -> None:
    own = {
        "lessons/90_seats/mail.py": "# mine\n",
        "my_notebooks/one.ipynb": "{}",
        "notes.txt": "mine\n",
        "README.md": "# Course\n\nFirst.\n\nSecond, and my remark.\n\nThird.\n",
        ".workshop/progress.json": '{"version": 2, "lessons": {}}',
    }
    clone.write(own)
    clone.git("add", "notes.txt", "README.md")

    clone.update()

    assert {name: clone.read(name) for name in own} == own
    staged = clone.git("diff", "--cached", "--name-only").split()
    assert staged == ["README.md", "notes.txt"]


def test_a_deleted_app_comes_back_as_the_new_starter(
    clone: Repository, news: str
) -> None:
    (clone.root / APP).unlink()

    clone.update()

    assert clone.read(APP) == NEW_STARTER


def test_edits_of_course_files_are_merged_if_possible(
    clone: Repository, course: Repository
) -> None:
    text = course.read("README.md")
    course.commit({"README.md": text.replace("First", "The first")})
    clone.write({"README.md": text.replace("Third", "My third")})

    clone.update()

    both = "# Course\n\nThe first.\n\nSecond.\n\nMy third.\n"
    assert clone.read("README.md") == both


@pytest.mark.parametrize("is_committed", [False, True])
def test_an_edited_test_is_replaced_and_copied(
    clone: Repository, course: Repository, is_committed: bool
) -> None:
    course.commit({TESTS: "# theirs\n"})
    clone.write({TESTS: "# mine\n"})
    if is_committed:
        clone.commit({}, "My tests")

    report = clone.update()

    assert clone.read(TESTS) == "# theirs\n"
    assert report.kept_in[TESTS].read_text() == "# mine\n"


@pytest.mark.parametrize("is_committed", [False, True])
def test_a_conflict_outside_lessons_is_left_to_the_user(
    clone: Repository, course: Repository, is_committed: bool
) -> None:
    course.commit({"workshop/tool.py": "VERSION = 2\n"})
    clone.write({"workshop/tool.py": "VERSION = 'mine'\n", APP: MINE})
    if is_committed:
        clone.commit({}, "My tool")
    before, head = clone.files(), clone.head()

    with pytest.raises(UpdateError, match=r"workshop/tool\.py"):
        clone.update()
    assert (clone.files(), clone.head()) == (before, head)

    report = clone.update(overwrite=True)
    assert clone.read("workshop/tool.py") == "VERSION = 2\n"
    assert report.kept_in["workshop/tool.py"].read_text() == "VERSION = 'mine'\n"
    assert clone.read(APP) == MINE


def test_an_own_file_in_the_place_of_a_new_one_is_copied(
    clone: Repository, news: str
) -> None:
    clone.write({"workshop/more.py": "MINE = True\n"})

    report = clone.update()

    assert clone.read("workshop/more.py") == "MORE = True\n"
    assert report.kept_in["workshop/more.py"].read_text() == "MINE = True\n"


@pytest.mark.parametrize("is_committed", [False, True])
def test_the_app_of_a_renamed_lesson_is_copied(
    clone: Repository, course: Repository, is_committed: bool
) -> None:
    course.git("mv", "lessons/90_seats", "lessons/90_places")
    course.commit({})
    clone.write({APP: MINE, "lessons/90_seats/mine.txt": "mine"})
    if is_committed:
        clone.commit({}, "My answer")

    report = clone.update()

    assert not clone.has(APP)
    assert clone.has("lessons/90_places/app.py")
    assert clone.read("lessons/90_seats/mine.txt") == "mine"
    assert report.kept_in[APP].read_text() == MINE
    assert (report.new, report.gone) == (["90_places"], ["90_seats"])


def test_a_removed_lesson_leaves_no_byte_code_behind(
    clone: Repository, course: Repository
) -> None:
    course.git("rm", "-rq", "lessons/90_seats")
    course.commit({})
    clone.write({"lessons/90_seats/__pycache__/app.pyc": ""})

    clone.update()

    assert not clone.has("lessons/90_seats")


def test_a_check_shows_what_would_change_and_changes_nothing(
    clone: Repository, news: str
) -> None:
    clone.write({APP: MINE})
    before, head = clone.files(), clone.head()

    report = clone.updates().check(None, None, clone.root, overwrite=False)

    assert report.after == news
    assert report.plan.new_starters == ["90_seats"]
    assert (clone.files(), clone.head(), clone.kept()) == (before, head, [])


@pytest.mark.parametrize("is_committed", [False, True])
def test_an_undo_goes_back_and_keeps_the_present_file(
    clone: Repository, news: str, is_committed: bool
) -> None:
    clone.write({APP: MINE})
    if is_committed:
        clone.commit({}, "My answer")
    before, head = clone.files(), clone.head()
    clone.update()
    clone.write({APP: MINE + "# later\n"})

    clone.updates().undo()

    assert clone.head() == head
    assert clone.files() == {**before, APP: (MINE + "# later\n").encode()}
    with pytest.raises(UpdateError, match="no update to undo"):
        clone.updates().undo()
    clone.update()
    assert is_updated(clone)


def test_an_undo_restores_replaced_files(clone: Repository, course: Repository) -> None:
    course.git("mv", "lessons/90_seats", "lessons/90_places")
    course.commit({"workshop/more.py": "MORE = True\n"})
    clone.write({APP: MINE, "workshop/more.py": "MINE = True\n"})
    clone.update()

    clone.updates().undo()

    assert clone.read(APP) == MINE
    assert clone.read("workshop/more.py") == "MINE = True\n"


def test_an_undo_after_own_commits_is_refused(clone: Repository, news: str) -> None:
    clone.update()
    head = clone.commit({APP: MINE}, "My answer")

    with pytest.raises(UpdateError, match="has moved since"):
        clone.updates().undo()
    assert clone.head() == head


@pytest.mark.parametrize(
    "prepare",
    [
        lambda it: it.git("checkout", "-q", "-b", "my-work"),
        lambda it: it.git("checkout", "-q", "--detach"),
        lambda it: it.git("config", "core.autocrlf", "true"),
        lambda it: it.git("config", "commit.gpgSign", "true"),
        lambda it: it.git("config", "core.fileMode", "false"),
        lambda it: it.git("config", "pull.rebase", "true"),
        lambda it: it.git("remote", "rename", "origin", "course"),
        lambda it: it.git("remote", "add", "friend", "/nowhere"),
        lambda it: (it.root / APP).chmod(0o755),
    ],
    ids=[
        *("own branch", "detached", "autocrlf", "signing", "no modes", "rebasing"),
        *("other name", "two remotes", "executable"),
    ],
)
@pytest.mark.parametrize("is_committed", [False, True])
def test_clones_of_every_kind_are_updated(
    clone: Repository,
    news: str,
    prepare: Callable[[Repository], object],
    is_committed: bool,
) -> None:
    prepare(clone)
    branch = clone.git("branch", "--show-current")
    clone.write({APP: MINE})
    if is_committed:
        clone.git("-c", "commit.gpgSign=false", "commit", "-qam", "My answer")

    clone.update()

    assert is_updated(clone)
    assert clone.read(APP) == MINE
    assert clone.git("branch", "--show-current") == branch
    assert clone.git("status", "--porcelain").split() == (
        [] if is_committed else ["M", APP]
    )


@pytest.mark.parametrize("flag", ["skip-worktree", "assume-unchanged"])
def test_an_app_flagged_in_git_stays_and_keeps_its_flag(
    clone: Repository, news: str, flag: str
) -> None:
    clone.git("update-index", f"--{flag}", APP)
    clone.write({APP: MINE})

    clone.update()

    assert clone.read(APP) == MINE
    assert is_updated(clone)
    assert clone.git("status", "--porcelain") == ""


def test_the_upstream_of_a_fork_is_the_course(
    clone: Repository, course: Repository, tmp_path: Path
) -> None:
    course.git("clone", "-q", "--bare", str(course.root), str(tmp_path / "fork"))
    clone.git("remote", "set-url", "origin", str(tmp_path / "fork"))
    clone.git("remote", "add", "upstream", str(course.root))
    newest = course.commit({"workshop/tool.py": "VERSION = 2\n"})

    clone.update()

    assert clone.head() == newest


@pytest.mark.parametrize("is_committed", [False, True])
def test_a_shallow_clone_is_updated(
    course: Repository, tmp_path: Path, is_committed: bool
) -> None:
    course.commit({"README.md": "# Course\n"})
    root = tmp_path / "shallow"
    course.git("clone", "-q", "--depth=1", course.root.as_uri(), str(root))
    shallow = Repository(root)
    shallow.write({APP: MINE})
    if is_committed:
        shallow.commit({}, "My answer")
    course.commit({"workshop/tool.py": "VERSION = 2\n"})

    shallow.update()

    assert shallow.read("workshop/tool.py") == "VERSION = 2\n"
    assert shallow.read(APP) == MINE


def test_a_rewritten_history_is_accepted_without_own_commits(
    clone: Repository, course: Repository
) -> None:
    clone.write({APP: MINE})
    course.git("checkout", "-q", "--orphan", "anew")
    newest = course.commit({"workshop/tool.py": "VERSION = 2\n"})
    course.git("branch", "-qM", "anew", "main")

    clone.update()

    assert clone.head() == newest
    assert clone.read(APP) == MINE


@pytest.mark.parametrize("kind", ["folder", "relative", "bundle", "main bundle"])
def test_a_clone_or_bundle_works_without_a_network(
    clone: Repository, course: Repository, news: str, tmp_path: Path, kind: str
) -> None:
    clone.git("remote", "set-url", "origin", "/nowhere")
    clone.write({APP: MINE})
    bundle = tmp_path / "course.bundle"
    refs = ["main"] if kind == "main bundle" else ["HEAD", "main"]
    course.git("bundle", "create", "-q", str(bundle), *refs)
    places = {"folder": str(course.root), "relative": "../course"}

    clone.update(places.get(kind, str(bundle)))

    assert clone.head() == news
    assert clone.read(APP) == MINE


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (None, "origin"),
        ("../nowhere", "../nowhere"),
        ("../empty", "../empty"),
        ("--upload-pack=evil", "--upload-pack=evil"),
    ],
)
def test_a_missing_source_is_named_in_the_error_and_changes_nothing(
    clone: Repository, tmp_path: Path, given: str | None, named: str
) -> None:
    (tmp_path / "empty").mkdir()
    clone.git("remote", "set-url", "origin", "https://me:secret@127.0.0.1:9/course")
    before = clone.files()

    with pytest.raises(UpdateError) as refused:
        clone.update(given)

    assert named in str(refused.value)
    assert "secret" not in str(refused.value)
    assert clone.files() == before


def test_a_folder_without_git_is_an_error_with_advice(
    clone: Repository, tmp_path: Path
) -> None:
    """A ZIP may have been unpacked inside another repository."""
    (clone.root / ".git").rename(tmp_path / ".git")

    with pytest.raises(UpdateError, match=r"downloaded as a ZIP"):
        clone.update()


def test_missing_git_is_an_error(
    clone: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UpdateError, match="needs git"):
        clone.update()


def test_git_variables_of_another_repository_are_ignored(
    clone: Repository, news: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))

    clone.update()

    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name)
    assert clone.head() == news
    assert not (tmp_path / "elsewhere").exists()


def test_nothing_is_written_through_a_link(
    clone: Repository, news: str, tmp_path: Path
) -> None:
    elsewhere = (clone.root / "workshop").rename(tmp_path / "elsewhere")
    try:
        (clone.root / "workshop").symlink_to(elsewhere)
    except OSError:
        pytest.skip("this system lets nobody make links")
    head = clone.head()

    with pytest.raises(UpdateError, match="is a link or a folder"):
        clone.update()

    assert (elsewhere / "tool.py").read_text() == "VERSION = 1\n"
    assert clone.head() == head


def test_an_app_that_is_a_link_stays_a_link(
    clone: Repository, news: str, tmp_path: Path
) -> None:
    elsewhere = (clone.root / APP).rename(tmp_path / "elsewhere.py")
    try:
        (clone.root / APP).symlink_to(elsewhere)
    except OSError:
        pytest.skip("this system lets nobody make links")

    clone.update()

    assert (clone.root / APP).readlink() == elsewhere
    assert is_updated(clone)


def test_a_lock_of_another_git_process_is_reported(
    clone: Repository, news: str
) -> None:
    (clone.root / ".git" / "index.lock").touch()

    with pytest.raises(UpdateError, match=r"index\.lock"):
        clone.update()


def test_a_clone_of_another_user_is_reported_with_the_command_to_trust_it(
    clone: Repository, news: str
) -> None:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    for path in (clone.root, clone.root / ".git"):
        os.chown(path, 12345, 12345)

    with pytest.raises(UpdateError, match=r"safe\.directory"):
        clone.update()


def test_a_second_update_at_the_same_time_is_refused(
    clone: Repository, news: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workshop.update.apply._PATIENCE_SECONDS", 0.0)

    with (
        clone.updates().stage.alone(),
        pytest.raises(UpdateError, match="Another update"),
    ):
        clone.update()

    assert clone.read("workshop/tool.py") == "VERSION = 1\n"


def test_hooks_of_the_clone_do_not_run(clone: Repository, news: str) -> None:
    hook = clone.root / ".git" / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)

    clone.update()

    assert is_updated(clone)


@pytest.mark.skipif(os.name == "nt", reason="case-insensitive names are made there")
def test_a_file_renamed_only_in_case_is_updated(
    clone: Repository, course: Repository
) -> None:
    course.git("mv", "README.md", "Readme.md")
    course.commit({})

    clone.update()

    assert clone.files() == course.files()


def test_undo_of_a_lesson_still_means_the_last_reset(
    clone: Repository, news: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workshop.paths.ROOT", clone.root)
    monkeypatch.delenv("WORKSHOP_HOME", raising=False)
    monkeypatch.chdir(clone.root)
    clone.write({APP: MINE})
    main(["reset", "90"])
    clone.write({APP: MINE + "# another try\n"})

    assert main(["update"]) == 0
    assert clone.read(APP) == MINE + "# another try\n"
    assert main(["undo", "90"]) == 0
    assert clone.read(APP) == MINE


def test_the_command_reports_changes_and_next_steps(
    clone: Repository,
    news: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("workshop.paths.ROOT", clone.root)
    monkeypatch.delenv("WORKSHOP_HOME", raising=False)
    monkeypatch.delenv("MAKELEVEL", raising=False)
    monkeypatch.chdir(clone.root)
    clone.write({APP: MINE})

    assert main(["update", "--check"]) == 0
    would = capfd.readouterr().out
    assert main(["update"]) == 0
    done = capfd.readouterr().out
    assert main(["update"]) == 0
    again = capfd.readouterr().out
    assert main(["update", "--undo"]) == 0
    assert main(["update", "--undo"]) == 3
    assert main(["update", "--undo", "--check"]) == 2

    assert would.startswith("origin")
    assert "python -m workshop reset 90" in done
    assert "python -m workshop update --undo" in done
    assert "nothing new" in again
    # What it names can be typed.
    command = next(line for line in done.splitlines() if "git diff" in line)
    shown = subprocess.run(
        command.partition(": ")[2].split(),
        cwd=clone.root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "still free" in shown.stdout
