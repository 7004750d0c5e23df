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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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

    targets: Mapping[Item, str]
    done: int = 0
    replaced: int = 0  # targets that exist and will be replaced by results


class Places(Mapping[Item, str]):
    """Where the results of items go, made when it is asked for: as text it would take as much memory as all items.

    output  a file, or with `is_folder` a folder or prefix; None is the place of each item itself
    """

    def __init__(self, items: Sequence[Item], output: str | None, *, is_folder: bool = False) -> None:
        self._items, self._output, self._is_folder = items, output, is_folder
        below = output or ""
        folder = Path(below)
        self._below = f"{below.rstrip('/')}/" if store.is_url(below) else "" if folder == Path() else str(folder)

    def __getitem__(self, item: Item) -> str:
        if self._output is None:
            return item.path
        if not self._is_folder:
            return self._output
        name = "stdin" if item.path == STANDARD else item.relative
        if store.is_url(self._output):
            return self._below + name.replace(os.sep, "/")
        return os.path.join(self._below, name.replace("/", os.sep))

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def of(self, items: Sequence[Item]) -> Places:
        """The same places, of some of the items."""
        return Places(items, self._output, is_folder=self._is_folder)


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
        return Assignment(Places(list(dict.fromkeys(items)), None))
    places = targets_of(items, options.output)
    if not options.dry_run:
        remove_abandoned(places.values())
    is_there = _is_there(options)
    if not options.resume:
        return Assignment(places, replaced=0 if options.no_clobber else sum(map(is_there, places.values())))
    left = []
    for item, place in places.items():
        if not is_there(place):
            left.append(item)
        elif not options.dry_run:
            _remove_kept_chunks(place)
    return Assignment(places.of(left), len(places) - len(left))


def _is_there(options: argparse.Namespace) -> Callable[[str], bool]:
    """Whether a result exists: a store is asked only if the answer changes what is done."""
    if not store.is_url(options.output):
        return os.path.exists
    return (set(store.objects(options.output)) if options.resume else set[str]()).__contains__


def remove_abandoned(places: Iterable[str]) -> None:
    """Remove what killed processes left where results appear, and in the folder for temporary files."""
    folders = {os.path.dirname(place) for place in places if place != STANDARD and not store.is_url(place)}
    workfolder.remove_abandoned({*(folder or "." for folder in folders), tempfile.gettempdir()})


def _remove_kept_chunks(place: str) -> None:
    """Remove the chunks that a run left which was killed when its result, at `place`, was whole already."""
    folder = Path(f"{place}{CHUNKS}")
    if not store.is_url(place) and (folder / CHUNKS_NUMBER).is_file():
        shutil.rmtree(folder, ignore_errors=True)


def targets_of(items: Sequence[Item], output: str) -> Places:
    """The target of each result: OUT itself for one file, else a path below the folder or prefix OUT.

    Raises InvalidArgument if two results would have the same target, or a result that of a source.
    """
    if output == STANDARD or not _is_folder(items, output):
        if len(items) > 1:
            raise InvalidArgument("standard output takes one file, got {count}", count=len(items))
        return Places(items, output)
    places = Places(items, output, is_folder=True)
    if len(items) > 1:
        _refuse_twins(places)
        _refuse_sources(places, output)
    return places


def _refuse_twins(places: Places) -> None:
    """Refuse two results in one place. Names are compared where their hashes, which take less memory, are equal."""
    seen, twice = set[int](), set[int]()
    for place in places.values():
        (twice if hash(place) in seen else seen).add(hash(place))
    first: dict[str, str] = {}
    for item, place in places.items() if twice else ():
        if place in first:
            raise InvalidArgument("{first} and {second} would both be written to {where}", first=first[place],
                                  second=item.path, where=place, hint="label them in two runs")
        if hash(place) in twice:
            first[place] = item.path


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
    return several or not (os.path.lexists(output) or Path(output).suffix) and bool(Path(items[0].relative).suffix)


def _refuse_sources(places: Places, output: str) -> None:
    """Refuse once what would be refused for every file: results over their own sources."""
    if store.is_url(output):
        return
    files = [item for item in places if item.path != STANDARD and not store.is_url(item.path)]
    sources = {hash(os.path.realpath(item.path)) for item in files}
    for place in places.values():
        real = os.path.realpath(place)
        if hash(real) in sources and any(os.path.realpath(item.path) == real for item in files):
            raise InvalidArgument("{where} is a source of this run and would be replaced", where=place,
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
