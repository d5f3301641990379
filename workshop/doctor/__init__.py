"""Is this machine ready? One plain line for each thing that was looked at.

`machine` looks with the standard library alone, so it also speaks when the
set-up is broken; `inside` runs on the environment's interpreter and tries what
the lessons need. Nothing is installed, nothing is repaired, no network used.
"""

from workshop.doctor.visit import main

__all__ = ["main"]
