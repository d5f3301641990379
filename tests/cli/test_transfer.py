"""Progress goes from one clone to another by a file."""

import json
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
        "Your code was not moved. To continue, `catch-up` solves earlier steps.\n",
        "",
    )
    assert "2 of 2 steps, finished" in said("list")[1]
    assert "nothing new" in said("progress", "import", "mine.json")[1]


def pass_steps(lesson: Lesson, *steps: int) -> None:
    """Record a verdict in which *steps* passed."""
    verdicts = dict.fromkeys(steps, "passed")
    now = "2026-01-02T10:00:00+00:00"
    course.store().update(lambda it: it.of(lesson.slug).judge(verdicts, "", now))


@pytest.mark.usefixtures("passed")
def test_two_learners_become_one_only_if_that_is_wanted(
    lesson: Lesson, tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    said("progress", "export", "mine.json")
    monkeypatch.setenv("WORKSHOP_HOME", str(tmp_path / "other"))
    pass_steps(lesson, 1)
    before = course.store().load()

    code, out, err = said("progress", "import", "mine.json")

    assert (code, out) == (2, "")
    assert "python -m workshop progress import mine.json --merge" in err
    assert "2 passed steps" in err
    assert course.store().load() == before

    assert said("progress", "import", "mine.json", "--merge")[0] == 0
    assert set(course.store().load().of(lesson.slug).passed) == {1, 2}


@pytest.mark.usefixtures("passed")
def test_progress_goes_back_and_forth_between_clones_of_one_learner(
    lesson: Lesson, tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = course.store().path.parent
    said("progress", "export", "mine.json")
    monkeypatch.setenv("WORKSHOP_HOME", str(tmp_path / "other"))
    said("progress", "import", "mine.json")
    pass_steps(lesson, 1, 2, 3)
    said("progress", "export", "back.json")
    monkeypatch.setenv("WORKSHOP_HOME", str(here))
    code, out, _ = said("progress", "import", "back.json")

    assert code == 0
    assert "step 3" in out


@pytest.mark.usefixtures("passed")
def test_merged_learners_stay_merged(
    lesson: Lesson, tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = course.store().path.parent
    said("progress", "export", "mine.json")
    monkeypatch.setenv("WORKSHOP_HOME", str(tmp_path / "other"))
    pass_steps(lesson, 3)
    said("progress", "import", "mine.json", "--merge")
    monkeypatch.setenv("WORKSHOP_HOME", str(here))
    pass_steps(lesson, 4)
    said("progress", "export", "mine.json")
    monkeypatch.setenv("WORKSHOP_HOME", str(tmp_path / "other"))

    assert said("progress", "import", "mine.json")[0] == 0


@pytest.mark.usefixtures("passed")
def test_an_export_of_an_earlier_release_that_adds_nothing_is_no_question(
    tmp_path: Path, said: Said
) -> None:
    said("progress", "export", "mine.json")
    file = tmp_path / "mine.json"
    data = json.loads(file.read_text("utf-8"))
    del data["learners"]
    file.write_text(json.dumps(data), encoding="utf-8")

    code, out, _ = said("progress", "import", "mine.json")

    assert code == 0
    assert "nothing new" in out


@pytest.mark.usefixtures("passed")
@pytest.mark.parametrize("content", [None, "{", '{"version": 99}'])
def test_a_bad_file_is_an_error_and_changes_nothing(
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
def test_a_newer_versions_state_is_neither_exported_nor_changed(
    verb: str, tmp_path: Path, said: Said
) -> None:
    said("progress", "export", "good.json")
    course.store().path.write_text('{"version": 99}', encoding="utf-8")
    file = "new.json" if verb == "export" else "good.json"

    code, out, err = said("progress", verb, file)

    assert (code, out) == (2, "")
    assert "newer version" in err
    assert not (tmp_path / "new.json").exists()


def test_progress_without_a_subcommand_lists_the_lessons(said: Said) -> None:
    assert said("progress") == said("list")
    assert said("progress")[0] == 0
