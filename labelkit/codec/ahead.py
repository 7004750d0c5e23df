# SPDX-License-Identifier: Apache-2.0
"""Work in a thread of its own, a few steps ahead of whoever uses what it makes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
_CHECK_SECONDS = 0.1


def ahead(items: Iterable[Item], count: int) -> Iterator[Item]:
    """The items in order, made in a thread up to `count` before they are asked for; its errors are raised here.

    When the iterator is closed, or what uses it fails, the thread is stopped and has ended before this returns.
    """
    ready: queue.Queue[tuple[list[Item], BaseException | None]] = queue.Queue(count)
    stopped = threading.Event()
    thread = threading.Thread(target=_make, args=(items, ready, stopped), name="labelkit-ahead", daemon=True)
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


def _make(items: Iterable[Item], ready: queue.Queue, stopped: threading.Event) -> None:
    try:
        for item in items:
            if not _put(ready, stopped, ([item], None)):
                return
        end = ([], None)
    except BaseException as error:  # whatever it is belongs to the thread that uses the items
        end = ([], error)
    _put(ready, stopped, end)


def _put(ready: queue.Queue, stopped: threading.Event, entry: tuple) -> bool:
    while not stopped.is_set():
        try:
            ready.put(entry, timeout=_CHECK_SECONDS)
            return True
        except queue.Full:
            continue
    return False
