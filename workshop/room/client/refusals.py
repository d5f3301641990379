"""Why a learner could not join or leave: what happened, why, and what to do."""

from __future__ import annotations

import math
from urllib.parse import urlsplit

from workshop import files
from workshop.commands import command
from workshop.room.client.membership import Membership


def rejected(
    status: int, wanted: Membership, code: str, seconds: float | None = None
) -> str:
    """Return why the room at the address did not accept the request to join."""
    again = command("join", options=f"{wanted.address} CODE NAME")
    if status == 403:
        return (
            f"The code {code!r} is not the one of this room. Compare it with the "
            f"instructor's board, then: {again}"
        )
    if status == 409:
        return (
            "The room has another learner with the same id, so you have not joined. "
            f"To try again with a new id: {again}"
        )
    if status == 429:
        wait = max(1, math.ceil(seconds or 60))
        return (
            f"There were too many tries with a wrong code. In {wait} s, join again: "
            f"{again}"
        )
    if len(code) > 64:
        return f"A code has at most 64 characters. To join: {again}"
    return (
        f"The room does not accept the name {wanted.name!r}. A name has 1 to 40 "
        f"characters. With another name: {again}"
    )


def no_answer(address: str, seconds: float | None = None) -> str:
    """Return that no room responds at *address*."""
    again = command("join", options=f"{address} CODE NAME")
    if seconds is not None:
        return (
            f"The room at {address} is busy. In {max(1, math.ceil(seconds))} s, join "
            f"again: {again}"
        )
    port = urlsplit(address).port
    port_is_right = f"and is {port} the port" if port else "and has it no port"
    return (
        f"No answer from {address}. Is this computer in the same Wi-Fi as the "
        f"instructor's, {port_is_right} that the board shows? Then: {again}"
    )


def not_a_room(address: str, how: str) -> str:
    """Return that something else responds at *address*, and how that is known."""
    again = command("join", options="ADDRESS CODE NAME")
    return (
        f"{address} is not a room: {how}. It may be another program, or the login page "
        f"of the Wi-Fi. Compare the address with the instructor's board, then: {again}"
    )


def not_left(address: str) -> str:
    """Return that the learner's data in the room may still be there."""
    local = command("leave", options="--local")
    return (
        f"The room at {address} does not answer, so your data is still there. Nothing "
        "more is sent, and later commands ask again until it is deleted. To forget the "
        f"room instead, which leaves your data there for 7 days at most: {local}"
    )


def not_stored(problem: OSError) -> str:
    """Return that the membership could not be stored."""
    return (
        "You have not joined, because this machine cannot store the room's address: "
        f"{files.reason(problem)}. Free some space, or check the folder `.workshop`, "
        f"then: {command('join')}"
    )
