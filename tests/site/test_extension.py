"""What the Markdown extension makes of a page, for any builder."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import markdown
import pytest

from workshop.goals import UnclearGoalsError
from workshop.site.picture import PictureError
from workshop.site.quote import QuoteError
from workshop.site.windows_commands import SYSTEMS

pytest.importorskip("pymdownx", reason="pymdown-extensions needs Python 3.11.5")

SOURCE = """\
@app.get("/ping")
async def ping():
    return "pong"
"""
QUOTED = f'```python from="app.py::ping" hl="return"\n{SOURCE}```\n'
SVG = """\
<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="words">
  <title id="words">Two lanes</title>

  <defs><pattern id="hatch"/></defs>
  <rect fill="url(#hatch)"/><use href="#hatch"/>
</svg>
"""
GLOSSARY = """\
# Glossary

event loop, loops
:   The one thread that runs it all. More is told elsewhere.
"""
EXTENSIONS = [
    "abbr",
    "md_in_html",
    "toc",
    "pymdownx.highlight",
    "pymdownx.superfences",
    "pymdownx.tabbed",
    "workshop.site.extension",
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(SOURCE, encoding="utf-8")
    pictures = tmp_path / "docs" / "pictures"
    pictures.mkdir(parents=True)
    (pictures / "lanes.svg").write_text(SVG, encoding="utf-8")
    return tmp_path


def html_of(page: str, root: Path) -> str:
    return markdown.markdown(
        page,
        extensions=EXTENSIONS,
        extension_configs={
            "toc": {"permalink": True},
            "workshop.site.extension": {"root": str(root)},
        },
    )


def blocks(html: str) -> list[Element]:
    """Return the text of each block of code in *html*."""
    return list(fromstring(f"<page>{html}</page>").iter("code"))


def test_a_quote_of_a_starter_is_shown_with_the_file_to_edit(root: Path) -> None:
    starter = root / "solutions" / "90_seats" / "steps" / "0.py"
    starter.parent.mkdir(parents=True)
    starter.write_text(SOURCE, encoding="utf-8")
    quoted = QUOTED.replace("app.py", "solutions/90_seats/steps/0.py")

    html = html_of(quoted, root)

    assert "lessons/90_seats/app.py" in html
    assert "solutions/" not in html


def test_a_quote_is_shown_with_its_file_and_highlighted_line(root: Path) -> None:
    html = html_of(QUOTED, root)

    assert '<span class="filename">app.py</span>' in html
    assert html.count('<span class="hll">') == 1
    assert html.partition('<span class="hll">')[2].lstrip().startswith("<span")
    assert "return" in html.partition('<span class="hll">')[2].partition("\n")[0]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('return "pong"', 'return "pang"', "differs from app.py::ping"),
        ("app.py::ping", "app.py::pong", "app.py has no pong"),
        ('hl="return"', 'hl="yield"', "no line contains 'yield'"),
    ],
)
def test_a_stale_quote_stops_the_build(
    old: str, new: str, words: str, root: Path
) -> None:
    with pytest.raises(QuoteError, match=words):
        html_of(QUOTED.replace(old, new), root)


def test_command_output_looks_like_a_terminal(root: Path) -> None:
    html = html_of('```text title="make test"\nFailed.\n```\n', root)

    assert 'class="output highlight"' in html
    assert '<span class="filename">make test</span>' in html


def test_prompts_are_not_part_of_a_command(root: Path) -> None:
    html = html_of("```console\n$ git status\n$ git diff\n```\n", root)

    assert 'class="typed highlight"' in html
    assert "$" not in html
    session = html_of("```console\n$ make learn\nReady.\n```\n", root)
    assert "$" in session


def test_a_command_for_make_has_a_twin_for_windows(root: Path) -> None:
    command = 'make lesson-04 test ARGS="--step 3"'
    html = html_of(f"1. Type\n\n    ```console\n    $ {command}\n    ```\n", root)

    texts = ["".join(it.itertext()).strip() for it in blocks(html)]
    assert texts == [command, "py -m workshop test 04 --step 3"]
    assert all(it in html for it in SYSTEMS)


def test_a_reference_that_shows_both_forms_gives_each_system_its_own(
    root: Path,
) -> None:
    both = "make [lesson-01] undo\npython -m workshop undo [01]"
    html = html_of(f"```sh\n{both}\n```\n", root)

    twin = "".join(blocks(html)[1].itertext())
    assert twin.strip() == "py -m workshop undo [01]"


def test_a_goal_that_make_does_not_have_stops_the_build(root: Path) -> None:
    with pytest.raises(UnclearGoalsError, match="no `lern`"):
        html_of("```sh\nmake lern\n```\n", root)


def test_a_picture_is_embedded_in_the_page(root: Path) -> None:
    html = html_of("Look:\n\n![What to see](../pictures/lanes.svg)\n", root)

    assert '<figure class="loop"><div data-search-exclude>' in html
    assert "<figcaption>What to see</figcaption>" in html
    assert "<p><figure" not in html
    assert "<img" not in html
    # Two pictures on a page must not lend each other their hatching.
    assert 'id="lanes-hatch"' in html
    assert 'fill="url(#lanes-hatch)"' in html
    assert 'href="#lanes-hatch"' in html
    assert 'aria-labelledby="lanes-words"' in html
    assert "<?xml" not in html


def test_a_phone_gets_the_narrow_picture_where_there_is_one(root: Path) -> None:
    page = "![What to see](../pictures/lanes.svg)\n"
    alone = html_of(page, root)
    narrow = root / "docs" / "pictures" / "lanes-narrow.svg"
    hover = SVG.replace("<rect", "<rect><title>Ann waits</title></rect><rect")
    narrow.write_text(hover, encoding="utf-8")

    html = html_of(page, root)

    assert "narrow" not in alone
    assert '<div class="wide"><svg' in html
    assert '<div class="narrow"><svg' in html
    assert 'id="lanes-narrow-hatch"' in html
    assert html.count("<figcaption>") == 1
    # A finger does not hover: such texts would only be weight.
    assert "Ann waits" not in html
    assert "Two lanes</title>" in html.partition('class="narrow"')[2]


def test_pictures_on_a_page_share_their_style(root: Path) -> None:
    styled = SVG.replace("<defs>", "<style>rect{fill:red}</style><defs>")
    for name in ("one", "two"):
        path = root / "docs" / "pictures" / f"{name}.svg"
        path.write_text(styled, encoding="utf-8")
    page = "![One](../pictures/one.svg)\n\n![Two](../pictures/two.svg)\n"

    html = html_of(page, root)

    assert html.count("<svg") == 2
    assert html.count("<style>") == 1
    assert html.index("<style>") < html.index("<figcaption>One")


def test_a_missing_picture_stops_the_build(root: Path) -> None:
    with pytest.raises(PictureError, match=r"no picture gone\.svg"):
        html_of("![What to see](../pictures/gone.svg)\n", root)


def test_other_images_stay_images(root: Path) -> None:
    assert "<img" in html_of("![Logo](logo.svg)\n", root)


def test_the_section_for_instructors_is_folded(root: Path) -> None:
    page = "# Title\n\n## Wrap-up\n\nKeep.\n\n## For the instructor\n\nSay.\n"

    before, _, part = html_of(page, root).partition("<details")

    assert "Keep." in before
    # It stands open: without a script nothing would open it.
    assert part.startswith(' class="instructor" open="open"><summary><h2')
    assert "Say." in part
    assert "headerlink" not in part


def test_to_do_lists_have_boxes_as_bullets(root: Path) -> None:
    tight = html_of("- [ ] Clone it.\n- [ ] Try `make doctor`.\n", root)
    loose = html_of("- [ ] Clone it.\n\n- [ ] Try it.\n", root)
    other = html_of("- Clone it.\n- [ ] Try it.\n", root)

    assert '<ul class="boxes">\n<li>Clone it.</li>' in tight
    assert '<ul class="boxes">' in loose
    assert "<p>Try it.</p>" in loose
    assert 'class="boxes"' not in other


def test_folded_answers_contain_markdown(root: Path) -> None:
    page = "<details>\n<summary>Answer</summary>\n\nIt is `await`.\n\n</details>\n"

    assert "<code>await</code>" in html_of(page, root)


def test_a_term_is_explained_where_a_page_first_uses_it(root: Path) -> None:
    folder = root / "docs" / "reference"
    folder.mkdir()
    (folder / "glossary.md").write_text(GLOSSARY, encoding="utf-8")
    page = "# The event loop\n\nAn event loop is an event loop; `event loop` is code.\n"

    html = html_of(page, root)

    explained = '<abbr title="The one thread that runs it all.">event loop</abbr>'
    assert html.count("<abbr") == 1
    assert f"An {explained} is an event loop; <code>event loop</code>" in html
    assert ">The event loop<" in html


def test_a_term_in_an_answer_is_explained_again_where_it_is_seen(root: Path) -> None:
    folder = root / "docs" / "reference"
    folder.mkdir()
    (folder / "glossary.md").write_text(GLOSSARY, encoding="utf-8")
    answer = "<details>\n<summary>Answer</summary>\n\nThe event loop.\n\n</details>\n"

    html = html_of(f"{answer}\nThe event loop.\n", root)

    assert html.count("<abbr") == 2
