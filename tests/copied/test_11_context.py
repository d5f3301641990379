"""What lesson 11 offers to copy."""

from __future__ import annotations

import logging
import types
from collections.abc import Callable

from workshop.testing import eventually, exchange

Load = Callable[..., types.ModuleType]


async def fetch_stock(number: int) -> int:
    logging.getLogger("lesson 11").warning("stock of %s", number)
    if number == 13:
        raise ConnectionError("connection refused")
    return 10 * number


class Lines(logging.Handler):
    """Keeps the id and the text of each line."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.__dict__["request_id"], record.getMessage()))


async def test_each_line_has_the_id_of_its_request(service: Load) -> None:
    module = service("11", fetch_stock=fetch_stock)
    lines, log = Lines(), logging.getLogger("lesson 11")
    lines.addFilter(module.AddRequestId())
    log.addHandler(lines)
    try:
        requests = [
            exchange(module.app, "GET", f"/products/{number}", headers=headers)
            for number, headers in ((1, {"X-Request-ID": "a"}), (2, {}), (13, {}))
        ]
        assert await eventually(lambda: all(request.done for request in requests))
    finally:
        log.removeHandler(lines)
    assert lines.lines == [
        ("a", "stock of 1"),
        ("-", "stock of 2"),
        ("-", "stock of 13"),
    ]
    assert requests[0].json() == {"stock": 10}


async def test_a_browser_may_read_an_error(service: Load) -> None:
    module = service("11", fetch_stock=fetch_stock)
    shop = {"origin": "https://shop.example"}
    for number, status in ((1, 200), (13, 500)):
        request = exchange(module.app, "GET", f"/products/{number}", headers=shop)
        await request.finished()
        found = request.headers.get("access-control-allow-origin")
        assert (request.status, found) == (status, shop["origin"])
