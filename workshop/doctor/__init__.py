"""Check whether this machine is ready, with one line for each check.

`machine` uses only the standard library, so it works even when the set-up is broken;
`inside` runs on the environment's interpreter and tries what the lessons need. Nothing
is installed or repaired, and no network is used.
"""

from workshop.doctor.visit import main

__all__ = ["main"]
