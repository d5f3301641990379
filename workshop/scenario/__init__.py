"""Play a lesson's scenes with an app, and record what the event loop did.

`lessons/NN_name/scenario.py` defines which customer sends which request at which time.
Its stand-ins replace the outside world and take short, known times. Each public
`async def` function that takes a stage is a scene. Its docstring is the title of the
picture, and `headline` sets the result that the picture shows in large type::

    async def turnstiles(stage: Stage) -> None:
        'A turnstile calls while a report is made.'
        stage.headline(lambda: stage.wait_of("turnstile"))
        stage.request("GET", "/shows/1/report", customer="manager")
        stage.request("GET", "/ping", customer="turnstile", at=5)

`WORLD` maps names in `app.py` to their stand-ins. A stand-in with `external_call` has a
lane for each call. `workshop.timeline.mark` marks a moment. Responses, commits and
reads of the cache are marked without any code.
"""

from workshop.scenario.external import external_call
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
    "external_call",
    "play",
    "read_scenes",
]
