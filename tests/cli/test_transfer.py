"""Progress goes from one clone to another by a file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from workshop import course
from workshop.lesson import Lesson
from workshop.progress import State

Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def passed(lesson: Lesson) -> None:
    """Two steps passed."""

    def change(state: State) -> None:
        state.of(lesson.slug).judge(
            {1: "passed", 2: "passed"}, "", "2026-01-01T10:00:00+00:00"
        )

    course.store().update(change)


@pytest.mark.usefixtures("passed")
def test_progress_arrives_in_another_clone(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = said("progress", "export", "mine.json")
    assert (code, out.splitlines()) == (
        0,
        [
            "2 passed steps of 1 lesson written to mine.json.",
            "On the other machine, where the file is: "
            "python -m workshop progress import mine.json",
        ],
    )

    monkeypatch.setenv("WORKSHOP_HOME", str(tmp_path / "other"))
    assert "0 of 2 steps" in said("list")[1]
    assert said("progress", "import", "mine.json") == (
        0,
        "mine.json added 2 passed steps: lesson 90 steps 1, 2.\n"
        "Your answers were not moved. To continue, `catch-up` solves earlier steps.\n",
        "",
    )
    assert "2 of 2 steps, finished" in said("list")[1]
    assert "nothing new" in said("progress", "import", "mine.json")[1]


@pytest.mark.usefixtures("passed")
@pytest.mark.parametrize("content", [None, "{", '{"version": 99}'])
def test_a_bad_file_is_one_sentence_and_changes_nothing(
    content: str | None, tmp_path: Path, said: Said
) -> None:
    if content is not None:
        (tmp_path / "bad.json").write_text(content, encoding="utf-8")
    before = course.store().path.read_bytes()

    code, out, err = said("progress", "import", "bad.json")

    assert (code, out) == (2, "")
    assert err.startswith("bad.json")
    assert len(err.splitlines()) == 1
    assert course.store().path.read_bytes() == before


@pytest.mark.usefixtures("passed")
@pytest.mark.parametrize("verb", ["export", "import"])
def test_with_a_newer_versions_state_nothing_travels(
    verb: str, tmp_path: Path, said: Said
) -> None:
    said("progress", "export", "good.json")
    course.store().path.write_text('{"version": 99}', encoding="utf-8")
    file = "new.json" if verb == "export" else "good.json"

    code, out, err = said("progress", verb, file)

    assert (code, out) == (2, "")
    assert "newer version" in err
    assert not (tmp_path / "new.json").exists()


def test_progress_alone_tells_how_far_one_is(said: Said) -> None:
    assert said("progress") == said("list")
    assert said("progress")[0] == 0
