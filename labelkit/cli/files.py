# SPDX-License-Identifier: Apache-2.0
"""Many files: which they are, where their results go, several at a time, and how far the run has come."""

from __future__ import annotations

import argparse
import functools
import hashlib
import io
import mimetypes
import os
import stat
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from labelkit import container
from labelkit.cli import store
from labelkit.errors import InvalidArgument, LabelkitError, UnsupportedFormat, cannot_write

STANDARD = "-"
_MANY = 3  # files from which on a progress bar is worth its line
_BAR = 30
_REQUESTS = 32  # of a store at a time
_PER_CORE = 4  # objects under way
_TYPES = {".avif": "image/avif", ".heic": "image/heic", ".heif": "image/heic", ".webp": "image/webp",
          ".flac": "audio/flac", ".m4a": "audio/mp4", ".m4b": "audio/mp4", ".oga": "audio/ogg", ".ogg": "audio/ogg",
          ".opus": "audio/ogg", ".flv": "video/flv", ".m4v": "video/mp4", ".mkv": "video/matroska"}
"""Endings that Python does not know everywhere, or by other names than the formats."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a run. `relative` is its place under the folder that was named, or its own name."""

    path: str
    relative: Path
    from_folder: bool = False


def collect(options: argparse.Namespace, families: Collection[str] | None = None) -> tuple[list[Item], int]:
    """The files that a command line stands for, and how many were passed over.

    Folders and prefixes of stores are searched to the bottom in order of name. Of them, files of no known format that
    are not named as media either, or of none of `families`, are passed over and counted; hidden files, symbolic links
    to folders and what lies under the output are left out. Raises InvalidArgument for a name that is neither file nor
    folder.
    """
    without = getattr(options, "output", None)
    found = [item for name in options.files for item in _named(name, Path(without) if without else None)]
    if options.files_from:
        found += [_listed(name) for name in _lines(options.files_from)]
    if not options.files and not options.files_from:
        raise InvalidArgument("no file was named", hint="name files or folders, or a list of them with --files-from")
    if options.shard:
        found = [item for item in found if _in_shard(item.path, *options.shard)]
    with ThreadPoolExecutor(_REQUESTS) as pool:  # they wait for stores, not for each other
        meant = list(pool.map(functools.partial(_is_meant, families=families), found))
    return [item for item, is_meant in zip(found, meant, strict=True) if is_meant], meant.count(False)


def _named(name: str, without: Path | None) -> list[Item]:
    if store.is_url(name):
        below = store.objects(name)
        if not below:
            raise InvalidArgument("{where} cannot be opened: {reason}", where=name, reason="there is no such object")
        prefix = name.rstrip("/") + "/"
        return [Item(url, Path(url.removeprefix(prefix) if url != name else Path(url).name), from_folder=url != name)
                for url in below]
    if name == STANDARD or _kind(name) == "file":
        return [Item(name, Path(Path(name).name))]
    return list(_under(Path(name), without))


def _lines(name: str) -> list[str]:
    """The names in a list, one a line; of the standard input, if the list is "-"."""
    try:
        with open(sys.stdin.fileno() if name == STANDARD else name, encoding="utf-8", errors="surrogateescape",
                  closefd=name != STANDARD) as file:
            return [line for line in file.read().split("\n") if line]
    except OSError as error:
        raise InvalidArgument("{where} cannot be opened: {reason}", where=name, reason=error.strerror or "") from error


def _listed(name: str) -> Item:
    """A file out of a list: it keeps the folders in its name, and whether it is there is found when its turn comes."""
    inner = name.partition("://")[2].partition("/")[2] if store.is_url(name) else os.path.normpath(name).lstrip(os.sep)
    if ".." in Path(inner).parts:
        raise InvalidArgument("{where} lies outside the folder of the run", where=name)
    return Item(name, Path(inner))


def _in_shard(path: str, part: int, parts: int) -> bool:
    """By the name alone, so that machines which see the same list share it out without a word."""
    return int.from_bytes(hashlib.blake2b(os.fsencode(path), digest_size=8).digest()) % parts == part - 1


def _is_meant(item: Item, families: Collection[str] | None) -> bool:
    if not item.from_folder:
        return True
    try:
        family = (store.sniff(item.path) if store.is_url(item.path) else container.sniff(item.path)).family
    except UnsupportedFormat:  # an empty picture, or one of a format not known, is no text that lies beside
        return media_type(item.path) is not None
    except LabelkitError:
        return True  # it cannot be read: said when its turn comes
    return families is None or family in families


def media_type(name: str) -> str | None:
    """What a picture, sound or film is by the ending of its name, such as image/png; None for all else."""
    told = _TYPES.get(Path(name).suffix.lower()) or mimetypes.guess_type(name)[0] or ""
    return told.replace("/x-", "/") if told.startswith(("image/", "audio/", "video/")) else None


@contextmanager
def source_of(item: Item) -> Iterator[str | io.BytesIO]:
    """What an item is read from: a path, of an object that of a copy; or the standard input in memory."""
    if store.is_url(item.path):
        with store.fetched(item.path) as path:
            yield path
    else:
        yield io.BytesIO(sys.stdin.buffer.read()) if item.path == STANDARD else item.path


