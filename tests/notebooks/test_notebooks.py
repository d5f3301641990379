"""Notebooks are what their texts say, whole, and free of anybody's machine."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from workshop.check.generated import check_generated
from workshop.environment.model import ROOT
from workshop.lesson import Catalogue
from workshop.notebooks.pairing import differences, notebook_of, read, texts

TEXTS = texts(ROOT)
NOTEBOOKS = [notebook_of(it) for it in TEXTS]
# Somebody's home, a temporary folder, an address in memory.
MACHINES = re.compile(r"/(?:home|root|tmp|Users|usr|var)/|[A-Z]:\\|0x[0-9a-f]{6}")


def cells(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return found


def code(path: Path) -> list[dict[str, Any]]:
    return [it for it in cells(path) if it["cell_type"] == "code"]


def test_every_lesson_has_a_notebook_and_a_text_of_its_name() -> None:
    lessons = [it.slug for it in Catalogue(ROOT).lessons()]

    assert [it.stem for it in TEXTS] == lessons
    assert sorted(it.stem for it in (ROOT / "notebooks").glob("*.ipynb")) == lessons


@pytest.mark.parametrize("text", TEXTS, ids=lambda it: it.stem)
def test_a_notebook_has_the_cells_of_its_text(text: Path) -> None:
    notebook = read(notebook_of(text))

    assert list(differences(text.read_text(encoding="utf-8"), notebook)) == [], (
        "`python -m workshop notebooks-renew` makes it of its text."
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda it: it.stem)
def test_a_notebook_was_run_from_top_to_bottom(path: Path) -> None:
    counts = [it["execution_count"] for it in code(path)]

    assert counts == list(range(1, len(counts) + 1))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda it: it.stem)
def test_errors_are_shown_only_where_they_are_meant(path: Path) -> None:
    for cell in code(path):
        failed = any(it["output_type"] == "error" for it in cell["outputs"])
        meant = "raises-exception" in cell["metadata"].get("tags", [])
        assert failed == meant, "".join(cell["source"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda it: it.stem)
def test_outputs_say_nothing_of_the_machine(path: Path) -> None:
    for cell in code(path):
        assert not MACHINES.search(json.dumps(cell["outputs"]))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda it: it.stem)
def test_cells_fit_a_phone_and_a_page(path: Path) -> None:
    for cell in code(path):
        lines = "".join(cell["source"]).splitlines()
        assert len(lines) <= 25, lines[0]
        assert max(len(it) for it in lines) <= 72, lines[0]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda it: it.stem)
def test_a_notebook_is_a_laboratory(path: Path) -> None:
    """It lets predict before each answer, and change something; it draws."""
    told = "\n".join("".join(it["source"]) for it in cells(path))
    drawn = [data for it in code(path) for data in map(_data, it["outputs"])]

    assert told.count("**Predict.**") >= 2
    assert told.count("</details>") >= told.count("**Predict.**") - 1
    assert "**Your turn.**" in told
    assert sum("image/svg+xml" in it for it in drawn) >= 2
    assert f"../docs/lessons/{path.stem}.md" in told
    assert (ROOT / "docs" / "lessons" / f"{path.stem}.md").is_file()


@pytest.mark.parametrize("text", TEXTS, ids=lambda it: it.stem)
def test_a_notebook_does_not_give_the_solution_away(text: Path) -> None:
    solution = ROOT / "solutions" / text.stem
    starter = statements(solution / "steps" / "0.py")
    changed = statements(solution / "app.py") - starter

    assert not changed & statements(text)


def statements(path: Path) -> set[str]:
    """Return the lines of *path* that say something, and import nothing."""
    lines = (it.strip() for it in path.read_text(encoding="utf-8").splitlines())
    return {
        it
        for it in lines
        if len(it) > 25 and not it.startswith(("#", "from ", "import ", "async with ("))
    }


def test_the_pages_of_notebooks_are_those_of_today() -> None:
    stale = [it for it in check_generated(ROOT) if it.lesson in PAGES]

    assert stale == []


PAGES = {f"{it.stem}.md" for it in TEXTS} | {"index.md"}


def _data(output: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = output.get("data", {})
    return data
