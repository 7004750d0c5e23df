# SPDX-License-Identifier: Apache-2.0
"""Prefetch an iterator on a background thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

Item = TypeVar("Item")
_CHECK_SECONDS = 0.1


_Entry = tuple[list[Item], BaseException | None]  # one item, or none and what ended the iterator


def prefetch(items: Iterable[Item], count: int) -> Generator[Item, None, None]:
    """The items in order, made on a background thread up to `count` before they are asked for.

    Errors of the iterator are raised here. When the generator is closed, or its user fails, the thread is stopped and
    has ended before this returns.
    """
    ready: queue.Queue[_Entry[Item]] = queue.Queue(count)
    stopped = threading.Event()
    thread = threading.Thread(target=_fill, args=(items, ready, stopped), name="labelkit-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            made, error = ready.get()
            if error:
                raise error
            if not made:
                return
            yield made[0]
    finally:
        stopped.set()
        thread.join()


def _fill(items: Iterable[Item], ready: queue.Queue[_Entry[Item]], stopped: threading.Event) -> None:
    end: _Entry[Item] = ([], None)
    try:
        for item in items:
            if not _put(ready, stopped, ([item], None)):
                return
    except BaseException as error:  # every error belongs to the thread that uses the items
        end = ([], error)
    _put(ready, stopped, end)


def _put(ready: queue.Queue[_Entry[Item]], stopped: threading.Event, entry: _Entry[Item]) -> bool:
    while not stopped.is_set():
        try:
            ready.put(entry, timeout=_CHECK_SECONDS)
            return True
        except queue.Full:
            continue
    return False
