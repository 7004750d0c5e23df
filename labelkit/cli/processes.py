# SPDX-License-Identifier: Apache-2.0
"""Work on the files of a run in forked processes, where threads would wait for each other.

Labelling a picture holds the interpreter's lock for a quarter of its time, and between files nearly all is Python. A
fork begins with all that this process has loaded. Each has a pipe for its tasks and one for its results.
"""

from __future__ import annotations

import gc
import itertools
import os
import pickle
import selectors
import signal
import struct
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import suppress
from io import FileIO
from typing import Any, BinaryIO, Generic, NoReturn, TypeVar

from labelkit import threads, unforeseen
from labelkit.errors import LabelkitError, LimitExceeded

try:
    import fcntl
except ImportError:  # Windows, where nothing is forked
    fcntl = None  # type: ignore[assignment]  # the module is missing there

Item = TypeVar("Item")
Result = TypeVar("Result")

LEAST = 9  # files from which on a fork is worth its start
_AHEAD = 4  # items for each process that are taken before the first of them is done
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_PIPE = 1 << 20  # bytes, what Linux allows everybody
_LENGTH = struct.Struct("<q")
_DIED = "{where}: the process that read it came to an end: it crashed, or needed too much time or memory"


def are_possible() -> bool:
    """Whether this process can be forked: a fork of one with several threads may wait for ever."""
    return (sys.platform == "linux" and threading.current_thread() is threading.main_thread()
            and not os.environ.get(unforeseen.DEBUG)  # a traceback does not go through a pipe
            and len(os.listdir("/proc/self/task")) == 1)


def in_order(work: Callable[[Item], Result], items: Iterable[Item], jobs: int, name: Callable[[Item], str],
             stop: threading.Event | None = None) -> Generator[tuple[Item, Result | LabelkitError], None, None]:
    """`threads.in_order` in processes; a file whose process dies gets a LimitExceeded, and the run goes on.

    items  taken a few ahead; pickled
    name   what an item is called in that error
    stop   set in every process when the run ends early
    """
    with Kept(work, jobs, stop) as kept:
        yield from kept.in_order(items, name)


class Kept(Generic[Item, Result]):
    """Processes for several calls of `in_order`, forked at once: what is loaded later may start threads.

    One that dies is replaced by a fork of this process all the same: the threads of Arrow and Lance hold no lock that
    the work needs.
    """

    def __init__(self, work: Callable[[Item], Result], jobs: int, stop: threading.Event | None = None) -> None:
        self._pool, self._jobs = _Pool(work, stop), jobs
        for _ in range(jobs):
            self._pool.start()

    def in_order(self, items: Iterable[Item], name: Callable[[Item], str]) -> Generator[
            tuple[Item, Result | LabelkitError], None, None]:
        """As the function of this name; one call at a time, after one that came to no end too."""
        pool = self._pool
        pool.settle()
        taken: dict[int, Item] = {}
        coming = enumerate(items, pool.next)
        for index in itertools.count(pool.next):
            taken.update(itertools.islice(coming, _AHEAD * self._jobs - len(taken)))
            if not taken:
                return
            while index not in pool.results:
                pool.give_out(taken)
                pool.receive(lambda lost: LimitExceeded(_DIED, where=name(taken[lost])))
            yield taken.pop(index), pool.results.pop(index)

    def __enter__(self) -> Kept[Item, Result]:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()


class _Pool(Generic[Item, Result]):
    """The processes of a run, what each works on, and the results that nobody has taken yet."""

    def __init__(self, work: Callable[[Item], Result], stop: threading.Event | None) -> None:
        self.results: dict[int, Result | LabelkitError] = {}
        self._work, self._stop = work, stop
        self._processes: list[_Process] = []
        self.next = 0  # the index of the first item that was not given out
        self._selector = selectors.DefaultSelector()

    def start(self) -> None:
        """Fork one more process."""
        for stream in (sys.stdout, sys.stderr):
            stream.flush()  # else every process would write what waits in them
        tasks, to_process = _pipe()
        from_process, replies = _pipe()
        gc.freeze()  # else the collector touches, and so copies, every page that is shared
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # what arrives in a fork is lost in its hooks
        number = os.fork()
        if not number:
            for theirs in (to_process, from_process, *(end for one in self._processes for end in one.ends)):
                os.close(theirs)
            _handle_signals(self._stop, before)
            _serve(self._work, os.fdopen(tasks, "rb"), os.fdopen(replies, "wb"))
        process = _Process(number, os.fdopen(to_process, "wb", 0), os.fdopen(from_process, "rb"))
        self._processes.append(process)
        self._selector.register(process.replies, selectors.EVENT_READ, process)
        os.close(tasks)
        os.close(replies)
        gc.unfreeze()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def give_out(self, items: Mapping[int, Item]) -> None:
        """Give items, by their index, to processes that have nothing to do."""
        for process in self._processes:
            if process.at is None and self.next in items:
                process.at, self.next = self.next, self.next + 1
                parts = _parts(items[process.at])
                try:
                    process.send(parts)
                except BrokenPipeError:
                    pass  # it has died, as `receive` will see

    def receive(self, lost: Callable[[int], LabelkitError]) -> None:
        """Wait a moment for results; `lost` gives that of an item whose process died, in whose place another starts."""
        for key, _ in self._selector.select(threads.GLANCE_SECONDS):
            process: _Process = key.data
            parts = _received(process.replies)
            if process.at is not None:
                self.results[process.at] = _whole(parts) if parts else lost(process.at)
            process.at = None
            if not parts:
                self._selector.unregister(process.replies)
                self._processes.remove(process)
                process.end()
                self.start()

    def settle(self) -> None:
        """Wait for what was begun and nobody waits for, and drop it."""
        while any(process.at is not None for process in self._processes):
            self.receive(lambda _: LimitExceeded(_DIED, where=""))
        self.results.clear()

    def close(self) -> None:
        """Let what has begun come to its end, films at their next frame, and wait for the processes."""
        for process in self._processes:
            if process.at is not None:
                os.kill(process.number, signal.SIGINT)
        for process in self._processes:
            process.end()
        self._selector.close()


