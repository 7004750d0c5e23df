# SPDX-License-Identifier: Apache-2.0
"""The process that works on strangers' files for the pools of `isolation`, one after the other until its input ends.

What it gets comes from its parent, which it trusts. What it sends is taken for nothing but data.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import math
import os
import pickle
import re
import signal
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

from labelkit.container import SIDECAR, Reader
from labelkit.errors import LabelkitError, LimitExceeded
from labelkit.isolation import Limits, out_of_memory, wire
from labelkit.isolation.processes import FORK, READY, Job
from labelkit.messages import Message

if TYPE_CHECKING:
    from labelkit.codec.samples import Samples
    from labelkit.codec.transcode import Progress
    from labelkit.report import Report

_SAMPLE = b"P5 16 16 255\n" + bytes(256)  # a picture too small to be searched
_READERS = ("PIL.JpegImagePlugin", "PIL.PngImagePlugin", "PIL.WebPImagePlugin", "simplejpeg")
_TELL_SECONDS = 0.5  # between two words on how far a film is
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4  # of prctl, linux/prctl.h


def serve() -> None:
    """Answer requests on the standard input, on what was the standard output."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):  # what a library prints is no reply
        os.dup2(nothing, standard)
    way = pickle.loads(_message(requests))
    settings, limits = pickle.loads(_message(requests))
    if way is not None:
        _load(settings)
        with socket.socket(fileno=way) as told:
            _leave_behind(told, (requests, replies), settings, limits)
    _work(requests, replies, settings, limits)


def _load(settings: dict[str, Any]) -> None:
    """Load what most files need, while no file has been read: forks share it."""
    from labelkit import pipeline

    with suppress(LabelkitError):  # each file will say so
        # the recogniser of text starts threads, after which nothing could be forked: each process loads it itself
        pipeline.verify(_SAMPLE, **{**settings, "effort": "fast", "ocr": False})
    for name in _READERS:
        with suppress(ImportError):
            importlib.import_module(name)


def _leave_behind(told: socket.socket, ends: Sequence[IO[bytes]], settings: dict[str, Any], limits: Limits) -> None:
    """Fork a process that never reads a file, from which others come; not where a library has started threads."""
    if len(os.listdir("/proc/self/task")) > 1:
        return
    gc.freeze()  # else the collector touches, and so copies, every page that is shared
    if os.fork():
        return
    try:
        for end in ends:
            os.close(end.fileno())
        _control(_PR_SET_DUMPABLE, 0)  # a file that takes over the process that forked this one cannot trace it
        stand_by(told, lambda requests, replies: _work(requests, replies, settings, limits))
    finally:
        os._exit(0)


def stand_by(told: socket.socket, work: Callable[[IO[bytes], IO[bytes]], None]) -> None:
    """Fork a process for `work` whenever that is told, until nobody is there to tell; then none of them lives on.

    Only here are they waited for, so that the number of one that is to be ended is not that of another.
    """
    alive: dict[int, int] = {}
    here = os.getpid()
    told.send(READY)
    while True:
        message, ways, _, _ = socket.recv_fds(told, 1 << 13, 1)
        for number, process in tuple(alive.items()):
            if os.waitpid(process, os.WNOHANG)[0]:
                del alive[number]
        if not message:
            break
        number, = struct.unpack("<Q", message[1:9])
        if message[:1] == FORK:
            with suppress(OSError):  # whoever asked sees that the other end of the way is closed; the others live on
                alive[number] = os.fork()
            if alive.get(number) == 0:
                _end_with(here)
                told.close()
                _use_folder(os.fsdecode(message[9:]))
                with socket.socket(fileno=ways[0]) as way:
                    work(way.makefile("rb"), way.makefile("wb"))
                return
            os.close(ways[0])
        elif number in alive:
            _end(alive.pop(number))
    for process in alive.values():
        _end(process)


def _end_with(parent: int) -> None:
    """Let this process end where the one that forked it does: nobody else could end it."""
    _control(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before
        os._exit(0)


def _control(option: int, value: int) -> None:
    """prctl of Linux."""
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _end(process: int) -> None:
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)


def _use_folder(folder: str) -> None:
    """For temporary files."""
    if folder:
        os.environ.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), folder))
        tempfile.tempdir = None


def _work(requests: IO[bytes], replies: IO[bytes], settings: dict[str, Any], limits: Limits) -> None:
    """Answer requests until there are no more."""
    sys.dont_write_bytecode = True  # what is cut off at a limit would be read by every later process
    _limit_memory(limits)
    while True:
        try:
            job = pickle.loads(_message(requests))
            data = _message(requests) if job.path is None else None
        except EOFError:
            return
        _limit_time(job.seconds)
        for part in (reply := _reply(job, data, settings, limits, replies)):
            replies.write(part)
        replies.flush()
        del data, reply  # they would stay until the next file


def _message(pipe: IO[bytes]) -> bytes:
    head = pipe.read(8)
    if len(head) < 8:
        raise EOFError
    return pipe.read(struct.unpack("<Q", head)[0])


def _reply(job: Job, data: bytes | None, settings: dict[str, Any], limits: Limits, out: IO[bytes]) -> list[bytes]:
    """The size of the reply, and the reply in one part or more; how far a film is goes out before."""
    parts = _answer(job, data, settings, limits, out)
    return [struct.pack("<Q", sum(map(len, parts))), *parts]


