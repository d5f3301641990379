"""The verb `timeline`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from workshop.lesson import Lesson
from workshop.scenario import NotRecorded, Recorded, ScenarioRun
from workshop.timeline import Lane, Span, State, Timeline

Said = Callable[..., tuple[int, str, str]]
SCRIPT = '''
async def seats(stage):
    """Somebody asks for seats."""

async def crowd(stage):
    """Many ask for seats."""
'''


@pytest.fixture
def played(lesson: Lesson, monkeypatch: pytest.MonkeyPatch) -> list[ScenarioRun]:
    """The requested recordings; each is 10 ms longer than the one before."""
    (lesson.folder / "scenario.py").write_text(SCRIPT, encoding="utf-8")
    asked: list[ScenarioRun] = []

    def play(
        plays: list[ScenarioRun], *, exact: bool, **_: object
    ) -> list[Recorded | NotRecorded]:
        asked.extend(plays)
        if "sys" in plays[0].answer.read_text(encoding="utf-8"):
            return [NotRecorded("app.py called sys.exit().")]
        took = 1000.0 if exact else 10.0 * len(asked)
        lane = Lane("#1 GET /seats", (Span(State.AWAITING, 0, took),))
        return [Recorded(Timeline((lane,), took))]

    monkeypatch.setattr("workshop.scenario.play", play)
    return asked


def test_the_first_scene_is_recorded_with_the_learners_file(
    said: Said, lesson: Lesson, played: list[ScenarioRun]
) -> None:
    code, out, err = said("timeline", "90")

    assert (code, err) == (0, "")
    assert [(it.scene, it.answer) for it in played] == [("seats", lesson.app_file)]
    assert "Somebody asks for seats\n" in out
    assert "#1 GET /seats" in out
    assert "python -m workshop timeline 90 --compare" in out
    assert "python -m workshop timeline 90 --scene crowd" in out


def test_compare_shows_the_solution_below(
    said: Said, lesson: Lesson, played: list[ScenarioRun]
) -> None:
    code, out, _ = said("timeline", "90", "--compare", "--scene", "crowd")

    assert code == 0
    assert [it.answer for it in played] == [lesson.app_file, lesson.solution_file]
    assert "Yours: 10 ms\n" in out
    assert "Solution: 20 ms\n" in out


def test_the_solution_can_be_recorded_alone(
    said: Said, lesson: Lesson, played: list[ScenarioRun]
) -> None:
    assert said("timeline", "90", "--solution")[0] == 0
    assert [it.answer for it in played] == [lesson.solution_file]


def test_it_can_be_recorded_in_virtual_time(
    said: Said, played: list[ScenarioRun]
) -> None:
    assert "in 10 ms" in said("timeline", "90")[1]
    assert "in 1000 ms" in said("timeline", "90", "--virtual")[1]
    assert len(played) == 2


@pytest.mark.parametrize("options", [[], ["--compare"]])
def test_the_picture_can_be_written_to_a_file(
    said: Said, tmp_path: Path, played: list[ScenarioRun], options: list[str]
) -> None:
    path = tmp_path / "seats.svg"
    code, _, err = said("timeline", "90", "--svg", str(path), *options)

    assert (code, len(played)) == (0, 1 + len(options))
    assert f"The picture is in {path}." in err
    assert path.read_text(encoding="utf-8").startswith("<svg ")


def test_only_an_earlier_picture_is_overwritten(
    said: Said, tmp_path: Path, played: list[ScenarioRun]
) -> None:
    path = tmp_path / "app.py"
    path.write_text("the only copy", encoding="utf-8")

    code, _, err = said("timeline", "90", "--svg", str(path))

    assert (code, len(played)) == (2, 1)
    assert "is not an SVG picture" in err
    assert path.read_text(encoding="utf-8") == "the only copy"


def test_an_unwritable_picture_is_an_error(
    said: Said, tmp_path: Path, played: list[ScenarioRun]
) -> None:
    code, _, err = said("timeline", "90", "--svg", str(tmp_path / "no" / "x.svg"))

    assert (code, len(played)) == (2, 1)
    assert "cannot be written: No such file" in err


def test_an_app_that_cannot_be_recorded_is_an_error(
    said: Said, lesson: Lesson, played: list[ScenarioRun]
) -> None:
    lesson.app_file.write_text("import sys; sys.exit()", encoding="utf-8")
    code, out, _ = said("timeline", "90")

    assert (code, len(played)) == (1, 1)
    assert "could not be recorded. " in out
    assert "app.py called sys.exit()." in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--scene", "x"], "no scene 'x'. Its scenes are: seats, crowd."),
        (["--solution", "--compare"], "Either --solution or --compare"),
    ],
)
def test_wrong_usage_is_one_sentence(
    said: Said, played: list[ScenarioRun], words: list[str], sentence: str
) -> None:
    code, out, err = said("timeline", "90", *words)

    assert (code, out, played) == (2, "", [])
    assert sentence in err


def test_a_lesson_without_a_scene_says_so(said: Said) -> None:
    code, _, err = said("timeline", "90")

    assert code == 2
    assert "Lesson 90 has no scene to record." in err
