"""The addresses at which other machines reach a server of this one."""

from __future__ import annotations

import ipaddress
import socket

import pytest

from workshop.processes import lan
from workshop.processes.lan import HostError, addresses, resolved, urls


def test_a_loopback_address_is_none_of_them() -> None:
    assert not any(ipaddress.ip_address(it).is_loopback for it in addresses())


def test_all_addresses_are_listed_for_a_server_on_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lan, "addresses", lambda: ["192.0.2.7", "198.51.100.7"])

    assert urls("0.0.0.0", 8000) == [
        "http://192.0.2.7:8000/",
        "http://198.51.100.7:8000/",
    ]


def test_one_address_is_listed_for_a_server_on_one() -> None:
    assert urls("192.0.2.7", 80) == ["http://192.0.2.7:80/"]
    assert urls("2001:db8::7", 80) == ["http://[2001:db8::7]:80/"]


def test_a_server_for_this_machine_has_none() -> None:
    assert urls("127.0.0.1", 8000) == []


def test_a_name_is_resolved() -> None:
    assert ipaddress.ip_address(resolved("localhost")).is_loopback


@pytest.mark.parametrize("host", ["192.0.2.200", "0.0.0.0:8000", "a b", "-", "x" * 70])
def test_an_address_that_this_machine_does_not_have_is_refused(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lan, "addresses", lambda: ["198.51.100.7"])

    with pytest.raises(HostError) as refused:
        resolved(host)

    assert str(refused.value) == (
        f"`{host}` is not an address of this machine. Use 0.0.0.0 for all of its "
        "addresses. This machine has: 198.51.100.7."
    )


def test_a_taken_port_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        with pytest.raises(HostError, match=f"Port {port} is taken"):
            resolved("127.0.0.1", port)