def _answer(job: Job, data: bytes | None, settings: dict[str, Any], limits: Limits, out: IO[bytes]) -> list[bytes]:
    try:
        source: Any = job.path if data is None else Reader.of(data, job.name)
        _refuse_long(source, job.name, limits.media_seconds)
        if job.verb == "embed":
            return _embedded(source, limits.made_bytes, out, **job.arguments)
        return [wire.write_report(_verified(source, settings, out, **job.arguments))]
    except LabelkitError as error:
        return [wire.write_error(error)]
    except MemoryError:
        return [wire.write_error(out_of_memory(job.name, limits.memory_bytes))]
    except Exception as error:  # a bug; the file is lost, not the run
        return [wire.write_error(LabelkitError(
            "{where}: labelkit failed at this file, which is a bug to report: {reason}", where=job.name,
            reason=f"{type(error).__name__}: {error}"[:300]))]


def _verified(source: Any, settings: dict[str, Any], out: IO[bytes], *, changed: dict[str, Any],
              tells: bool) -> Report:
    from labelkit import codec, pipeline
    from labelkit.codec.watching import watched

    wanted, teller = {**settings, **changed}, _Teller(out)

    def decode(reader: Reader) -> Samples:
        """As `verify` does by itself, and watched."""
        return watched(codec.decode(reader, max_pixels=wanted.get("max_pixels", codec.MAX_PIXELS),
                                    luma=not wanted.get("ocr")), teller.tell)
    return pipeline.verify(source, **wanted, decode=decode if tells else None)


def _embedded(source: Any, most_bytes: int, out: IO[bytes], *, fingerprint: bool, keep: bool, tells: bool,
              **arguments: Any) -> list[bytes]:
    from labelkit import pipeline
    from labelkit.log_recorder import fingerprint_of

    left_out: list[Message] = []
    arguments["on_left_out"] = left_out.append
    if tells:
        arguments["on_progress"] = _Teller(out).of_film
    manifest = None
    if arguments["plan"].provenance and not pipeline.provenance().has_place(source):
        made, manifest = _with_manifest(source, arguments)
    else:
        made = pipeline.embed(source, **arguments)
    if len(made) > most_bytes:
        raise LimitExceeded("{where}: the labelled file has {count} bytes, at most {limit} are given back",
                            where=source.name, count=f"{len(made):,}", limit=f"{most_bytes:,}")
    signer = arguments["plan"].provenance
    store = signer.take_store() if keep and signer else None  # None too where the format takes no manifest
    return wire.write_made(wire.Made(made, manifest, left_out[0] if left_out else None,
                                     fingerprint_of(made) if fingerprint else None, store))


class _Teller:
    """Says how far a film is, now and then."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out, self._next_s = out, 0.0

    def of_film(self, progress: Progress) -> None:
        """How far its encoding is."""
        if progress.total_seconds:
            self.tell(progress.seconds / progress.total_seconds)

    def tell(self, share: float) -> None:
        """So much is done, 0 to 1."""
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._next_s = now_s + _TELL_SECONDS
            self._out.write(struct.pack("<Q", wire.SHARE + int(min(1.0, max(0.0, share)) * wire.WHOLE)))
            self._out.flush()


def _with_manifest(source: Reader, arguments: dict[str, Any]) -> tuple[bytes, bytes | None]:
    """The labelled file, and the manifest that lies beside it: both want a folder."""
    from labelkit import pipeline

    ending = re.fullmatch(r"\.[A-Za-z0-9]{1,10}", os.path.splitext(source.name)[1])
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "labelled" + (ending[0] if ending else ""))
        pipeline.embed(cast(BinaryIO, source), target, **arguments)  # a Reader is opened as it is
        beside = Path(f"{target}{SIDECAR}")
        return target.read_bytes(), beside.read_bytes() if beside.exists() else None


def _refuse_long(source: Any, name: str, most_seconds: float) -> None:
    """Raise LimitExceeded for sound or a film that states a greater length; one that lies runs out of time."""
    if most_seconds == math.inf:
        return
    from labelkit import codec, container

    with container.opened(source) as reader:
        try:
            seconds = codec.seconds(reader)
        except LabelkitError:
            return  # what is wrong with the file is said by those who work on it
    if seconds is not None and seconds > most_seconds:
        raise LimitExceeded("{where}: {seconds} s of sound or film, at most {limit} s are taken", where=name,
                            seconds=f"{seconds:.0f}", limit=f"{most_seconds:g}")


def _limit_memory(limits: Limits) -> None:
    """Bound the memory of this process and the files that it writes, and forbid core dumps, where the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    memory = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    for what, bound in ((memory, limits.memory_bytes), (resource.RLIMIT_CORE, 0),
                        (resource.RLIMIT_FSIZE, limits.written_bytes)):
        _lower(what, bound)


def _limit_time(seconds: float) -> None:
    """Bound the time of all cores together that this process takes from now on; its parent bounds the waiting."""
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    total_s = used.ru_utime + used.ru_stime + seconds * (os.cpu_count() or 1) + 1
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    if hard == resource.RLIM_INFINITY or total_s <= hard:
        resource.setrlimit(resource.RLIMIT_CPU, (int(total_s), hard))


def _lower(what: int, bound: int) -> None:
    import resource

    hard = resource.getrlimit(what)[1]
    bound = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
    try:
        resource.setrlimit(what, (bound, bound))
    except (OSError, ValueError):  # a system that cannot: macOS with address space
        pass
