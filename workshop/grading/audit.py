"""An audit hook that detects when an app interferes with its tests.

Python calls its audit hooks when a program accesses a stack frame, searches the memory,
sets a trace function, replaces a function's code, or writes a file. A hook cannot be
removed. The file of the calling code shows whether the app did it: libraries may do the
same for their own purposes.
"""

from __future__ import annotations

import linecache
import os
import sys
import sysconfig
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import get_ident
from types import FrameType
from typing import Any

Report = Callable[[str, str], None]

_FRAME_OF = frozenset({"tb_frame", "cr_frame", "gi_frame", "ag_frame"})
_CODE_OF = frozenset({"__code__", "__defaults__", "__kwdefaults__", "__class__"})
_FRAMES = frozenset({"sys._getframe", "sys._current_frames", "sys._current_exceptions"})
_MEMORY = frozenset({"gc.get_objects", "gc.get_referrers", "gc.get_referents"})
_TRACING = frozenset(
    {"sys.settrace", "sys.setprofile", "sys.monitoring.register_callback"}
)
# Events with the positions of the paths among their arguments.
_FILES = {
    "open": (0,),
    "os.rename": (0, 1),
    "os.remove": (0,),
    "os.rmdir": (0,),
    "os.truncate": (0,),
    "os.link": (0, 1),
    "os.symlink": (1,),
    "os.utime": (0,),
    "os.chmod": (0,),
    "shutil.rmtree": (0,),
}
# Functions of the standard library that return a frame to their caller.
_GIVERS = frozenset({"currentframe", "<lambda>", "walk_stack", "walk_tb"}) | {
    "_task_get_stack"
}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def watch(*, tests: Iterable[Path], protected: Iterable[Path], report: Report) -> None:
    """From now on, report and prevent interference by the app in this process.

    Args:
        tests: The lesson's own files, whose code may do what the app may not.
        protected: Folders and files that must not be written.
        report: Called with what the app did, and the line.
    """
    trusted = (
        "<frozen ",
        str(Path(os.__file__).parent),
        *_folders_of_libraries(),
        str(Path(__file__).parents[1]),
        *map(str, tests),
    )
    kept = tuple(str(it.absolute()) for it in protected)
    inspect_file = str(Path(os.__file__).with_name("inspect.py"))
    watched = _FRAMES | _MEMORY | _TRACING | {*_FILES}
    watched |= {"object.__getattr__", "object.__setattr__", "compile"}
    getframe, ident, pid, getpid = sys._getframe, get_ident, os.getpid(), os.getpid
    busy: set[int] = set()
    frame_of, code_of, frames, memory = _FRAME_OF, _CODE_OF, _FRAMES, _MEMORY
    tracing, files, givers, line_of = _TRACING, _FILES, _GIVERS, _line_of
    is_below, is_written, code_file = _is_below, _is_written, _code_file

    def is_apps(frame: FrameType | None) -> bool:
        return frame is not None and not frame.f_code.co_filename.startswith(trusted)

    def for_app(frame: FrameType | None) -> bool:
        """Return whether the app is the caller, directly or through a library."""
        if frame is None or is_apps(frame):
            return frame is not None
        file = frame.f_code.co_filename
        caller = frame.f_back
        if file == inspect_file:
            while caller is not None and caller.f_code.co_filename == file:
                caller = caller.f_back
            return is_apps(caller)
        return frame.f_code.co_name in givers and is_apps(caller)

    def offence(event: str, args: tuple[Any, ...], frame: FrameType) -> str | None:
        if event == "object.__getattr__" or event in frames:
            if for_app(frame):
                return "inspected the call stack of its tests"
        elif event in memory:
            if is_apps(frame):
                return f"searched the memory of its tests ({event}())"
        elif event in tracing:
            if is_apps(frame) or (
                frame.f_code.co_filename.endswith("threading.py")
                and is_apps(frame.f_back)
            ):
                return f"traced its tests ({event}())"
        elif event == "object.__setattr__":
            file = code_file(args[0])
            if file and file.startswith(trusted) and is_apps(frame):
                name = getattr(args[0], "__qualname__", type(args[0]).__name__)
                return f"changed {name}, which is not part of app.py"
        elif event == "compile":
            named = args[1]
            if type(named) is str and named.startswith(trusted) and is_apps(frame):
                return f"compiled code under the name of another file, {named}"
        elif event != "open" or is_written(args):
            for position in files[event]:
                if path := is_below(args[position], kept):
                    return f"tried to change {path}"
        return None

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event not in watched or (busy and ident() in busy):
            return
        if event == "object.__getattr__" and args[1] not in frame_of:
            return
        if event == "object.__setattr__" and args[1] not in code_of:
            return
        if getpid() != pid:
            return
        me = ident()
        busy.add(me)
        try:
            frame = getframe(1)
            found = offence(event, args, frame)
            if found is None:
                return
            report(found, line_of(frame, is_apps))
        finally:
            busy.discard(me)
        raise PermissionError(f"The app {found}.")

    sys.addaudithook(hook)


def _folders_of_libraries() -> set[str]:
    """Return the folders of libraries, including those of other environments.

    A `.pth` file or `--system-site-packages` adds such a folder, and so do some Linux
    distributions. They all have one of two names.
    """
    usual = ("site-packages", "dist-packages")
    lent = {it for it in sys.path if Path(it).name in usual}
    return lent | {sysconfig.get_path(name) for name in ("purelib", "platlib")}


def _code_file(value: object) -> str:
    """Return the file that defines *value* or its class, if known."""
    code = getattr(value, "__code__", None)
    if code is not None:
        return str(code.co_filename)
    name = getattr(type(value), "__module__", "")
    if name == "builtins":  # *value* is a module or a function
        name = getattr(value, "__name__", "")
    return str(getattr(sys.modules.get(name), "__file__", "") or "")


def _is_written(args: tuple[Any, ...]) -> bool:
    _, mode, flags = args
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & _WRITES)


def _is_below(path: object, folders: tuple[str, ...]) -> str:
    """Return the absolute *path* if it is in one of *folders*, otherwise ""."""
    if not isinstance(path, str | bytes | os.PathLike):
        return ""  # a descriptor
    # Do not resolve links, because the file to be written may not exist yet.
    full = os.path.abspath(os.fsdecode(path))  # noqa: PTH100
    return next(
        (full for it in folders if full == it or full.startswith(it + os.sep)), ""
    )


def _line_of(frame: FrameType | None, is_apps: Callable[[FrameType], bool]) -> str:
    while frame is not None and not is_apps(frame):
        frame = frame.f_back
    if frame is None:
        return ""
    file, number = frame.f_code.co_filename, frame.f_lineno
    return f"{Path(file).name}:{number}  {linecache.getline(file, number).strip()}"
