"""Learners type the address in many ways."""

from __future__ import annotations

import pytest

from workshop.room import protocol
from workshop.room.client import Invitation, InvitationError, address, invitation

HERE = "http://192.168.0.7:8080"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (f"{HERE} K7QF Ann", Invitation(HERE, "K7QF", "Ann")),
        ("192.168.0.7 k7qf Ann", Invitation(HERE, "K7QF", "Ann")),
        ("192.168.0.7:8080/ K7QF Ann", Invitation(HERE, "K7QF", "Ann")),
        (f"{HERE}/join?code=K7QF Ann Lee", Invitation(HERE, "K7QF", "Ann Lee")),
        (f"{HERE}/join?code=K7QF k7qf Ann", Invitation(HERE, "K7QF", "Ann")),
        (f"{HERE}/join", Invitation(HERE)),
        ("https://a.org/room/ K7 Jörg", Invitation("https://a.org/room", "K7", "Jörg")),
        ("laptop.local:9000 K7QF", Invitation("http://laptop.local:9000", "K7QF")),
        ("[fe80::1] K7QF", Invitation("http://[fe80::1]:8080", "K7QF")),
        ("http://ann@10.0.0.1:1 K A", Invitation("http://10.0.0.1:1", "K", "A")),
        ("", Invitation()),
    ],
)
def test_an_address_is_understood(typed: str, meant: Invitation) -> None:
    assert invitation(typed.split()) == meant


@pytest.mark.parametrize(
    "typed",
    ["http://", "ftp://a", "http://a:99999999", "http://[", "a:b", "://", "ß://"],
)
def test_anything_else_is_refused_with_an_example(typed: str) -> None:
    with pytest.raises(
        InvitationError, match=r"is not an address.*192\.168\.0\.7:8080"
    ):
        invitation([typed])


def test_missing_parts_are_named() -> None:
    assert invitation([HERE]).missing == ("code", "name")
    assert invitation([]).missing == ("address", "code", "name")


@pytest.mark.parametrize(
    ("where", "nearby"),
    [
        (HERE, True),
        ("http://127.0.0.1:1", True),
        ("http://laptop:8080", True),
        ("http://laptop.local", True),
        ("http://[fe80::1%25eth0]:8080", True),
        ("https://room.example.org", False),
        ("http://8.8.8.8", False),
    ],
)
def test_a_proxy_server_is_used_only_for_distant_rooms(
    where: str, nearby: bool
) -> None:
    assert address.is_nearby(where) == nearby


def test_the_default_port_is_that_of_the_protocol() -> None:
    assert address.DEFAULT_PORT == protocol.DEFAULT_PORT
