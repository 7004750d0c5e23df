# SPDX-License-Identifier: Apache-2.0
"""Writing and reading the label in pictures in memory, and in a film of 4 GB with holes for media data."""

from __future__ import annotations

import io
import struct
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from benchmarks.conftest import peak_megabytes
from labelkit import metadata
from labelkit.label import Kind, Label

pytestmark = pytest.mark.benchmark(group="metadata 1024x1024, one thread, read back included")
LABEL = Label(Kind.GENERATED, "001191440300708461136T1XGW3", "2026-000017")
KINDS = {"JPEG": ({"quality": 92}, 0.3), "PNG": ({"compress_level": 1}, 0.5), "WEBP": ({"quality": 90}, 0.1)}


@pytest.fixture(scope="module")
def hosts() -> dict[str, bytes]:
    noise = np.random.default_rng(5).integers(0, 255, (1024, 1024, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).filter(ImageFilter.GaussianBlur(1.2))
    found = {}
    for kind, (options, _) in KINDS.items():
        out = io.BytesIO()
        picture.save(out, kind, **options)
        found[kind] = out.getvalue()
    return found


def milliseconds(work: Callable[[], object], calls: int = 100, rounds: int = 9) -> float:
    """CPU time of one call: the lowest of `rounds` means over `calls`."""
    spent = []
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(calls):
            work()
        spent.append(time.process_time() - start)
    return min(spent) / calls * 1000


@pytest.mark.parametrize("kind", KINDS)
def test_write(kind, hosts, benchmark, figure):
    out = benchmark(metadata.write, hosts[kind], LABEL)
    assert metadata.read(out).label == LABEL
    figure(f"write the label into a {kind}", milliseconds(lambda: metadata.write(hosts[kind], LABEL)),
           most=KINDS[kind][1], unit="ms", conditions=f"{len(hosts[kind]) // 1000} kB in memory, CPU time, best of 9")


def test_read_a_thousand_files(hosts, benchmark, figure, tmp_path):
    data = metadata.write(hosts["JPEG"], LABEL)
    paths = [tmp_path / f"{number}.jpg" for number in range(1000)]
    for path in paths:
        path.write_bytes(data)

    def read() -> None:
        assert all(metadata.read(path).label == LABEL for path in paths)
    benchmark.pedantic(read, rounds=3)
    figure("read labels from JPEG files", 1e6 / milliseconds(read, calls=1, rounds=3), least=3000, unit="files/s",
           conditions="one core, CPU time, best of 3")


def test_write_into_a_film_of_4_gb(figure, tmp_path: Path):
    """The media data is one hole, so that this measures what is done to a file, not the disk."""
    size = 4 << 30

    def box(kind: bytes, *parts: bytes) -> bytes:
        return struct.pack(">I", 8 + sum(map(len, parts))) + kind + b"".join(parts)

    def head(start: int) -> bytes:
        table = box(b"co64", bytes(4), struct.pack(">I", 100_000), struct.pack(">Q", start) * 100_000)
        trak = box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", table))))
        return (box(b"ftyp", b"isom", bytes(4)) + box(b"moov", box(b"mvhd", bytes(100)), trak)
                + struct.pack(">I4sQ", 1, b"mdat", size + 16))
    with open(tmp_path / "film.mp4", "wb") as file:
        file.write(head(len(head(0))))
        file.truncate(len(head(0)) + size)
    start = time.perf_counter()
    metadata.write_file(tmp_path / "film.mp4", tmp_path / "out.mp4", LABEL)
    seconds = time.perf_counter() - start
    assert metadata.read(tmp_path / "out.mp4").label == LABEL
    figure("write the label into a 4 GB MP4, moov in front", seconds, most=2, unit="s",
           conditions="wall time, 100,000 chunks, media data a hole")
    peak = peak_megabytes(f"import labelkit as lk\nfrom labelkit import metadata\nmetadata.write_file("
                          f"{str(tmp_path / 'film.mp4')!r}, {str(tmp_path / 'again.mp4')!r}, "
                          "lk.Label(lk.Kind.GENERATED, 'bench', '1'))\n")
    figure("... memory", peak, most=100, unit="MB", conditions="peak of the whole process")
