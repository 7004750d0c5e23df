# SPDX-License-Identifier: Apache-2.0
"""Every compiled kernel gives the bits of its NumPy twin, on every instruction set of this machine."""

from __future__ import annotations

import numpy as np
import pytest

from labelkit import kernels
from labelkit.kernels import reference

COMPILED = kernels.backends()[1:]
SHAPES = [(200, 333, 3), (64, 1100, 3), (130, 77, 4), (61, 90, 2), (130, 77, 1), (9, 700, 3), (5, 3, 3), (1, 1, 1)]


@pytest.fixture(params=COMPILED)
def native(request: pytest.FixtureRequest):
    before = kernels.backend()
    kernels.use(request.param)
    yield kernels.native
    kernels.use(before)


def test_something_is_compiled() -> None:
    assert "scalar" in COMPILED


def _pixels(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, shape).astype(np.uint8)
    pixels[: shape[0] // 3] = pixels[: shape[0] // 3] // 32 + 100  # quiet ground
    pixels[: shape[0] // 4, : shape[1] // 2] = random.choice([0, 255])  # saturated ground
    return pixels


def _cells(shape: tuple[int, int, int]) -> tuple[int, int]:
    return -(-shape[0] // 8), -(-shape[1] // 8)


@pytest.mark.parametrize("shape", SHAPES)
def test_gain(native, shape) -> None:
    pixels, want, got = _pixels(shape), np.empty(_cells(shape), np.uint8), np.empty(_cells(shape), np.uint8)
    for module, out in ((reference, want), (native, got)):
        module.image_gain(pixels, out, 38, 128, 115)
    assert np.array_equal(want, got)
    assert want.min() >= 38 and want.max() <= 115


@pytest.mark.parametrize("shape", SHAPES)
def test_film_gain(native, shape) -> None:
    frames = [_pixels((*shape[:2], 1), seed) for seed in range(2)]
    frames[1][: shape[0] // 2] = frames[0][: shape[0] // 2]
    ease, results = np.linspace(128, 30, 64).astype(np.uint8), []
    for module in (reference, native):
        level, gain, still = np.zeros(_cells(shape), np.uint16), *np.zeros((2, *_cells(shape)), np.uint8)
        module.film_gain(frames[0], level, ease, gain, 38, 128, 115)
        module.film_gain(frames[1], level, ease, gain, 38, 128, 115)
        module.film_gain(frames[1], level.copy(), ease, still, 38, 128, 115)
        results.append((level, gain, still))
    assert all(np.array_equal(want, got) for want, got in zip(*results, strict=True))
    level, gain, still = results[1]
    rows = shape[0] // 2 // 8  # of cells in which nothing has changed
    assert np.array_equal(gain[:rows], still[:rows]) and (gain <= still).all()
    assert still.min() >= 38 and still.max() <= 115


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("p", [96, 7])
def test_embed(native, shape, p) -> None:
    random = np.random.default_rng(2)
    channels = shape[2]
    pixels, gain = _pixels(shape), random.integers(0, 256, _cells(shape)).astype(np.uint8)
    flat = random.integers(-8191, 8192, (p, p)).astype(np.int16).repeat(channels, 1)
    textured = random.integers(-127, 128, (p, p)).astype(np.int8).repeat(channels, 1)
    scratch = np.empty(3 * (8 * channels * gain.shape[1] + 64), np.int16)
    want, got = np.empty(shape, np.uint8), np.empty(shape, np.uint8)
    for module, out in ((reference, want), (native, got)):
        module.image_embed(pixels, out, gain, flat, textured, scratch)
    assert np.array_equal(want, got)
    in_place = pixels.copy()
    native.image_embed(in_place, in_place, gain, flat, textured, scratch)
    assert np.array_equal(want, in_place)
    if channels in (2, 4):
        assert np.array_equal(got[..., -1], pixels[..., -1])


@pytest.mark.parametrize("p,channels", [(96, 1), (135, 3), (64, 2), (600, 3), (2, 4), (1024, 1)])
def test_tile(native, p, channels) -> None:
    random = np.random.default_rng(p)
    count, stride = 37, -(-(p // 2 + 1) // 32) * 32
    columns = random.normal(0, 400 if p == 135 else 20, (2, p, count, 2)).astype(np.float32)  # 135: beyond the limits
    waves = random.uniform(-2, 2, (2, count, stride)).astype(np.float32)
    made = []
    for module in (reference, native):
        flat, textured = np.empty((p, p * channels), np.int16), np.empty((p, p * channels), np.int8)
        module.tile_make(columns, 9, waves, flat, textured)
        made.append((flat, textured))
    assert all(np.array_equal(*pair) for pair in zip(*made, strict=True))
    assert abs(made[0][0]).max() <= 8191 and abs(made[0][1].astype(int)).max() <= 127
    with pytest.raises(ValueError):
        native.tile_make(columns, 38, waves, *made[0])


def test_the_tile_is_the_plane_of_its_spectrum(native) -> None:
    """Against NumPy's inverse transform of the whole spectrum."""
    from labelkit.watermark import tile
    p = 150
    random = np.random.default_rng(3)
    bins = (random.normal(0, 9, (2, 2048)) + 1j * random.normal(0, 9, (2, 2048))).astype(np.complex64)
    kx, ky, _ = tile.annulus()
    bins[0, abs(kx) >= 9] = 0
    spectrum = np.zeros((2, p, p), complex)
    spectrum[:, ky, kx] = bins
    spectrum[:, -ky, -kx] += bins.conj()
    plane = np.fft.ifft2(spectrum, norm="forward").real
    flat, textured = np.empty((p, p), np.int16), np.empty((p, p), np.int8)
    native.tile_make(tile._columns(bins, p).view(np.float32).reshape(2, p, tile.COLUMNS, 2), 9, tile._waves(p), flat,
                     textured)
    assert abs(flat - np.clip(plane[0], -8191, 8191)).max() < 0.52
    assert abs(textured - np.clip(plane[1], -127, 127)).max() < 0.52


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("noise", [25, 4])
def test_luma_and_whitening(native, shape, noise) -> None:
    pixels, planes = _pixels(shape), []
    for module in (reference, native):
        luma, white = np.empty(shape[:2], np.uint8), np.empty(shape[:2], np.int8)
        module.image_luma(pixels, luma)
        module.plane_whiten(luma, white, np.empty(24 * (shape[1] + 16), np.int32), noise)
        planes.append((luma, white))
    assert np.array_equal(planes[0][0], planes[1][0])
    assert np.array_equal(planes[0][1], planes[1][1])


def test_flat_ground_whitens_to_nothing(native) -> None:
    white = np.ones((40, 50), np.int8)
    native.plane_whiten(np.full((40, 50), 200, np.uint8), white, np.empty(24 * 66, np.int32), 25)
    assert not white.any()


@pytest.mark.parametrize("shape", [(200, 333), (96, 96), (5, 3)])
def test_folding(native, shape) -> None:
    plane = np.random.default_rng(3).integers(-128, 128, shape).astype(np.int8)
    want, got = np.empty((96, 96), np.int32), np.empty((96, 96), np.int32)
    origin = np.array([5, 2**31], np.uint32)
    step = np.array([2**32 // 181, 77777, 2**32 - 55555, 2**32 // 97], np.uint32)
    want_lattice, got_lattice = np.empty((256, 256), np.int32), np.empty((256, 256), np.int32)
    for module, fold, lattice in ((reference, want, want_lattice), (native, got, got_lattice)):
        module.plane_fold(plane, fold)
        module.plane_fold_lattice(plane, origin, step, lattice)
    assert np.array_equal(want, got) and np.array_equal(want_lattice, got_lattice)
    assert got.sum() == got_lattice.sum() == plane.sum(dtype=np.int64)


def test_lattice_score(native) -> None:
    random = np.random.default_rng(4)
    values = random.standard_normal((256, 256)).astype(np.float32)
    vectors = random.uniform(-300, 300, (500, 4)).astype(np.float32)
    want, got = np.empty(500, np.float32), np.empty(500, np.float32)
    reference.lattice_score(values, 200, 180, vectors, want)
    native.lattice_score(values, 200, 180, vectors, got)
    assert np.array_equal(want, got)


@pytest.mark.parametrize("n", [128, 1024])
@pytest.mark.parametrize("paths", [1, 8, 32, 256])
def test_polar_decoder(native, n, paths) -> None:
    random = np.random.default_rng(5)
    soft = random.integers(-4096, 4097, n).astype(np.int32)
    frozen = np.ones(n, np.uint8)
    frozen[random.permutation(n)[:60]] = 0
    results = []
    for module in (reference, native):
        bits, metric = np.zeros((paths, 60), np.uint8), np.zeros(paths, np.int64)
        module.polar_decode(soft, frozen, paths, np.empty(module.polar_scratch(n, paths), np.uint8), bits, metric)
        results.append((bits, metric))
    assert np.array_equal(results[0][0], results[1][0]) and np.array_equal(results[0][1], results[1][1])


@pytest.mark.parametrize("call", [
    lambda k: k.image_gain(np.zeros((8, 8, 3), np.uint8), np.zeros(2, np.uint8), 1, 1, 1),
    lambda k: k.image_gain(np.zeros((8, 8, 3), np.uint16), np.zeros(1, np.uint8), 1, 1, 1),
    lambda k: k.image_luma(np.zeros((8, 8, 3), np.uint8)[:, ::-1], np.zeros((8, 8), np.uint8)),
    lambda k: k.plane_whiten(np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.int8), np.zeros(8, np.int32), 25),
    lambda k: k.plane_whiten(np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.int8), np.zeros(576, np.int32), 0),
    lambda k: k.film_gain(np.zeros((8, 8, 1), np.uint8), np.zeros(1, np.uint16), np.zeros(9, np.uint8),
                          np.zeros(1, np.uint8), 1, 1, 1),
    lambda k: k.plane_fold(np.zeros((8, 8), np.int8), np.zeros((4, 5), np.int32)),
    lambda k: k.lattice_score(np.zeros((8, 9), np.float32), 8, 8, np.zeros((1, 4), np.float32),
                              np.zeros(1, np.float32)),
    lambda k: k.polar_decode(np.zeros(100, np.int32), np.ones(100, np.uint8), 1, np.zeros(10000, np.uint8),
                             np.zeros(0, np.uint8), np.zeros(1, np.int64)),
])
def test_wrong_buffers_are_refused(native, call) -> None:
    with pytest.raises(ValueError):
        call(native)
