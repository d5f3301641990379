"""Loading the app under test."""

import linecache
import os
import sys
import traceback
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.testing.conftest import WriteApp
from workshop.testing import AppLoadError
from workshop.testing.app.loading import LoadedFile

GOOD = "from fastapi import FastAPI\n\napp = FastAPI()\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "app.py has no FastAPI object called `app`. An empty file"),
        ("api = 3", "app.py has no FastAPI object called `app`"),
        ("app = None", "app.py has no FastAPI object called `app`"),
        (
            "x = 1\ndef f(:\n",
            "app.py is not valid Python: invalid syntax.\napp.py:2  def f(:",
        ),
        (
            "import shoes_and_ships\n",
            "app.py could not be loaded: ModuleNotFoundError: No module named "
            "'shoes_and_ships'\napp.py:1  import shoes_and_ships",
        ),
        (
            "price = 1 / 0\n",
            "ZeroDivisionError: division by zero\napp.py:1  price = 1 / 0",
        ),
        (
            "import sys\nsys.exit(0)\n",
            "app.py ended the process (sys.exit() or SystemExit) while app.py was "
            "being loaded. An app must not end the process or the test that it runs "
            "in.\napp.py:2  sys.exit(0)",
        ),
        ("import pytest\npytest.skip('no')\n", "app.py called pytest.skip() while"),
        ("import pytest\npytest.exit('no')\n", "app.py called pytest.exit() while"),
        ("raise KeyboardInterrupt\n", "app.py raised KeyboardInterrupt while"),
    ],
)
def test_a_file_that_cannot_be_imported_is_reported_with_its_line(
    write_app: WriteApp, text: str, words: str
) -> None:
    with pytest.raises(AppLoadError) as failure:
        LoadedFile(write_app(text))

    assert words in str(failure.value)
    assert "app" not in sys.modules


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(AppLoadError, match=r"probably renamed or deleted"):
        LoadedFile(tmp_path / "app.py")


def test_a_file_that_is_not_text_is_reported(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(AppLoadError, match=r"is not text in UTF-8"):
        LoadedFile(tmp_path / "app.py")


def test_the_module_is_called_app_and_removed_afterwards(write_app: WriteApp) -> None:
    path = list(sys.path)
    loaded = LoadedFile(write_app(GOOD))
    assert sys.modules["app"] is loaded.module
    assert loaded.module.__name__ == "app"
    loaded.unload()

    assert "app" not in sys.modules
    assert sys.path == path


def test_an_edit_of_the_same_size_in_the_same_second_is_noticed(
    write_app: WriteApp,
) -> None:
    """Byte code is found again by size and whole seconds, and would be out of date."""
    file = write_app(GOOD + "price = 1\n")
    LoadedFile(file).unload()
    moment = file.stat().st_mtime_ns
    write_app(GOOD + "price = 2\n")
    os.utime(file, ns=(moment, moment))
    loaded = LoadedFile(file)

    assert loaded.module.price == 2
    assert not list(file.parent.glob("__pycache__/app*"))
    loaded.unload()


def test_a_traceback_shows_the_lines_that_ran(write_app: WriteApp) -> None:
    file = write_app(GOOD + "def buy():\n    raise ValueError  # as it was\n")
    loaded = LoadedFile(file)
    write_app("saved meanwhile")
    linecache.checkcache()
    with pytest.raises(ValueError) as failure:  # noqa: PT011 -- its lines matter
        loaded.module.buy()
    loaded.unload()

    shown = "".join(traceback.format_exception(failure.value))
    assert "raise ValueError  # as it was" in shown


def test_modules_beside_the_file_are_imported_fresh_too(
    write_app: WriteApp, tmp_path: Path
) -> None:
    (tmp_path / "prices.py").write_text("price = 1\n", encoding="utf-8")
    file = write_app(GOOD + "import prices\n")
    LoadedFile(file).unload()

    assert "prices" not in sys.modules


def test_models_may_refer_to_each_other_by_name(write_app: WriteApp) -> None:
    """Pydantic looks for a forward reference in the module that `sys.modules` has."""
    loaded = LoadedFile(
        write_app(
            """
            from __future__ import annotations
            from fastapi import FastAPI
            from pydantic import BaseModel

            app = FastAPI()

            class Order(BaseModel):
                seats: list[Seat]

            class Seat(BaseModel):
                row: int
            """
        )
    )
    order = loaded.module.Order(seats=[{"row": 3}])

    assert order.seats[0].row == 3
    loaded.unload()


def test_a_process_pool_finds_its_functions(
    write_app: WriteApp, tmp_path: Path
) -> None:
    """Also new processes, which share no memory, and whatever the file is called."""
    import multiprocessing

    file = write_app(GOOD + "def draw(n):\n    return n * 2\n").rename(
        tmp_path / "7.py"
    )
    loaded = LoadedFile(file)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        assert pool.submit(loaded.module.draw, 21).result() == 42
    loaded.unload()
