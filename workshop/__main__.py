"""Run the workshop: `python -m workshop VERB …`.

Learners start this file first, perhaps with a Python that is too old for the rest. So
it uses only syntax that every Python understands, and the modules that it imports
before the version is known are written for 3.6 and later.
"""

import os
import sys

if sys.version_info < (3, 6):  # noqa: UP036 -- this is the check itself
    sys.stderr.write(
        "The workshop needs Python 3.11 to 3.14, but this is {}.{}. Start it with a "
        "newer one: python3.13 -m workshop learn\n".format(*sys.version_info)
    )
    sys.exit(3)

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
if not __package__:
    # Started by its path, perhaps from another folder. Python has put this folder on
    # `sys.path`, where our modules would hide others of the same name.
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != HERE]
    sys.path.insert(0, ROOT)

UPDATE = os.path.join(ROOT, ".workshop", "update")
CODE = os.path.join(UPDATE, "code")
is_interrupted = os.path.exists(os.path.join(UPDATE, "journal.json"))
if is_interrupted and os.path.isdir(CODE) and sys.version_info >= (3, 11):
    # An update was interrupted, so the tool may consist of files of two versions. The
    # update saved a copy of the code that can finish it before it began. (Imported
    # here, because PYTHONPATH may hold another module of this name.)
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
        from workshop.entry import dispatch

        code = dispatch.run(sys.argv[1:])
    else:
        code = python.go_on_with_another(sys.argv[1:])
except ImportError as missing:
    if (missing.name or "").partition(".")[0] != "workshop":
        raise
    sys.stderr.write(
        "A part of the workshop is missing or damaged ({}). `git checkout workshop` "
        "in {} restores it.\n".format(missing, ROOT)
    )
    code = 3
except SyntaxError as problem:
    from workshop import conflicts

    if not conflicts.is_marker(problem.text or ""):
        raise
    sys.stderr.write(conflicts.words_for_tool(problem) + "\n")
    code = 3
sys.exit(code)
