"""A stand-in for a remote service that answers by its arguments, fails or hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from workshop.testing.reporting.failures import TimeLimitExceeded
from workshop.testing.sync.condition import Condition
from workshop.testing.sync.gate import Gate
from workshop.testing.time.event_loop import settle

Arguments = tuple[Any, ...]
Matches = Callable[..., bool]


def _always(*_: Any) -> bool:
    return True


@dataclass
class _Fault:
    """What happens to the next calls that match, instead of an answer."""

    matches: Matches
    remaining: int | None
    error: BaseException | None = None
    gate: Gate | None = None

    def takes(self, arguments: Arguments) -> bool:
        return self.remaining != 0 and self.matches(*arguments)


class FakeService:
    """Stands in for an `async def` of the outside world, as a remote service would.

    It computes its answer from the arguments, so two customers get two answers, and
    it never answers in the same turn of the event loop. Faults apply in the order in
    which they were added; each one can be limited to the calls that match a predicate
    and to a number of calls. For example:

        charge = FakeService("the card company", lambda customer, euros: True)
        charge.fails_once(ConnectionError("hung up"), when=lambda who, _: who == "Ann")
        app.replace("charge", charge)

    Attributes:
        what: what the service is called in messages.
        calls: the arguments of every call, in the order of arrival.
        in_flight: the arguments of the calls that have not been answered yet.
        most_in_flight: how many calls have been in flight at the same time, at most.
        cancelled: the arguments of the calls that were cancelled.

    """

    def __init__(
        self, what: str, answer: Callable[..., Any] | Any = None, *, turns: int = 3
    ) -> None:
        """Answer each call with `answer(*arguments)`, or with *answer* itself.

        *turns* is how many turns of the event loop an answer takes.
        """
        self.what = what
        self.calls: list[Arguments] = []
        self.in_flight: list[Arguments] = []
        self.most_in_flight = 0
        self.cancelled: list[Arguments] = []
        self._answer = answer
        self._turns = turns
        self._faults: list[_Fault] = []
        self._condition = Condition()

    async def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Answer, fail or hang, as the test has said. Keyword arguments come last."""
        given = (*arguments, *named.values())
        self.calls.append(given)
        self.in_flight.append(given)
        self.most_in_flight = max(self.most_in_flight, len(self.in_flight))
        self._condition.notify_all()
        try:
            await settle(self._turns)
            if fault := self._next_fault(given):
                if fault.gate is not None:
                    await fault.gate(*given)
                if fault.error is not None:
                    raise fault.error
            if not callable(self._answer):
                return self._answer
            return self._answer(*arguments, **named)
        except asyncio.CancelledError:
            self.cancelled.append(given)
            raise
        finally:
            self.in_flight.remove(given)
            self._condition.notify_all()

    def fails(
        self, error: BaseException, *, times: int | None = None, when: Matches = _always
    ) -> None:
        """Raise *error* in the next *times* calls that match, or in all of them."""
        self._faults.append(_Fault(when, times, error=error))

    def fails_once(self, error: BaseException, *, when: Matches = _always) -> None:
        """Raise *error* in the next call that matches."""
        self.fails(error, times=1, when=when)

    def hangs(
        self,
        *,
        times: int | None = None,
        when: Matches = _always,
        error: BaseException | None = None,
    ) -> Gate:
        """Hold the next *times* calls that match, or all of them.

        Returns:
            The gate at which they wait. After it opens they get their answers, or
            *error* if there is one.

        """
        gate = Gate(self.what)
        self._faults.append(_Fault(when, times, error=error, gate=gate))
        return gate

    def recovers(self) -> None:
        """Remove all faults, and release the calls that hang."""
        faults, self._faults = self._faults, []
        for fault in faults:
            if fault.gate is not None:
                fault.gate.open()

    async def until_in_flight(self, number: int) -> None:
        """Wait until *number* calls are in flight at the same time.

        Raises:
            TimeLimitExceeded: if that did not happen within the outer limit.

        """
        try:
            await self._condition.wait_for(lambda: len(self.in_flight) >= number, "")
        except TimeLimitExceeded:
            raise TimeLimitExceeded(
                f"At most {self.most_in_flight} of {number} calls to {self.what} were "
                "in flight at the same time. Expected: all of them."
            ) from None

    def _next_fault(self, arguments: Arguments) -> _Fault | None:
        for fault in self._faults:
            if fault.takes(arguments):
                if fault.remaining is not None:
                    fault.remaining -= 1
                return fault
        return None