@contextmanager
def target_of(place: str, *, in_place: bool = False) -> Iterator[str | BinaryIO]:
    """What a result is written to: a path, of an object that of what is put there in the end; or the standard output.

    Raises OutputFailed.
    """
    if store.is_url(place):
        with store.placed(place) as path:
            yield path
    elif place == STANDARD:
        yield sys.stdout.buffer
    else:
        if not in_place:
            make_folder(Path(place).parent)
        yield os.path.realpath(place) if in_place else place  # a symbolic link stays one


def make_folder(folder: Path) -> None:
    """The folder and those above it; raises OutputFailed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error


def _kind(name: str) -> str:
    try:
        mode = os.stat(name).st_mode
    except (OSError, ValueError) as error:
        raise InvalidArgument("{where} cannot be opened: {reason}", where=name,
                              reason=getattr(error, "strerror", None) or "it is no file name") from error
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise InvalidArgument("{where} is neither a file nor a folder", where=name)
    return "file" if stat.S_ISREG(mode) else "folder"


def _under(folder: Path, without: Path | None) -> Iterator[Item]:
    avoided = without.resolve() if without else None
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders
                            if not name.startswith(".") and (Path(place) / name).resolve() != avoided)
        for name in sorted(files):
            path = Path(place) / name
            if not name.startswith(".") and path.is_file():
                yield Item(str(path), path.relative_to(folder), from_folder=True)


def targets(items: Sequence[Item], output: str) -> list[str]:
    """Where each result goes: OUT itself for one file, else its place under the folder or prefix OUT.

    Raises InvalidArgument where two results would have one place.
    """
    as_folder = os.path.isdir(output) or output.endswith(("/", os.sep)) or len(items) != 1 or items[0].from_folder
    if output == STANDARD or not as_folder:
        if len(items) > 1:
            raise InvalidArgument("{count} files cannot go to the standard output", count=len(items))
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
    return places


def assigned(items: Sequence[Item], options: argparse.Namespace) -> dict[Item, str]:
    """Where the result of each item goes; with --resume, only of those whose result is not there yet.

    A result that is there is whole: files are renamed, and objects appear, at once.
    """
    if options.in_place:
        if options.resume:
            raise InvalidArgument("--resume goes by the results in OUT, with --in-place there is none")
        return {item: item.path for item in items}
    where = dict(zip(items, targets(items, options.output), strict=True))
    if not options.resume:
        return where
    there = set(store.objects(options.output) if store.is_url(options.output) else
                filter(os.path.exists, where.values()))
    return {item: place for item, place in where.items() if place not in there}


def run(work: Callable[[Item], Result], items: Sequence[Item], jobs: int | None,
        stop: threading.Event | None = None) -> Iterator[tuple[Item, Result]]:
    """(item, what work gave for it) in the order of `items`, up to `jobs` of them at a time.

    `work` must not raise, but for KeyboardInterrupt when `stop` is set: on Ctrl-C, as what takes long should not be
    waited for. Threads are enough: decoding, the kernels and encoding release the interpreter.
    """
    remote = any(store.is_url(item.path) for item in items)  # then most of the time is spent waiting
    jobs = min(jobs or (os.cpu_count() or 1) * (_PER_CORE if remote else 1), len(items) or 1)
    with Progress(len(items)) as progress:
        for pair in _one_by_one(work, items) if jobs == 1 else _side_by_side(work, items, jobs, stop):
            progress.hide()
            yield pair
            progress.advance()


def _one_by_one(work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[tuple[Item, Result]]:
    for item in items:
        yield item, work(item)


def _side_by_side(work: Callable[[Item], Result], items: Sequence[Item], jobs: int,
                  stop: threading.Event | None) -> Iterator[tuple[Item, Result]]:
    """Results in order; only a few are under way or held, so that memory does not grow with the run."""
    pool = ThreadPoolExecutor(jobs)
    queue: list[tuple[Item, Future]] = []
    try:
        for item in items:
            queue.append((item, pool.submit(work, item)))
            while len(queue) >= 4 * jobs or queue and queue[0][1].done():
                first, future = queue.pop(0)
                yield first, future.result()
        for item, future in queue:
            yield item, future.result()
    finally:  # Ctrl-C: what runs is finished, but for films, what waits is dropped
        if stop:
            stop.set()
        pool.shutdown(cancel_futures=True)


def attempt(work: Callable[[], Result]) -> Result | LabelkitError:
    """What `work` gives, or the error that it raises: one bad file never stops the rest."""
    try:
        return work()
    except LabelkitError as error:
        return error


class Progress:
    """A line on stderr, only where that is a terminal and there are more than a few files."""

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0
        self.shown = total > _MANY and sys.stderr.isatty()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.hide()

    def hide(self) -> None:
        """Make room for what is said about a file."""
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def advance(self) -> None:
        """Count one file, and show the line again."""
        self.done += 1
        if self.shown:
            filled = _BAR * self.done // self.total
            sys.stderr.write(f"[{'#' * filled}{'.' * (_BAR - filled)}] {self.done}/{self.total}")
            sys.stderr.flush()
