"""What is written goes out clean, from this process and from another one."""

import io
import os
import sys
import threading

import pytest

from workshop.terminal.output import (
    SafeStream,
    SanitizedLines,
    copy_sanitized,
    safe_standard_streams,
    trusted,
)


def test_printed_text_is_clean(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("WORKSHOP_REDIS_URL", "redis://:hunter22@host")
    with safe_standard_streams():
        sys.stdout.write("\x1b[2J\x1b[31mhunter22 in red\n")
        sys.stderr.write("\x1b]0;title\x07words\n")
    out, err = capsys.readouterr()

    assert (out, err) == ("\x1b[31m*** in red\x1b[0m\n", "words\n")


def test_no_color_removes_the_app_s_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    written = io.StringIO()

    SafeStream(written).write("\x1b[31mred")

    assert written.getvalue() == "red"


def test_our_own_codes_bypass_the_filter() -> None:
    written = io.StringIO()
    trusted(SafeStream(written)).write("\r")  # type: ignore[arg-type]

    assert written.getvalue() == "\r"


def test_output_of_another_process_is_passed_on_at_once_and_clean() -> None:
    read, write = os.pipe()
    target = io.StringIO()
    prompted = threading.Event()

    class Target(io.StringIO):
        def write(self, text: str) -> int:
            target.write(text)
            if "name?" in text:
                prompted.set()
            return len(text)

    with os.fdopen(read, "rb") as source:
        thread = threading.Thread(target=copy_sanitized, args=(source, Target()))
        thread.start()
        os.write(write, b"\x1b[2JYour name? ")
        assert prompted.wait(30), "a prompt waits for its line break"
        os.write(write, b"\xc3")
        os.write(write, b"\xa9\x9b\x1b]52;c;QUJD")
        os.write(write, b"\x07 end\n")
        os.close(write)
        thread.join(30)

    assert target.getvalue() == "Your name? é\ufffd end\n"


def test_a_password_that_is_cut_in_two_is_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGPASSWORD", "hunter22-and-more")
    data = b"x\n" + b"." * 65_530 + b"hunter22-and-more" + b"\n"
    lines = SanitizedLines()

    shown = lines.feed(data[:65_536]) + lines.feed(data[65_536:]) + lines.finish()

    assert "hunter" not in shown
    assert shown.endswith("***\n")
