# SPDX-License-Identifier: Apache-2.0
"""Many files: which they are, where their results go, several at a time, and how far the run has come."""

from __future__ import annotations

import os
import stat
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from labelkit import container
from labelkit.errors import InvalidArgument, LabelkitError, UnsupportedFormat

STANDARD = "-"
_MANY = 3  # files from which on a progress bar is worth its line
_BAR = 30

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a run. `relative` is its place under the folder that was named, or its own name."""

    path: str
    relative: Path
    from_folder: bool = False


def collect(names: Sequence[str], *, without: Path | None = None,
            families: Collection[str] | None = None) -> tuple[list[Item], int]:
    """The files that `names` stand for, folders searched to the bottom in order of name; and how many were passed over.

    Of a folder, files of no known format, or of none of `families`, are passed over and counted; hidden files,
    symbolic links to folders and what lies under `without` are left out. Raises InvalidArgument for a name that is no
    file and no folder.
    """
    found: list[Item] = []
    for name in names:
        if name == STANDARD or _kind(name) == "file":
            found.append(Item(name, Path(Path(name).name)))
        else:
            found += _under(Path(name), without)
    known = [item for item in found if not item.from_folder or _is_meant(item.path, families)]
    return known, len(found) - len(known)


def _is_meant(path: str, families: Collection[str] | None) -> bool:
    try:
        family = container.sniff(path).family
    except UnsupportedFormat:
        return False
    except LabelkitError:
        return True  # it cannot be read: said when its turn comes
    return families is None or family in families


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
    """Where each result goes: OUT itself for one file, else its place under the folder OUT.

    Raises InvalidArgument where two results would have one place.
    """
    as_folder = os.path.isdir(output) or output.endswith(("/", os.sep)) or len(items) != 1 or items[0].from_folder
    if output == STANDARD or not as_folder:
        if len(items) > 1:
            raise InvalidArgument("{count} files cannot go to the standard output", count=len(items))
        return [output]
    places = [str(Path(output) / ("stdin" if item.path == STANDARD else item.relative)) for item in items]
    seen: dict[str, str] = {}
    for item, place in zip(items, places, strict=True):
        if place in seen:
            raise InvalidArgument("{first} and {second} would both be written to {where}", first=seen[place],
                                  second=item.path, where=place, hint="label them in two runs")
        seen[place] = item.path
    return places


def run(work: Callable[[Item], Result], items: Sequence[Item], jobs: int | None,
        stop: threading.Event | None = None) -> Iterator[tuple[Item, Result]]:
    """(item, what work gave for it) in the order of `items`, up to `jobs` of them at a time.

    `work` must not raise, but for KeyboardInterrupt when `stop` is set: on Ctrl-C, as what takes long should not be
    waited for. Threads are enough: decoding, the kernels and encoding release the interpreter.
    """
    jobs = min(jobs or os.cpu_count() or 1, len(items) or 1)
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
