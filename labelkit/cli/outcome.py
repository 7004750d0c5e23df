# SPDX-License-Identifier: Apache-2.0
"""How a command ends: exit codes, and errors as text and as JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TextIO, TypeVar

from labelkit.cli.hints import hint_of
from labelkit.cli.text import name_of, one_line, printable_json, without_user_info
from labelkit.errors import LabelkitError
from labelkit.messages import Message
from labelkit.unforeseen import show_traceback

if TYPE_CHECKING:
    from labelkit.cli.files import Skipped

OK, SHORT, UNANSWERED, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: success; a file is not labelled as required; no answer; stopped by Ctrl-C."""
_MAX_NAMES = 20  # of skipped files on one line

Result = TypeVar("Result")


def say(message: Message, language: str) -> None:
    """A line on stderr."""
    print(message.text(language), file=sys.stderr)


def say_error(error: LabelkitError, language: str, where: str = "") -> None:
    """The error on stderr, and its hint on a second line."""
    print(about(where, one_line(without_user_info(error.text(language))), language), file=sys.stderr)
    show_traceback(error)
    hint = hint_of(error)
    if hint:
        print(one_line(Message("hint: {hint}", hint=hint).text(language)), file=sys.stderr)


def about(where: str, text: str, language: str) -> str:
    """What a message says about a file, with the name of the file, once, before it; `where` is "" for no file."""
    for mark in (": ", "："):
        name = text.partition(mark)[0]
        if name != text and where.endswith((f"/{name}", f"::{name}")):
            return where + text[len(name):]  # it names the file without its folder, the medium without its shard
    return text if text.startswith(where) else Message("{file}: {what}", file=where, what=text).text(language)


def show_result(path: str, result: Result | LabelkitError, options: argparse.Namespace,
                fields: Callable[[Result], Mapping[str, object]], text: Callable[[Result], str], *,
                out: TextIO | None = None) -> None:
    """Print what came of one file: as one line of JSON, or as text, which --quiet leaves out.

    out  where to print, standard output by default; an error is printed on stderr as text
    The journal of the run, if there is one, gets the JSON in any case.
    """
    if (record := getattr(options, "record", None)) is not None:
        record(error_json(path, result, options.lang) if isinstance(result, LabelkitError) else
               {"file": path, **fields(result)})
    if isinstance(result, LabelkitError):
        if options.json:
            print(json_line(error_json(path, result, options.lang)), file=out)
        else:
            say_error(result, options.lang, name_of(path))
    elif options.json:
        print(json_line({"file": path, **fields(result)}), file=out)
    elif not options.quiet:
        print(text(result), file=out)


def note(message: Message, options: argparse.Namespace) -> None:
    """A line on stderr that --quiet leaves out."""
    if not options.quiet:
        say(message, options.lang)


def note_skipped(skipped: Sequence[Skipped], options: argparse.Namespace) -> None:
    """The names of the files that were passed over, if any, by reason."""
    for is_link, template in ((False, Message("skipped as not media: {names}").template),
                              (True, Message("skipped as symbolic links: {names}").template)):
        names = [name_of(one.path) for one in skipped if one.is_link == is_link]
        if names:
            more = [Message("and {count} more", count=len(names) - _MAX_NAMES).text(options.lang)]
            note(Message(template, names=", ".join(names[:_MAX_NAMES] + more * (len(names) > _MAX_NAMES))), options)


def nothing_found(elsewhere: bool, what: Message, options: argparse.Namespace) -> int:
    """Say that a run has no files, and return its exit code: a shard may be empty."""
    note(Message("no file falls to this shard") if elsewhere else what, options)
    return OK if elsewhere else UNANSWERED


def json_line(fields: dict[str, object]) -> str:
    """The result of one file on one line."""
    return printable_json(json.dumps(fields, ensure_ascii=False))


def error_json(name: str, error: LabelkitError, language: str) -> dict[str, object]:
    """The JSON of a file that failed."""
    hint = hint_of(error)
    return {"file": name, "error": {"type": type(error).__name__, "message": without_user_info(error.text(language)),
                                    "hint": hint.text(language) if hint else None}}
