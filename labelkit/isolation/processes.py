# SPDX-License-Identifier: Apache-2.0
"""The processes of a pool: the first is a new program, those after it are forks of what that one had loaded.

A new process begins with the environment that it is given and none of the caller's memory. Before it reads a file it
leaves a fork of itself behind, which never reads one (`worker.stand_by`): from it come the others of the pool, and
those that take the place of one that a file has ended. Only Linux forks: elsewhere each is a new program.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import select
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from typing import IO, Any, NamedTuple, TypeAlias

from labelkit import threads
from labelkit.errors import LabelkitError, LimitExceeded, NoProcess
from labelkit.isolation import wire

OnShare: TypeAlias = Callable[[float], None]
"""Is told which share of a film has been labelled or searched, 0 to 1. What it raises ends the process."""

READY, FORK, KILL = b"r", b"f", b"k"
"""What a process that stands by says, and what it is told; a number of 8 bytes follows, and after that of a fork the
folder for temporary files."""
_GLANCE_SECONDS = 0.2
_END_MS = 10_000  # until a process that is killed has ended: more than enough
_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG",
                "LC_ALL", "LC_CTYPE", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LABELKIT_KERNELS", "OMP_NUM_THREADS")


class Job(NamedTuple):
    """What a process is asked to do with one file.

    verb       "verify" or "embed"
    name       of the file, for messages
    seconds    that it may take
    path       of the file; None where its bytes follow
    arguments  of the call, beside the settings of the pool
    """

    verb: str
    name: str
    seconds: float
    path: str | None
    arguments: dict[str, Any]


class CameToAnEnd(Exception):
    """A process ended before it replied."""

    def __init__(self, error: LabelkitError) -> None:
        super().__init__(str(error))
        self.error = error


class _Clock:
    """Ends processes that are late, from one thread for all: a thread for each file takes as long as its JSON."""

    def __init__(self) -> None:
        self._due: dict[Process, float] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def start(self, process: Process, seconds: float) -> None:
        """The process has so many seconds from now on."""
        with self._changed:
            self._due[process] = time.monotonic() + seconds
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="labelkit-clock", daemon=True)
                self._thread.start()
            elif seconds < _GLANCE_SECONDS:
                self._changed.notify()

    def stop(self, process: Process) -> None:
        """The process has answered, or come to an end."""
        with self._changed:
            self._due.pop(process, None)

    def _run(self) -> None:
        """Until nothing was to be watched for a while."""
        with self._changed:
            idle = False
            while self._due or not idle:
                idle = not self._due
                now = time.monotonic()
                for process in [one for one, at in self._due.items() if at <= now]:
                    del self._due[process]
                    process.is_late = True
                    process.kill()
                self._changed.wait(min([_GLANCE_SECONDS, *(at - now for at in self._due.values())]))
            self._thread = None


class Process:
    """A process that works on files, the two ways to it, and how it is ended."""

    def __init__(self, to: IO[bytes], replies: IO[bytes], folder: tempfile.TemporaryDirectory[str] | None,
                 clock: _Clock) -> None:
        self._in, self._out, self._folder, self._clock = to, replies, folder, clock
        self.is_late = False
        self._first: tuple[bytes, ...] = ()  # messages before those of the first file

    def ask(self, job: Job, data: bytes | None, most: int, on_share: OnShare | None = None) -> bytes:
        """The reply about a file; raises LimitExceeded where none comes within the seconds of the job, and
        CameToAnEnd where the process ends before.

        data  the file, where the job names no path
        most  bytes of the reply
        """
        self._clock.start(self, job.seconds)
        try:
            for message in (*self._first, pickle.dumps(job), data):
                if message is not None:
                    self._in.write(struct.pack("<Q", len(message)))
                    self._in.write(message)
            self._in.flush()
            self._first = ()
            size, = struct.unpack("<Q", _exactly(self._out, 8))
            while size >= wire.SHARE and on_share:
                on_share(min(1.0, (size - wire.SHARE) / wire.WHOLE))
                size, = struct.unpack("<Q", _exactly(self._out, 8))
            if size > most:
                raise wire.bad_reply(job.name)
            reply = _exactly(self._out, size)
        except (OSError, EOFError) as error:
            raise _died(self.is_late, job.seconds, job.name) from error
        finally:
            self._clock.stop(self)
        if self.is_late:  # by a moment: it was ended all the same
            raise _died(True, job.seconds, job.name)
        return reply

    def kill(self) -> None:
        """Let the process come to an end, as whoever waits for its reply will see."""
        raise NotImplementedError

    def end(self) -> None:
        """End the process."""
        self.kill()
        for pipe in (self._in, self._out):
            with contextlib.suppress(OSError):  # what was still to be written has nobody to read it
                pipe.close()
        if self._folder:
            self._folder.cleanup()


class _New(Process):
    """One that was started as a program of its own."""

    def __init__(self, command: Sequence[str], started: bytes, library_threads: int, clock: _Clock, *,
                 writes: bool) -> None:
        folder = _own_folder() if writes else None
        kept = {name: value for name, value in os.environ.items() if name.upper() in _ENVIRONMENT}
        if folder:
            kept |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), folder.name)
        kept |= {"OPENBLAS_NUM_THREADS": "1", threads.OF_LIBRARIES: str(library_threads)}
        self.stand_by: StandBy | None = None
        with contextlib.ExitStack() as until_started:
            theirs = None
            if sys.platform == "linux":
                own, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                self.stand_by = StandBy(own, clock)
                until_started.enter_context(theirs)
            passed = () if theirs is None else (theirs.fileno(),)
            try:
                # a session of its own: Ctrl-C is the caller's to handle
                self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=kept,
                                                 stderr=subprocess.DEVNULL, start_new_session=True, pass_fds=passed)
            except OSError:
                if folder:
                    folder.cleanup()
                if theirs is not None:
                    own.close()
                raise
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("they were asked for")
        super().__init__(self._process.stdin, self._process.stdout, folder, clock)
        self._first = pickle.dumps(passed[0] if passed else None), started

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        super().end()


class _Fork(Process):
    """One that was forked by the process that stands by, which alone ends it and waits for it."""

    def __init__(self, way: socket.socket, kill: Callable[[], None],
                 folder: tempfile.TemporaryDirectory[str] | None, clock: _Clock) -> None:
        super().__init__(way.makefile("wb"), way.makefile("rb"), folder, clock)
        self._way, self._kill = way, kill

    def kill(self) -> None:
        self._kill()
        with contextlib.suppress(OSError):  # who waits for it need not wait until it has ended
            self._way.shutdown(socket.SHUT_RD)

    def end(self) -> None:
        self.kill()
        ended = select.poll()
        ended.register(self._way, 0)  # the other end is closed when it has ended: no sooner can its folder be removed
        ended.poll(_END_MS)
        super().end()
        self._way.close()


class StandBy:
    """The way to a process that forks others; may be used from several threads at a time."""

    def __init__(self, way: socket.socket, clock: _Clock) -> None:
        self._way, self._clock, self._numbers, self._is_ready = way, clock, itertools.count(), False

    def fork(self, *, writes: bool) -> Process | None:
        """One more process; None where none stands by, or it has ended. Waits until what is to be shared is loaded."""
        folder = _own_folder() if writes else None
        own, theirs = socket.socketpair()
        number = next(self._numbers)
        with theirs:
            try:
                self._is_ready = self._is_ready or self._way.recv(1) == READY
                if self._is_ready:
                    socket.send_fds(self._way, [_told(FORK, number) + os.fsencode(folder.name if folder else "")],
                                    [theirs.fileno()])
                    return _Fork(own, lambda: self._end(number), folder, self._clock)
            except OSError:
                pass
        own.close()
        if folder:
            folder.cleanup()
        return None

    def _end(self, number: int) -> None:
        with contextlib.suppress(OSError):  # it has ended, and with it its forks
            self._way.send(_told(KILL, number))

    def close(self) -> None:
        """End it and its forks; returns when they have ended."""
        with contextlib.suppress(OSError):
            self._way.shutdown(socket.SHUT_WR)
            while self._way.recv(1):
                pass
        self._way.close()


class Starter:
    """Starts the processes of a pool; may be used from several threads at a time.

    settings  of the pool, and its limits: what `worker.serve` takes
    writes    whether each has a folder for temporary files, which goes with it
    """

    def __init__(self, settings: object, library_threads: int, *, writes: bool) -> None:
        self._started, self._threads, self._writes = pickle.dumps(settings), library_threads, writes
        self._stand_by: StandBy | None = None
        self._lock, self._clock = threading.Lock(), _Clock()

    def start(self, command: Sequence[str]) -> Process:
        """One more process, of this command where it cannot be forked; raises NoProcess."""
        with self._lock:
            try:
                return self._started_process(command)
            except OSError as error:
                raise NoProcess("no process could be started to read files in: {reason}",
                                reason=error.strerror or str(error)) from error

    def _started_process(self, command: Sequence[str]) -> Process:
        if self._stand_by:
            if process := self._stand_by.fork(writes=self._writes):
                return process
            self._stand_by.close()
            self._stand_by = None
        new = _New(command, self._started, self._threads, self._clock, writes=self._writes)
        self._stand_by = new.stand_by
        return new

    def close(self) -> None:
        """End what stands by, and its forks."""
        with self._lock:
            if self._stand_by:
                self._stand_by.close()
                self._stand_by = None


def _own_folder() -> tempfile.TemporaryDirectory[str]:
    """What a process leaves when it is ended goes with the folder."""
    return tempfile.TemporaryDirectory(prefix="labelkit-", ignore_cleanup_errors=True)


def _died(out_of_time: bool, seconds: float, name: str) -> Exception:
    if out_of_time:
        return LimitExceeded("{where}: reading it took more than {seconds} s, so its process was ended", where=name,
                             seconds=f"{seconds:.0f}")
    return CameToAnEnd(LimitExceeded("{where}: the process that read it came to an end: it crashed, or needed too "
                                     "much time or memory", where=name))


def _told(what: bytes, number: int) -> bytes:
    return what + struct.pack("<Q", number)


def _exactly(pipe: IO[bytes], count: int) -> bytes:
    data = pipe.read(count)
    if len(data) != count:
        raise EOFError
    return data
