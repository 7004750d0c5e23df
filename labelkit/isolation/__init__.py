# SPDX-License-Identifier: Apache-2.0
"""Verify and label files of strangers in processes of their own, with limits on time and memory.

    with isolation.Pool(2, effort="fast") as pool:
        report = pool.verify("upload.jpg")               # as labelkit.verify; raises LimitExceeded over a limit
    with isolation.EmbedPool(2) as pool:
        made = pool.embed(data, label, plan)             # as labelkit.embed of bytes

Decoders and manifest readers are native code that meets hostile bytes. Here they run in a process that lives from file
to file, holds none of the environment's secrets but the watermark key, and can be ended; a new one takes its place.
What it sends back is JSON that is checked against the types of a report (`wire`), and the verdict is made here. A
process that was taken over can still lie about the files that it reads; it cannot reach the caller's memory or outlive
its limits. Those of an EmbedPool hold the signer of each plan as well, so files are verified in others than these.
"""

from __future__ import annotations

import math
import os
import queue
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self, TypeVar, Unpack

from labelkit import threads
from labelkit.errors import InvalidArgument, LimitExceeded
from labelkit.isolation import wire
from labelkit.isolation.processes import CameToAnEnd, Job, OnShare as OnShare, Process, Starter
from labelkit.isolation.wire import Made
from labelkit.report import Layer, Report

if TYPE_CHECKING:
    from labelkit.key import Key
    from labelkit.label import Label
    from labelkit.plan import Plan
    from labelkit.preconditions import VerifySettings

