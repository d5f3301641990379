"""Every authoring rule finds what breaks it, and says where and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.check.conftest import run_notebook
from workshop.check.finding import Finding
from workshop.check.rules import broken_rules
from workshop.lesson import Lesson

# What these look at is the same on every Python.
pytestmark = pytest.mark.one_python

README = "lessons/08_seats/README.md"
HINTS = "lessons/08_seats/hints.md"
TESTS = "lessons/08_seats/test_seats.py"
STARTER = "solutions/08_seats/steps/0.py"
SOLUTION = "solutions/08_seats/app.py"
REASONS = "solutions/08_seats/README.md"
VARIANTS = "tests/variants/08_seats/variants.toml"
PAGE = "docs/lessons/08_seats.md"
TEXT = "notebooks/08_seats.py"
NOTEBOOK = "notebooks/08_seats.ipynb"

Found = Callable[[], list[Finding]]


@pytest.fixture
def found(published: Lesson, tmp_path: Path) -> Found:
    """Return a function that reads the lesson again and returns its findings."""

    def find() -> list[Finding]:
        return broken_rules(Lesson(published.folder, published.solution), tmp_path)

    return find


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_finished_lesson_breaks_no_rule(found: Found) -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("name", "old", "new", "rule", "where"),
    [
        (README, "*10 minutes", "*Some time", "readable", README),
        (README, "## Step 2 ·", "## Step 3 ·", "readable", README),
        (README, "# 08 · Seats", "# 09 · Seats", "titles", README),
        (HINTS, "# Hints · 08 · Seats", "# Hints · 08 · Rows", "titles", HINTS),
        (REASONS, "# Solution · 08", "# Solution · 09", "titles", REASONS),
        (PAGE, "# 08 · Seats", "# Seats", "titles", PAGE),
        (HINTS, "· Show 2 has free seats", "· Show 2", "hints", HINTS),
        (HINTS, "2. what that means.\n", "", "hints", HINTS),
        (HINTS, "Change the number", 'Say `return {"free": 10}`', "hints", HINTS),
        (REASONS, "## Step 2 · Show 2", "## Step 2 · Show", "reasons", REASONS),
        (REASONS, "You can ", "Learners can ", "reasons", REASONS),
        (REASONS, "## Copy this into", "## Take this into", "reasons", REASONS),
        (
            TESTS,
            '    """the fact that step 1 teaches, in one sentence."""\n',
            "",
            "facts",
            TESTS,
        ),
        (
            TESTS,
            "    assert response.json()",
            "    assert response\n    assert response.json()",
            "messages",
            TESTS,
        ),
        (
            TESTS,
            "import pytest",
            "import pytest, time\ntime.sleep(1)",
            *("no clocks", TESTS),
        ),
        (
            TESTS,
            "import pytest",
            "import pytest\nasyncio.sleep(1)",
            *("no clocks", TESTS),
        ),
        (STARTER, "TODO 2", "Later", "todos", STARTER),
        (
            SOLUTION,
            "app = FastAPI",
            f"# {'-' * 72}\napp = FastAPI",
            "columns",
            SOLUTION,
        ),
        (VARIANTS, 'why = "Somebody has counted wrong."', "", "variants", ""),
        (VARIANTS, "[[wrong]]", "[[wronger]]", "variants", ""),
        (
            VARIANTS,
            '["test_show_2_has_free_seats"]',
            '["test_show_1_has_free_seats"]',
            "variants",
            VARIANTS,
        ),
        (PAGE, "**Cut.**", "**Keep.**", "page", PAGE),
        (PAGE, "## Predict", "## Guess", "page", PAGE),
        (PAGE, "### Step 2", "### The second step", "page", PAGE),
        (PAGE, "## Explain", "## Wrap-up\n\n## Explain", "page", PAGE),
        (PAGE, "- the first thing", "the first thing", "page", PAGE),
        (PAGE, '{"free": 0}', '{"free": 1}', "page", ""),
        (
            PAGE,
            "## Run",
            "![A picture](../pictures/08-x.svg)\n\n## Run",
            *("pictures", PAGE),
        ),
        (README, "Start the app", "DRAFT: Start the app", "draft", README),
        (TEXT, "await play(in_turn())", "await play( in_turn())", "notebook", NOTEBOOK),
        (
            NOTEBOOK,
            '"execution_count": 2',
            '"execution_count": 7',
            *("notebook", NOTEBOOK),
        ),
        (NOTEBOOK, "<title>x", "<title>/home/ann", "notebook", NOTEBOOK),
        (NOTEBOOK, "image/svg+xml", "text/plain", "notebook", NOTEBOOK),
    ],
)
def test_a_broken_rule_is_reported_with_its_place(
    name: str,
    old: str,
    new: str,
    rule: str,
    where: str,
    found: Found,
    tmp_path: Path,
) -> None:
    replace(tmp_path / name, old, new)

    findings = found()

    # The page that shows a notebook is made of it, and is stale with it.
    assert {it.rule for it in findings if it.file != "docs/notebooks/08_seats.md"} == {
        rule
    }
    assert where in {it.file for it in findings}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("**Predict.** And", "And", "asks for 1 predictions"),
        ("</details>", "", "without a folded answer"),
        ("**Your turn.**", "Now you.", "let learners change"),
        ("../docs/lessons/08_seats.md", "../docs/08.md", "does not link the lesson"),
        ("await play(in_turn())", f"# {'-' * 80}", "is 82 wide"),
        ("await play(in_turn())", "\n".join(["1"] * 26), "has 26 lines"),
        (
            "# %%\nawait play(in_turn())",
            '# %% tags=["raises-exception"]\nawait play(in_turn())',
            "should fail, but does not",
        ),
    ],
)
def test_a_notebook_without_experiments_is_reported(
    old: str, new: str, words: str, published: Lesson, found: Found, tmp_path: Path
) -> None:
    text = (tmp_path / TEXT).read_text(encoding="utf-8")
    assert old in text
    (tmp_path / TEXT).write_text(text.replace(old, new), encoding="utf-8")
    run_notebook(published, tmp_path)

    assert words in " ".join(it.text for it in found())


def test_a_notebook_with_a_line_of_the_solution_is_reported(
    published: Lesson, found: Found, tmp_path: Path
) -> None:
    line = 'free = {"free": await ask_venue(1)}'
    replace(tmp_path / SOLUTION, "app = FastAPI", f"{line}\napp = FastAPI")
    replace(tmp_path / TEXT, "await play(in_turn())", line)
    run_notebook(published, tmp_path)

    spoilers = [it for it in found() if "contains the solution's line" in it.text]

    assert [(it.file, it.line > 0) for it in spoilers] == [(TEXT, True)]


@pytest.mark.parametrize("name", [REASONS, VARIANTS, PAGE, TEXT, NOTEBOOK])
def test_a_missing_file_is_reported_once(
    name: str, found: Found, tmp_path: Path
) -> None:
    (tmp_path / name).unlink()

    missing = [it for it in found() if it.text == "is missing"]

    assert [it.file for it in missing] == [name]


def test_a_scene_without_a_picture_is_reported(
    published: Lesson, found: Found, tmp_path: Path
) -> None:
    published.scenario_file.write_text(
        'async def first(stage):\n    """One."""\n\n'
        'async def second(stage):\n    """Two."""\n',
        encoding="utf-8",
    )
    pictures = tmp_path / "docs" / "pictures"
    pictures.mkdir()
    for state in ("before", "after", "before-narrow", "after-narrow"):
        (pictures / f"08-{state}.svg").write_text("<svg/>", encoding="utf-8")

    (finding,) = found()

    assert finding.file == "docs/pictures/08-second-before.svg"


def test_the_most_basic_finding_comes_first(found: Found, tmp_path: Path) -> None:
    replace(tmp_path / README, "Start the app", "DRAFT: Start the app")
    replace(tmp_path / PAGE, "**Cut.**", "**Keep.**")
    replace(tmp_path / STARTER, "TODO 2", "Later")

    assert [it.rule for it in found()] == ["todos", "page", "draft"]

    (tmp_path / TESTS).unlink()

    assert [(it.rule, it.file) for it in found()] == [("complete", TESTS)]
