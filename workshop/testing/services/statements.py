"""Something happens just before the app sends a statement to its database."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def before_statements(
    pattern: str, action: Callable[[], Awaitable[Any] | None], *, times: int = 1
) -> Iterator[list[str]]:
    """Call *action* before the next *times* statements that match *pattern*.

    *pattern* is a regular expression, searched in any case. *action* may be a
    coroutine function if the app uses SQLAlchemy's asyncio extension; the statement
    is sent when it has returned. What it raises, the app gets from its statement.

    Yields:
        The statements that have matched so far.

    """
    from sqlalchemy import event
    from sqlalchemy.engine import Engine
    from sqlalchemy.util import await_only

    matched: list[str] = []
    looked_for = re.compile(pattern, re.IGNORECASE)

    def on_statement(connection: object, cursor: object, sql: str, *_: object) -> None:
        if not looked_for.search(sql):
            return
        matched.append(sql)
        if len(matched) <= times and (result := action()) is not None:
            await_only(result)

    event.listen(Engine, "before_cursor_execute", on_statement)
    try:
        yield matched
    finally:
        event.remove(Engine, "before_cursor_execute", on_statement)
