"""Run a lesson's scenes against an answer, and record what the event loop did.

`lessons/NN_name/scenario.py` says which client calls what at which time, and replaces
the outside world with short, known times. Each of its public `async def` functions that
takes a stage is a scene. Its docstring is the title of the picture::

    async def turnstiles(stage: Stage) -> None:
        'Two turnstiles ask while a report is made.'
        stage.request("GET", "/shows/1/report")
        stage.request("GET", "/ping", at=5)

`WORLD` maps names in `app.py` to the functions that stand in for them.
"""

from workshop.scenario.run import NotRecorded, Recorded, ScenarioRun, play
from workshop.scenario.script import Scene, ScriptError, read_scenes
from workshop.scenario.stage import Stage

__all__ = [
    "NotRecorded",
    "Recorded",
    "ScenarioRun",
    "Scene",
    "ScriptError",
    "Stage",
    "play",
    "read_scenes",
]
