"""What installers and file systems complain of, and what learners are told."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from workshop import commands
from workshop.environment.model import Stamp
from workshop.environment.trouble import explain, explain_missing_part, explain_os_error

PLACE, LOG = Path("/course/.venv"), Path("/course/.venv/workshop.log")


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("cause: dns error\ncause: failed to lookup address", "cannot be reached"),
        ("NewConnectionError('…: Connection refused')", "cannot be reached"),
        ("invalid peer certificate: UnknownIssuer", "SSL_CERT_FILE and PIP_CERT"),
        ("SSLError(CERTIFICATE_VERIFY_FAILED)", "SSL_CERT_FILE and PIP_CERT"),
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        ("error: Read-only file system (os error 30)", "cannot be written"),
        ("ERROR: No matching distribution found for x==1", "for this Python and"),
        (
            "\nsomething else\n\n",
            "last message: something else. Its whole output is in",
        ),
        ("", "last message: nothing."),
    ],
)
def test_an_installers_error_comes_with_a_fix(output: str, told: str) -> None:
    sentence = explain(output, PLACE, LOG)

    assert told in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.ENOSPC, "The disk is full, and /course/.venv needs about 250 MB"),
        (errno.EROFS, "/course/.venv cannot be written. Copy the checkout"),
        (errno.EACCES, "or set WORKSHOP_VENV to a folder that you can write to"),
        (errno.EEXIST, "a file is in its place"),
        (errno.EIO, "Remove that folder and run the same command again."),
    ],
)
def test_a_file_system_error_comes_with_a_fix(number: int, told: str) -> None:
    error = OSError(number, os.strerror(number), "/course/.venv/x")

    assert told in explain_os_error(error, PLACE)


def test_a_deleted_part_of_the_checkout_comes_with_a_fix() -> None:
    root = Path("/course")
    gone = FileNotFoundError(2, "No such file", "/course/solutions/00_seats/app.py")
    never = FileNotFoundError(2, "No such file", "/course/.workshop/x")
    part = ModuleNotFoundError(
        "No module named 'workshop.testing'", name="workshop.testing"
    )
    package = ModuleNotFoundError("No module named 'click'", name="click")

    assert explain_missing_part(gone, root) == (
        "solutions/00_seats/app.py is missing. `git checkout "
        "solutions/00_seats/app.py` in /course restores it."
    )
    assert "`git checkout workshop`" in (explain_missing_part(part, root) or "")
    assert explain_missing_part(never, root) is None
    assert explain_missing_part(package, root) is None


@pytest.mark.parametrize(
    ("command", "groups"),
    [
        ("list", ("core",)),
        ("test 01", ("core",)),
        ("test 01 --database sqlite", ("core",)),
        ("test 01 --database postgres", ("core", "postgres")),
        ("run 01 --database=postgres", ("core", "postgres")),
        (
            "check --database postgres",
            ("core", "notebook-tests", "authors", "postgres"),
        ),
        (
            "room --database postgresql+asyncpg://box@office/room",
            ("core", "room", "postgres"),
        ),
        (
            "selftest",
            *[("core", "postgres", "room", "site", "notebook-tests", "authors", "dev")],
        ),
        ("pins", ()),
    ],
)
def test_a_verb_only_needs_its_groups(
    command: str, groups: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORKSHOP_DATABASE_URL", raising=False)

    assert commands.groups(command.split()) == groups


def test_a_learners_postgresql_needs_its_driver(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORKSHOP_DATABASE_URL", "postgresql://box@office/shows")

    assert commands.groups(["test", "01"]) == ("core", "postgres")


def test_a_written_stamp_can_be_parsed() -> None:
    stamp = Stamp("3.13", "/my course/.venv", "/my course", {"core": "abc"})

    assert Stamp.parse(stamp.text()) == stamp


@pytest.mark.parametrize("text", ["", "python 3.13\n", "\0\0\0", "{}"])
def test_other_text_is_not_a_stamp(text: str) -> None:
    assert Stamp.parse(text) is None


def test_the_help_fits_a_terminal() -> None:
    assert max(len(line) for line in commands.table().splitlines()) <= 80


def test_the_help_names_every_verb_of_the_command_line() -> None:
    from workshop.cli.app import command_line

    known = set(command_line().commands)

    assert known <= set(commands.BY_NAME)
    assert set(commands.BY_NAME) - known <= {"help", "pins"}
