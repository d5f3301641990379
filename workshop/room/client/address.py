"""The room's address, as learners type or paste it."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

DEFAULT_PORT = 8080
"""The same as in the protocol, which is not imported here because it needs pydantic."""


class InvitationError(ValueError):
    """The words do not contain a room's address. The message says why."""


@dataclass(frozen=True)
class Invitation:
    """What a learner needs to join. Each part is empty if it is missing."""

    address: str = ""
    code: str = ""
    name: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of the missing parts."""
        parts = {"address": self.address, "code": self.code, "name": self.name}
        return tuple(name for name, part in parts.items() if not part)


def invitation(words: Sequence[str]) -> Invitation:
    """Return the invitation in *words*: an address, a code and one or more names.

    The address may be the instructor's link. If it contains the code, the code can be
    left out.

    >>> invitation(["192.168.0.7", "K7QF", "Ann", "Lee"])
    Invitation(address='http://192.168.0.7:8080', code='K7QF', name='Ann Lee')
    >>> invitation(["http://10.0.0.2:8080/join?code=K7QF", "Ann"])
    Invitation(address='http://10.0.0.2:8080', code='K7QF', name='Ann')

    Raises:
        InvitationError: The first word is not an address.

    """
    if not words:
        return Invitation()
    address, code = address_and_code(words[0])
    rest = [word for word in words[1:] if word.strip()]
    if not code and rest:
        code = rest.pop(0)
    elif rest and rest[0].upper() == code.upper():
        del rest[0]  # the code was typed, too
    return Invitation(address, code.upper(), " ".join(" ".join(rest).split()))


def address_and_code(typed: str) -> tuple[str, str]:
    """Return the address in *typed*, without a trailing slash, and the link's code.

    Raises:
        InvitationError: *typed* is not an address.

    """
    text = typed.strip()
    has_scheme = "://" in text
    try:
        parts = urlsplit(text if has_scheme else f"http://{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if host is None or parts.scheme not in ("http", "https") or " " in text:
        raise InvitationError(
            f"{typed!r} is not an address. Type the one on the projector, such as "
            f"http://192.168.0.7:{DEFAULT_PORT}."
        )
    if port is None and not has_scheme:
        port = DEFAULT_PORT
    shown = f"[{host}]" if ":" in host else host
    place = shown if port is None else f"{shown}:{port}"
    path = parts.path.rstrip("/").removesuffix("/join")
    code = parse_qs(parts.query).get("code", [""])[0].strip()
    return f"{parts.scheme}://{place}{path}", code


def is_nearby(address: str) -> bool:
    """Return whether *address* is on this machine or its local network.

    A company's proxy server cannot reach such an address.
    """
    host = urlsplit(address).hostname or ""
    try:
        it = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host == "localhost" or "." not in host or host.endswith(".local")
    return it.is_private or it.is_loopback or it.is_link_local
