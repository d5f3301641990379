"""Tables on pages are made from the tree, and found when they are stale."""

import re
from pathlib import Path

import pytest

from workshop.check.generated import check_generated, read_facts, renew
from workshop.check.pages import PageError
from workshop.lesson import Lesson

FACTS = '''\
from tests.facts import fact

PACKAGES = ("pytest", "anyio")
TOPIC = "tests"


@fact(*PACKAGES, topic=TOPIC)
def test_one_is_one():
    """One is one,
    and a|b is a pipe."""
'''


PARTS = (
    ("README.md", "lessons"),
    ("docs/reference/facts.md", "facts"),
    ("docs/teach/agendas.md", "agendas"),
)

# The pages, and the checksums of the tests.
FILES = len(PARTS) + 1


@pytest.fixture
def root(lesson: Lesson, tmp_path: Path) -> Path:
    facts = tmp_path / "tests" / "facts"
    facts.mkdir()
    (facts / "test_numbers.py").write_text(FACTS, encoding="utf-8")
    for name, part in PARTS:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = f"Before.\n\n<!-- {part} -->\n<!-- /{part} -->\n\nAfter.\n"
        path.write_text(text, encoding="utf-8")
    return tmp_path


def test_stale_tables_are_reported_and_updated(root: Path) -> None:
    assert len(list(check_generated(root))) == FILES

    assert len(renew(root)) == FILES

    assert list(check_generated(root)) == []
    assert renew(root) == []


def test_the_lesson_table_links_every_lesson(root: Path) -> None:
    renew(root)

    readme = (root / "README.md").read_text(encoding="utf-8")
    row = "| [90 · Seats](lessons/90_seats/README.md) | count seats | 2 | 5 |"
    assert row in readme
    assert readme.startswith("Before.")
    assert readme.endswith("After.\n")


def test_a_fact_is_listed_with_versions_and_its_test(root: Path) -> None:
    renew(root)

    page = (root / "docs" / "reference" / "facts.md").read_text(encoding="utf-8")
    assert "## Tests" in page
    assert (
        f"| One is one, and a\\|b is a pipe. | pytest {pytest.__version__}, anyio"
        in page
    )
    assert "`test_numbers.py::test_one_is_one`" in page


def test_a_fact_without_a_docstring_is_an_error(root: Path) -> None:
    path = root / "tests" / "facts" / "test_numbers.py"
    path.write_text(FACTS.partition('    """')[0] + "    pass\n", encoding="utf-8")

    with pytest.raises(ValueError, match="test_one_is_one has no docstring"):
        read_facts(root)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("docs/teach/agendas.md", b"No marks.\n", "There is no <!-- agendas -->"),
        ("docs/teach/agendas.md", b"\xff\n", "agendas.md cannot be read"),
        ("tests/facts/test_numbers.py", b"def (", "test_numbers.py cannot be read"),
        ("docs/lessons/90_seats.md", b"\xff\n", "90_seats.md cannot be read"),
    ],
)
def test_if_one_part_cannot_be_generated_no_page_is_written(
    name: str, content: bytes, words: str, root: Path
) -> None:
    (root / name).write_bytes(content)
    before = {path: path.read_bytes() for path in root.rglob("*.md")}

    with pytest.raises(PageError, match=re.escape(words)):
        renew(root)

    assert {path: path.read_bytes() for path in root.rglob("*.md")} == before
    assert any(words in it.text for it in check_generated(root))


@pytest.mark.parametrize("cut", ["", "**Cut.**\n", "**Cut.**\n\nStep 2.\n"])
def test_a_page_without_cuts_is_reported_and_does_not_affect_others(
    cut: str, root: Path, lesson: Lesson
) -> None:
    page = lesson.page.read_text(encoding="utf-8")
    lesson.page.write_text(page.partition("**Cut.**")[0] + cut, encoding="utf-8")

    assert len(renew(root)) == FILES

    (finding,) = check_generated(root)
    assert (finding.lesson, finding.rule) == ("90_seats", "page")
    assert "what to leave out when time is short" in finding.text


def test_tables_do_not_link_missing_pages(root: Path, lesson: Lesson) -> None:
    lesson.page.unlink()
    index = root / "docs" / "index.md"
    index.write_text("<!-- lessons -->\n<!-- /lessons -->\n", encoding="utf-8")

    renew(root)

    assert "90_seats" not in index.read_text(encoding="utf-8")
    assert "90_seats" in (root / "README.md").read_text(encoding="utf-8")
    (finding,) = check_generated(root)
    assert "90_seats.md cannot be read" in finding.text


@pytest.mark.parametrize("content", ["{", "{}", '{"cells": []}'])
def test_an_unreadable_notebook_is_reported_and_does_not_affect_others(
    content: str, root: Path
) -> None:
    (root / "notebooks").mkdir()
    (root / "notebooks" / "90_seats.ipynb").write_text(content, encoding="utf-8")

    renew(root)

    findings = [it for it in check_generated(root) if it.rule == "notebook"]
    assert [it.lesson for it in findings] == ["90_seats"]
