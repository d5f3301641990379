"""Serving the site, also for other machines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from workshop.lesson import Lesson
from workshop.processes import lan
from workshop.site import build

Said = Callable[..., tuple[int, str, str]]

pytest.importorskip("material", reason="the theme needs Python 3.11.5")


@pytest.fixture
def served(
    lesson: Lesson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """The hosts at which the site was served."""
    hosts: list[str] = []

    def serve(root: Path, host: str, port: int) -> bool:
        hosts.append(host)
        return True

    monkeypatch.setattr(build, "serve", serve)
    monkeypatch.setattr(lan, "addresses", lambda: ["198.51.100.7"])
    (tmp_path / "mkdocs.yml").touch()
    return hosts


def test_without_a_host_only_this_machine_is_served(
    said: Said, served: list[str]
) -> None:
    code, _, err = said("site")

    assert (code, len(served)) == (0, 1)
    assert served[0] in ("127.0.0.1", "::1")
    assert len(err.splitlines()) == 2


def test_other_machines_get_an_address(said: Said, served: list[str]) -> None:
    code, _, err = said("site", "--host", "0.0.0.0")

    assert (code, served) == (0, ["0.0.0.0"])
    here, there, *_ = err.splitlines()
    port = here.rstrip("/").rpartition(":")[2]
    assert there == f"From other machines in this network: http://198.51.100.7:{port}/"


def test_a_loopback_address_is_not_for_other_machines(
    said: Said, served: list[str]
) -> None:
    _, _, err = said("site", "--host", "localhost")

    assert "Use 0.0.0.0 for other machines." in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["--host", "198.51.100.9"],
            "`198.51.100.9` is not an address of this machine.",
        ),
        (["--host", "0.0.0.0", "--port", "99999"], "Invalid value for '--port': 99999"),
    ],
)
def test_a_wrong_host_or_port_is_one_sentence(
    said: Said, served: list[str], words: list[str], told: str
) -> None:
    code, _, err = said("site", *words)

    assert (code, served) == (2, [])
    assert err.startswith(told)
    assert len(err.splitlines()) == 1
