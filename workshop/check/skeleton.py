"""The files of a new lesson: a tiny working one, to be replaced part by part.

Its app has one wrong number for each step. So the tool works on it from the start: the
starter fails, each state passes one more step, and the solution passes. Text to be
replaced is marked `DRAFT:`.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Template

from workshop.check.rules.files import PLACEHOLDER

MINUTES_A_STEP = 5


@dataclass(frozen=True)
class Skeleton:
    """A lesson called *slug* (`13_races`) with *steps* steps."""

    slug: str
    steps: int

    @property
    def number(self) -> str:
        """The two digits of the slug."""
        return self.slug[:2]

    @property
    def name(self) -> str:
        """The slug without its number."""
        return self.slug[3:]

    @property
    def title(self) -> str:
        """The name as a title: `Server sent events` for `server_sent_events`."""
        words = self.name.replace("_", " ")
        return words[:1].upper() + words[1:]

    def files(self) -> dict[str, str]:
        """Return the text of each file, by its path relative to the checkout."""
        lesson, solution = f"lessons/{self.slug}", f"solutions/{self.slug}"
        starter = self.app(repaired=0)
        states = {
            f"{solution}/steps/{n}.py": self.app(repaired=n) for n in range(self.steps)
        }
        return {
            f"{lesson}/README.md": self._text(_README, _README_STEP),
            f"{lesson}/hints.md": self._text(_HINTS, _HINTS_STEP),
            f"{lesson}/app.py": starter,
            f"{lesson}/test_{self.name}.py": self._text(_TESTS, _TEST),
            f"{lesson}/scenario.py": self._text(_SCENARIO),
            f"{solution}/README.md": self._text(_SOLUTION, _SOLUTION_STEP, _DESIGN),
            f"{solution}/app.py": self.app(repaired=self.steps),
            **states,
            f"tests/variants/{self.slug}/variants.toml": self._text(
                _VARIANTS, _WRONG, _RIGHT
            ),
            f"docs/lessons/{self.slug}.md": self._text(_PAGE, _PAGE_EXPLAINED)
            + self._text(_PAGE_TURN, _PAGE_STEP, _PAGE_END),
            f"notebooks/{self.slug}.py": self._text(_NOTEBOOK),
        }

    def app(self, *, repaired: int) -> str:
        """Return the app with the first *repaired* steps repaired."""
        routes = [
            _fill(_TODO, self, step) * (step > repaired)
            + _fill(_ROUTE, self, step, free=10 * step if step <= repaired else 0)
            for step in range(1, self.steps + 1)
        ]
        return "\n\n".join([_fill(_APP, self), *routes])

    def _text(self, head: str, step: str = "", tail: str = "") -> str:
        steps = [_fill(step, self, n) for n in range(1, self.steps + 1)] if step else []
        return "".join([_fill(head, self), *steps, _fill(tail, self)])


def _fill(template: str, lesson: Skeleton, step: int = 0, free: int = 0) -> str:
    return Template(template).substitute(
        DRAFT=PLACEHOLDER,
        free=free,
        minutes=MINUTES_A_STEP * lesson.steps,
        name=lesson.name,
        number=lesson.number,
        right=10 * step,
        slug=lesson.slug,
        step=step,
        title=lesson.title,
        wrong=10 * step - 1,
    )


_README = """\
# $number · $title

*$minutes minutes · you edit `app.py` · `make lesson-$number test`*

$DRAFT three to five lines about what customers see: a person, a place, what goes wrong.

Start the app with `make lesson-$number run`, open `/docs`, and see for yourself.
"""

_README_STEP = """
## Step $step · Show $step has free seats

$DRAFT what must work after step $step, without saying how.
`GET /shows/$step` must return $right free seats.
"""

_HINTS = """\
# Hints · $number · $title
"""

_HINTS_STEP = """
## Step $step · Show $step has free seats

1. $DRAFT what a learner sees when step $step fails.
   `GET /shows/$step` returns no free seats.
2. $DRAFT what that means.
   The number is a constant in the route.
3. $DRAFT which call to use, with a link to its documentation.
   Change the number in `show_$step`.
"""

_APP = '''\
"""$DRAFT what the app does, in one line.

Start it with `make lesson-$number run`, then open /docs.
"""

from fastapi import FastAPI

app = FastAPI(title="Box office")
'''

_TODO = """\
# TODO $step: GET /shows/$step must return $right free seats.
"""

_ROUTE = '''\
@app.get("/shows/$step")
async def show_$step() -> dict[str, int]:
    """Return the number of free seats of show $step."""
    return {"free": $free}
'''

_TESTS = '''\
"""$DRAFT the stand-ins that the tests use for the outside world."""

import httpx2
import pytest
'''

_TEST = '''

@pytest.mark.step($step)
async def test_show_${step}_has_free_seats(client: httpx2.AsyncClient) -> None:
    """$DRAFT the fact that step $step teaches, in one sentence."""
    response = await client.get("/shows/$step")
    assert response.status_code == 200, (
        f"GET /shows/$step returned {response.status_code}. Expected: 200."
    )
    assert response.json() == {"free": $right}, (
        f"GET /shows/$step returned {response.text}. Expected: $right free seats."
    )
'''

_SCENARIO = '''\
"""The requests to the app over time, for `make lesson-$number timeline`.

