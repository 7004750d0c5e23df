# SPDX-License-Identifier: Apache-2.0
"""Verify files of strangers in processes of their own, with limits on time and memory.

    with isolation.Pool(2, effort="fast") as pool:
        report = pool.verify("upload.jpg")               # as labelkit.verify; raises LimitExceeded over a limit

Decoders and manifest readers are native code that meets hostile bytes. Here they run in a process that lives from file
to file, holds none of the environment's secrets but the watermark key, and can be ended; a new one takes its place.
What it sends back is JSON that is checked against the types of a report (`wire`), and the verdict is made here. A
process that was taken over can still lie about the files that it reads; it cannot reach the caller's memory or outlive
its limits.
"""

from __future__ import annotations

import os
import pickle
import queue
import struct
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, BinaryIO, Unpack

from labelkit import threads
from labelkit.errors import InvalidArgument, LabelkitError, LimitExceeded
from labelkit.isolation import wire
from labelkit.report import Layer, Report

if TYPE_CHECKING:
    from labelkit.preconditions import VerifySettings

MAX_REPLY = 8 << 20  # bytes; reports have a few kB, those of files of 10,000 slots 2 MB
_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG",
                "LC_ALL", "LC_CTYPE", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LABELKIT_KERNELS", "OMP_NUM_THREADS")
_PACKAGES = str(Path(__file__).resolve().parents[2])
# -P keeps the folder that is worked on out of the path of modules
_WORKER = [sys.executable, "-P", "-c", f"import sys; sys.path.append({_PACKAGES!r}); "
           "from labelkit.isolation.worker import serve; serve()"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may take.

    seconds            of waiting, and so many more for each megabyte of the file
    memory_bytes       of a process, as far as the system can limit it (POSIX)
    """

    seconds: float = 60.0
    seconds_per_megabyte: float = 2.0
    memory_bytes: int = 4 << 30

    def of(self, size: int) -> float:
        """Seconds for a file of so many bytes."""
        return self.seconds + self.seconds_per_megabyte * size / 1e6


class Pool:
    """Processes that verify files; may be used from several threads at a time."""

    def __init__(self, processes: int, limits: Limits | None = None, **settings: Unpack[VerifySettings]) -> None:
        """Start none yet: a process begins when there is a file for it.

        Raises InvalidArgument for less than one process.
        """
        if processes < 1:
            raise InvalidArgument("at least one process is needed, got {count}", count=processes)
        if settings.get("trust") is None and Layer.PROVENANCE in settings.get("layers", tuple(Layer)):
            from labelkit.provenance import TrustList
            settings["trust"] = TrustList.c2pa()  # the user's own list is read here, not by the processes
        self._limits = limits or Limits()
        self._started = pickle.dumps((settings, self._limits.memory_bytes))
        self._idle: queue.LifoQueue[_Process | None] = queue.LifoQueue()
        for _ in range(processes):
            self._idle.put(None)
        self._size = processes
        self._threads = max(1, threads.cores() // processes)

    def verify(self, source: str | os.PathLike[str] | bytes | BinaryIO) -> Report:
        """`labelkit.verify` of a path, bytes or a binary file, with the settings of the pool.

        Raises LimitExceeded where the process that read the file took too much time or memory or came to an end, and
        what `labelkit.verify` raises.
        """
        given = os.fspath(source) if isinstance(source, str | os.PathLike) else source if isinstance(
            source, bytes) else source.read()
        name = os.path.basename(given) if isinstance(given, str) else "bytes"
        process, reusable = self._idle.get(), False
        try:
            process = process or _Process(self._started, self._threads)
            findings = wire.read_reply(process.ask(given, self._limits.of(_size(given)), name), name)
            reusable = True
            return Report.of(name, findings)
        except wire.Reported as reported:  # the file's error, from a process that is well
            reusable = True
            raise reported.error from None
        finally:
            if process and not reusable:
                process.end()
            self._idle.put(process if reusable else None)

    def close(self) -> None:
        """End every process; those that are reading a file end with it."""
        for _ in range(self._size):
            process = self._idle.get()
            if process:
                process.end()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()


def _size(given: str | bytes) -> int:
    if isinstance(given, bytes):
        return len(given)
    try:
        return os.stat(given).st_size
    except (OSError, ValueError):
        return 0  # the process says what is wrong with the name


class _Process:
    """One process, and the two pipes to it."""

    def __init__(self, started: bytes, library_threads: int) -> None:
        kept = {name: value for name, value in os.environ.items() if name.upper() in _ENVIRONMENT}
        kept |= {"OPENBLAS_NUM_THREADS": "1", threads.OF_LIBRARIES: str(library_threads)}
        try:
            # a session of its own: Ctrl-C is the caller's to handle
            self._process = subprocess.Popen(_WORKER, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                             stderr=subprocess.DEVNULL, env=kept, start_new_session=True)
        except OSError as error:
            raise LimitExceeded("no process could be started to read files in: {reason}",
                                reason=error.strerror or str(error)) from error
        self._in, self._out = _pipe(self._process.stdin), _pipe(self._process.stdout)
        self._first = started

    def ask(self, given: str | bytes, seconds: float, name: str) -> bytes:
        """The reply about a file; raises LimitExceeded where none comes within so many seconds."""
        ended = threading.Event()

        def end() -> None:
            ended.set()
            self._process.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            for message in filter(None, (self._first, pickle.dumps((given, seconds)))):
                self._in.write(struct.pack("<Q", len(message)) + message)
            self._in.flush()
            self._first = b""
            size, = struct.unpack("<Q", _exactly(self._out, 8))
            if size > MAX_REPLY:
                raise wire.bad_reply(name)
            return _exactly(self._out, size)
        except (OSError, EOFError) as error:
            raise self._died(ended.is_set(), seconds, name) from error
        finally:
            timer.cancel()

    def _died(self, out_of_time: bool, seconds: float, name: str) -> LabelkitError:
        if out_of_time:
            return LimitExceeded("{where}: reading it took more than {seconds} s, so its process was ended", where=name,
                                 seconds=f"{seconds:.0f}")
        return LimitExceeded("{where}: the process that read it came to an end: it crashed, or needed too much time or "
                             "memory", where=name)

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._in, self._out):
            try:
                pipe.close()
            except OSError:  # what was still to be written has nobody to read it
                pass


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise AssertionError("it was asked for")
    return pipe


def _exactly(pipe: IO[bytes], count: int) -> bytes:
    data = pipe.read(count)
    if len(data) != count:
        raise EOFError
    return data


def out_of_memory(where: str, limit: int) -> LimitExceeded:
    """The error of a process that ran out of memory but lives."""
    return LimitExceeded("{where}: reading it needs more than the {limit} MB of memory that it may take", where=where,
                         limit=limit >> 20)
