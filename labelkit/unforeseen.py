# SPDX-License-Identifier: Apache-2.0
"""Exceptions that nobody foresaw: one line that can be reported, and no end of the run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from labelkit.distribution import __version__
from labelkit.errors import LabelkitError
from labelkit.messages import Message

DEBUG = "LABELKIT_DEBUG"
_PACKAGE = Path(__file__).parent
_MAX_TEXT = 200


class UnforeseenError(LabelkitError):
    """A defect of labelkit or of a library that it uses; its cause is the exception."""


def translated(error: BaseException) -> LabelkitError:
    """The LabelkitError to report for any exception; what ends the program (Ctrl-C) is raised again."""
    if isinstance(error, LabelkitError):
        return error
    if not isinstance(error, Exception) and type(error).__module__ == "builtins":
        raise error  # KeyboardInterrupt, SystemExit; the panics of Rust libraries are BaseExceptions too
    if isinstance(error, BrokenPipeError):
        raise error
    found = _of_the_system(error) or UnforeseenError(
        "{type} in {where}, labelkit {version}: {text}", type=type(error).__name__, where=_place(error),
        version=__version__, text=_first_line(error),
        hint="this is a defect of labelkit: please report it with this line and the file; set LABELKIT_DEBUG=1 to see "
             "the traceback")
    found.__cause__ = error
    return found


def show_traceback(error: LabelkitError) -> None:
    """The traceback of an unforeseen error on stderr, if LABELKIT_DEBUG is set."""
    if isinstance(error, UnforeseenError) and error.__cause__ and os.environ.get(DEBUG):
        import traceback  # here: seldom needed

        traceback.print_exception(error.__cause__, file=sys.stderr)


def _of_the_system(error: BaseException) -> LabelkitError | None:
    """What the machine lacks is no defect."""
    if isinstance(error, MemoryError):
        return LabelkitError("the memory of the machine is not sufficient")
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        return LabelkitError("the system refused: {reason}", reason=error.strerror)
    return None


def _place(error: BaseException) -> str:
    """The innermost line of this package that was being executed, such as codec/audio.py:12."""
    import traceback

    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(_PACKAGE):
            return f"{path.relative_to(_PACKAGE).as_posix()}:{frame.lineno}"
    return "?"


def _first_line(error: BaseException) -> str | Message:
    try:
        text = str(error).partition("\n")[0].strip()[:_MAX_TEXT]
    except Exception:  # a broken __str__ must not end the run either
        text = ""
    return text or Message("no further text")
