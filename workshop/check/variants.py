"""Wrong and right variants of a solution, as small changes to a known state.

They are in `tests/variants/NN_name/variants.toml`; CONTRIBUTING.md describes the
format.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workshop.grading import LessonVerdict, TestVerdict, Verdict
from workshop.lesson import Lesson

_KEYS = {
    *("name", "why", "refused_by", "replace", "base", "append", "whole", "verdict"),
}


class VariantError(Exception):
    """A variant is invalid; the message says which one and why."""


@dataclass(frozen=True)
class Variant:
    """A solution that a learner might write.

    `refused_by` names the tests that must refuse it; a right variant has none.
    `verdict` is the verdict that these tests must have.
    """

    lesson: str
    name: str
    why: str
    source: str
    refused_by: tuple[str, ...]
    verdict: Verdict

    @property
    def is_right(self) -> bool:
        """Whether the variant must pass."""
        return not self.refused_by


def read_variants(lesson: Lesson, root: Path) -> list[Variant]:
    """Return the variants of *lesson*, wrong ones first.

    Raises:
        VariantError: The file is invalid: a replacement that does not match exactly
            once, a test that does not exist.
    """
    path = root / "tests" / "variants" / lesson.slug / "variants.toml"
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as problem:
        raise VariantError(f"{path}: {problem}") from None
    unknown = set(data) - {"wrong", "right"}
    if unknown:
        raise VariantError(f"{path}: unknown tables {sorted(unknown)}")
    wrong = [_read(lesson, entry, right=False) for entry in data.get("wrong", [])]
    right = [_read(lesson, entry, right=True) for entry in data.get("right", [])]
    names = [variant.name for variant in (*wrong, *right)]
    for name in names:
        if names.count(name) > 1:
            raise VariantError(f"{path}: {name!r} occurs twice")
    return [*wrong, *right]


def _read(lesson: Lesson, entry: dict[str, Any], *, right: bool) -> Variant:
    name = str(entry.get("name", ""))
    where = f"{lesson.slug}, variant {name!r}"
    if not name or not entry.get("why"):
        raise VariantError(f"{where}: a variant needs a name and a why")
    if unknown := set(entry) - _KEYS:
        raise VariantError(f"{where}: unknown keys {sorted(unknown)}")
    refused_by = tuple(entry.get("refused_by", ()))
    if right == bool(refused_by):
        raise VariantError(
            f"{where}: a wrong variant names the tests that refuse it (refused_by), "
            "a right one does not"
        )
    known = {test.id for test in lesson.tests}
    if strangers := set(refused_by) - known:
        raise VariantError(f"{where}: there are no tests {sorted(strangers)}")
    return Variant(
        lesson.slug,
        name,
        str(entry["why"]),
        _build(lesson, entry, where),
        refused_by,
        Verdict(entry.get("verdict", "failed")),
    )


def _build(lesson: Lesson, entry: dict[str, Any], where: str) -> str:
    if "whole" in entry:
        return str(entry["whole"])
    base = str(entry.get("base", "solution"))
    match base.split("-"):
        case ["solution"]:
            path = lesson.solution_file
        case ["starter"]:
            path = lesson.state_file(0)
        case ["step", number] if number.isdigit():
            path = lesson.state_file(int(number))
        case _:
            raise VariantError(f"{where}: unknown base {base!r}")
    source = path.read_text(encoding="utf-8")
    for change in entry.get("replace", []):
        old, new = str(change["old"]), str(change["new"])
        if source.count(old) != 1:
            raise VariantError(
                f"{where}: {old.strip()[:60]!r} occurs {source.count(old)} times "
                f"in its base ({base}), and must occur once"
            )
        source = source.replace(old, new)
    source += str(entry.get("append", ""))
    if source == path.read_text(encoding="utf-8"):
        raise VariantError(f"{where}: it changes nothing")
    return source


def misjudged(variant: Variant, verdict: LessonVerdict) -> str:
    """Return how *verdict* differs from what *variant* declares; "" if it agrees."""
    judged = verdict.by_test
    if not variant.is_right:
        return "a wrong answer passes" if verdict.passed else spared(variant, judged)
    bad = [it for it in judged.values() if it.verdict is not Verdict.PASSED]
    if not bad and verdict.passed:
        return ""
    return "a right answer is refused: " + "; ".join(
        f"{it.test.id} {it.verdict} ({it.message})" for it in bad
    )


def spared(variant: Variant, judged: Mapping[str, TestVerdict]) -> str:
    """Return which tests of a wrong *variant* do not refuse it as declared, or "".

    Only the tests that it names have to be in *judged*.
    """
    missed = [
        f"{name} says {judged[name].verdict} ({judged[name].message})"
        for name in variant.refused_by
        if judged[name].verdict is not variant.verdict
    ]
    return f"should be '{variant.verdict}': " + "; ".join(missed) if missed else ""
