# SPDX-License-Identifier: Apache-2.0
"""Broken pictures through verify and embed: a LabelkitError or a report, soon, and in little memory.

LABELKIT_MUTATIONS=2000 runs the full measure, which benchmarks quote.
"""

import os
import resource
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

import labelkit as lk
from labelkit.codec import png
from labelkit.errors import LabelkitError
from tests.cost import within
from tests.media import LABEL, photo, saved
from tests.robustness.test_containers import mutations

COUNT = int(os.environ.get("LABELKIT_MUTATIONS", "25"))
SLOWEST_SECONDS = 2.0  # of CPU
MOST_MEMORY = 512 << 20  # bytes above what the process had
MOST_PIXELS = 1 << 24  # a mutation may well make a picture of 50 megapixels, which takes its time by right
HEIGHT, WIDTH = 112, 128


def _frames() -> list[Image.Image]:
    return [Image.fromarray(np.roll(photo(HEIGHT, WIDTH), 9 * index, axis=1)) for index in range(3)]


def _animated(format: str, **options: object) -> bytes:
    first, *others = _frames()
    return saved(first, format, save_all=True, append_images=others, duration=80, **options)


SOURCES = {
    "jpeg": lambda: saved(photo(HEIGHT, WIDTH), "JPEG", quality=90, dpi=(72, 72)),
    "jpeg progressive": lambda: saved(photo(HEIGHT, WIDTH), "JPEG", quality=80, progressive=True, exif=_exif()),
    "jpeg cmyk": lambda: saved(Image.fromarray(photo(HEIGHT, WIDTH)).convert("CMYK"), "JPEG"),
    "png": lambda: saved(photo(HEIGHT, WIDTH), "PNG", exif=_exif()),
    "png palette": lambda: saved(Image.fromarray(photo(HEIGHT, WIDTH)).quantize(64), "PNG"),
    "png 16-bit": lambda: png.encode(photo(HEIGHT, WIDTH).astype(np.uint16) * 257),
    "apng": lambda: _animated("PNG"),
    "webp": lambda: saved(photo(HEIGHT, WIDTH), "WEBP", quality=85),
    "webp lossless": lambda: saved(photo(HEIGHT, WIDTH), "WEBP", lossless=True),
    "webp animated": lambda: _animated("WEBP", quality=85),
    "gif": lambda: _animated("GIF"),
    "tiff": lambda: saved(photo(HEIGHT, WIDTH), "TIFF", compression="tiff_lzw"),
}


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def _with_check_sums(data: bytes) -> bytes:
    """A PNG whose chunks have right check sums again, so that what is behind them is reached."""
    out = bytearray(data)
    for _, start, stop in png.chunks(data):
        out[stop - 4:stop] = struct.pack(">I", zlib.crc32(out[start + 4:stop - 4]))
    return bytes(out)


def outcome(call: Callable[[], object]) -> tuple[bool, object]:
    """(Whether it came soon, what came of it); anything but a LabelkitError goes through."""
    results: list[object] = []

    def once() -> None:
        try:
            results.append(call())
        except LabelkitError as error:
            results.append(error)
    return within(once, SLOWEST_SECONDS), results[-1]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SOURCES)
def test_mutated_pictures(name, signer):
    source = SOURCES[name]()
    hosts = [source]
    labelled = outcome(lambda: lk.embed(source, label=LABEL, plan=lk.Plan(provenance=signer), check=False))[1]
    hosts += [labelled] if isinstance(labelled, bytes) else []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for host in hosts:
        for data in mutations(host, name, COUNT // len(hosts)):
            data = _with_check_sums(data) if host.startswith(png.SIGNATURE) else data
            for call in (lambda data=data: lk.verify(data, max_pixels=MOST_PIXELS),
                         lambda data=data: lk.embed(data, label=LABEL, replace=True, max_pixels=MOST_PIXELS)):
                soon, result = outcome(call)
                assert isinstance(result, LabelkitError | lk.Report | bytes)
                assert soon
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10 < MOST_MEMORY


LARGE = 11_000  # 121 megapixels, within the bound: the file must be refused for what it holds


def _png_of_a_bit() -> bytes:
    header = struct.pack(">IIBBBBB", LARGE, LARGE, 8, 2, 0, 0, 0)
    return (png.SIGNATURE + png.chunk(b"IHDR", header) + png.chunk(b"IDAT", zlib.compress(bytes(1 << 20)))
            + png.chunk(b"IEND", b""))


def _jpeg_of_a_bit() -> bytes:
    picture = saved(photo(HEIGHT, WIDTH), "JPEG", quality=80, progressive=True)
    frame = picture.index(b"\xff\xc2")
    return picture[:frame + 5] + struct.pack(">HH", LARGE, LARGE) + picture[frame + 9:]


def _png_text() -> bytes:
    return (png.SIGNATURE + png.chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
            + png.chunk(b"zTXt", b"AIGC\0\0" + zlib.compress(bytes(200 << 20), 9))
            + png.chunk(b"IDAT", zlib.compress(bytes(200))) + png.chunk(b"IEND", b""))


BOMBS = {"png of a bit of data": _png_of_a_bit, "jpeg of a bit of data": _jpeg_of_a_bit, "png text": _png_text}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name):
    data = BOMBS[name]()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for call in (lambda: lk.verify(data), lambda: lk.embed(data, label=LABEL)):
        soon, result = outcome(call)
        assert soon
        assert isinstance(result, LabelkitError | lk.Report)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10 < MOST_MEMORY
