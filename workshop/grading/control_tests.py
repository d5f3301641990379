"""Tests that must fail, which proves that a failure would have been reported.

They run after a lesson's own tests, in the same process, with the same plugins. An app
that makes everything pass makes these pass as well. Their failure messages contain the
responses of a small app, which shows that HTTP clients and JSON still work.
"""

import json
from typing import Any

from workshop.testing.app.client import in_process_client
from workshop.testing.app.exchange import Receive, Send, exchange


def test_a_control_fails() -> None:
    """Fail at once."""
    raise AssertionError(" ".join(("a", "failure", "is", "told")))


async def test_a_control_on_the_loop_fails() -> None:
    """Fail with the responses to two kinds of client."""
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
