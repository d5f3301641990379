"""What tests of the author's gate need."""

from __future__ import annotations

from pathlib import Path

import pytest
from nbformat import from_dict

from workshop.check.generated import renew
from workshop.check.new_lesson import write_lesson
from workshop.check.rules.places import every_text, notebook_of, variants_of
from workshop.lesson import Lesson
from workshop.notebooks.pairing import made_of, write

WRONG = """
[[wrong]]
name = "{seats} seats"
why = "Somebody has counted wrong."
refused_by = ["test_show_1_has_free_seats"]
[[wrong.replace]]
old = '''{{"free": 10}}'''
new = '''{{"free": {seats}}}'''
"""
RIGHT = """
[[right]]
name = "a comment with {seats} words"
why = "Comments change nothing."
append = "# {seats}"
"""
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><title>x</title></svg>'
DRAWN = {
    "output_type": "execute_result",
    "execution_count": 1,
    "metadata": {},
    "data": {"image/svg+xml": SVG},
}


@pytest.fixture
def published(tmp_path: Path) -> Lesson:
    """A new lesson in which the author has replaced every draft."""
    write_lesson(tmp_path, "08_seats", 2)
    lesson = Lesson(tmp_path / "lessons/08_seats", tmp_path / "solutions/08_seats")
    lesson.scenario_file.unlink()
    for path in every_text(lesson, tmp_path):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("DRAFT: ", ""), encoding="utf-8")
    variants = variants_of(lesson, tmp_path)
    more = [WRONG.format(seats=seats) for seats in range(20, 28)]
    more += [RIGHT.format(seats=seats) for seats in range(4)]
    text = variants.read_text(encoding="utf-8") + "".join(more)
    variants.write_text(text, encoding="utf-8")
    run_notebook(lesson, tmp_path)
    renew(tmp_path)
    return Lesson(lesson.folder, lesson.solution)


def run_notebook(lesson: Lesson, root: Path) -> None:
    """Write the lesson's notebook with fake outputs."""
    path = notebook_of(lesson, root)
    notebook = made_of(path.with_suffix(".py").read_text(encoding="utf-8"))
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code, 1):
        cell.execution_count = number
        if "play(" in cell.source:
            cell.outputs = [from_dict({**DRAWN, "execution_count": number})]
    write(notebook, path)
