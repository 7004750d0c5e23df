# SPDX-License-Identifier: Apache-2.0
"""The files of a run: collect them, process several at a time, and show progress."""

from __future__ import annotations

import argparse
import functools
import hashlib
import io
import os
import stat
import sys
import tempfile
import threading
import urllib.parse
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from labelkit import container, store, threads, unforeseen
from labelkit.batch import lance
from labelkit.batch.datasets import is_dataset
from labelkit.cli import processes
from labelkit.container import media_type, workfolder
from labelkit.errors import InvalidArgument, LabelkitError, UnsupportedFormat, cannot_open
from labelkit.messages import Message

STANDARD = "-"
_MANY = 3  # with more files than this a progress bar is shown
_BAR = 30
_REQUESTS = 32  # to a store at a time
_PER_CORE = 4  # objects of a store at a time
_SMALL = 16 << 20  # bytes

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a run; `at` makes it. Of ten million items the paths take most of the memory, so nothing else is kept
    that follows from them.

    path     as it is opened
    tail     how many characters at its end are its path below the named folder, or its own name
    inner    that path, where the end of `path` is another
    """

    path: str
    tail: int
    inner: str = ""
    from_folder: bool = False

    @classmethod
    def at(cls, path: str, relative: str, *, from_folder: bool = False) -> Item:
        """The file at `path`, which is `relative` below the named folder."""
        return cls(path, len(relative), "" if path.endswith(relative) else relative, from_folder)

    @property
    def relative(self) -> str:
        """Its path below the named folder, or its own name."""
        return self.inner or self.path[len(self.path) - self.tail:]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file of a folder that a run passes over, and why."""

    path: str
    is_link: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """The files of a run.

    skipped    the files in folders that are passed over
    elsewhere  whether there are none because all of them fall to other shards
    """

    items: list[Item]
    skipped: list[Skipped]
    elsewhere: bool = False


def collect(options: argparse.Namespace, wanted: Callable[[container.Format], bool] | None = None, *,
            each: bool = False, shards: bool = False) -> Selection:
    """The files that a command line names.

    Folders and prefixes of stores are searched recursively, in order of name. In them, files are skipped that are of an
    unknown format and not named as media, or of one not `wanted`, and symbolic links that lead out of the folder;
    hidden files, links to folders and the output folder are ignored. Links inside the folder are followed, but not if
    the files are changed in place: their files are in the run themselves.
    With `shards`, those of datasets are processed wherever they are found.
    Raises InvalidArgument for a name that is neither file nor folder; with `each`, such names are processed as the
    others are, and fail then, if there are others or JSON is asked for.
    """
    if not options.files and not options.files_from:
        raise InvalidArgument("no file is given", hint="give files or folders, or a list of them with --files-from")
    found: list[Item] = []
    skipped: list[Skipped] = []
    wrong: list[LabelkitError] = []
    for name in options.files:
        try:
            for one in _named(name, options):
                found.append(one) if isinstance(one, Item) else skipped.append(one)
        except LabelkitError as error:
            if not each:
                raise
            wrong.append(error)
            found.append(Item.at(name, Path(name).name))
    if wrong and len(wrong) == len(found) and not (options.json or options.files_from):
        raise wrong[0]
    if options.files_from:
        found += [_listed(name) for name in _lines(options.files_from)]
    if any(store.is_url(item.path) for item in found):
        workfolder.remove_abandoned([tempfile.gettempdir()])
    shard = [item for item in found if _in_shard(item.path, *options.shard)] if options.shard else found
    is_selected, selected = functools.partial(_is_selected, wanted=wanted, shards=shards), list[Item]()
    for item, is_wanted in threads.in_order(is_selected, shard, _REQUESTS):  # requests to a store run side by side
        selected.append(item) if is_wanted else skipped.append(Skipped(item.path))
    return Selection(selected, sorted(skipped, key=lambda one: one.path), elsewhere=bool(found) and not shard)


def _named(name: str, options: argparse.Namespace) -> Iterator[Item | Skipped]:
    if store.is_url(name):
        below = _whole(store.objects(name))
        if not below:
            raise InvalidArgument("{where} cannot be opened: {reason}", where=name,
                                  reason=Message("there is no such object"))
        prefix = name.rstrip("/") + "/"
        for url in below:
            inner = url.removeprefix(prefix) if url != name else Path(url).name
            # one that the client cannot name fails when it is processed, and must not lead out of OUT before
            yield Item.at(url, inner if store.is_tidy(inner) else urllib.parse.quote(inner, safe=""),
                          from_folder=url != name)
    elif name == STANDARD or _kind(name) == "file" or lance.is_named(name):
        yield Item.at(name, Path(name).name)
    else:
        output = getattr(options, "output", None)
        yield from _under(Path(name), Path(output) if output else None, in_place=getattr(options, "in_place", False))


def _whole(urls: Iterable[str]) -> list[str]:
    """The objects, and in the place of those of a Lance dataset the dataset."""
    return list(dict.fromkeys(url if ".lance/" not in url else url.partition(".lance/")[0] + ".lance" for url in urls))


def _lines(name: str) -> list[str]:
    """The names in a list, one per line; "-" is standard input."""
    try:
        with open(sys.stdin.fileno() if name == STANDARD else name, encoding="utf-8", errors="surrogateescape",
                  closefd=name != STANDARD) as file:
            return [line for line in file.read().split("\n") if line]
    except (OSError, ValueError) as error:
        raise cannot_open(name, error) from error


