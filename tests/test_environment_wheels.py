"""A set-up with the packages that came with the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.checkouts import Checkout, wheel


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A fresh checkout on a machine that cannot reach the package index."""
    made = Checkout.make(tmp_path)
    made.go_offline()
    return made


def test_a_set_up_uses_them_without_a_network(checkout: Checkout) -> None:
    wheel(checkout.root / ".workshop" / "wheels", "tiny_core", "1.0")

    ended = checkout.run("list")

    assert ended.code == 0, ended.err
    assert "core: 1.0" in ended.out


def test_a_setting_can_name_their_folder(checkout: Checkout, tmp_path: Path) -> None:
    wheel(tmp_path / "a memory stick", "tiny_core", "1.0")
    checkout.settings["WORKSHOP_WHEELS"] = str(tmp_path / "a memory stick")

    ended = checkout.run("list")

    assert ended.code == 0, ended.err


def test_what_they_lack_comes_from_the_index(tmp_path: Path) -> None:
    checkout = Checkout.make(tmp_path)
    wheel(checkout.root / ".workshop" / "wheels", "tiny_other", "1.0")

    ended = checkout.run("list")

    assert ended.code == 0, ended.err


def test_what_they_lack_is_named_if_there_is_no_network(checkout: Checkout) -> None:
    wheel(checkout.root / ".workshop" / "wheels", "tiny_core", "0.9")

    ended = checkout.run("list")

    assert ended.code == 3
    sentence = ended.err.splitlines()[-1]
    assert " does not have tiny_core==1.0, and the package index cannot " in sentence


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX script")
def test_uv_looks_only_there_at_first(checkout: Checkout) -> None:
    wheels = checkout.root / ".workshop" / "wheels"
    wheel(wheels, "tiny_core", "1.0")
    told = checkout.use_fake_uv()

    ended = checkout.run("list")

    assert ended.code == 0, ended.err  # by pip
    (call,) = (told / "calls").read_text(encoding="utf-8").splitlines()
    assert f" --no-index --find-links {wheels} -r " in call
