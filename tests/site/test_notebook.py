"""A notebook becomes a page of the site's own Markdown."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from workshop.check.generated import check_generated, renew
from workshop.site.notebook import NotebookError, notebook_page
from workshop.site.plain import write_plain_texts
from workshop.timeline import Lane, Span, State, Timeline
from workshop.timeline.recording import JSON

SVG = '<svg xmlns="http://www.w3.org/2000/svg">\n\n<rect id="a"/></svg>'


def code(source: str, *outputs: dict[str, Any], run: bool = True) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": 1 if run else None,
        "metadata": {},
        "source": source.splitlines(keepends=True),
        "outputs": list(outputs),
    }


def text(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def shown(**data: str) -> dict[str, Any]:
    types = {"svg": "image/svg+xml", "html": "text/html", "plain": "text/plain"}
    return {
        "output_type": "display_data",
        "data": {types[name]: value for name, value in data.items()},
    }


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(*cells: dict[str, Any]) -> Path:
        path = tmp_path / "notebooks" / "00_event_loop.ipynb"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
        return path

    return write


TITLE = text("# 00 · The event loop\n\nPredict first.")


def test_texts_code_and_output_follow_each_other(write: Any) -> None:
    printed = {"output_type": "stream", "text": ["one\n", "\x1b[31mtwo\x1b[0m\n"]}

    page = notebook_page(write(TITLE, code("print('one')", printed)))

    assert page.startswith(
        "# 00 · The event loop\n\nPredict first.\n\n"
        "```python\nprint('one')\n```\n\n"
        "```{.text .printed}\none\ntwo\n```\n"
    )


def test_a_drawing_is_shown_instead_of_its_text(write: Any) -> None:
    page = notebook_page(
        write(
            TITLE,
            code("draw()", shown(svg=SVG, plain="<Timeline>")),
            code("draw()", shown(html=f"<div>{SVG}</div>", plain="<Timeline>")),
        )
    )

    assert page.count('<figure class="loop"><div data-search-exclude><svg') == 2
    assert "Timeline" not in page
    # Drawings on one page must not share ids, nor have empty lines in them.
    assert 'id="00_event_loop-2-1-a"' in page
    assert 'id="00_event_loop-3-1-a"' in page
    assert "\n\n<rect" not in page


def test_a_recording_is_drawn_for_phones_too(write: Any) -> None:
    lane = Lane("ann()", (Span(State.RUNNING, 0, 1), Span(State.AWAITING, 1, 9)))
    kept = {"title": "Ann waits", **Timeline((lane,), 10).as_json()}
    output = {
        "output_type": "display_data",
        "data": {JSON: json.loads(json.dumps(kept)), "image/svg+xml": SVG},
    }

    page = notebook_page(write(TITLE, code("draw()", output)))

    (figure,) = (it for it in page.splitlines() if it.startswith("<figure"))
    assert figure.count("<svg") == 2
    assert figure.index('<div class="wide"><svg') < figure.index('<div class="narrow">')
    assert "Ann waits" in figure
    ids = re.findall(r' id="([^"]+)"', figure)
    assert len(ids) == len(set(ids)) > 0


def test_an_intended_error_is_shown_as_its_last_line(write: Any) -> None:
    error = {"output_type": "error", "ename": "RuntimeError", "evalue": "no loop"}

    page = notebook_page(write(TITLE, code("asyncio.run(f())", error)))

    assert "```{.text .printed}\nRuntimeError: no loop\n```" in page


def test_hidden_and_empty_cells_are_not_shown(write: Any) -> None:
    hidden = code("secret()") | {"metadata": {"tags": ["hide"]}}

    page = notebook_page(write(TITLE, hidden, code("", run=False)))

    assert "secret" not in page
    assert "```" not in page


def test_code_with_backticks_stays_in_its_block(write: Any) -> None:
    page = notebook_page(write(TITLE, code('print("```")')))

    assert '````python\nprint("```")\n````' in page


def test_links_still_work(write: Any) -> None:
    links = (
        "[page](../docs/lessons/00_x.md#run), [next](01_y.ipynb), "
        "[app](../lessons/00_x/app.py), [web](https://example.org/a)"
    )

    page = notebook_page(write(TITLE, text(links)))

    assert (
        "[page](../lessons/00_x.md#run), [next](01_y.md), "
        "app, [web](https://example.org/a)"
    ) in page


def test_a_cell_without_output_is_an_error(write: Any) -> None:
    with pytest.raises(NotebookError, match=r"its cell 'late\(\)' was not run"):
        notebook_page(write(TITLE, code("late()", run=False)))


def test_a_file_that_is_not_a_notebook_or_has_no_title_is_an_error(write: Any) -> None:
    with pytest.raises(NotebookError, match="does not begin with a title"):
        notebook_page(write(text("No title.")))
    path = write(TITLE)
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(NotebookError, match=r"00_event_loop\.ipynb cannot be shown"):
        notebook_page(path)


def test_a_stale_notebook_page_is_reported(write: Any, tmp_path: Path) -> None:
    (tmp_path / "lessons").mkdir()
    path = write(TITLE)
    page = tmp_path / "docs" / "notebooks" / "00_event_loop.md"
    listing = page.with_name("index.md")

    assert {it.lesson for it in check_generated(tmp_path)} == {page.name, listing.name}
    assert set(renew(tmp_path)) == {page, listing}
    assert list(check_generated(tmp_path)) == []
    assert "[00 · The event loop](00_event_loop.md)" in listing.read_text("utf-8")

    write(TITLE, text("More."))
    assert [it.lesson for it in check_generated(tmp_path)] == [page.name]

    path.unlink()
    assert [it.lesson for it in check_generated(tmp_path)] == [page.name]
    renew(tmp_path)
    assert not page.exists()


def test_the_plain_text_contains_a_drawings_description(
    write: Any, tmp_path: Path
) -> None:
    lane = Lane("ann()", (Span(State.AWAITING, 0, 9),))
    kept = {"title": "Ann & Bob", **Timeline((lane,), 10).as_json()}
    output = {"output_type": "display_data", "data": {JSON: kept}}
    page = tmp_path / "docs" / "notebooks" / "00_event_loop.md"
    page.parent.mkdir(parents=True)
    page.write_text(notebook_page(write(TITLE, code("draw()", output))), "utf-8")

    write_plain_texts(tmp_path, tmp_path / "site", "Name", "Pitch")

    text = (tmp_path / "site" / "notebooks" / "00_event_loop.md").read_text("utf-8")
    assert "Picture: Ann & Bob. 1 lane in 10 ms" in text
    assert "<svg" not in text
