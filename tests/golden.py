"""Golden files: a screen as a whole, so that each change of it is seen and reviewed.

After an intended change, run the tests with `WORKSHOP_GOLDEN=write` and look at the
difference before you commit it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"

_VARIES = (
    (re.compile(r"\b\d+\.\d s\b"), "0.0 s"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?"), "2030-01-01 00:00"),
    (re.compile(r"\b\d{8}-\d{6}\b"), "20300101-000000"),
)


def is_golden(name: str, text: str) -> None:
    """Compare *text* with the golden file *name*, but for times and ends of lines.

    Raises:
        AssertionError: They differ, or there is no such file yet.
    """
    for pattern, constant in _VARIES:
        text = pattern.sub(constant, text)
    text = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
    file = FOLDER / f"{name}.txt"
    if os.environ.get("WORKSHOP_GOLDEN") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")
    assert file.is_file(), f"{file.name} is missing: set WORKSHOP_GOLDEN=write once"
    assert text == file.read_text(encoding="utf-8")
