# SPDX-License-Identifier: Apache-2.0
"""The process that reads strangers' files for `isolation.Pool`: it verifies one after the other until its input ends.

What it gets comes from its parent, which it trusts. What it sends is taken for nothing but data.
"""

from __future__ import annotations

import io
import os
import pickle
import struct
import sys
from typing import IO, TYPE_CHECKING

from labelkit.errors import LabelkitError
from labelkit.isolation import out_of_memory, wire

if TYPE_CHECKING:
    from labelkit.preconditions import VerifySettings


def serve() -> None:
    """Answer requests on the standard input, on what was the standard output."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):  # what a library prints is no reply
        os.dup2(nothing, standard)
    settings, memory = pickle.loads(_message(requests))
    _limit_memory(memory)
    while True:
        try:
            given, seconds = pickle.loads(_message(requests))
        except EOFError:
            return
        _limit_time(seconds)
        reply = _reply(given, settings, memory)
        replies.write(struct.pack("<Q", len(reply)) + reply)
        replies.flush()


def _message(pipe: IO[bytes]) -> bytes:
    head = pipe.read(8)
    if len(head) < 8:
        raise EOFError
    return pipe.read(struct.unpack("<Q", head)[0])


def _reply(given: str | bytes, settings: VerifySettings, memory: int) -> bytes:
    from labelkit import pipeline

    name = os.path.basename(given) if isinstance(given, str) else "bytes"
    try:
        source = given if isinstance(given, str) else io.BytesIO(given)
        return wire.write_report(pipeline.verify(source, **settings))
    except LabelkitError as error:
        return wire.write_error(error)
    except MemoryError:
        return wire.write_error(out_of_memory(name, memory))
    except Exception as error:  # a bug; the file is lost, not the run
        return wire.write_error(LabelkitError(
            "{where}: labelkit failed at this file, which is a bug to report: {reason}", where=name,
            reason=f"{type(error).__name__}: {error}"[:300]))


def _limit_memory(limit: int) -> None:
    """Bound the memory of this process, and forbid files and core dumps, where the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    memory = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    for what, bound in ((memory, limit), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0)):
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
