# SPDX-License-Identifier: Apache-2.0
"""The picture watermark and its kernels beside a copy of the pixels and a JPEG encoding: CPU time of one thread."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
from PIL import Image

from benchmarks.conftest import gain_of_a_thread, ratio
from labelkit import kernels
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import image
from labelkit.watermark.image import tile
from tests.backends import using
from tests.media import photo

SIDE = 1024
CONDITIONS = f"{SIDE}x{SIDE} RGB, one thread, CPU time"
PAYLOAD = Payload(1, 2, 3)


@pytest.fixture(scope="module")
def host() -> np.ndarray:
    return photo(SIDE, SIDE)


@pytest.fixture(scope="module")
def jpeg(host):
    picture = Image.fromarray(host)
    return lambda: picture.save(io.BytesIO(), "JPEG", quality=90)


@pytest.fixture(params=kernels.backends())
def backend(request):
    with using(request.param):
        yield request.param


def test_kernels(backend, host, figure):
    """Each kernel, in copies of what it reads."""
    height, width = SIDE, SIDE
    gain, out = np.empty((SIDE // 8, SIDE // 8), np.uint8), np.empty_like(host)
    luma, white = np.empty((height, width), np.uint8), np.empty((height, width), np.int8)
    flat, textured = tile.patterns(Key.public(), int(PAYLOAD), tile.period(width, height), 1.0, 3)
    scratch, rows = np.empty(3 * (24 * SIDE // 8 + 64), np.int16), np.empty(24 * (width + 16), np.int32)
    folded, lattice = np.empty((len(flat), len(flat)), np.int32), np.empty((256, 256), np.int32)
    origin, step = np.zeros(2, np.uint32), np.array([2**32 // 180, 9999, 2**32 - 9999, 2**32 // 180], np.uint32)
    calls = {
        "image_gain": (lambda: kernels.image_gain(host, gain, 38, 128, 115), host),
        "image_embed": (lambda: kernels.image_embed(host, out, gain, flat, textured, False, scratch), host),
        "image_luma": (lambda: kernels.image_luma(host, luma), host),
        "plane_whiten": (lambda: kernels.plane_whiten(luma, white, rows, 25), luma),
        "plane_fold": (lambda: kernels.plane_fold(white, folded), luma),
        "plane_fold_lattice": (lambda: kernels.plane_fold_lattice(white, origin, step, lattice), luma),
    }
    for name, (call, read) in calls.items():
        copies = ratio(call, read.copy, rounds=5 if backend == "numpy" else 25)
        figure(f"{name} {backend}, copies", copies, conditions=CONDITIONS)


def test_embed(benchmark, host, jpeg, figure):
    """Into memory of its own, with a payload seen before and with a new one."""
    numbers = itertools.count()
    benchmark(image.embed, host, PAYLOAD)
    out = np.empty_like(host)
    hard = ratio(lambda: image.embed(host, PAYLOAD, robustness="hard", out=out), jpeg)
    figure("watermark embed hard, to JPEG q90", hard, most=0.35, conditions=CONDITIONS)
    figure("watermark embed, to JPEG q90", ratio(lambda: image.embed(host, PAYLOAD, out=out), jpeg), most=0.6,
           conditions=CONDITIONS)
    figure("... the same, in copies of the pixels", ratio(lambda: image.embed(host, PAYLOAD, out=out), host.copy),
           conditions=CONDITIONS)
    figure("... with a new payload each time, to JPEG q90",
           ratio(lambda: image.embed(host, Payload(1, 2, next(numbers)), out=out), jpeg), most=0.6,
           conditions=CONDITIONS)


@pytest.mark.parametrize(("effort", "most"), [("fast", 1.0), ("normal", 60), ("deep", 1000)])
def test_detect(host, jpeg, figure, effort, most):
    """Fast on a marked picture, the searches on an unmarked one, which they go through to the end."""
    picture = image.embed(host, PAYLOAD) if effort == "fast" else host
    assert image.detect(picture, effort=effort).found == (effort == "fast")
    spent = ratio(lambda: image.detect(picture, effort=effort), jpeg, rounds=9)
    figure(f"watermark detect {effort}, to JPEG q90", spent,
           most=most, conditions=CONDITIONS + (", marked" if effort == "fast" else ", unmarked"))


def test_two_threads(host, figure):
    """Pictures marked in a wall-clock second by two threads, to one; needs two free cores."""
    figure("watermark embed, throughput of two threads to one",
           gain_of_a_thread(lambda: image.embed(host, PAYLOAD), 60), least=1.8,
           conditions=f"{SIDE}x{SIDE} RGB, wall time")
