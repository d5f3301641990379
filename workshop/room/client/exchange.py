"""The learner's requests to the room, and how its responses are interpreted.

Importing httpx2 and pydantic is slow, so only background threads import this module.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TypeVar
from uuid import UUID

import httpx2
from pydantic import BaseModel, ValidationError

from workshop.room.client.address import is_nearby
from workshop.room.client.membership import Membership
from workshop.room.client.problems import (
    NotARoomError,
    RejectedError,
    UnansweredError,
    UnknownLearnerError,
)
from workshop.room.client.reports import Report
from workshop.room.protocol import LEARNER_EVENT, EventBatch, Join, Joined, Stored

M = TypeVar("M", bound=BaseModel)

SILENCE_SECONDS = 45.0
"""A stream is lost if it is silent for so long: the room sends events more often."""

_NETWORK_ERRORS = (
    httpx2.HTTPError,
    httpx2.StreamError,
    httpx2.InvalidURL,
    OSError,
    UnicodeError,  # a label of the host name is too long
)
_NOT_SENT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.ProxyError,
    httpx2.InvalidURL,
    UnicodeError,
)
_READ_SECONDS = 5.0
_WHOLE_SECONDS = 10.0
_LARGEST_BODY = 64 * 1024


class Exchange:
    """A connection to the room at *address*, for one thread. Close it after use."""

    def __init__(
        self,
        address: str,
        *,
        connect_seconds: float = 5.0,
        read_seconds: float = _READ_SECONDS,
    ) -> None:
        with _unanswered():
            self._client = httpx2.Client(
                base_url=address,
                timeout=httpx2.Timeout(read_seconds, connect=connect_seconds),
                follow_redirects=False,
                # A company's proxy server cannot reach the instructor's laptop.
                trust_env=not is_nearby(address),
                headers={"Accept-Encoding": "identity"},
            )

    def __enter__(self) -> Exchange:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self._client.close()

    def join(self, membership: Membership, code: str) -> str:
        """Join the room and return its title.

        Raises:
            NotARoomError: Another program responds at the address.
            RejectedError: The room does not accept this request.
            UnansweredError: There is no usable response.
            ValueError: The name or the code is too long.

        """
        wanted = Join(
            code=code,
            learner=UUID(membership.learner),
            token=membership.token,
            name=membership.name,
        )
        status, headers, body = self._ask("POST", "/api/join", wanted.model_dump_json())
        if status in (403, 409, 422, 429) and _is_json(headers):
            raise RejectedError(status, _seconds_to_wait(headers))
        if status in (429, 503):
            raise _busy(status, headers)
        if status != 200:
            raise NotARoomError(f"it responds with status {status}")
        joined = _parsed(Joined, body)
        if joined is None:
            raise NotARoomError("its response has another format")
        return joined.room

    def send(self, membership: Membership, reports: Sequence[Report]) -> None:
        """Send *reports*, and return once the room has stored all of them.

        Raises:
            RejectedError: The room will never accept these reports.
            UnansweredError: They may or may not be stored; send them again.
            UnknownLearnerError: The room does not know the learner.

        """
        events = tuple(LEARNER_EVENT.validate_python(report) for report in reports)
        batch = EventBatch(events=events)
        status, headers, body = self._ask(
            "POST",
            "/api/events",
            batch.model_dump_json(),
            {"Authorization": membership.authorization},
        )
        _raise_for(status, headers)
        if status in (413, 422):
            raise RejectedError(status)
        if status != 200 or _parsed(Stored, body) is None:
            raise _garbled(status, headers)

    def leave(self, membership: Membership) -> None:
        """Delete the learner's data, and return once it is deleted.

        Raises:
            UnansweredError: The data may still be there.

        """
        status, headers, _ = self._ask(
            "DELETE",
            "/api/learner",
            headers={"Authorization": membership.authorization},
        )
        gone = status == 204 or (status == 401 and _is_json(headers))
        if not gone:
            raise _garbled(status, headers)

    @contextmanager
    def stream(self, membership: Membership, last_id: str) -> Iterator[httpx2.Response]:
        """Yield the unread response with the room's stream of events.

        Raises:
            UnansweredError: The room did not open a stream.
            UnknownLearnerError: The room does not know the learner.

        """
        headers = {
            "Authorization": membership.authorization,
            "Accept": "text/event-stream",
            "Cache-Control": "no-store",
        }
        if last_id:
            headers["Last-Event-ID"] = last_id
        with (
            _unanswered(),
            self._client.stream("GET", "/api/stream", headers=headers) as response,
        ):
            status, kind = (
                response.status_code,
                response.headers.get("content-type", ""),
            )
            _raise_for(status, response.headers)
            if status != 200 or not kind.startswith("text/event-stream"):
                raise _garbled(status, response.headers)
            yield response

    def _ask(
        self,
        method: str,
        path: str,
        content: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Return the status, the headers and the body of the response."""
        sent = dict(headers or {})
        if content is not None:
            sent["Content-Type"] = "application/json"
        deadline = time.monotonic() + _WHOLE_SECONDS
        body = bytearray()
        with (
            _unanswered(),
            self._client.stream(
                method, path, content=content, headers=sent
            ) as response,
        ):
            for chunk in response.iter_raw():
                body += chunk
                if len(body) > _LARGEST_BODY or time.monotonic() > deadline:
                    raise UnansweredError("garbled", "the response does not end")
            return response.status_code, response.headers, bytes(body)


@contextmanager
def _unanswered() -> Iterator[None]:
    """Turn every network error into an `UnansweredError`."""
    try:
        yield
    except _NETWORK_ERRORS as problem:
        how = "lost"
        if isinstance(problem, httpx2.RemoteProtocolError | httpx2.DecodingError):
            how = "garbled"
        if isinstance(problem, _NOT_SENT):
            how = "unreachable"
        raise UnansweredError(how, f"{type(problem).__name__}: {problem}") from None


def _busy(status: int, headers: Mapping[str, str]) -> UnansweredError:
    return UnansweredError("busy", f"status {status}", _seconds_to_wait(headers))


def _garbled(status: int, headers: Mapping[str, str]) -> UnansweredError:
    kind = headers.get("content-type", "no type")
    return UnansweredError("garbled", f"status {status}, {kind}")


def _raise_for(status: int, headers: Mapping[str, str]) -> None:
    # The login page of a Wi-Fi may also be a 401, but not in JSON.
    if status == 401 and _is_json(headers):
        raise UnknownLearnerError
    if status in (429, 503):
        raise _busy(status, headers)


def _is_json(headers: Mapping[str, str]) -> bool:
    kind = headers.get("content-type", "").partition(";")[0].strip()
    return kind == "application/json" or kind.endswith("+json")


def _seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    value = headers.get("retry-after", "")
    return float(value[:6]) if value.isascii() and value.isdecimal() else None


def _parsed(model: type[M], body: bytes) -> M | None:
    try:
        return model.model_validate_json(body, extra="ignore")
    except ValidationError:
        return None


def is_valid(report: Report) -> bool:
    """Return whether *report* is an event of the protocol. If not, we have a bug."""
    try:
        LEARNER_EVENT.validate_python(report)
    except ValidationError:
        return False
    return True
