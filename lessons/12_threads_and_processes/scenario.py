"""The requests to the app over time, for `make lesson-12 timeline`.

DRAFT: a scene that shows the defect, or delete this file if there is nothing to see.
"""

from __future__ import annotations

from workshop.scenario import Stage


async def shows(stage: Stage) -> None:
    """Two customers look at a show."""
    stage.headline(lambda: stage.wait_of("Bob"))
    stage.request("GET", "/shows/1", customer="Ann")
    stage.request("GET", "/shows/1", customer="Bob", at=50)
