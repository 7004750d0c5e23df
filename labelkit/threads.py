# SPDX-License-Identifier: Apache-2.0
"""Work on several files at a time, on threads: decoding, kernels and transforms release the interpreter.

Two threads embed 0.8 to 1.1 of what two running processes do, the machine alone; they verify half to 0.8 of that, as
kernels are short there, and many files are better read in processes (`verify_many(isolate=True)`). Encoding by Pillow
holds the interpreter. benchmarks/SERVING.md has the figures.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

Item = TypeVar("Item")
Result = TypeVar("Result")

GLANCE_SECONDS = 0.2
"""How long a thread waits before it looks for signals. A signal that arrives just before a wait, or at another thread,
does not end the wait; on Windows none does."""
_AHEAD = 4  # items for each thread that are begun or done before their result is asked for
OF_LIBRARIES = "LABELKIT_THREADS"
"""The environment variable that bounds the threads of the libraries that read text, where files are worked on side by
side."""
_OWN_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def keep_libraries_single() -> None:
    """Let the linear algebra of NumPy work on the thread that calls it, unless the environment says otherwise.

    It reads this when it is loaded: to be called before NumPy is imported.
    """
    for name in _OWN_THREADS:
        os.environ.setdefault(name, "1")


class OneAProcess(Generic[Result]):
    """A function without arguments whose first result in a process is that of every later call in it.

    `functools.cache` gives threads that ask first at the same time different results; here all get the same one. A
    forked process makes its own: a lock may have been held, and threads were left behind, when it was forked.
    """

    def __init__(self, make: Callable[[], Result]) -> None:
        self._make = make
        self._made: dict[int, Result] = {}

    def __call__(self) -> Result:
        process = os.getpid()
        return self._made[process] if process in self._made else self._made.setdefault(process, self._make())

    def cache_clear(self) -> None:
        """Forget what was made."""
        self._made.clear()


def in_order(work: Callable[[Item], Result], items: Iterable[Item], jobs: int, *,
             ending: Callable[[], object] | None = None) -> Generator[tuple[Item, Result], None, None]:
    """(item, result of `work`) in the order of `items`, up to `jobs` of them at a time.

    Items are taken as they are needed and only a few results are computed ahead, so that memory does not grow with the
    run. What `work` raises is raised in its place. At the end, whatever ends it, what has not begun is dropped,
    `ending` is called, and what has begun is waited for.
    """
    if jobs == 1:
        try:
            for item in items:
                yield item, work(item)
        finally:
            if ending:
                ending()
        return
    from concurrent.futures import ThreadPoolExecutor  # here: a command's help counts cores and runs nothing

    pool = ThreadPoolExecutor(jobs, thread_name_prefix="labelkit")
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    try:
        for item in items:
            waiting.append((item, pool.submit(work, item)))
            while len(waiting) >= _AHEAD * jobs or waiting and waiting[0][1].done():
                first, future = waiting.popleft()
                yield first, _result(future)
        while waiting:
            first, future = waiting.popleft()
            yield first, _result(future)
    finally:
        if ending:
            ending()
        pool.shutdown(cancel_futures=True)


def _result(future: Future[Result]) -> Result:
    """What the work returned or raises; a signal is handled while it is waited for."""
    from concurrent.futures import wait

    while not future.done():
        wait([future], GLANCE_SECONDS)
    return future.result()
