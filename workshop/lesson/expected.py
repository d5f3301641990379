"""Know which tests must pass before any of them runs.

The list comes from the syntax tree of the test file. Importing it would let
whatever the tests import decide how many tests there are.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass


@dataclass(frozen=True)
class ExpectedTest:
    """One test function of a lesson.

    `fact` is its docstring with line breaks removed, `line` where it starts.
    """

    id: str
    step: int
    fact: str
    line: int
    fixtures: frozenset[str]


def read_tests(source: str) -> tuple[ExpectedTest, ...]:
    """Return the tests in *source*, in file order.

    Raises ValueError with one sentence when a test has no step, appears
    twice, is parametrized, or sits in a class: then its id could not be
    known without running the file. Raises SyntaxError as `ast.parse` does.
    """
    tests: list[ExpectedTest] = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            raise ValueError(
                f"line {node.lineno}: class {node.name} holds tests; "
                "write them as plain functions"
            )
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if not node.name.startswith("test"):
            continue
        if any(test.id == node.name for test in tests):
            raise ValueError(f"line {node.lineno}: {node.name} is defined twice")
        tests.append(_read_test(node))
    return tuple(tests)


def _read_test(node: ast.FunctionDef | ast.AsyncFunctionDef) -> ExpectedTest:
    step: int | None = None
    for decorator in node.decorator_list:
        match ast.unparse(decorator).partition("("):
            case "pytest.mark.step", _, arguments:
                try:
                    step = int(arguments.rstrip(")"))
                except ValueError:
                    raise ValueError(
                        f"line {node.lineno}: {node.name} needs its step as a "
                        "plain number, like @pytest.mark.step(2)"
                    ) from None
            case "pytest.mark.parametrize", _, _:
                raise ValueError(
                    f"line {node.lineno}: {node.name} is parametrized; "
                    "write one test for each fact"
                )
    if step is None:
        raise ValueError(
            f"line {node.lineno}: {node.name} belongs to no step; "
            "add @pytest.mark.step(n)"
        )
    fact = " ".join((ast.get_docstring(node) or "").split())
    named = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
    fixtures = frozenset(argument.arg for argument in named)
    return ExpectedTest(node.name, step, fact, node.lineno, fixtures)
