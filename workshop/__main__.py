"""Run the workshop: `python -m workshop VERB …`.

The first thing a learner starts, perhaps with a Python that cannot run the
rest. So this file is written in the Python that all of them understand, and
what it imports before the version is known is written for 3.6 and later.
"""

import os
import sys

if sys.version_info < (3, 6):  # noqa: UP036 -- that is what is to be found out
    sys.stderr.write(
        "The workshop needs Python 3.11 to 3.14, this is {}.{}. Start it with a "
        "newer one: python3.13 -m workshop learn\n".format(*sys.version_info)
    )
    sys.exit(3)

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
if not __package__:
    # Started by its path, perhaps from another folder. Python has put this folder
    # on its path, where our modules would hide others of the same name.
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != HERE]
    sys.path.insert(0, ROOT)

UPDATE = os.path.join(ROOT, ".workshop", "update")
CODE = os.path.join(UPDATE, "code")
is_interrupted = os.path.exists(os.path.join(UPDATE, "journal.json"))
if is_interrupted and os.path.isdir(CODE) and sys.version_info >= (3, 11):
    # An update was interrupted, and half of the tool may be of another version than
    # the other half. A copy of what can finish it was put aside before it began.
    # (Imported here: what PYTHONPATH holds under this name must not be needed.)
    import subprocess

    ended = subprocess.call(
        [sys.executable, "-E", "-m", "workshop.update.apply", ROOT], cwd=CODE
    )
    if ended != 0:
        sys.exit(ended)

try:
    from workshop.processes import isolation

    isolation.ignore_foreign_settings(HERE, sys.argv[1:])

    from workshop.environment import python

    if python.supported(sys.version_info[:2]):
        from workshop.environment import door

        code = door.enter(sys.argv[1:])
    else:
        code = python.go_on_with_another(sys.argv[1:])
except ImportError as missing:
    if (missing.name or "").partition(".")[0] != "workshop":
        raise
    sys.stderr.write(
        "A part of the workshop is missing or damaged ({}). `git checkout workshop` "
        "in {} brings it back.\n".format(missing, ROOT)
    )
    code = 3
except SyntaxError as problem:
    from workshop import conflicts

    if not conflicts.is_marker(problem.text or ""):
        raise
    sys.stderr.write(conflicts.words_for_tool(problem) + "\n")
    code = 3
sys.exit(code)