T = TypeVar("T")
MAX_REPLY = 8 << 20  # bytes; reports have a few kB, those of files of 10,000 slots 2 MB
_PACKAGES = str(Path(__file__).resolve().parents[2])
# -P keeps the folder that is worked on out of the path of modules
_WORKER = [sys.executable, "-P", "-c", f"import sys; sys.path.append({_PACKAGES!r}); "
           "from labelkit.isolation.worker import serve; serve()"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may take.

    seconds            of waiting, and so many more for each megabyte of the file
    memory_bytes       of a process, as far as the system can limit it (POSIX)
    media_seconds      of sound or film, as the file states its length
    written_bytes      of each temporary file: films and long sound are labelled from file to file
    made_bytes         of a labelled file
    attempts           processes for one file: another is asked where one comes to an end before its time is up
    """

    seconds: float = 60.0
    seconds_per_megabyte: float = 2.0
    memory_bytes: int = 4 << 30
    media_seconds: float = math.inf
    written_bytes: int = 0
    made_bytes: int = 1 << 30
    attempts: int = 1

    def of(self, size: int) -> float:
        """Seconds for a file of so many bytes."""
        return self.seconds + self.seconds_per_megabyte * size / 1e6


class _Processes:
    """Processes that do one job after the other; may be used from several threads at a time."""

    def __init__(self, processes: int, limits: Limits | None, settings: object) -> None:
        if processes < 1:
            raise InvalidArgument("at least one process is needed, got {count}", count=processes)
        self._limits = limits or Limits()
        self._starter = Starter((settings, self._limits), max(1, threads.cores() // processes),
                                writes=self._limits.written_bytes > 0)
        self._idle: queue.LifoQueue[Process | None] = queue.LifoQueue()
        for _ in range(processes):
            self._idle.put(None)
        self._size = processes
        self._busy: set[Process] = set()
        self._is_stopped = False

    def _done(self, job: Job, data: bytes | None, most: int, read: Callable[[bytes], T],
              on_share: OnShare | None = None) -> T:
        """What `read` makes of the reply, of at most so many bytes, of the next process that is idle."""
        left = self._limits.attempts
        while True:
            left -= 1
            try:
                return self._attempted(job, data, most, read, on_share)
            except CameToAnEnd as ended:
                if left < 1 or self._is_stopped:
                    raise ended.error from None

    def _attempted(self, job: Job, data: bytes | None, most: int, read: Callable[[bytes], T],
                   on_share: OnShare | None) -> T:
        process, reusable = self._idle.get(), False
        try:
            process = process or self._starter.start(_WORKER)
            self._busy.add(process)
            if self._is_stopped:
                process.kill()
            answer = read(process.ask(job, data, most, on_share))
            reusable = True
            return answer
        except wire.Reported as reported:  # the file's error, from a process that is well
            reusable = True
            raise reported.error from None
        finally:
            if process:
                self._busy.discard(process)
                if not reusable:
                    process.end()
            self._idle.put(process if reusable else None)

    def close(self) -> None:
        """End every process; those that work on a file end with it."""
        for process in [self._idle.get() for _ in range(self._size)]:
            if process:
                process.end()
            self._idle.put(None)
        self._starter.close()

    def stop(self) -> None:
        """End every process at once: the files that they work on are given up, as where a process comes to an end."""
        self._is_stopped = True
        for process in tuple(self._busy):
            process.kill()
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()


class Pool(_Processes):
    """Processes that verify files; may be used from several threads at a time."""

    def __init__(self, processes: int, limits: Limits | None = None, **settings: Unpack[VerifySettings]) -> None:
        """Start none yet: a process begins when there is a file for it.

        Raises InvalidArgument for less than one process.
        """
        if settings.get("trust") is None and Layer.PROVENANCE in settings.get("layers", tuple(Layer)):
            from labelkit.provenance import TrustList
            settings["trust"] = TrustList.c2pa()  # the user's own list is read here, not by the processes
        super().__init__(processes, limits, settings)

    def verify(self, source: str | os.PathLike[str] | bytes | BinaryIO, *, name: str | None = None,
               on_share: OnShare | None = None, **changed: Unpack[VerifySettings]) -> Report:
        """`labelkit.verify` of a path, bytes or a binary file, with the settings of the pool.

        name      of the file in the report; by default that of the path, or "bytes"
        on_share  is told how far a film or a long sound is
        changed   settings of this file that are not those of the pool
        Raises LimitExceeded where the process that read the file took too much time or memory or came to an end, and
        what `labelkit.verify` raises.
        """
        given = os.fspath(source) if isinstance(source, str | os.PathLike) else source if isinstance(
            source, bytes) else source.read()
        path = given if isinstance(given, str) else None
        where = name or (os.path.basename(path) if path else "bytes")
        arguments = {"changed": changed, "tells": on_share is not None}
        job = Job("verify", where, self._limits.of(_size(given)), path, arguments)
        findings = self._done(job, given if isinstance(given, bytes) else None, MAX_REPLY,
                              lambda reply: wire.read_reply(reply, where), on_share)
        return Report.of(where, findings)


class EmbedPool(_Processes):
    """Processes that label files; may be used from several threads at a time."""

    def __init__(self, processes: int, limits: Limits | None = None) -> None:
        """Start none yet: a process begins when there is a file for it.

        Raises InvalidArgument for less than one process.
        """
        super().__init__(processes, limits, {})

    def embed(self, data: bytes, label: Label, plan: Plan, *, name: str = "bytes", key: Key | None = None,
              replace: bool = False, max_pixels: int | None = None, fingerprint: bool = False,
              keep: bool = False, on_share: OnShare | None = None) -> Made:
        """`labelkit.embed` of a file's bytes; the arguments are those of `embed`, and

        name         of the file, for messages
        max_pixels   by default that of `embed`
        fingerprint  whether that of the labelled picture is wanted, for the label log
        keep         whether the manifest store is wanted, for the label log
        on_share     is told how far a film is, of which nothing is known before its first frame
        Raises LimitExceeded as `Pool.verify` does, and what `labelkit.embed` raises.
        """
        arguments = {"label": label, "plan": plan, "key": key, "replace": replace}
        if max_pixels is not None:
            arguments["max_pixels"] = max_pixels
        job = Job("embed", name, self._limits.of(len(data)), None, {**arguments, "fingerprint": fingerprint,
                                                                  "keep": keep, "tells": on_share is not None})
        return self._done(job, data, self._limits.made_bytes + MAX_REPLY, lambda reply: wire.read_made(reply, name),
                          on_share)


def _size(given: str | bytes) -> int:
    if isinstance(given, bytes):
        return len(given)
    try:
        return os.stat(given).st_size
    except (OSError, ValueError):
        return 0  # the process says what is wrong with the name


def out_of_memory(where: str, limit: int) -> LimitExceeded:
    """The error of a process that ran out of memory but lives."""
    return LimitExceeded("{where}: reading it needs more than the {limit} MB of memory that it may take", where=where,
                         limit=limit >> 20)
