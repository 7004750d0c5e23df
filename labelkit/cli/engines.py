# SPDX-License-Identifier: Apache-2.0
"""Runs on the workers of an engine, Ray or Daft: each takes a few files or a shard, and works on it as a run here does.

Workers read and write the files themselves, so these are in an object store or in folders that every worker sees under
the same path. Only names and results pass through the engine.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import itertools
import os
import pickle
import socket
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from labelkit import store
from labelkit.batch.datasets import is_dataset
from labelkit.cli.files import STANDARD, Item, Progress, attempt
from labelkit.cli.targets import refuse_existing, remove_abandoned
from labelkit.cli.text import one_line
from labelkit.distribution import install_hint
from labelkit.errors import InvalidArgument, LabelkitError, LimitExceeded
from labelkit.messages import Message

ENGINES = {"ray": "Ray", "daft": "Daft"}
_FILES = 16  # of a task, at most
_TASKS = 64  # a run of few files has so many, as far as there are files
_ROWS = 256  # that pass through the engine at once
_MAX_REASON = 300
_WAIT_S = 10

Task: TypeAlias = dict[Item, str]
"""Files with their targets; a shard is alone."""
Row: TypeAlias = tuple[str, str, Any]
"""(name, target, result or LabelkitError) of a file, or of a medium of a shard."""
Work: TypeAlias = Callable[[Task], Iterable[Row]]


class Engine(Protocol):
    """What `labelkit.integrations.ray` and `.daft` have for this."""

    def __call__(self, work: Callable[[Task], Iterator[list[Row]]], tasks: deque[Task], address: str | None,
                 jobs: int | None) -> Generator[tuple[Task, list[Row] | None, bool], None, None]:
        """(task, part of its result, whether it is done) as they come: a part is None where the process that worked on
        the task died, and empty at its end. Tasks that are added while the run goes on are worked on too."""


def check(options: argparse.Namespace) -> None:
    """Raise InvalidArgument where the engine of a run is missing, or an option does not go with it."""
    if not options.engine:
        if options.address:
            raise InvalidArgument("--address is that of a cluster, and no engine is named", hint="give --engine ray")
        return
    name = ENGINES[options.engine]
    needed = [options.engine] + ["ray"] * bool(options.address)  # Daft is distributed by Ray
    for one in needed:
        if importlib.util.find_spec(one) is None:
            raise InvalidArgument("--engine {engine} needs {name}, which is not installed", engine=options.engine,
                                  name=ENGINES[one], hint=install_hint(one))
    for what, given in ((Message("--in-place"), getattr(options, "in_place", False)),
                        (Message("standard input"), STANDARD in options.files),
                        (Message("standard output"), getattr(options, "output", None) == STANDARD)):
        if given:
            raise InvalidArgument("{what} does not go with {engine}: a file whose worker is lost is worked on again",
                                  what=what, engine=name)
    log = getattr(options, "log", None)
    if options.address and log and "://" not in log:
        raise InvalidArgument("the machines of a cluster cannot share the log {where}", where=log,
                              hint="give --log the postgresql:// address of one")


def run(work: Work, targets: Mapping[Item, str], options: argparse.Namespace) -> Iterator[Row]:
    """The results of all files and of the media of all shards, in the order in which they are done.

    work     is pickled, and called on the workers
    targets  of each item; "" where nothing is written
    Raises LabelkitError where the engine fails: what was done until then stays done.
    """
    left: Task = {}
    for item, target in targets.items():
        refused = attempt(refuse_existing, target, options) if getattr(options, "no_clobber", False) else None
        if isinstance(refused, LabelkitError):
            yield item.path, target, refused
        else:
            left[item] = target
    tasks = deque(_tasks(left))
    if not tasks:
        return
    media = failed = 0
    try:
        with Progress(len(left)) as progress, closing(_done(work, tasks, options)) as results:
            for task, rows, ended in results:
                if rows is None and len(task) > 1:  # one of them ended the process: each gets one of its own
                    tasks.extend({item: target} for item, target in task.items())
                    continue
                progress.hide()
                for row in _lost(task) if rows is None else rows:
                    media, failed = media + 1, failed + isinstance(row[2], LabelkitError)
                    yield row
                progress.advance(len(task) if ended else 0, Message(
                    "{count} media, {failed} failed", count=f"{media:,}", failed=f"{failed:,}").text(options.lang))
    finally:
        remove_abandoned(filter(None, left.values()))  # what lost workers left


def there(options: argparse.Namespace) -> argparse.Namespace:
    """The options of a run as its workers get them: each works on one file at a time. What exists is refused here, for
    a worker that takes the place of one that was lost may find what that had written."""
    return argparse.Namespace(**{**vars(options), "jobs": 1, "no_clobber": False})


def _tasks(targets: Task) -> Iterator[Task]:
    files = [(item, target) for item, target in targets.items() if not is_dataset(item.path)]
    size = max(1, min(_FILES, len(files) // _TASKS))
    yield from ({item: target} for item, target in targets.items() if is_dataset(item.path))
    yield from (dict(files[at:at + size]) for at in range(0, len(files), size))


def _lost(task: Task) -> list[Row]:
    return [(item.path, target, LimitExceeded(
        "{where}: the process that read it came to an end: it crashed, or needed too much time or memory",
        where=item.path)) for item, target in task.items()]


def _done(work: Work, tasks: deque[Task], options: argparse.Namespace) -> Generator[
        tuple[Task, list[Row] | None, bool], None, None]:
    """The results of the engine; what it raises is told in one line."""
    name = ENGINES[options.engine]
    each_done: Engine = importlib.import_module(f"labelkit.integrations.{options.engine}").each_done
    try:
        pickle.dumps(work)
    except LabelkitError:
        raise
    except Exception as error:
        raise InvalidArgument("{name} cannot send the settings of this run to its workers: {reason}", name=name,
                              reason=str(error)) from error
    _reach(options.address, name)
    try:
        with closing(each_done(_There(work, os.getcwd()), tasks, options.address, options.jobs)) as results:
            yield from results
    except LabelkitError:
        raise
    except Exception as error:
        raise LabelkitError("{name} ended the run: {reason}", name=name,
                            reason=one_line(_reason(error))[:_MAX_REASON],
                            hint="what is done stays; --resume goes on with the rest") from error


def _reach(address: str | None, name: str) -> None:
    """Raise InvalidArgument where nobody listens at an address: engines try for minutes."""
    host, _, port = (address or "").rpartition("://")[2].rpartition(":")
    try:
        if host and port.isdecimal():
            socket.create_connection((host.strip("[]"), int(port)), _WAIT_S).close()
    except (OSError, OverflowError) as error:
        raise InvalidArgument("{name} cannot be reached at {address}: {reason}", name=name, address=address,
                              reason=str(error)) from error


def _reason(error: BaseException) -> str:
    """The last line that says something: engines put the traceback of a worker before it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


@dataclass(frozen=True, slots=True)
class _There:
    """The work, on a worker, its results part by part: a shard may have any number of media. Names of files are
    relative to the folder in which the run was started. The files of a task of several are one part."""

    work: Work
    folder: str

    def __call__(self, task: Task) -> Iterator[list[Row]]:
        rows = iter(self._rows(task))
        while part := list(itertools.islice(rows, _ROWS if len(task) == 1 else None)):
            yield part

    def _rows(self, task: Task) -> Iterable[Row]:
        local = not all(store.is_url(item.path) and (not target or store.is_url(target))
                        for item, target in task.items())
        try:
            if local:
                os.chdir(self.folder)
        except OSError:
            return [(item.path, target, InvalidArgument(
                "{where}: the folder {folder} is not on the machine of the worker", where=item.path,
                folder=self.folder, hint="put the files into an object store, or into folders that all machines share"))
                for item, target in task.items()]
        return self.work(task)
