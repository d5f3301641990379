"""Browsers of instructors and learners, and how they enter the room."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.room.serving import RunningRoom

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

People = Callable[..., "BrowserContext"]
"""The fixture `people`: each call gives a person a browser of their own."""

WAIT = 30_000
"""Milliseconds; only a test that fails on a busy machine takes that long."""

PHONE = {"viewport": {"width": 390, "height": 844}}


def open_board(
    where: BrowserContext | Page,
    room: RunningRoom,
    name: str = "Iris",
    address: str = "",
) -> Page:
    """Log in as the printed link does, and return the page of the board."""
    page: Page = where.new_page() if hasattr(where, "new_page") else where
    page.goto(
        f"{address or room.address}/board/login?secret={room.service.room.secret}"
    )
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Open the board").click()
    page.get_by_role("heading", name="Help queue").wait_for()
    return page


def join_on_phone(
    context: BrowserContext, room: RunningRoom, name: str, address: str = ""
) -> Page:
    """Join as the QR code does, and return the learner's page."""
    page = context.new_page()
    page.goto(f"{address or room.address}/join?code={room.service.room.code}")
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Join").click()
    page.get_by_text("You are").wait_for()
    return page
