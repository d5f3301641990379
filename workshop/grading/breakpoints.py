"""A breakpoint in a worker ends the run: its standard input is not a terminal."""

from __future__ import annotations

import sys

from workshop.sandbox.control_channel import wait_to_be_ended
from workshop.sandbox.event_channel import EventChannel
from workshop.testing.app.breakpoints import call_at_breakpoints
from workshop.testing.reporting.source import SourceLine


def report_breakpoints(channel: EventChannel) -> None:
    """Report a breakpoint over *channel*, and block its thread until the run ends.

    If the run continued, its verdict would be about code that was meant to stop there.
    A process that the app has forked cannot report a breakpoint, so it continues.
    """

    def report(place: SourceLine) -> None:
        if not channel.is_own:
            sys.stderr.write(f"A breakpoint at {place.short} was skipped.\n")
            return
        channel.mark("")
        channel.send("breakpoint", where=place.short, line=place.labelled)
        wait_to_be_ended()

    call_at_breakpoints(report)
