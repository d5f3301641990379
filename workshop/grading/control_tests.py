"""Tests that must fail: the proof that a failure would have been reported.

They run after a lesson's own tests, in the same process, past the same plugins.
An app that makes everything pass makes these pass as well. What they report is
made of what an app of theirs answers, so it shows that clients and JSON are still
what they were.
"""

import json
from typing import Any

from workshop.testing.app.client import in_process_client
from workshop.testing.app.exchange import Receive, Send, exchange


def test_a_control_fails() -> None:
    """Fail at once."""
    raise AssertionError(" ".join(("a", "failure", "is", "told")))


async def test_a_control_on_the_loop_fails() -> None:
    """Fail with what two kinds of client were answered."""
    asked = exchange(_answer, "GET", "/")
    await asked.finished()
    async with in_process_client(_answer) as client:
        answer = await client.get("/")
    raise AssertionError(
        f"{asked.status} {asked.json()} {answer.status_code} {answer.json()}"
    )


async def _answer(scope: Any, receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 418, "headers": headers})
    body = json.dumps({"tea": [1, 2]}).encode()
    await send({"type": "http.response.body", "body": body})
