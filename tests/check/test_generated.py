"""Tables on pages are made from the tree, and found when they are stale."""

from pathlib import Path

import pytest

from workshop.check.generated import check_generated, read_facts, renew
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
    ("docs/teaching/agendas.md", "agendas"),
)


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


def test_stale_tables_are_found_and_renewed(root: Path) -> None:
    made = len(PARTS) + 1  # and the whole of lessons/checksums.txt
    assert len(list(check_generated(root))) == made

    assert len(renew(root)) == made

    assert list(check_generated(root)) == []
    assert renew(root) == []


def test_the_lesson_table_links_every_lesson(root: Path) -> None:
    renew(root)

    readme = (root / "README.md").read_text(encoding="utf-8")
    assert "| [90 · Seats](lessons/90_seats/README.md) | 2 | 5 |" in readme
    assert readme.startswith("Before.")
    assert readme.endswith("After.\n")


def test_a_fact_is_told_with_versions_and_its_test(root: Path) -> None:
    renew(root)

    page = (root / "docs" / "reference" / "facts.md").read_text(encoding="utf-8")
    assert "## Tests" in page
    assert (
        f"| One is one, and a\\|b is a pipe. | pytest {pytest.__version__}, anyio"
        in page
    )
    assert "`test_numbers.py::test_one_is_one`" in page


def test_a_fact_that_states_nothing_is_refused(root: Path) -> None:
    path = root / "tests" / "facts" / "test_numbers.py"
    path.write_text(FACTS.partition('    """')[0] + "    pass\n", encoding="utf-8")

    with pytest.raises(ValueError, match="test_one_is_one states nothing"):
        read_facts(root)
