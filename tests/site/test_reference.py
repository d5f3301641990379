"""References say what code says of itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from workshop.commands import Verb
from workshop.site.reference import command_line_page, fixtures_page, package_page

INIT = """\
from workshop.testing.sync.gate import Gate, hold, _hidden

__all__ = ["LIMIT", "Gate", "hold"]
LIMIT = 3
"""
GATE = '''\
class Gate:
    """Holds its callers until ``open``."""

    what: str
    """Who is held | and why."""

    def __init__(self, what, *, result=None):
        self.what = what

    @property
    def count(self):
        """How many have come."""

    async def entered(self, times=1, _quiet=_UNSET):
        """Wait for callers.

        Raises:
            TimeLimitExceeded: when nobody
                has come.
        """

    def _private(self):
        """Nobody's business."""


def hold(*gates):
    """Hold all *gates*."""
'''


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "workshop" / "testing"
    (folder / "sync").mkdir(parents=True)
    for package in (folder.parent, folder / "sync"):
        (package / "__init__.py").touch()
    (folder / "__init__.py").write_text(INIT, encoding="utf-8")
    (folder / "sync" / "gate.py").write_text(GATE, encoding="utf-8")
    return folder


def test_a_package_page_documents_its_public_names(package: Path) -> None:
    page = package_page(package)

    assert page.startswith("## hold\n\n`hold(*gates)`\n\nHold all *gates*.")
    assert "## Gate\n\nHolds its callers until `open`." in page
    assert "`Gate(what, *, result=None)`" in page
    assert "| `what` | Who is held \\| and why. |" in page
    assert "| `count` | How many have come. |" in page
    assert "### entered\n\n`await gate.entered(times=1, _quiet=…)`" in page
    assert "**Raises**\n\n- `TimeLimitExceeded`: when nobody\n  has come." in page
    assert "private" not in page


def test_a_missing_docstring_is_an_error(package: Path) -> None:
    broken = GATE.replace('"""Hold all *gates*."""', "pass")
    (package / "sync" / "gate.py").write_text(broken, encoding="utf-8")

    with pytest.raises(ValueError, match="hold has no docstring"):
        package_page(package)


def test_fixtures_are_documented_without_importing_the_plugin(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text(
        "import nothing_there\n\n\n@pytest.fixture\nasync def clock():\n"
        '    """A clock that stands still."""\n\n\ndef helper():\n    pass\n',
        encoding="utf-8",
    )

    table = fixtures_page(plugin)

    assert table.endswith("| `clock` | A clock that stands still. |")
    assert "helper" not in table


def test_a_verb_is_listed_with_both_spellings_and_its_options() -> None:
    @click.command("test")
    @click.argument("lesson")
    @click.option("--all", is_flag=True, help="Show every step.")
    @click.option("--database", type=click.Choice(["sqlite", "postgres"]))
    @click.option("--repeat", default=20, show_default=True, help="How often.")
    def command() -> None:
        """The verdict, step by step."""

    page = command_line_page(
        {"test": command}, [Verb("test", "", "must"), Verb("x", "")]
    )

    assert page.startswith("## test\n\nThe verdict, step by step.\n")
    assert "make lesson-01 test\npython -m workshop test 01" in page
    assert "| `--all` | Show every step. |" in page
    assert "| `--database` `sqlite` or `postgres` |" in page
    assert "| `--repeat` | How often. Default: 20. |" in page
    assert "## x" not in page


def test_a_group_of_verbs_lists_its_subcommands() -> None:
    group = click.Group("progress", help="Take it with you.")
    group.add_command(click.Command("export", help="Write it to a file."))

    page = command_line_page({"progress": group}, [Verb("progress", "")])

    assert "| `export` | Write it to a file. |" in page


def test_verbs_for_which_griffe_is_not_installed_do_not_import_it() -> None:
    modules = ", ".join(
        f"workshop.{it}" for it in ("check", "cli.app", "cli.author", "cli.pictures")
    )
    code = f"import sys; sys.modules['griffe'] = None; import {modules}"

    subprocess.run([sys.executable, "-c", code], check=True)
