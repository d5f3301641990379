"""Where a lesson's files are, and their texts."""

from __future__ import annotations

from pathlib import Path

from workshop.lesson import Lesson
from workshop.lesson.completeness import is_file


def below(path: Path, root: Path) -> str:
    """Return *path* as findings show it: relative to *root* if it is below it."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def text_of(path: Path) -> str | None:
    """Return the text of the file *path*; None if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8") if is_file(path) else None
    except (OSError, UnicodeDecodeError):
        return None


def hints_of(lesson: Lesson) -> Path:
    """Return the file with the hints."""
    return lesson.folder / "hints.md"


def variants_of(lesson: Lesson, root: Path) -> Path:
    """Return the file with the wrong and right variants."""
    return root / "tests" / "variants" / lesson.slug / "variants.toml"


def notebook_text_of(lesson: Lesson, root: Path) -> Path:
    """Return the text from which the lesson's notebook is made."""
    return root / "notebooks" / f"{lesson.slug}.py"


def notebook_of(lesson: Lesson, root: Path) -> Path:
    """Return the lesson's notebook."""
    return root / "notebooks" / f"{lesson.slug}.ipynb"


def every_text(lesson: Lesson, root: Path) -> list[Path]:
    """Return all files that an author of *lesson* writes by hand."""
    folders = (lesson.folder, lesson.solution, lesson.solution / "steps")
    written = [
        path
        for folder in folders
        for path in sorted(folder.glob("*"))
        if path.suffix in (".py", ".md")
    ]
    return [
        *written,
        variants_of(lesson, root),
        lesson.page,
        notebook_text_of(lesson, root),
    ]
