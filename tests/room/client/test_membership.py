"""The room that a learner has joined is kept in a file."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from workshop.room.client.membership import Membership, Memberships

ANN = Membership("http://10.0.0.1:8080", "1", "a secret", "Jörg", "Monday")


def test_a_membership_survives_the_process(tmp_path: Path) -> None:
    Memberships(tmp_path / "home").save(ANN)

    assert Memberships(tmp_path / "home").load() == ANN
    assert "a secret" not in repr(ANN)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_only_its_owner_can_read_the_token(tmp_path: Path) -> None:
    Memberships(tmp_path).save(ANN)

    assert stat.S_IMODE((tmp_path / "room.json").stat().st_mode) == 0o600


def test_a_file_that_is_cut_at_any_byte_is_no_membership(tmp_path: Path) -> None:
    memberships = Memberships(tmp_path)
    memberships.save(ANN)
    file = tmp_path / "room.json"
    whole = file.read_bytes().rstrip()

    for size in range(len(whole)):
        file.write_bytes(whole[:size])
        assert memberships.load() is None


@pytest.mark.parametrize(
    "text", ["[]", "{}", "null", '{"address": 1}', "[" * 100_000, '{"learner": ""}']
)
def test_another_file_is_no_membership(tmp_path: Path, text: str) -> None:
    (tmp_path / "room.json").write_text(text, encoding="utf-8")

    assert Memberships(tmp_path).load() is None


def test_removing_an_old_membership_leaves_a_new_one(tmp_path: Path) -> None:
    memberships = Memberships(tmp_path)
    memberships.save(replace(ANN, learner="2"))
    memberships.remove(ANN)
    still_there = memberships.load()
    memberships.remove(replace(ANN, learner="2"))

    assert still_there is not None
    assert memberships.load() is None
