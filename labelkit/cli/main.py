# SPDX-License-Identifier: Apache-2.0
"""Entry point of `labelkit`: language, settings, command, exit code."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper

import labelkit
from labelkit.cli import parser, settings
from labelkit.cli.outcome import INTERRUPTED, OK, UNANSWERED, note, say, say_error
from labelkit.cli.text import argparse_in, name_of, one_line
from labelkit.distribution import shared_folder
from labelkit.errors import LabelkitError, LabelkitWarning, ManifestLeft, SlowKernels
from labelkit.messages import Message
from labelkit.threads import keep_libraries_single
from labelkit.unforeseen import translated


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Its only effects are that code, its output and its files."""
    words = list(sys.argv[1:] if argv is None else argv)
    _make_outputs_safe()
    warnings.simplefilter("ignore")  # warnings of libraries about broken files: labelkit reports them itself
    language = settings.language(words, os.environ)
    for kind in (SlowKernels, ManifestLeft):
        warnings.simplefilter("always", kind)
    warnings.showwarning = _shown_in(language)
    if not hasattr(labelkit, "__version__"):  # another project's __init__.py has replaced ours
        say(shared_folder(), language)
        return UNANSWERED
    try:
        with _sigterm_as_interrupt():
            return _run(words, language)
    except LabelkitError as error:
        say_error(error, language)
        return UNANSWERED
    except KeyboardInterrupt:
        say(Message("stopped; no file was left half written"), language)
        return INTERRUPTED
    except BrokenPipeError:
        # the reader of the output is gone; this keeps the interpreter from failing when it flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except Exception as error:
        say_error(translated(error), language)
        return UNANSWERED


def _shown_in(language: str) -> Callable[..., None]:
    """A function that shows a warning on stderr in a language, without its place in the code."""
    def show(warning: Warning | str, *_place: object, **_more: object) -> None:
        text = warning.text(language) if isinstance(warning, LabelkitWarning) else str(warning)
        print(one_line(text), file=sys.stderr)
    return show


def _run(words: list[str], language: str) -> int:
    with argparse_in(language):
        root = parser.build(words)
        words, source = settings.with_defaults(words, root, os.environ)
        options = root.parse_args(words)
        if options.command is None:
            root.print_help(sys.stderr)
            return UNANSWERED
    options.lang = language
    keep_libraries_single()  # before a command imports NumPy
    if source:
        settings.refuse_decisive(source, getattr(options, "files", ()))
        note(Message("settings: {file}", file=name_of(str(source.path))), options)
    elif (unread := settings.unread()):
        note(unread, options)
    code: int = importlib.import_module(f"labelkit.cli.{options.command}").run(options)
    return code


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """Treat SIGTERM, from a service manager or a stopping container, like Ctrl-C: temporary files are then removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _make_outputs_safe() -> None:
    """Escape what a terminal cannot show: Chinese, and file names that are not text."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
