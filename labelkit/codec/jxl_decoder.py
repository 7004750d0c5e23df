# SPDX-License-Identifier: Apache-2.0
"""The program that decodes one JPEG XL picture for `jxl`: it reads the file from its input and writes the samples.

    python jxl_decoder.py MEMORY_BYTES SECONDS FILE_BYTES

The first line that it writes is JSON: the kind and the shape of the samples that follow, or why there are none. It
imports nothing of labelkit, so that it starts in little time.
"""

from __future__ import annotations

import json
import os
import sys
import threading


def main() -> None:
    """Decode what stands on the input."""
    memory, seconds, size = map(int, sys.argv[1:4])
    data = sys.stdin.buffer.read(size)
    threading.Thread(target=_end_with_caller, daemon=True).start()
    import numpy as np  # before memory is bounded: its libraries take address space
    from imagecodecs import jpegxl_decode

    _limit(memory, seconds)
    reply: object = "kind"
    try:
        found = jpegxl_decode(data, numthreads=1)
        if found.dtype in (np.uint8, np.uint16):
            reply = [found.dtype.name, found.shape]
    except MemoryError:
        reply = "memory"
    except Exception as error:
        reply = "short" if "NEED_MORE_INPUT" in str(error) else str(error) or type(error).__name__
    out = sys.stdout.buffer
    out.write(json.dumps(reply).encode() + b"\n")
    if isinstance(reply, list):
        out.write(np.ascontiguousarray(found).data)
    out.flush()
    os._exit(0)


def _end_with_caller() -> None:
    sys.stdin.buffer.read(1)  # there is no more, until the caller is gone
    os._exit(1)


def _limit(memory: int, seconds: int) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    for what, bound in ((kind, memory), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(what)[1]
        bound = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        try:
            resource.setrlimit(what, (bound, hard))
        except (OSError, ValueError):  # macOS with address space
            pass


if __name__ == "__main__":
    main()
