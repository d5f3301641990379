"""Write the files of a new lesson: all or none, without overwriting anything."""

from __future__ import annotations

import re
from pathlib import Path

from workshop.check.skeleton import Skeleton

MOST_STEPS = 9
_NAME = re.compile(r"\d\d(_[a-z][a-z0-9]*)(_[a-z0-9]+)*")
_LONGEST = 40


class NewLessonError(Exception):
    """The lesson could not be created. Nothing was written; the message says why."""


def write_lesson(root: Path, slug: str, steps: int) -> list[Path]:
    """Write a new lesson called *slug* below *root*; return its files.

    Raises:
        NewLessonError: The name or the number of steps is invalid, a file exists
            already, or a file cannot be written.

    """
    _check_name(root, slug)
    if not 1 <= steps <= MOST_STEPS:
        raise NewLessonError(
            f"A lesson has 1 to {MOST_STEPS} steps, usually 3 to 6, not {steps}."
        )
    files = {root / name: text for name, text in Skeleton(slug, steps).files().items()}
    there = [path for path in files if path.exists() or path.is_symlink()]
    if there:
        where = there[0].relative_to(root).as_posix()
        raise NewLessonError(
            f"{where} exists already and is not overwritten. Choose another name, or "
            "move the file."
        )
    _write_all(files)
    return list(files)


def _check_name(root: Path, slug: str) -> None:
    if not _NAME.fullmatch(slug) or len(slug) > _LONGEST:
        raise NewLessonError(
            f"{slug!r} is not a valid name. Use a name like 13_races: two digits, "
            "then lower-case words with underscores, at most "
            f"{_LONGEST} characters."
        )
    lessons = root / "lessons"
    taken = sorted(path.name for path in lessons.glob("[0-9][0-9]_*"))
    numbers = {name[:2] for name in taken}
    for name in taken:
        if name[:2] == slug[:2]:
            every = [f"{number:02}" for number in range(100)]
            free = [it for it in every if it not in numbers]
            later = [it for it in free if it > max(numbers)]
            advice = f" {(later or free)[0]} is free." if free else ""
            raise NewLessonError(
                f"lessons/{name} already has the number {slug[:2]}.{advice}"
            )
        if name[3:] == slug[3:]:
            raise NewLessonError(
                f"lessons/{name} already has that name. Lessons can be called by their "
                "name without the number, so choose another one."
            )


def _write_all(files: dict[Path, str]) -> None:
    written: list[Path] = []
    made: list[Path] = []
    try:
        for path, text in files.items():
            missing = [
                it for it in (path.parent, *path.parent.parents) if not it.exists()
            ]
            for folder in reversed(missing):
                folder.mkdir()
                made.append(folder)
            # Never overwrite a file that was created in the meantime.
            with path.open("x", encoding="utf-8", newline="\n") as file:
                written.append(path)
                file.write(text)
    except BaseException as problem:
        for path in written:
            path.unlink(missing_ok=True)
        for folder in reversed(made):
            folder.rmdir()
        if isinstance(problem, OSError):
            raise NewLessonError(
                f"{problem.filename or 'A file'} cannot be written "
                f"({problem.strerror}). No files were left behind."
            ) from None
        raise
