# SPDX-License-Identifier: Apache-2.0
"""JPEG XL, read only (extra `jxl`): libjxl decodes in a process of its own, with limits on memory and time.

A picture states its size in its first bytes, but a frame of it may be a million times as large, and libjxl takes no
bound: so the size is read here (ISO/IEC 18181-1:2024, annex D), and what is decoded beyond it ends the process.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labelkit.codec.backends import PICTURE
from labelkit.codec.samples import Pixels
from labelkit.container.base import MAX_UNITS
from labelkit.distribution import install_hint
from labelkit.errors import LabelkitError, LimitExceeded, MalformedFile, TruncatedFile, UnsupportedFormat

_DECODER = [sys.executable, "-P", "-B", str(Path(__file__).with_name("jxl_decoder.py"))]
_CODESTREAM = b"\xff\x0a"
_HEAD = 256  # bytes of the codestream in which sizes and channels are stated
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # D.2, table D.2
_MEMORY, _MEMORY_A_SAMPLE = 256 << 20, 12  # bytes: of the process, and of each sample; real ones take at most 2
_SECONDS, _SECONDS_A_MEGASAMPLE = 20, 2
_MAX_HEAD = 1000  # bytes before the samples of a reply
_KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT",
         "TEMP", "TMP", "TMPDIR")


@dataclass(frozen=True, slots=True)
class Header:
    """What the first bytes state.

    width, height  pixels, before the picture is turned upright
    channels       of colour, alpha, depth and so on
    is_animated    whether frames follow each other
    """

    width: int
    height: int
    channels: int
    is_animated: bool


def decode(data: bytes, name: str, max_pixels: int) -> tuple[Pixels, ...]:
    """The frames, upright: uint8 or uint16, [height, width] or [height, width, 3 or 4].

    Raises UnsupportedFormat without the extra, and for floats; MalformedFile, TruncatedFile, LimitExceeded.
    """
    if importlib.util.find_spec("imagecodecs") is None:
        raise UnsupportedFormat("{where}: {format} files have no samples that this installation can decode",
                                where=name, format="jxl", install=install_hint("jxl"),
                                hint="{install}, or leave the signal layers out of the plan")
    found = header(data, name)
    pixels = found.width * found.height
    samples = pixels * max(found.channels, 4)
    if samples > 4 * max_pixels:
        raise _too_large(found, 1, name, max_pixels)
    if found.is_animated:
        samples = 4 * max_pixels  # of all frames, whose number is not stated
    frames = _frames(_decoded(data, name, samples), found, name)
    if len(frames) * pixels > max_pixels:
        raise _too_large(found, len(frames), name, max_pixels)
    return frames


def _too_large(found: Header, frames: int, name: str, max_pixels: int) -> LimitExceeded:
    return LimitExceeded("{where}: {frames} frames of {width}x{height}, at most {limit} megapixels in all are decoded",
                         where=name, frames=frames, width=found.width, height=found.height,
                         limit=max_pixels // 1_000_000)


def _frames(samples: Pixels, found: Header, name: str) -> tuple[Pixels, ...]:
    """The frames of what was decoded: [height, width], with channels behind or frames before, or with both."""
    sizes = ((found.height, found.width), (found.width, found.height))  # as stored, and turned upright
    if samples.ndim == 2 or samples.ndim == 3 and not (found.is_animated and samples.shape[1:] in sizes):
        samples = samples[np.newaxis]
    if samples.shape[1:3] in sizes and samples.ndim == 3:
        return tuple(samples)
    if samples.shape[1:3] in sizes and samples.ndim == 4 and 2 <= samples.shape[3] <= 4:
        return tuple(samples[..., [0, 0, 0, 1]] if samples.shape[3] == 2 else samples)
    raise UnsupportedFormat("{where}: pictures of mode {mode} cannot be decoded", where=name,
                            mode=f"{samples.shape[3:]} channels", hint="convert it to 8 or 16 bits a sample")


def _decoded(data: bytes, name: str, samples: int) -> Pixels:
    """uint8 or uint16 of the shape that libjxl gives, at most so many samples."""
    seconds = _SECONDS + _SECONDS_A_MEGASAMPLE * samples // 1_000_000
    kept = {name: value for name, value in os.environ.items() if name.upper() in _KEPT}
    limits = [str(_MEMORY + _MEMORY_A_SAMPLE * samples), str(seconds), str(len(data))]
    try:
        process = subprocess.Popen([*_DECODER, *limits], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, env={**kept, "OPENBLAS_NUM_THREADS": "1"})
    except OSError as error:
        raise LimitExceeded("{where}: no process could be started to decode it: {reason}", where=name,
                            reason=error.strerror or str(error)) from error
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        if process.stdin is None or process.stdout is None:
            raise AssertionError("they were asked for")
        with suppress(OSError):
            process.stdin.write(data)
            process.stdin.flush()
        reply = process.stdout.read(_MAX_HEAD + 2 * samples)
    finally:
        timer.cancel()
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                if pipe:
                    pipe.close()
    return _read(reply, name)


def _read(reply: bytes, name: str) -> Pixels:
    """The samples in a reply, of which nothing is believed."""
    head, _, body = reply.partition(b"\n")
    try:
        said = json.loads(head) if head else None
        if isinstance(said, str):
            raise _error(said, name)
        if isinstance(said, list):
            kind, shape = np.dtype({"uint8": np.uint8, "uint16": np.uint16}[said[0]]), [int(one) for one in said[1]]
            if 2 <= len(shape) <= 4 and min(shape) > 0:
                return np.frombuffer(body, kind).reshape(shape)
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError):
        pass
    raise LimitExceeded("{where}: the process that read it came to an end: it crashed, or needed too much time or "
                        "memory", where=name)


def _error(said: str, name: str) -> LabelkitError:
    if said == "memory":
        return LimitExceeded("{where}: decoding it needs more memory than a picture of its size may take", where=name)
    if said == "kind":
        return UnsupportedFormat("{where}: pictures of mode {mode} cannot be decoded", where=name, mode="float",
                                 hint="convert it to 8 or 16 bits a sample")
    if said == "short":
        return _ends_early(name)
    return MalformedFile("{where}: the {what} cannot be decoded or encoded: {reason}", where=name, what=PICTURE,
                         reason=said[:300])


def _ends_early(name: str) -> TruncatedFile:
    return TruncatedFile("{where}: the {what} ends too early: {reason}", where=name, what=PICTURE,
                         reason="JXL_DEC_NEED_MORE_INPUT")


class _Bits:
    """Reads numbers from the least bit on (annex B); raises EOFError at the end."""

    def __init__(self, data: bytes) -> None:
        self._bits, self._left = int.from_bytes(data, "little"), 8 * len(data)

    def u(self, count: int) -> int:
        if count > self._left:
            raise EOFError
        value, self._bits, self._left = self._bits & ((1 << count) - 1), self._bits >> count, self._left - count
        return value

    def u32(self, *choices: tuple[int, int]) -> int:
        """One of four ways to write a number: what is added, and the bits that follow."""
        base, count = choices[self.u(2)]
        return base + self.u(count)


def header(data: bytes, name: str) -> Header:
    """The header of a file, in boxes or bare; raises TruncatedFile, MalformedFile."""
    head = _codestream(data)
    if not head.startswith(_CODESTREAM):
        raise MalformedFile("{where}: no picture lies in its boxes", where=name)
    bits = _Bits(head[2:])
    try:
        height, width = _size(bits)
        if bits.u(1):  # all as usual
            return Header(width, height, 3, False)
        is_animated = _extra_fields(bits) if bits.u(1) else False
        _depth(bits)
        bits.u(1)
        return Header(width, height, 3 + bits.u32((0, 0), (1, 0), (2, 4), (1, 12)), is_animated)
    except EOFError as error:
        raise _ends_early(name) from error


def _codestream(data: bytes) -> bytes:
    """The first bytes of the codestream, from one box or from several parts of it."""
    if data.startswith(_CODESTREAM):
        return data[:_HEAD]
    found, at = b"", 0
    for _ in range(MAX_UNITS):
        if at + 8 > len(data) or len(found) >= _HEAD:
            break
        size, kind, start = int.from_bytes(data[at:at + 4]), data[at + 4:at + 8], at + 8
        if size == 1:
            size, start = int.from_bytes(data[at + 8:at + 16]), at + 16
        end = len(data) if size == 0 else at + size
        if end < start:
            break
        if kind in (b"jxlc", b"jxlp"):
            found += data[start + 4 * (kind == b"jxlp"):min(end, len(data))][:_HEAD]
        at = end
    return found


def _size(bits: _Bits) -> tuple[int, int]:
    """SizeHeader (D.2): height and width."""
    is_small = bits.u(1)

    def length() -> int:
        return 8 * (1 + bits.u(5)) if is_small else bits.u32((1, 9), (1, 13), (1, 18), (1, 30))
    height, ratio = length(), bits.u(3)
    if not ratio:
        return height, length()
    across, down = _RATIOS[ratio - 1]
    return height, height * across // down


def _extra_fields(bits: _Bits) -> bool:
    """What ImageMetadata (D.3) states before the depth; whether the picture is animated."""
    bits.u(3)
    if bits.u(1):
        _size(bits)
    if bits.u(1):
        _preview(bits)
    is_animated = bool(bits.u(1))
    if is_animated:
        bits.u32((100, 0), (1000, 0), (1, 10), (1, 30))
        bits.u32((1, 0), (1001, 0), (1, 8), (1, 10))
        bits.u32((0, 0), (0, 3), (0, 16), (0, 32))
        bits.u(1)
    return is_animated


def _preview(bits: _Bits) -> None:
    is_small = bits.u(1)

    def length() -> int:
        return (bits.u32((16, 0), (32, 0), (1, 5), (33, 9)) if is_small else
                bits.u32((1, 6), (65, 8), (321, 10), (1345, 12)))
    length()
    if not bits.u(3):
        length()


def _depth(bits: _Bits) -> None:
    """BitDepth (D.3.4)."""
    if bits.u(1):
        bits.u32((32, 0), (16, 0), (24, 0), (1, 6))
        bits.u(4)
    else:
        bits.u32((8, 0), (10, 0), (12, 0), (1, 6))
