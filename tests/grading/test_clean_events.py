"""What an answer says reaches nobody with control codes or passwords in it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tiny import GOOD
from workshop.grading import grade
from workshop.lesson import Lesson

TRICKS = r"\x1b[2J\x1b]52;c;QUJD\x07\x9b2J\x08\u202e"


@pytest.fixture
def hostile(answer: Callable[[str], Path]) -> Path:
    """An app that prints, logs and raises control codes and the Redis password."""
    said = f'"{TRICKS}\\x1b[31mwords " + os.environ["WORKSHOP_REDIS_URL"]'
    text = GOOD.replace(
        "    return",
        f"    print({said})\n    logging.warning({said})\n"
        f"    raise RuntimeError({said})\n    return",
    )
    return answer("import logging, os\n" + text)


def test_events_and_output_only_contain_text_and_colours(
    lesson: Lesson, hostile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKSHOP_REDIS_URL", "redis://:hunter2/word@host/3")

    verdict = grade(lesson, hostile)

    test = verdict.steps[0].tests[0]
    plain = "".join([test.message, *test.raised, test.traceback, test.line])
    assert "words redis://***@host/3" in plain
    assert "words redis://***@host/3" in test.output
    colours_removed = test.output.replace("\x1b[31m", "").replace("\x1b[0m", "")
    for text in (plain, colours_removed, json.dumps(verdict.as_json())):
        assert not {"\x1b", "\x07", "\x08", "\x9b", "\u202e"} & set(text)
        assert "QUJD" not in text.replace("]52;c;QUJD", "")
        assert "hunter2" not in text
        assert "\\u001b" not in text
