"""Records for tests, written like sentences."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from workshop.room.server.board import Board, Changes
from workshop.room.server.records import Record

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
ANN, BOB, CLEO = UUID(int=1), UUID(int=2), UUID(int=3)
NAMES = {ANN: "Ann", BOB: "Bob", CLEO: "Cleo"}


class Log:
    """Numbers records, and gives each of them the time of the *minute* it is in."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.minute = 0.0

    def add(self, kind: str, actor: UUID | None = None, **data: Any) -> Record:
        """Add a record and return it."""
        at = NOON + timedelta(minutes=self.minute)
        number = len(self.records) + 1
        record = Record(kind, at, actor, data, UUID(int=number), number, at)
        self.records.append(record)
        return record

    def join(self, *learners: UUID) -> None:
        """Let *learners* join."""
        for learner in learners:
            self.add("joined", learner, name=NAMES[learner])

    def judge(
        self, learner: UUID, step: int, *failed: str, lesson: str = "03"
    ) -> Record:
        """Add a verdict: passed if no test *failed*."""
        return self.add(
            "judged",
            learner,
            lesson=lesson,
            step=step,
            passed=not failed,
            failed=list(failed),
            seconds=0.4,
        )

    def board(self) -> Board:
        """Return the board after all records."""
        board = Board()
        board.apply_all(self.records)
        return board


def changes_of(board: Board, record: Record) -> Changes:
    """Apply *record*, and return what it has changed."""
    return board.apply_all([record])
