"""Pages name code, and get it as it stands in the file."""

from pathlib import Path

import pytest

from workshop.site.quote import QuoteError, highlighted, quote

SOURCE = """\
import asyncio

PATIENCE = 3  # seconds


# --- The outside world. ---

# Venues are slow.
@slow
async def ask(venue):
    # TODO 1: it must be asked once,
    #         and not twice.
    return await call(venue)


class Cache:
    async def get(self, key):
        return self.stored[key]

    def set(self, key, value):
        try:
            self.stored[key] = value
        finally:
            self.writes += 1


async def quotes(venues):
    async def ask_one(venue):
        return await ask(venue)

    return await asyncio.gather(*map(ask_one, venues))


def twice():
    return 1


def twice():
    return 2
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(SOURCE, encoding="utf-8")
    return tmp_path


def test_a_function_comes_with_its_decorators_and_the_comment_above(root: Path) -> None:
    assert quote(root, "app.py::ask") == (
        "# Venues are slow.\n@slow\n"
        "async def ask(venue):\n    return await call(venue)\n"
    )


def test_a_method_is_quoted_without_its_indentation(root: Path) -> None:
    assert quote(root, "app.py::Cache.get") == (
        "async def get(self, key):\n    return self.stored[key]\n"
    )


def test_a_function_inside_a_function_can_be_named(root: Path) -> None:
    assert quote(root, "app.py::quotes.ask_one").startswith("async def ask_one(venue)")


def test_a_constant_can_be_named(root: Path) -> None:
    assert quote(root, "app.py::PATIENCE") == "PATIENCE = 3  # seconds\n"


def test_two_names_are_quoted_in_order(root: Path) -> None:
    both = quote(root, "app.py::PATIENCE,quotes")

    assert both.startswith("PATIENCE = 3")
    assert "\n\n\nasync def quotes" in both


def test_a_range_goes_from_one_text_to_another_or_to_the_end(root: Path) -> None:
    part = "try:\n    self.stored[key] = value\nfinally:\n"

    assert quote(root, "app.py::Cache.set", "try: … finally") == part
    assert quote(root, "app.py::Cache.set", "self.writes") == "self.writes += 1\n"
    assert quote(root, "app.py::Cache.set", "try: …").endswith("self.writes += 1\n")


def test_todos_are_not_quoted(root: Path) -> None:
    assert "TODO" not in quote(root, "app.py::ask")
    assert "and not twice" not in quote(root, "app.py::ask")


@pytest.mark.parametrize(
    ("source", "lines", "words"),
    [
        ("gone.py::ask", "", "there is no file gone.py"),
        ("app.py::tell", "", "app.py has no tell"),
        ("app.py::Cache.ask", "", "app.py has no Cache.ask"),
        ("app.py::twice", "", "app.py defines twice 2 times"),
        ("app.py::ask", "yield", "0 lines contain 'yield'"),
        ("app.py::Cache.set", "self", "3 lines contain 'self'"),
        ("app.py::Cache.set", "try: … await", "no line after 'try:' contains 'await'"),
    ],
)
def test_a_missing_or_ambiguous_name_is_an_error(
    source: str, lines: str, words: str, root: Path
) -> None:
    with pytest.raises(QuoteError, match=words):
        quote(root, source, lines)


def test_lines_are_highlighted_by_their_text(root: Path) -> None:
    code = quote(root, "app.py::Cache.set")

    assert highlighted(code, "try | writes") == [2, 5]
    with pytest.raises(QuoteError, match="no line contains 'await'"):
        highlighted(code, "try | await")


@pytest.mark.parametrize("content", [b"def (:\n", b"\xff\n"])
def test_a_file_that_is_not_python_is_an_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_bytes(content)

    with pytest.raises(QuoteError, match=r"app\.py"):
        quote(tmp_path, "app.py::ping")
