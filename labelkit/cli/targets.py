# SPDX-License-Identifier: Apache-2.0
"""Where the results of a run go: one target for each file, and nothing written over by accident."""

from __future__ import annotations

import argparse
import errno
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

from labelkit import container, store
from labelkit.batch import lance
from labelkit.batch.datasets import is_dataset
from labelkit.cli.files import STANDARD, Item, Selection
from labelkit.cli.outcome import OK, UNANSWERED, json_line, note, note_skipped
from labelkit.cli.text import name_of
from labelkit.container import media_type, workfolder
from labelkit.errors import InvalidArgument, OutputFailed, cannot_write
from labelkit.messages import Message


def refuse_no_place(*paths: str | None) -> None:
    """Raise OutputFailed where a report could not be written at the end: it names a folder, or is in one that is not
    there."""
    for path in (Path(name) for name in paths if name):
        if path.is_dir() or not path.parent.is_dir():
            code = errno.EISDIR if path.is_dir() else errno.ENOENT
            raise cannot_write(path, OSError(code, os.strerror(code)))


CHUNKS, CHUNKS_NUMBER = ".chunks", "produce-id"
"""What the folder of a film's kept chunks is called behind its result's name, and the file in it with its number."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """The target of each file to process, and how many are left out because their result exists (--resume)."""

    targets: dict[Item, str]
    done: int = 0
    replaced: int = 0  # targets that exist and will be replaced by results


def assigned(items: Sequence[Item], options: argparse.Namespace) -> Assignment:
    """The target of each item; with --resume, only of items whose result does not exist yet.

    Unfinished files that killed runs left beside the targets are removed. An existing result is complete, because files
    are renamed into place and objects appear only as a whole.
    """
    if options.in_place:
        if options.resume or options.no_clobber:
            raise InvalidArgument("{option} needs the results in OUT, and --in-place has none",
                                  option="--resume" if options.resume else "--no-clobber")
        if not options.dry_run:
            remove_abandoned(os.path.realpath(item.path) for item in items if not store.is_url(item.path))
        return Assignment({item: item.path for item in items})
    targets = dict(zip(items, targets_of(items, options.output), strict=True))
    if not options.dry_run:
        remove_abandoned(targets.values())
    there = set(store.objects(options.output) if store.is_url(options.output) else
                filter(os.path.exists, targets.values())) if _matters(options) else set()
    if options.resume:
        if not options.dry_run:
            _remove_kept_chunks(there)
        left = {item: target for item, target in targets.items() if target not in there}
        return Assignment(left, len(targets) - len(left))
    return Assignment(targets, replaced=0 if options.no_clobber else sum(map(there.__contains__, targets.values())))


def _matters(options: argparse.Namespace) -> bool:
    """Whether to look for existing results: a store is asked only if the answer changes what is done."""
    return options.resume or not store.is_url(options.output)


def remove_abandoned(places: Iterable[str]) -> None:
    """Remove what killed processes left where results appear, and in the folder for temporary files."""
    folders = {os.path.dirname(place) for place in places if place != STANDARD and not store.is_url(place)}
    workfolder.remove_abandoned({*(folder or "." for folder in folders), tempfile.gettempdir()})


def _remove_kept_chunks(results: Iterable[str]) -> None:
    """Remove the chunks that a run left which was killed when its result was whole already."""
    for place in results:
        folder = Path(f"{place}{CHUNKS}")
        if not store.is_url(place) and (folder / CHUNKS_NUMBER).is_file():
            shutil.rmtree(folder, ignore_errors=True)


def targets_of(items: Sequence[Item], output: str) -> list[str]:
    """The target of each result: OUT itself for one file, else a path below the folder or prefix OUT.

    Raises InvalidArgument if two results would have the same target, or a result that of a source.
    """
    if output == STANDARD or not _is_folder(items, output):
        if len(items) > 1:
            raise InvalidArgument("standard output takes one file, got {count}", count=len(items))
        return [output]
    below = [Path("stdin") if item.path == STANDARD else item.relative for item in items]
    places = [f"{output.rstrip('/')}/{name.as_posix()}" if store.is_url(output) else str(Path(output) / name)
              for name in below]
    seen: dict[str, str] = {}
    for item, place in zip(items, places, strict=True):
        if place in seen:
            raise InvalidArgument("{first} and {second} would both be written to {where}", first=seen[place],
                                  second=item.path, where=place, hint="label them in two runs")
        seen[place] = item.path
    if len(items) > 1:
        _refuse_sources(items, places)
    return places


def _is_folder(items: Sequence[Item], output: str) -> bool:
    """Whether OUT is a folder for the results: it is one, it is named as one, or it must hold several results.

    One file goes into a folder too, if OUT has no ending and the file has one: out, not a file without an ending.
    """
    several = len(items) != 1 or items[0].from_folder
    if os.path.isdir(output) and not lance.is_named(output) or output.endswith(("/", os.sep)):
        return True
    if several and not os.path.isfile(output) and (media_type(output) or is_dataset(output)):
        raise InvalidArgument("{where} is the name of one file, but the results of this run need a folder",
                              where=output, hint="name a folder; {where}/ makes one of that name")
    return several or not (os.path.lexists(output) or Path(output).suffix) and bool(items[0].relative.suffix)


def _refuse_sources(items: Sequence[Item], places: Collection[str]) -> None:
    """Refuse once what would be refused for every file: results over their own sources."""
    sources = {os.path.realpath(item.path) for item in items if item.path != STANDARD and not store.is_url(item.path)}
    over = next((place for place in places if not store.is_url(place) and os.path.realpath(place) in sources), None)
    if over is not None:
        raise InvalidArgument("{where} is a source of this run and would be replaced", where=over,
                              hint="use another --output, or --in-place")


@contextmanager
def target_of(place: str, options: argparse.Namespace) -> Iterator[str | BinaryIO]:
    """The target of a result: a path (uploaded at the end, for an object of a store), or standard output.

    Raises OutputFailed, also for a target that exists if --no-clobber is given.
    """
    refuse_existing(place, options)
    if store.is_url(place):
        with store.placed(place) as path:
            yield path
    elif place == STANDARD:
        yield sys.stdout.buffer
    else:
        if not options.in_place:
            make_folder(Path(place).parent)
        yield os.path.realpath(place) if options.in_place else place  # a symbolic link stays one


def refuse_existing(place: str, options: argparse.Namespace) -> None:
    """Raise OutputFailed for a target that exists if --no-clobber is given."""
    if options.no_clobber and (store.exists(place) if store.is_url(place) else os.path.lexists(place)):
        raise OutputFailed("{where} exists and is kept", where=place)


def make_folder(folder: Path) -> None:
    """Create a folder and its parents; raises OutputFailed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error