$DRAFT a scene that shows the defect, or delete this file if there is nothing to see.
"""

from __future__ import annotations

from workshop.scenario import Stage


async def shows(stage: Stage) -> None:
    """Two customers look at a show."""
    stage.headline(lambda: stage.wait_of("Bob"))
    stage.request("GET", "/shows/1", customer="Ann")
    stage.request("GET", "/shows/1", customer="Bob", at=50)
'''

_SOLUTION = """\
# Solution · $number · $title

$DRAFT the versions of the libraries that you measured with.
The states after each step are in `steps/`, and the finished app is `app.py`.
"""

_SOLUTION_STEP = """
## Step $step · Show $step has free seats

**Why it works.**
$DRAFT why the repair of step $step works.

**Other correct solutions.**

- $DRAFT another way to repair step $step, and what it costs.

**When not.**
$DRAFT when not to do what step $step does.
"""

_DESIGN = """
## Copy this into your service

$DRAFT what to know before copying it. A test in `tests/copied/` runs this code.

```python
from fastapi import FastAPI

app = FastAPI()
```

## Design

**Goal.**
You can $DRAFT what a learner can do after this lesson.

**Out of scope.**
$DRAFT what belongs to other lessons.

**Misconceptions.**

- $DRAFT a wrong belief that the lesson corrects.
"""

_VARIANTS = """\
# $DRAFT at least ten wrong variants and five right ones, as people really write them.
"""

_WRONG = """
# ---------------------------------------------------------------- step $step

[[wrong]]
name = "step $step: one seat too few"
why = "An off-by-one error: counting starts at zero."
refused_by = ["test_show_${step}_has_free_seats"]
[[wrong.replace]]
old = '''{"free": $right}'''
new = '''{"free": $wrong}'''
"""

_RIGHT = """
# ---------------------------------------------------------------- right variants

[[right]]
name = "a def route"
why = "The function awaits nothing, so FastAPI may run it in a thread."
[[right.replace]]
old = '''async def show_1'''
new = '''def show_1'''
"""

_PAGE = '''\
# $number · $title

*$minutes minutes · you edit `lessons/$slug/app.py` · `make lesson-$number test`*

$DRAFT the scene, as in the lesson's README.

## Predict

$DRAFT what a learner should look at before predicting.

```python from="solutions/$slug/steps/0.py::show_1"
@app.get("/shows/1")
async def show_1() -> dict[str, int]:
    """Return the number of free seats of show 1."""
    return {"free": 0}
```

How many free seats does show 1 have?

- **A.** Ten.
- **B.** None.

<details markdown="1">
<summary>Answer</summary>

**B.** $DRAFT why, and the misconception behind each wrong answer.

</details>

## Run

```console
$$ make lesson-$number test
```

```text title="make lesson-$number test"
$DRAFT `python -m workshop pages` inserts the command's output here.
```

## Explain

$DRAFT the pattern, with its most important exception.

'''

_PAGE_EXPLAINED = """\
### Step $step

$DRAFT one or two paragraphs about step $step, without its solution.

"""

_PAGE_TURN = """\
## Your turn

Open `lessons/$slug/app.py`.
Each step has a `TODO` there, and `make lesson-$number` says what must work.

"""

_PAGE_STEP = """\
$step. **Show $step has free seats.** $DRAFT one sentence about step $step.
"""

_PAGE_END = """
`make lesson-$number test` grades your solution, and `make lesson-$number hint` gives a hint.

## Wrap-up

- $DRAFT the first thing to remember.
- $DRAFT the second thing to remember.

**In the notebook.**
Predict, run and change the same pattern: `make lesson-$number notebook`.

**When not to do this.**
$DRAFT when the pattern does more harm than good.

## For the instructor

**Say.**
$DRAFT the one sentence that participants should remember.

**Ask.**
$DRAFT a question before each step.

**Common errors.**

- $DRAFT a mistake that people make, and how to respond to it.

**Cut.**
$DRAFT which step to leave out when time is short, and which to keep.
"""

_NOTEBOOK = """\
# %% [markdown]
# # $number · $title, the notebook
#
# $DRAFT what a learner will see here.
# Predict before you run a cell.
# The lesson: [$number · $title](../docs/lessons/$slug.md). To run this yourself: `make lesson-$number notebook`.

# %%
import asyncio

from workshop.notebooks import play
from workshop.timeline import record

# %% [markdown]
# ## Two customers
#
# $DRAFT the lesson's pattern in another small example, never a line of the solution.
# `play()` runs a scene in virtual time, so that its picture is always the same.


# %%
async def customer(name, seconds):
    await asyncio.sleep(seconds)
    print(name, "has a ticket")


async def in_turn():
    async with record(title="In turn", here=None) as picture:
        await customer("Ann", 0.2)
        await customer("Ben", 0.1)
    return picture


async def side_by_side():
    async with record(title="Side by side", here=None) as picture:
        ann, ben = customer("Ann", 0.2), customer("Ben", 0.1)
        await asyncio.gather(ann, ben)
    return picture


# %% [markdown]
# **Predict.** One after the other: who has a ticket first?

# %%
await play(in_turn())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# Ann: Ben's turn begins when hers is over.
#
# </details>
#
# **Predict.** And side by side?

# %%
await play(side_by_side())

# %% [markdown]
# <details markdown="1">
# <summary>Answer</summary>
#
# Ben: his wait is shorter, and both wait at the same time.
#
# </details>
#
# **Your turn.** $DRAFT one thing to change, and what to look for.
#
# ## Three lines to keep
#
# - $DRAFT the first.
# - $DRAFT the second.
# - $DRAFT the third.
#
# Now repair a box office: [lesson $number](../docs/lessons/$slug.md), `make lesson-$number`.
"""