def _listed(name: str) -> Item:
    """A file from a list: it keeps the folders in its name, and is opened only when it is processed."""
    return Item.at(name, str(Path(store.inner_path(name))))


def _in_shard(path: str, part: int, parts: int) -> bool:
    """Decided by the name alone, so that machines with the same list divide it without communicating."""
    return int.from_bytes(hashlib.blake2b(os.fsencode(path), digest_size=8).digest()) % parts == part - 1


def _is_selected(item: Item, wanted: Callable[[container.Format], bool] | None, shards: bool) -> bool:
    if not item.from_folder or shards and is_dataset(item.path):
        return True
    try:
        found = store.sniff(item.path) if store.is_url(item.path) else container.sniff(item.path)
    except UnsupportedFormat:  # keep media that are empty or of an unknown format: they are reported as errors
        return media_type(item.path) is not None
    except Exception:
        return True  # reported when it is processed
    return wanted is None or wanted(found)


@contextmanager
def source_of(item: Item) -> Iterator[str | io.BytesIO]:
    """The source of an item: a path (of a local copy, for an object of a store), or standard input in memory.

    Raises InvalidArgument for what is no plain file: to open a pipe would wait for its other end.
    """
    if store.is_url(item.path):
        with store.fetched(item.path) as path:
            yield path
    elif item.path == STANDARD:
        yield io.BytesIO(sys.stdin.buffer.read())
    else:
        if _kind(item.path) != "file":
            raise InvalidArgument("{where} is a folder, not a file", where=item.path)
        yield item.path


def _kind(name: str) -> str:
    try:
        mode = os.stat(name).st_mode
    except (OSError, ValueError) as error:
        raise cannot_open(name, error) from error
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise InvalidArgument("{where} is neither a file nor a folder", where=name)
    return "file" if stat.S_ISREG(mode) else "folder"


def _under(folder: Path, output: Path | None, *, in_place: bool) -> Iterator[Item | Skipped]:
    ignored, root = output.resolve() if output else None, folder.resolve()
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders
                            if not name.startswith(".") and (Path(place) / name).resolve() != ignored)
        shards = [name for name in folders if lance.is_named(name)]
        folders[:] = [name for name in folders if name not in shards]
        for name in sorted([*files, *shards]):
            path = Path(place) / name
            if name.startswith(".") or not path.is_file() and name not in shards:
                continue
            if path.is_symlink() and (in_place or not path.resolve().is_relative_to(root)):
                yield Skipped(str(path), is_link=True)
            else:
                yield Item.at(str(path), str(path.relative_to(folder)), from_folder=True)


def run(work: Callable[[Item], Result], items: Sequence[Item], jobs: int | None, stop: threading.Event | None = None, *,
        fork: bool = True) -> Iterator[tuple[Item, Result | LabelkitError]]:
    """(item, result of `work` or its error) in the order of `items`, up to `jobs` of them at a time.

    On Ctrl-C `stop` is set: long work should then raise KeyboardInterrupt.
    Local files are worked on in forked processes where that can be, at most one a core; but not where `work` itself
    hands them to processes (`fork` is False).
    """
    remote = any(store.is_url(item.path) for item in items)  # then most of the time is spent waiting
    jobs = min(jobs or threads.cores() * (_PER_CORE if remote else 1), len(items) or 1)
    if not remote:
        jobs = min(jobs, threads.cores())
    fork = fork and jobs > 1 and not remote and all(item.path != STANDARD for item in items)

    def attempted(item: Item) -> Result | LabelkitError:
        return attempt(work, item)

    # Ctrl-C: running work is finished, except films; waiting work is dropped
    results = (_forked(attempted, items, jobs, stop) if fork and len(items) >= processes.LEAST else
               threads.in_order(attempted, items, jobs, ending=stop.set if stop else None))
    with Progress(len(items)) as progress, closing(results):
        for pair in results:
            progress.hide()
            yield pair
            progress.advance()


def _forked(work: Callable[[Item], Result], items: Sequence[Item], jobs: int,
            stop: threading.Event | None) -> Generator[tuple[Item, Result | LabelkitError], None, None]:
    """The first item, if it is small, is worked on here: what it loads need not be loaded by every process."""
    first = 1 if os.path.exists(items[0].path) and os.path.getsize(items[0].path) < _SMALL else 0
    yield from threads.in_order(work, items[:first], 1)
    if processes.are_possible():
        yield from processes.in_order(work, items[first:], jobs, lambda item: item.path, stop)
    else:
        yield from threads.in_order(work, items[first:], jobs, ending=stop.set if stop else None)


def attempt(work: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result | LabelkitError:
    """The result of `work`, or the error that it raises, of whatever kind: one bad file does not stop the others."""
    try:
        return work(*arguments)
    except BaseException as error:
        return unforeseen.translated(error)


class Progress:
    """A progress bar on stderr, if that is a terminal and there are more than a few files."""

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0
        self.shown = total > _MANY and sys.stderr.isatty()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.hide()

    def hide(self) -> None:
        """Clear the line, to print the result of a file."""
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def advance(self, count: int = 1, more: str = "") -> None:
        """Count files, and show the bar again, with what else there is to say."""
        self.done += count
        if self.shown:
            filled = _BAR * self.done // self.total
            sys.stderr.write(f"[{'#' * filled}{'.' * (_BAR - filled)}] {self.done}/{self.total}{more and f'  {more}'}")
            sys.stderr.flush()
