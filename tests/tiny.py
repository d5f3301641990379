"""A lesson small enough to judge hostile answers by."""

from pathlib import Path

from workshop.lesson import Lesson

README = """\
# 90 · Seats

*5 minutes · you edit `app.py`*

Customers cannot see how many seats are free.

## Step 1 · The free seats are shown

`GET /seats` must tell how many seats are free.

## Step 2 · Nothing is nowhere

An unknown address must not be found.
"""

HINTS = """\
# Hints · 90 · Seats

## Step 1 · The free seats are shown

1. Look.
2. Think.
3. Write.

## Step 2 · Nothing is nowhere

1. Look again.
2. Think again.
3. Write again.
"""

TESTS = '''\
import pytest


@pytest.mark.step(1)
async def test_the_free_seats_are_shown(client):
    """A customer sees how many seats are free."""
    answer = await client.get("/seats")
    assert answer.status_code == 200, (
        f"GET /seats answered {answer.status_code}. Expected: 200."
    )
    assert answer.json() == {"free": 2}, (
        f"GET /seats said {answer.text}. Expected: 2 free seats."
    )


@pytest.mark.step(2)
async def test_the_address_of_nothing_is_not_found(client):
    """An unknown address is not found."""
    answer = await client.get("/nothing")
    assert answer.status_code == 404, (
        f"GET /nothing answered {answer.status_code}. Expected: 404."
    )
    assert "detail" in answer.json(), (
        f"GET /nothing was not found, and said {answer.text}. Expected: why."
    )
'''

GOOD = """\
from fastapi import FastAPI

app = FastAPI()


@app.get("/seats")
async def seats():
    return {"free": 2}
"""

STATE_1 = (
    GOOD
    + """

# TODO 2: nothing is nowhere.
@app.get("/nothing")
async def nothing():
    return {}
"""
)

STARTER = STATE_1.replace('{"free": 2}', '{"free": 0}  # TODO 1: two are free.')

PAGE = """\
# 90 · Seats

```python from="solutions/90_seats/app.py::seats"
@app.get("/seats")
async def seats():
    return {"free": 2}
```

**Cut.**
Step 2, if time is short.
"""

REASONS = """\
# Solution · 90 · Seats

## Step 1 · The free seats are shown

Two seats are free.

## Step 2 · Nothing is nowhere

Without a route, FastAPI responds with 404.

## Design

**Goal.**
You can count seats.

"""

VARIANTS = """\
[[wrong]]
name = "one seat too many"
why = "Counting from one."
refused_by = ["test_the_free_seats_are_shown"]
[[wrong.replace]]
old = '"free": 2'
new = '"free": 3'

[[right]]
name = "a def endpoint"
why = "Nothing is awaited."
[[right.replace]]
old = "async def seats"
new = "def seats"
"""


def write_lesson(root: Path, starter: str = STARTER, name: str = "90_seats") -> Lesson:
    """Write the lesson below *root*, by default as number 90, and return it."""
    folder = root / "lessons" / name
    solution = root / "solutions" / name
    for path, text in (
        (folder / "README.md", README),
        (folder / "hints.md", HINTS),
        (folder / "test_seats.py", TESTS),
        (folder / "app.py", starter),
        (solution / "README.md", REASONS),
        (solution / "app.py", GOOD),
        (solution / "steps" / "0.py", STARTER),
        (solution / "steps" / "1.py", STATE_1),
        (root / "docs" / "lessons" / f"{name}.md", PAGE),
        (root / "tests" / "variants" / name / "variants.toml", VARIANTS),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Lesson(folder, solution)
