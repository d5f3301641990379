"""Messages for failed attempts to join or leave: what happened, why, what to do."""

from __future__ import annotations

import math
from urllib.parse import urlsplit

from workshop import files
from workshop.commands import command
from workshop.room.client.membership import Membership


def rejected(
    status: int, wanted: Membership, code: str, seconds: float | None = None
) -> str:
    """Return why the room did not accept the request to join."""
    again = command("join", options=f"{wanted.address} CODE NAME")
    if status == 403:
        return (
            f"{code!r} is not this room's code. Check the code on the projector, then "
            f"run: {again}"
        )
    if status == 409:
        return (
            "Another learner in the room has the same id, so you have not joined. To "
            f"try again with a new id: {again}"
        )
    if status == 429:
        wait = max(1, math.ceil(seconds or 60))
        return (
            f"Too many wrong codes were sent from your network. Wait {wait} seconds, "
            f"then run: {again}"
        )
    if len(code) > 64:
        return (
            "The code is too long: it has at most 64 characters. Check the code on the "
            f"projector, then run: {again}"
        )
    return (
        f"The room does not accept the name {wanted.name!r}. A name has 1 to 40 "
        f"visible characters. To join with another name: {again}"
    )


def no_answer(address: str, seconds: float | None = None) -> str:
    """Return the message that no room responds at *address*."""
    again = command("join", options=f"{address} CODE NAME")
    if seconds is not None:
        return (
            f"The room at {address} is full or busy. Wait "
            f"{max(1, math.ceil(seconds))} seconds, then run: {again}"
        )
    port = urlsplit(address).port
    right = f"{port} is the port" if port else "the address includes the port"
    return (
        f"No response from {address}. Check that this computer is on the same Wi-Fi as "
        f"the instructor's and that {right} shown on the projector. Then run: {again}"
    )


def not_a_room(address: str, how: str) -> str:
    """Return the message that another program responds at *address*."""
    again = command("join", options="ADDRESS CODE NAME")
    return (
        f"{address} is not a room: {how}. It may be another program or the Wi-Fi's "
        f"login page. Check the address on the projector, then run: {again}"
    )


def not_left(address: str) -> str:
    """Return the message that the room may still have the learner's data."""
    local = command("leave", options="--local")
    return (
        f"The room at {address} does not respond, so it may still have your data. "
        "Nothing more is sent except the request to delete it, which later commands "
        "repeat until the room confirms. To give up instead and leave your data there "
        f"for at most 7 days: {local}"
    )


def not_stored(problem: OSError) -> str:
    """Return the message that the membership could not be stored."""
    return (
        "You have not joined, because the room's address could not be stored: "
        f"{files.reason(problem)}. Check the disk space and the permissions of the "
        f"folder `.workshop`, then run: {command('join')}"
    )
