# SPDX-License-Identifier: Apache-2.0
"""The journal of a run: the JSON of each file, as --json prints it, appended to a file; and what failed by it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from labelkit.cli.files import Item
from labelkit.cli.shards import SEPARATOR
from labelkit.cli.targets import Assignment, assigned
from labelkit.cli.text import printable_json
from labelkit.errors import InvalidArgument, cannot_open, cannot_write

_MAX_LINE = 1 << 20  # characters; a report has a few thousand


@contextmanager
def kept(options: argparse.Namespace) -> Iterator[None]:
    """Write the result of every file that is shown to the journal of the run, if it has one."""
    if not options.journal or getattr(options, "dry_run", False):
        yield
        return
    try:
        file = open(options.journal, "a", encoding="utf-8", buffering=1)
    except (OSError, ValueError) as error:
        raise cannot_write(options.journal, error) if isinstance(error, OSError) else cannot_open(
            options.journal, error) from error
    with file:
        options.record = lambda fields: file.write(printable_json(json.dumps(fields, ensure_ascii=False)) + "\n")
        yield


def failed(path: str) -> set[str]:
    """The names of what failed, by the last line of each. A last line that was cut off is ignored.

    Raises InvalidArgument for a file that cannot be read or is no journal.
    """
    found: set[str] = set()
    for entry in entries(path):
        (found.add if "error" in entry else found.discard)(entry["file"])
    return found


def entries(path: str) -> Iterator[dict[str, Any]]:
    """The lines of a journal, and what is raised, as for `failed`."""
    try:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(iter(lambda: file.readline(_MAX_LINE), ""), 1):
                entry = _entry(path, number, line)
                if entry is not None:
                    yield entry
    except (OSError, ValueError) as error:
        raise cannot_open(path, error) from error


def _entry(path: str, number: int, line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        if not line.endswith("\n"):  # the run was killed
            return None
        entry = None
    if not isinstance(entry, dict) or not isinstance(entry.get("file"), str):
        raise InvalidArgument("{where}: line {number} is not that of a journal", where=path, number=number)
    return entry


def again(items: Iterable[Item], options: argparse.Namespace) -> tuple[list[Item], dict[str, set[str]]]:
    """The items of which something failed in the journal of --retry-failed, and the names of the media that did by
    shard, for shards that did not fail as a whole.
    """
    if options.resume:
        raise InvalidArgument("--resume skips files whose result exists, and --retry-failed those that did not fail; "
                              "give one of them")
    names = failed(options.retry_failed)
    media: dict[str, set[str]] = {}
    for name in names:
        shard, found, medium = name.partition(SEPARATOR)
        if found and shard not in names:
            media.setdefault(shard, set()).add(medium)
    return [item for item in items if item.path in names or item.path in media], media


def assigned_or_again(items: Sequence[Item], options: argparse.Namespace) -> tuple[Assignment,
                                                                                 dict[str, set[str]] | None]:
    """The targets of a run, with --retry-failed only of what failed, and then the media by shard as `again` gives."""
    if not options.retry_failed:
        return assigned(items, options), None
    failing, media = again(items, options)
    whole = assigned(items, options)  # where a result goes depends on all files
    return Assignment({item: whole.targets[item] for item in failing}, len(items) - len(failing)), media
