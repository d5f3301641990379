"""The state of the room."""

from datetime import timedelta

from tests.room.server.logs import ANN, BOB, CLEO, NOON, Log, changes_of
from workshop.room.server.board import OFFLINE, QUIET
from workshop.room.server.course import CourseLesson
from workshop.room.server.views import agenda


def test_a_step_passes_and_a_later_save_may_break_it_again() -> None:
    log = Log()
    log.join(ANN)
    log.judge(ANN, 1)
    assert log.board().learners[ANN].passed == {("03", 1)}
    log.judge(ANN, 1, "test_ping")
    ann = log.board().learners[ANN]
    assert (ann.passed, ann.failed) == (set(), {("03", 1): ("test_ping",)})
    log.judge(ANN, 1)
    assert log.board().learners[ANN].failed == {}


def test_tests_that_many_learners_fail_come_first_and_those_of_one_are_left_out() -> (
    None
):
    log = Log()
    log.join(ANN, BOB, CLEO)
    for learner in (ANN, BOB, CLEO):
        log.add("opened", learner, lesson="03", step=1)
    log.judge(ANN, 1, "test_ping", "test_close")
    log.judge(BOB, 1, "test_ping", "test_close")
    log.judge(CLEO, 1, "test_ping", "test_other")
    failures = log.board().shared_failures("03")
    assert failures == [("test_ping", 3), ("test_close", 2)]


def test_only_the_step_that_a_learner_works_on_counts_as_a_failure() -> None:
    log = Log()
    log.join(ANN, BOB)
    for learner in (ANN, BOB):
        log.add("opened", learner, lesson="03", step=1)
        log.judge(learner, 1, "test_ping")
    log.add("opened", BOB, lesson="03", step=2)
    assert log.board().shared_failures("03") == []


def test_help_is_given_in_the_order_in_which_it_was_asked_for() -> None:
    log = Log()
    log.join(ANN, BOB)
    log.add("help", BOB, wanted=True)
    log.minute = 1
    log.add("help", ANN, wanted=True)
    log.minute = 2
    log.add("help", BOB, wanted=True)  # asking again does not lose the place
    assert [it.id for it in log.board().help_queue()] == [BOB, ANN]
    log.add("claim", learner=str(BOB), by="Iris")
    assert log.board().learners[BOB].helper == "Iris"
    log.add("answered", learner=str(BOB))
    board = log.board()
    assert [it.id for it in board.help_queue()] == [ANN]
    assert board.learners[BOB].helper == ""


def test_a_claim_for_a_learner_who_needs_no_help_changes_nothing() -> None:
    log = Log()
    log.join(ANN)
    board = log.board()
    assert not changes_of(board, log.add("claim", learner=str(ANN), by="Iris"))
    assert not changes_of(board, log.add("claim", learner=str(BOB), by="Iris"))


def test_a_heartbeat_shows_that_a_learner_is_there_but_not_that_they_work() -> None:
    log = Log()
    log.join(ANN)
    log.minute = 10
    log.add("heartbeat", ANN)
    ann = log.board().learners[ANN]
    now = NOON + timedelta(minutes=10)
    assert (ann.is_quiet(now), ann.is_offline(now)) == (True, False)
    assert ann.is_offline(now + OFFLINE)
    assert not ann.is_quiet(NOON + QUIET - timedelta(seconds=1))


def test_the_last_vote_of_each_learner_counts_until_the_poll_is_closed() -> None:
    log = Log()
    log.join(ANN, BOB)
    poll = str(log.add("poll", lesson="03").id)
    log.add("vote", ANN, poll=poll, choice="A")
    log.add("vote", ANN, poll=poll, choice="C")
    log.add("vote", BOB, poll=poll, choice="C")
    log.add("poll_closed", poll=poll)
    log.add("vote", BOB, poll=poll, choice="A")
    found = log.board().poll
    assert found is not None
    assert found.counts() == {"C": 2}
    assert not found.is_open


def test_a_vote_in_an_earlier_poll_does_not_count_in_the_present_one() -> None:
    log = Log()
    log.join(ANN)
    earlier = str(log.add("poll", lesson="03").id)
    log.add("poll", lesson="04")
    log.add("vote", ANN, poll=earlier, choice="A")
    found = log.board().poll
    assert found is not None
    assert not found.votes


def test_a_learner_who_leaves_takes_their_vote_and_their_place_along() -> None:
    log = Log()
    log.join(ANN)
    poll = str(log.add("poll", lesson="03").id)
    log.add("vote", ANN, poll=poll, choice="A")
    log.add("help", ANN, wanted=True)
    board = log.board()
    changes = changes_of(board, log.add("left", ANN))
    assert (board.learners, board.help_queue()) == ({}, [])
    assert board.poll is not None
    assert not board.poll.votes
    assert changes.learners == {ANN}
    assert changes.parts == {"poll"}


def test_records_of_learners_who_have_left_change_nothing() -> None:
    log = Log()
    log.join(ANN)
    log.add("left", ANN)
    board = log.board()
    assert not changes_of(board, log.judge(ANN, 1))


def test_the_board_shows_the_lesson_in_focus_or_else_the_most_common_one() -> None:
    log = Log()
    log.join(ANN, BOB, CLEO)
    assert log.board().common_lesson("00") == "00"
    log.add("opened", ANN, lesson="05", step=1)
    log.add("opened", BOB, lesson="05", step=2)
    log.add("opened", CLEO, lesson="03", step=1)
    assert log.board().common_lesson("00") == "05"
    log.add("focus", lesson="03", step=1)
    assert log.board().common_lesson("00") == "03"
    log.add("focus", lesson=None, step=None)
    assert log.board().focus is None


def test_every_state_is_reached_in_the_same_way_in_one_go_and_record_by_record() -> (
    None
):
    log = Log()
    log.join(ANN, BOB)
    log.add("opened", ANN, lesson="03", step=1)
    log.judge(ANN, 1, "test_ping")
    log.add("hint", ANN, lesson="03", step=1, rung=2)
    log.add("hint", ANN, lesson="03", step=1, rung=1)
    log.add("solution", BOB, lesson="03")
    log.add("message", text="Break!", by="Iris")
    log.add("timer", ends=(NOON + timedelta(minutes=5)).isoformat())
    slowly = Log().board()
    for record in log.records:
        changes_of(slowly, record)
    board = log.board()
    for one in (board, slowly):
        assert one.learners[ANN].hints == {("03", 1): 2}
        assert one.learners[BOB].solutions == {"03"}
        assert [it.text for it in one.messages] == ["Break!"]
        assert one.timer_ends == NOON + timedelta(minutes=5)
    assert board.seq == slowly.seq == len(log.records)


def test_a_lesson_lasts_from_its_first_focus_until_that_of_the_next_one() -> None:
    lessons = {
        number: CourseLesson(number, number, 30, ("One", "Two"), None)
        for number in ("03", "04")
    }
    log = Log()
    assert agenda(log.board(), lessons, NOON) == []
    log.add("focus", lesson="03", step=1)
    log.minute = 10
    log.add("focus", lesson="03", step=2)
    log.minute = 25
    log.add("focus", lesson="04", step=1)
    lines = agenda(log.board(), lessons, NOON + timedelta(minutes=32))
    assert [(it.lesson.number, it.minutes, it.is_current) for it in lines] == [
        ("03", 25, False),
        ("04", 7, True),
    ]
