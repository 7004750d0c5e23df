# SPDX-License-Identifier: Apache-2.0
"""From file to file, and from file to verdict. CPU time beside the plain work of the same codec in the same run."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import labelkit as lk
from benchmarks.conftest import ratio
from labelkit import codec
from labelkit.cli import main as cli
from labelkit.codec import png
from tests.media import LABEL, photo, saved

ONE = "1024x1024 photograph, one thread, CPU time"
FORMATS = {"JPEG": {"quality": 90}, "PNG": {}, "WEBP": {"quality": 90}}


@pytest.fixture(scope="module", params=FORMATS)
def host(request: pytest.FixtureRequest) -> tuple[str, bytes]:
    return request.param, saved(photo(1024, 1024), request.param, **FORMATS[request.param])


def test_label_a_file(benchmark, figure, host):
    """Decode, explicit label, watermark, encode, metadata; and the same with the result read back."""
    name, data = host

    def plain() -> bytes:
        return codec.encode(codec.decode(data))

    def label(check: bool = False) -> bytes:
        return lk.embed(data, label=LABEL, check=check)

    lk.verify(benchmark(label)).require(lk.Layer.EXPLICIT, lk.Layer.WATERMARK, lk.Layer.METADATA)
    bar = {"JPEG": 1.3, "PNG": 1.3}.get(name)
    figure(f"label a {name}, to its plain decoding and encoding", ratio(label, plain), most=bar, conditions=ONE)
    figure("... and find the watermark in the result, to the same", ratio(lambda: label(True), plain), conditions=ONE)


@pytest.mark.parametrize("format", ["jpeg", "png", "webp"])
def test_label_samples(benchmark, figure, format):
    """What a generation pipeline does: an array in, a labelled file out."""
    picture = photo(1024, 1024)

    def label() -> bytes:
        return lk.embed(picture, label=LABEL, format=format, check=False)

    lk.verify(benchmark(label)).require(lk.Layer.EXPLICIT, lk.Layer.WATERMARK, lk.Layer.METADATA)
    plain = codec.ImageSamples((picture,))
    figure(f"label samples as {format}, to encoding them by the same codec",
           ratio(label, lambda: codec.encode_new(plain, format)), conditions=ONE)


def test_verify_a_file(benchmark, figure, host):
    name, data = host
    labelled = lk.embed(data, label=LABEL)
    report = benchmark(lk.verify, labelled, effort="fast")
    assert report.verdict is lk.Verdict.CONFIRMED
    figure(f"verify a labelled {name}, to decoding it",
           ratio(lambda: lk.verify(labelled), lambda: codec.decode(data), 9), conditions=ONE)


def test_verify_metadata_alone(benchmark, figure, tmp_path):
    """What a platform does with every upload."""
    path = tmp_path / "picture.jpg"
    lk.embed(saved(photo(1024, 1024), "JPEG", quality=90), path, LABEL)
    benchmark(lk.verify, path, layers=[lk.Layer.METADATA])
    start = time.process_time()
    for _ in range(500):
        assert lk.verify(path, layers=[lk.Layer.METADATA]).label == LABEL
    figure("verify metadata alone", 500 / (time.process_time() - start), least=3000, unit="files/s",
           conditions="JPEG files of 1024x1024, one core, CPU time")


def test_png_serving_level(benchmark, figure):
    picture = photo(1024, 1024)
    ours = benchmark(png.encode, picture)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(ours))), picture)
    default = saved(picture, "PNG")
    figure("write a PNG, to Pillow's default", ratio(lambda: png.encode(picture), lambda: saved(picture, "PNG"), 5),
           conditions=ONE)
    figure("size of the PNG, to Pillow's default", len(ours) / len(default), conditions="the same")


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_two_workers(figure, format, tmp_path, monkeypatch):
    """16 files by the command line; beside it what two processes gain on this machine with the codec alone."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for index in range(16):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"{index}.{format.lower()}").write_bytes(
            saved(photo(1024, 1024, index % 4), format, **FORMATS[format]))
    figure(f"label 16 {format} files on 2 workers, to 1", _gain(lambda jobs: _embed_all(tmp_path, jobs)), least=1.7,
           conditions="1024x1024, wall time")
    data = (tmp_path / "in" / f"0.{format.lower()}").read_bytes()
    figure(f"... two processes of plain {format} coding, to 1", _gain(lambda jobs: _code_all(data, jobs)),
           conditions="what the machine gives")


def _gain(run: Callable[[int], None]) -> float:
    run(2)
    times = {1: [], 2: []}
    for _ in range(5):
        for jobs, spent in times.items():
            start = time.perf_counter()
            run(jobs)
            spent.append(time.perf_counter() - start)
    return min(times[1]) / min(times[2])


def _embed_all(folder: Path, jobs: int) -> None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert cli.main(["embed", str(folder / "in"), "-o", str(folder / "out"), "--producer", "acme",
                         "--jobs", str(jobs)]) == 0


def _code_all(data: bytes, jobs: int) -> None:
    if jobs == 1:
        _code(data, 16)
        return
    with ProcessPoolExecutor(jobs) as pool:
        list(pool.map(_code, [data] * jobs, [16 // jobs] * jobs))


def _code(data: bytes, times: int) -> None:
    for _ in range(times):
        codec.encode(codec.decode(data))


def test_start_up(figure):
    """CPU time of a whole process, the interpreter's own start included."""
    root = Path(lk.__file__).parents[1]
    seconds = []
    for words in (["--help"], ["verify", "--help"]):
        before = os.times()
        subprocess.run([sys.executable, "-m", "labelkit", *words], check=True, capture_output=True, cwd=root)
        after = os.times()
        seconds.append(after.children_user + after.children_system - before.children_user - before.children_system)
    figure("start of the command line", max(seconds), most=0.3, unit="s", conditions="labelkit --help, CPU time")
