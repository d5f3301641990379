"""What people type at make, and what the workshop is told."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.checkouts import Checkout, Ended
from workshop.goals import UnclearGoalsError, translate


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("learn", "learn"),
        ("list", "list"),
        ("lesson-01", "show 01"),
        ("lesson-01 test", "test 01"),
        ("test lesson-01", "test 01"),
        ("lesson01", "show 01"),
        ("lesson-1 test", "test 01"),
        ("lesson-001 test", "test 01"),
        ("lesson_01 test", "test 01"),
        ("test 01", "test 01"),
        ("01", "show 01"),
        ("lessons/01_seats/ test", "test 01_seats"),
        ("lessons/01_seats/app.py test", "test 01_seats"),
        ("lesson-03 reset", "reset 03"),
        ("lesson-03 catch-up", "catch-up 03"),
        ("lesson-03 undo", "undo 03"),
        ("undo", "undo"),
        ("lesson-00 run", "run 00"),
        ("lesson-00 hint", "hint 00"),
        ("lesson-00 notebook", "notebook 00"),
        ("notebooks", "notebooks"),
        ("notebooks-test", "notebooks-test"),
        ("lesson-00 solution", "solution 00"),
        ("lesson-00 check", "check 00"),
        ("check", "check"),
        ("test", "selftest"),
        ("test-all", "selftest --all"),
        ("test-everywhere", "selftest --everywhere"),
        ("install-dev", "install-dev"),
        ("doctor", "doctor"),
        ("pins", "pins"),
        ("help", "help"),
    ],
)
def test_goals_are_translated_to_one_command(typed: str, meant: str) -> None:
    assert translate(typed.split()) == meant.split()


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("foo", "There is no `foo`. `make help` lists the goals."),
        ("lsit", "There is no `lsit`. Did you mean `make list`?"),
        ("lern", "There is no `lern`. Did you mean `make learn`?"),
        ("lessons", "There is no `lessons`."),
        ("leson-01 test", "There is no `leson-01`. Did you mean `make lesson-01 test`"),
        ("test-01", "There is no `test-01`. Did you mean `make lesson-01 test`?"),
        ("hint01", "There is no `hint01`. Did you mean `make lesson-01 hint`?"),
        ("foo-01", "There is no `foo-01`. `make help`"),
        ("lesson-01 tets", "There is no `tets`. Did you mean `make lesson-01 test`?"),
        (
            "lesson-00 lesson-01 test",
            "One lesson at a time, please: `make lesson-00 test`.",
        ),
        (
            "lesson-01 test run",
            "One action at a time, please: `make lesson-01 test`.",
        ),
        ("learn list", "One action at a time, please: `make learn`."),
        ("run", "`run` needs a lesson: `make lesson-01 run`."),
        ("lesson-01 doctor", "`doctor` takes no lesson: `make doctor`."),
    ],
)
def test_unclear_goals_get_one_sentence(typed: str, told: str) -> None:
    with pytest.raises(UnclearGoalsError) as unclear:
        translate(typed.split())

    assert str(unclear.value).startswith(told)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A set-up checkout."""
    if shutil.which("make") is None:
        pytest.skip("this machine has no make")
    checkout = Checkout.make(tmp_path_factory.mktemp("make"))
    assert checkout.run("list").code == 0
    return checkout


def make(checkout: Checkout, *words: str, **settings: str) -> Ended:
    """Run the real make on the real Makefile."""
    process = subprocess.Popen(
        ["make", *words],
        cwd=checkout.root,
        env={**checkout.settings, **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    return Ended.of(process)


def verb(ended: Ended) -> str:
    """Return the verb that arrived, with its arguments."""
    assert ended.code == 0, ended.err
    return ended.out.splitlines()[0]


def test_a_lesson_and_an_action_are_one_command(checkout: Checkout) -> None:
    ended = make(checkout, "lesson-01", "test")

    assert verb(ended) == "verb: test 01"
    assert ended.out.count("verb:") == 1
    assert ended.err == ""


def test_a_lesson_may_be_a_completed_path(
    checkout: Checkout,
) -> None:
    (checkout.root / "lessons" / "01_seats").mkdir(parents=True)

    assert verb(make(checkout, "lessons/01_seats/", "test")) == "verb: test 01_seats"


def test_test_alone_is_the_projects_own_suite(checkout: Checkout) -> None:
    assert "$ python -m pytest tests -n auto" in make(checkout, "test").out


def test_options_arrive_after_the_verb(checkout: Checkout) -> None:
    ended = make(checkout, "lesson-01", "test", "ARGS=--traceback --solution")

    assert verb(ended) == "verb: test 01 --traceback --solution"


def test_make_alone_is_help(checkout: Checkout) -> None:
    ended = make(checkout)

    assert ended.out == make(checkout, "help").out
    assert "lesson-01 test" in ended.out


def test_make_uses_the_environments_python(checkout: Checkout) -> None:
    assert "python: .venv/bin/python" in make(checkout, "list").out


def test_make_uses_the_given_python(checkout: Checkout) -> None:
    ended = make(checkout, "list", "PYTHON=echo told:")

    assert ended.out == "told: -m workshop --goals list --\n"


def test_make_finds_an_environment_elsewhere(checkout: Checkout) -> None:
    ended = make(checkout, "list", WORKSHOP_VENV=str(checkout.venv))

    assert f"python: {checkout.venv}/bin/python" in ended.out


def test_several_jobs_at_once_change_nothing(checkout: Checkout) -> None:
    ended = make(checkout, "-j4", "lesson-01", "test")

    assert ended.out.count("verb:") == 1


@pytest.mark.parametrize(
    "goals", ["foo", "lesson-01 tets", "lesson-00 lesson-01 test", "tests", "all"]
)
def test_a_wrong_goal_gets_our_message_and_exit_code_2(
    checkout: Checkout, goals: str
) -> None:
    ended = make(checkout, *goals.split())

    assert ended.code == 2
    assert ended.out == ""
    ours, makes = ended.err.splitlines()
    assert "make" in ours
    assert makes.startswith("make: *** ")


def test_a_folder_with_a_goals_name_does_not_hide_it(checkout: Checkout) -> None:
    (checkout.root / "check").mkdir()

    assert verb(make(checkout, "check")) == "verb: check"


def test_a_lesson_that_is_not_passed_fails_make(checkout: Checkout) -> None:
    ended = make(checkout, "lesson-01", "test", ENDS_WITH="1")

    assert ended.code == 2
    assert ended.err.rstrip().endswith("Error 1")
