# SPDX-License-Identifier: Apache-2.0
"""Where the commands verify files: in this process, or in processes with limits on time and memory."""

from __future__ import annotations

import argparse
import functools
import importlib
import io
import pickle
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from labelkit import store, threads
from labelkit.batch.datasets import is_dataset
from labelkit.cli.files import Item
from labelkit.report import Layer, Report

if TYPE_CHECKING:
    from labelkit.cli.options import Checks

Verify: TypeAlias = Callable[[str | bytes | io.BytesIO], Report]


def wanted(items: Sequence[Item], options: argparse.Namespace) -> bool:
    """Whether files are read in processes of their own: as asked, else where a folder or a dataset is worked on."""
    asked: bool | None = options.isolate
    return any(item.from_folder or is_dataset(item.path) for item in items) if asked is None else asked


@contextmanager
def verifier(items: Sequence[Item], options: argparse.Namespace, settings: Checks,
             layers: Collection[Layer] = tuple(Layer)) -> Iterator[Verify]:
    """A function that verifies one file with these settings; may be called from several threads."""
    if not wanted(items, options):
        from labelkit import pipeline  # here: processes load it themselves
        yield lambda source: pipeline.verify(source, layers=layers, **settings)
        return
    from labelkit.isolation import Pool
    _warn_of_slow_kernels()
    several = any(is_dataset(item.path) for item in items)
    processes = min(options.jobs or threads.cores(), threads.cores() if several else len(items) or 1)
    if not any(store.is_url(item.path) for item in items):  # else most of the time is spent waiting
        processes = min(processes, threads.cores())
    with Pool(processes, layers=tuple(layers), **settings) as pool:
        yield pool.verify


def _warn_of_slow_kernels() -> None:
    """The processes have nobody to tell."""
    try:
        importlib.import_module("labelkit._native")
    except ImportError:
        from labelkit import kernels  # which load NumPy
        kernels.warn_if_missing()


def of_worker(settings: Checks, layers: Collection[Layer]) -> Callable[[], Verify]:
    """What gives a worker of an engine its function that verifies files in a process with limits; can be pickled.

    Each worker keeps one such process from one task to the next.
    """
    return functools.partial(_kept, pickle.dumps((tuple(layers), settings)))


@functools.cache
def _kept(pickled: bytes) -> Verify:
    from labelkit.isolation import Pool
    layers, settings = pickle.loads(pickled)  # of the run itself
    return Pool(1, layers=layers, **settings).verify
