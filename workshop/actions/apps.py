"""The learner's app with the services that it needs, ready to be served."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from workshop.actions.debugging import debugging_environment
from workshop.actions.services import services_for_app
from workshop.lesson import Lesson
from workshop.processes.temporary import temporary_folder

if TYPE_CHECKING:
    from workshop.actions.services import Choice
    from workshop.actions.serving import Served


@contextmanager
def app_ready(
    lesson: Lesson,
    answer: Path,
    place: tuple[str, int],
    database: Choice | None,
    *,
    say: Callable[[str], None],
    listen: Callable[[str], None] | None = None,
    debug: bool = False,
) -> Iterator[Callable[[], Served]]:
    """Yield the function that starts to serve the app in the file *answer*.

    It is served at *place*, a loopback address and a port. Its services run for the
    length of the block, and *say* is called with what they are. *listen* and *debug*
    are those of `Served`.

    Raises:
        LessonError: if the lesson does not say what its app needs.
        ServiceError: if a service cannot be started.

    """
    from workshop.actions.serving import Served

    # Each start begins with an empty database, as each test does. Files that the app
    # writes also go to this folder, and not to the lesson's.
    with (
        temporary_folder("app") as scratch,
        services_for_app(lesson, database, scratch, say=say) as environment,
    ):
        environment |= debugging_environment("run", lesson.number, debug=debug)
        yield partial(
            Served,
            answer.parent,
            *place,
            environment=environment,
            scratch=scratch,
            listen=listen,
            debug=debug,
        )
