# SPDX-License-Identifier: Apache-2.0
"""Shards of datasets in a run: their media are worked on as files are, and are called SHARD::MEDIUM."""

from __future__ import annotations

import argparse
import functools
import itertools
import os
import pickle
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from typing import IO, Any, TypeVar, cast

from labelkit import store, threads
from labelkit.batch import datasets, lance, parquet
from labelkit.batch.samples import Medium, Sample
from labelkit.cli import processes
from labelkit.cli.files import Item, attempt
from labelkit.cli.targets import refuse_existing
from labelkit.cli.text import name_of
from labelkit.errors import InvalidArgument, LabelkitError, TruncatedFile

SEPARATOR = "::"
_EVERY = 16  # samples between two signs of life

Result = TypeVar("Result")
Made = TypeVar("Made", bound=datasets.Worked)
Each = Callable[[Sample], datasets.Outcome[Result]]
_OF_ROWS = parquet.ENDINGS + lance.ENDINGS


def divided(items: Iterable[Item]) -> tuple[list[Item], list[Item]]:
    """The files of a run, and the shards."""
    files: list[Item] = []
    shards: list[Item] = []
    for item in items:
        (shards if datasets.is_dataset(item.path) else files).append(item)
    return files, shards


def refuse_number(items: Iterable[Item], option: str, number: str | None) -> None:
    """Raise InvalidArgument if the media of a shard would get the number of one content."""
    shard = next((item for item in items if datasets.is_dataset(item.path)), None)
    if number and shard:
        raise InvalidArgument("{option} is the number of one file's content, and {where} is a dataset", option=option,
                              where=shard.path, hint="leave it out: every file gets its own number")


def rewritten(work: Callable[[Medium], Made], targets: Mapping[Item, str], options: argparse.Namespace,
              again: Mapping[str, set[str]] | None, stop: threading.Event | None = None,
              ) -> Iterator[tuple[str, str, Made | LabelkitError]]:
    """(name, target, result) of every medium of the shards, which are written to their targets, and of every shard
    that was not written, or not wholly.

    again  by shard, the media that failed before: they alone are worked on where the target exists
    What was made is given when the shard is in its place, and not at all if it never is; what failed at once.
    """
    each = datasets.attempted_each(work)
    with _runner(each, targets, options, stop) as run:
        for item, target in targets.items():
            failed = again.get(item.path) if again is not None and _exists(target) else None
            with tempfile.TemporaryFile() as held:  # a shard may have any number of media
                pairs = _guarded(_rewritten(item, target, each, run, options, failed))
                for name, result in _shown(item, pairs):
                    if not isinstance(result, LabelkitError):
                        pickle.dump((name, result), held)
                        continue
                    if name == item.path and not (options.keep_truncated and isinstance(result, TruncatedFile)):
                        held.truncate(0)
                    yield name, target, result
                yield from ((name, target, result) for name, result in _loaded(held))


def _loaded(held: IO[bytes]) -> Iterator[tuple[str, Any]]:
    held.seek(0)
    with suppress(EOFError):
        while True:
            yield pickle.load(held)


def _rewritten(item: Item, target: str, each: Each[Made], run: datasets.Run, options: argparse.Namespace,
               again: set[str] | None) -> Iterator[tuple[Medium, Made | LabelkitError]]:
    if again is None:
        refuse_existing(target, options)
    made = datasets.rewritten(item.path, target, each, run, media=options.media,
                              keep_truncated=options.keep_truncated, in_place=options.in_place, again=again)
    with closing(made):
        for sample, outcome in made:
            for medium, result in zip(sample.media, outcome, strict=True):
                yield medium, result if isinstance(result, LabelkitError) else replace(cast(Any, result), data=None)


def looked_at(work: Callable[[Medium], Result], items: Iterable[Item], options: argparse.Namespace, *,
              fork: bool) -> Iterator[tuple[str, Result | LabelkitError]]:
    """(name, result) of every medium of the shards, and of every shard that was not read wholly."""
    each, found = datasets.attempted_each(work), list(items)
    with _runner(each, found, options, None, fork) as run:
        for item in found:
            yield from _shown(item, _guarded(_looked_at(item, each, run, options)))


def _looked_at(item: Item, each: Each[Result], run: datasets.Run,
               options: argparse.Namespace) -> Iterator[tuple[Medium, Result | LabelkitError]]:
    made = datasets.looked_at(item.path, each, run, media=options.media)
    with closing(made):
        for sample, outcome in made:
            yield from zip(sample.media, outcome, strict=True)


def _guarded(pairs: Iterator[tuple[Medium, Result | LabelkitError]],
             ) -> Iterator[tuple[Medium | None, Result | LabelkitError]]:
    """The pairs, and at the end the error of the shard, if there is one: it does not stop the others."""
    while True:
        found = attempt(next, pairs, None)
        if isinstance(found, LabelkitError):
            yield None, found
            return
        if found is None:
            return
        yield found


def _shown(item: Item, pairs: Iterator[tuple[Medium | None, Result | LabelkitError]],
           ) -> Iterator[tuple[str, Result | LabelkitError]]:
    """The pairs with the names of their media, and on a terminal how many there were."""
    live = sys.stderr.isatty()
    for number, (medium, result) in enumerate(pairs):
        if live:
            sys.stderr.write("\r\x1b[K")
        yield f"{item.path}{SEPARATOR}{medium.name}" if medium else item.path, result
        if live and number % _EVERY == 0:
            sys.stderr.write(f"{name_of(item.path)} {number + 1}")
            sys.stderr.flush()
    if live:
        sys.stderr.write("\r\x1b[K")


@contextmanager
def _runner(each: Each[Result], items: Iterable[Item], options: argparse.Namespace, stop: threading.Event | None,
            fork: bool = True) -> Iterator[datasets.Run]:
    """Work on samples as on files: in forked processes where that can be, at most one a core, else on threads.

    What reads rows starts threads, so where there are such shards the processes are forked before, for all shards.
    """
    jobs = min(options.jobs or threads.cores(), threads.cores())
    fork = fork and jobs > 1
    if not (fork and any(item.path.rstrip("/").endswith(_OF_ROWS) for item in items) and processes.are_possible()):
        yield functools.partial(_run, jobs, fork, stop)
        return
    with processes.Kept(each, jobs, stop) as kept:
        def run(_each: Callable[[Sample], Any], samples: Iterable[Sample]) -> Generator[tuple[Sample, Any], None, None]:
            yield from map(_for_each_medium, kept.in_order(samples, lambda sample: sample.key))
        yield run


def _run(jobs: int, fork: bool, stop: threading.Event | None, work: Callable[[Sample], Any],
         samples: Iterable[Sample]) -> Generator[tuple[Sample, Any], None, None]:
    coming = iter(samples)
    # what the first sample loads need not be loaded by every process
    yield from threads.in_order(work, itertools.islice(coming, 1), 1)
    results = (processes.in_order(work, coming, jobs, lambda sample: sample.key, stop)
               if fork and processes.are_possible() else
               threads.in_order(work, coming, jobs, ending=stop.set if stop else None))
    with closing(results):
        yield from map(_for_each_medium, results)


def _for_each_medium(pair: tuple[Sample, Any]) -> tuple[Sample, Any]:
    """The error of a sample as that of each of its media."""
    sample, outcome = pair
    return sample, [outcome] * len(sample.media) if isinstance(outcome, LabelkitError) else outcome


def _exists(target: str) -> bool:
    return store.exists(target) if store.is_url(target) else os.path.exists(target)