class _Process:
    """A forked process: its number, the pipe for tasks, the one with replies, and the index that it works at."""

    def __init__(self, number: int, tasks: FileIO, replies: BinaryIO) -> None:
        self.number, self.tasks, self.replies = number, tasks, replies
        self.at: int | None = None

    @property
    def ends(self) -> tuple[int, int]:
        """The ends of the pipes that this process holds."""
        return self.tasks.fileno(), self.replies.fileno()

    def send(self, parts: list[memoryview]) -> None:
        """Write a task; the process reads it, because it has nothing else to do."""
        for left in parts:
            while left:
                left = left[self.tasks.write(left) or 0:]

    def end(self) -> None:
        """Close the pipe for tasks, by which the process ends after the file that it works on, and wait for it."""
        self.tasks.close()
        self.replies.close()
        os.waitpid(self.number, 0)


def _pipe() -> tuple[int, int]:
    """A pipe that holds a picture: fewer turns between its two ends (15 % less CPU time for 358 kB there and back)."""
    ends = os.pipe()
    with suppress(OSError):  # more than the system allows
        fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, _PIPE)
    return ends


def _handle_signals(stop: threading.Event | None, mask: set[int | signal.Signals]) -> None:
    """Let signals set `stop`, if there is one, and no more: they reach a whole group, and the run ends the others."""
    def on_signal(*_: object) -> None:
        if stop:
            stop.set()

    for number in _SIGNALS:
        signal.signal(number, on_signal)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _serve(work: Callable[[Item], Result], tasks: BinaryIO, replies: BinaryIO) -> NoReturn:
    """Work on the items that come, until no more can come."""
    code = 0
    try:
        os.environ[threads.OF_LIBRARIES] = "1"
        while parts := _received(tasks):
            for part in _reply(work, _whole(parts)):
                replies.write(part)
            replies.flush()
    except BaseException:  # the run was stopped, or is gone: there is nobody to tell
        code = 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def _reply(work: Callable[[Item], Result], item: Item) -> list[memoryview]:
    result = work(item)
    try:
        return _parts(result)
    except Exception as error:
        return _parts(unforeseen.translated(error))


def _parts(value: object) -> list[memoryview]:
    """A value as it goes through a pipe: how many parts there are, their lengths, its pickle, and the bytes that this
    refers to (`batch.samples.by_reference`), which are not copied."""
    apart: list[pickle.PickleBuffer] = []
    parts = [memoryview(pickle.dumps(value, 5, buffer_callback=apart.append)), *(one.raw() for one in apart)]
    return [memoryview(b"".join(map(_LENGTH.pack, (len(parts), *map(len, parts))))), *parts]


def _received(file: BinaryIO) -> list[bytes]:
    """The pickle of a value and what it refers to; nothing where the other end is gone."""
    count = file.read(_LENGTH.size)
    if len(count) < _LENGTH.size:
        return []
    heads = file.read(_LENGTH.size * _LENGTH.unpack(count)[0])
    lengths = [length for length, in _LENGTH.iter_unpack(heads[:len(heads) // _LENGTH.size * _LENGTH.size])]
    parts = [file.read(length) for length in lengths]
    return parts if len(parts) == _LENGTH.unpack(count)[0] and [*map(len, parts)] == lengths else []


def _whole(parts: list[bytes]) -> Any:
    return pickle.loads(parts[0], buffers=parts[1:])
