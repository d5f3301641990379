"""Rules about the wrong and right variants that a lesson declares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from workshop.check.finding import Finding
from workshop.check.rules.places import below, text_of, variants_of
from workshop.check.variants import VariantError, read_variants
from workshop.lesson import Lesson

WRONG = 10
RIGHT = 5


def declared(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """There are enough variants of both kinds, and every test refuses one."""
    path = variants_of(lesson, root)
    file = below(path, root)
    if text_of(path) is None:
        return
    try:
        found = read_variants(lesson, root)
    except VariantError as problem:
        yield Finding(lesson.slug, "variants", str(problem).removeprefix(f"{path}: "))
        return
    wrong = [it for it in found if not it.is_right]
    right = [it for it in found if it.is_right]
    for kind, there, enough in (("wrong", wrong, WRONG), ("right", right, RIGHT)):
        if len(there) < enough:
            yield Finding(
                lesson.slug,
                "variants",
                f"has {len(there)} {kind} variants and should have {enough} or more",
                file,
                fix=f"Add [[{kind}]] variants that people would really write.",
            )
    refusing = {name for it in wrong for name in it.refused_by}
    for test in lesson.tests:
        if test.id not in refusing:
            yield Finding(
                lesson.slug,
                "variants",
                f"no wrong variant is refused by {test.id}",
                file,
                fix="Add one that only this test refuses, or remove the test.",
            )
