"""A notebook made of a text keeps what the text has not changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workshop.notebooks.pairing import differences, made_of, read, write

TEXT = """\
# %% [markdown]
# # Seats

# %%
seats = 80

# %% tags=["raises-exception"]
seats / 0
"""


def ids(notebook: Any) -> list[str]:
    return [it.id for it in notebook.cells]


def test_a_text_gives_the_same_notebook_each_time() -> None:
    assert made_of(TEXT) == made_of(TEXT)
    assert len(set(ids(made_of(TEXT)))) == 3


def test_equal_cells_have_different_ids() -> None:
    twice = made_of("# %%\nshow()\n\n# %%\nshow()\n")

    assert len(set(ids(twice))) == 2


def test_a_changed_cell_keeps_its_id_and_a_new_one_gets_its_own() -> None:
    before = made_of(TEXT)

    changed = made_of(TEXT.replace("80", "90"), before)
    longer = made_of(TEXT.replace("# %%\n", "# %%\nrows = 8\n\n# %%\n", 1), before)

    assert ids(changed) == ids(before)
    assert [it for it in ids(longer) if it in ids(before)] == ids(before)
    assert len(set(ids(longer))) == 4


def test_a_notebook_survives_writing_and_reading(tmp_path: Path) -> None:
    notebook = made_of(TEXT)

    write(notebook, tmp_path / "it.ipynb")

    assert read(tmp_path / "it.ipynb") == notebook
    assert list(differences(TEXT, read(tmp_path / "it.ipynb"))) == []


def test_differences_between_text_and_notebook_are_reported() -> None:
    notebook = made_of(TEXT)

    (word,) = differences(TEXT.replace("80", "90"), notebook)
    (tag,) = differences(TEXT.replace(' tags=["raises-exception"]', ""), notebook)
    (more,) = differences(TEXT + "\n# %%\nseats\n", notebook)
    notebook.metadata["path"] = "/somewhere"
    (metadata,) = differences(TEXT, notebook)

    assert word == "cell 2 has another source than in the text"
    assert tag == "cell 3 has another metadata than in the text"
    assert more == "4 cells in the text, 3 beside it"
    assert metadata == "its metadata contains more than it should"