def refuse_shared_number(items: Sequence[Item], option: str, number: str | None) -> None:
    """Raise InvalidArgument if several files would get the number of one content."""
    if number and len(items) > 1:
        raise InvalidArgument("{option} is the number of one file's content, got {count} files", option=option,
                              count=len(items), hint="leave it out: every file gets its own number")


def refuse_conversion(source: str | io.BytesIO, target: str) -> None:
    """Raise InvalidArgument if the target's name is that of another format than the source's, such as PNG for JPEG."""
    named = media_type(target)
    if named is None or isinstance(source, str) and Path(source).suffix.lower() == Path(target).suffix.lower():
        return
    format = container.sniff(source)
    if named.partition("/")[2] != format.mime.replace("/x-", "/").partition("/")[2]:  # MP4 may hold sound alone
        raise InvalidArgument("the ending of {where} is not of {format}, the format of its source; labelling does not "
                              "convert files", where=target, format=format.name)


def shown(target: str) -> str:
    """The name of a target as one printable line."""
    return "stdout" if target == STANDARD else name_of(target)


def printed_to(target: str) -> TextIO:
    """Where to print what came of a file: stderr if its result goes to standard output."""
    return sys.stderr if target == STANDARD else sys.stdout


def dry_run(selection: Selection, targets: Mapping[Item, str], options: argparse.Namespace) -> int:
    """Say what a run would read and write; returns the exit code."""
    for item, where in targets.items():
        if options.json:
            print(json_line({"file": item.path, "output": where}))
        else:
            print(f"{name_of(item.path)} -> {shown(where)}")
    note_skipped(selection.skipped, options)
    note(Message("{count} files would be processed; nothing was read or written", count=len(targets)), options)
    return OK if selection.items or selection.elsewhere else UNANSWERED


def note_existing(assignment: Assignment, options: argparse.Namespace) -> None:
    """How many results existed, and were kept or could be replaced."""
    if options.resume:
        note(Message("{count} already existed", count=assignment.done), options)
    if assignment.replaced:
        note(Message("{count} existed before this run and were replaced where it wrote; --no-clobber keeps them",
                     count=assignment.replaced), options)
