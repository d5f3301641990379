"""The report of a workshop."""

import csv
import io

from tests.room.server.logs import ANN, BOB, CLEO, Log
from workshop.room.server.course import CourseLesson
from workshop.room.server.report import as_csv, as_html, report

COURSE = {"03": CourseLesson("03", "Background tasks", 30, ("One", "Two"), None)}


def workshop() -> Log:
    """Return the log of three learners: 2, 6 and 10 minutes for step 1."""
    log = Log()
    log.join(ANN, BOB, CLEO)
    for learner in (ANN, BOB, CLEO):
        log.add("opened", learner, lesson="03", step=1)
    for learner, minute in ((ANN, 2), (BOB, 6), (CLEO, 10)):
        log.minute = minute
        log.judge(learner, 1, "test_ping")
        log.judge(learner, 1)
    log.add("hint", ANN, lesson="03", step=2, rung=1)
    log.add("solution", BOB, lesson="03")
    return log


def test_it_has_the_median_minutes_from_the_first_event_to_the_first_pass() -> None:
    first, second = report(workshop().records, COURSE)
    assert (first.learners, first.passed, first.minutes) == (3, 3, 6.0)
    assert (first.runs, first.failures) == (6, (("test_ping", 3),))
    assert (second.learners, second.passed, second.minutes) == (1, 0, None)
    assert (second.hints, second.solutions, second.planned) == (1, 1, 30)


def test_a_step_that_was_finished_on_the_next_day_does_not_count_for_the_median() -> (
    None
):
    log = workshop()
    log.add("joined", ANN, name="Ann")
    log.add("opened", ANN, lesson="04", step=1)
    log.minute += 24 * 60
    log.judge(ANN, 1, lesson="04")
    assert report(log.records, COURSE)[-1].minutes is None


def test_neither_the_page_nor_the_table_has_names_or_ids_of_learners() -> None:
    steps = report(workshop().records, COURSE)
    for text in (as_html(steps, COURSE, "Room"), as_csv(steps)):
        assert not any(name in text for name in ("Ann", "Bob", "Cleo", str(ANN)))


def test_a_test_s_name_cannot_become_a_formula_or_markup() -> None:
    log = Log()
    log.join(ANN)
    log.judge(ANN, 1, "=HYPERLINK(1)<script>")
    steps = report(log.records, COURSE)
    assert "<script>" not in as_html(steps, COURSE, "<script>")
    rows = list(csv.DictReader(io.StringIO(as_csv(steps))))
    assert rows[0]["top_failures"].startswith("'=")


def test_an_empty_room_has_an_empty_report() -> None:
    assert report([], COURSE) == []
    assert "No learner" in as_html([], COURSE, "Room")
