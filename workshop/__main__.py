"""Run the workshop: `python -m workshop VERB …`.

The first thing a learner starts, perhaps with a Python that cannot run the
rest. So this file is written in the Python that all of them understand, and
what it imports before the version is known is written for 3.6 and later.
"""

import subprocess
import sys

if sys.version_info < (3, 6):  # noqa: UP036 -- that is what is to be found out
    sys.stderr.write(
        "The workshop needs Python 3.11 to 3.14, this is {}.{}. Start it with a "
        "newer one: python3.13 -m workshop learn\n".format(*sys.version_info)
    )
    sys.exit(3)

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UPDATE = ROOT / ".workshop" / "update"

is_interrupted = (UPDATE / "journal.json").exists() and (UPDATE / "code").is_dir()
if is_interrupted and sys.version_info >= (3, 11):
    # An update was interrupted, and half of the tool may be of another version than
    # the other half. A copy of what can finish it was put aside before it began.
    ended = subprocess.call(
        [sys.executable, "-E", "-m", "workshop.update.apply", str(ROOT)],
        cwd=str(UPDATE / "code"),
    )
    if ended != 0:
        sys.exit(ended)

from workshop.environment import python  # noqa: E402 -- it may just have been replaced

if not python.supported(sys.version_info[:2]):
    sys.exit(python.go_on_with_another(sys.argv[1:]))
try:
    from workshop.environment import door

    code = door.enter(sys.argv[1:])
except SyntaxError as problem:
    from workshop import conflicts

    if not conflicts.is_marker(problem.text or ""):
        raise
    sys.stderr.write(conflicts.words_for_tool(problem) + "\n")
    code = 3
sys.exit(code)
