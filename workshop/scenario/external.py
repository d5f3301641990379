"""Show calls to the outside world in lanes of their own."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from workshop.timeline import call
from workshop.timeline.places import short_value

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def external_call(
    function: Callable[Parameters, Awaitable[Result]],
) -> Callable[Parameters, Awaitable[Result]]:
    """Give each call of the stand-in *function* a lane, named after its arguments."""

    @functools.wraps(function)
    async def called(*args: Parameters.args, **options: Parameters.kwargs) -> Result:
        values = filter(None, map(short_value, (*args, *options.values())))
        with call(f"{function.__name__}({', '.join(values)})"):
            return await function(*args, **options)

    return called
