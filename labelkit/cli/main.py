# SPDX-License-Identifier: Apache-2.0
"""Entry point of `labelkit`: language, settings, command, exit code."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from labelkit.cli import parser, settings
from labelkit.cli.text import one_line
from labelkit.errors import LabelkitError
from labelkit.messages import Message

OK, SHORT, UNANSWERED, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: all is well; a file is not labelled as required; no answer; stopped by Ctrl-C."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; nothing but the code and the text on the two outputs leaves it."""
    words = list(sys.argv[1:] if argv is None else argv)
    _make_outputs_safe()
    warnings.simplefilter("ignore")  # what libraries think of a hostile file is in our own words, or nowhere
    language = settings.language(words, os.environ)
    try:
        with _terminated_as_interrupted():
            return _run(words, language)
    except LabelkitError as error:
        say_error(error, language)
        return UNANSWERED
    except KeyboardInterrupt:
        print(Message("stopped; no file was left half written").text(language), file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # the reader of our output went away; keep the interpreter from complaining when it flushes
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


def say_error(error: LabelkitError, language: str, where: str = "") -> None:
    """One line on stderr, and a second with what to try next."""
    text, name = one_line(error.text(language)), where.rpartition("/")[2]
    if name and text.startswith((f"{name}: ", f"{name}：")):
        text = where + text[len(name):]  # it says the name already, without its folder
    if where and not text.startswith(where):
        text = Message("{file}: {what}", file=where, what=text).text(language)
    print(text, file=sys.stderr)
    if error.hint:
        print(one_line(Message("hint: {hint}", hint=error.hint).text(language)), file=sys.stderr)


def _run(words: list[str], language: str) -> int:
    with _argparse_speaks(language):
        root = parser.build(language)
        options = root.parse_args(settings.with_defaults(words, root, os.environ))
        if options.command is None:
            root.print_help(sys.stderr)
            return UNANSWERED
    options.lang = language
    return importlib.import_module(f"labelkit.cli.{options.command}").run(options)


@contextmanager
def _argparse_speaks(language: str) -> Iterator[None]:
    """argparse finds its own texts through the name `_`; within this block that is our catalogue."""
    before, argparse._ = argparse._, lambda text: Message(text).text(language)
    try:
        yield
    finally:
        argparse._ = before


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM, from a service manager or a container that stops, ends a run as Ctrl-C does: nothing is left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _make_outputs_safe() -> None:
    """Chinese on a terminal that cannot show it, and file names that are no text, must not end the program."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
