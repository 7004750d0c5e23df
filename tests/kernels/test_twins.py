# SPDX-License-Identifier: Apache-2.0
"""Every compiled kernel gives the bits of its NumPy twin, on every instruction set of this machine."""

from __future__ import annotations

import numpy as np
import pytest

from labelkit import kernels
from labelkit.kernels import reference

COMPILED = kernels.backends()[1:]
SHAPES = [(200, 333, 3), (64, 1100, 3), (130, 77, 4), (61, 90, 2), (130, 77, 1), (9, 700, 3), (5, 3, 3), (1, 1, 1)]


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
@pytest.mark.parametrize("fades", [False, True])
def test_embed(native, shape, p, fades) -> None:
    random, channels = np.random.default_rng(2), shape[2]
    pixels, gain = _pixels(shape), random.integers(0, 256, _cells(shape)).astype(np.uint8)
    flat = random.integers(-8191, 8192, (p, p)).astype(np.int16).repeat(channels, 1)
    textured = random.integers(-127, 128, (p, p)).astype(np.int8).repeat(channels, 1)
    scratch = np.empty(3 * (8 * channels * gain.shape[1] + 64), np.int16)
    want, got = np.empty(shape, np.uint8), np.empty(shape, np.uint8)
    for module, out in ((reference, want), (native, got)):
        module.image_embed(pixels, out, gain, flat, textured, fades, scratch)
    assert np.array_equal(want, got)
    in_place = pixels.copy()
    native.image_embed(in_place, in_place, gain, flat, textured, fades, scratch)
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


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("height,width", [(40, 70), (1, 1), (33, 0)])
def test_a_moved_tile(native, height, width, channels) -> None:
    random, made = np.random.default_rng(4), []
    flat, textured = random.integers(-8191, 8192, (57, 57)), random.integers(-127, 128, (57, 57)).astype(np.int8)
    both = (flat << 8 | textured.view(np.uint8)).astype(np.int32)
    rows, columns = (random.integers(0, 57, count).astype(np.uint32) for count in (height, width))
    for module in (reference, native):
        out = np.full((height + 2, 71 * channels), 5, np.int16), np.full((height + 2, 71 * channels), 5, np.int8)
        module.tile_place(both, rows, columns, channels, *out)
        made.append(out)
        with pytest.raises(ValueError):
            module.tile_place(both, rows + np.uint32(57), columns, channels, *out)
    assert all(np.array_equal(*pair) for pair in zip(*made, strict=True))
    for plane, placed in zip((flat, textured), made[1], strict=True):
        assert np.array_equal(placed[:height, : width * channels], plane[np.ix_(rows, columns.repeat(channels))])
        assert (placed[height:] == 5).all() and (placed[:, width * channels:] == 5).all()


def test_the_tile_is_the_plane_of_its_spectrum(native) -> None:
    """Against NumPy's inverse transform of the whole spectrum."""
    from labelkit.watermark.image import tile
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
    columns = tile._half_spectrum_columns(bins, p).view(np.float32).reshape(2, p, tile.COLUMNS, 2)
    native.tile_make(columns, 9, tile._row_waves(p), flat, textured)
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


def _floats(shape: tuple[int, int, int], layout: str) -> np.ndarray:
    height, width, channels = shape
    if layout == "planes":
        return np.empty((channels, height, width), np.float32).transpose(1, 2, 0)
    return np.empty((height, 2 * width, channels + 1), np.float32)[:, ::2, 1:] if layout == "apart" else np.empty(
        shape, np.float32)


@pytest.mark.parametrize("shape", [(70, 90, 3), (70, 90, 1), (9, 300, 4), (61, 7, 2), (1, 1, 3), (0, 5, 3)])
@pytest.mark.parametrize("layout", ["rows", "planes", "apart"])
@pytest.mark.parametrize("worst", [False, True])
def test_floats(native, shape, layout, worst) -> None:
    values = np.random.default_rng(12).uniform(0, 1, shape).astype(np.float32)
    values.ravel()[:255] = (np.arange(255, dtype=np.float32)[: values.size] + np.float32(0.5)) / 255  # halves
    odd = values.ravel()[:: 7 if worst else values.size + 1]
    if worst:
        odd[...] = np.resize(np.array([np.nan, np.inf, -np.inf, 3e38, -1e-30, 1.0000001], np.float32), odd.shape)
    memory, results = _floats(shape, layout), []
    memory[...] = values
    for module in (reference, native):
        levels, outside, back = np.full(shape, 7, np.uint8), np.full(1, -1, np.int64), _floats(shape, layout)
        module.floats_quantise(memory, levels, outside)
        module.floats_expand(levels, back)
        results.append((levels, outside, back))
    assert all(np.array_equal(*pair) for pair in zip(*results, strict=True))
    levels, outside, back = results[1]
    assert outside[0] == (odd.size if worst else 0) and np.array_equal(back, levels / np.float32(255))
    assert worst or np.array_equal(levels, np.rint(values * np.float32(255)).astype(np.uint8))


def test_floats_of_negative_zero_lie_inside_and_those_just_below_do_not(native) -> None:
    values, levels = np.full((2, 100, 3), -0.0, np.float32), np.full((2, 100, 3), 7, np.uint8)
    outside = np.empty(1, np.int64)
    native.floats_quantise(values, levels, outside)
    assert outside[0] == 0 and not levels.any()
    values[1, 50:] = np.nextafter(np.float32(0), np.float32(-1))
    native.floats_quantise(values, levels, outside)
    assert outside[0] == 150 and not levels.any()


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


BOXES = [((60, 83), (0, 0, 83, 60), (20, 31)), ((60, 83), (-7.3, -4.6, 90.2, 71.9), (17, 23)),
         ((60, 83), (10.25, 7.5, 40.75, 20.125), (5, 12)), ((60, 83), (-3.5, 2, 30.1, 9.4), (40, 120)),
         ((60, 83), (100.5, -80.2, 160, -20.1), (6, 7)), ((1, 1), (-3, -3, 4, 4), (3, 3)),
         ((5, 400), (0, 0, 400, 5), (7, 3)), ((300, 5), (0, 0, 5, 300), (1, 9))]


@pytest.mark.parametrize("shape,box,size", BOXES)
def test_resampling(native, shape, box, size) -> None:
    plane = np.random.default_rng(6).integers(0, 256, shape).astype(np.uint8)
    want, got = np.zeros(size, np.uint8), np.ones(size, np.uint8)
    for module, out in ((reference, want), (native, got)):
        module.plane_resample(plane, *box, out, np.empty(3 * size[1] + 2 * shape[1] + 1, np.uint32))
    assert np.array_equal(want, got)


def test_resampling_keeps_means_and_flat_ground(native) -> None:
    plane = np.random.default_rng(7).integers(0, 256, (96, 128)).astype(np.uint8)
    out = np.empty((12, 16), np.uint8)
    native.plane_resample(plane, 0, 0, 128, 96, out, np.empty(48 + 257, np.uint32))
    assert np.abs(out - plane.reshape(12, 8, 16, 8).mean((1, 3))).max() <= 0.5
    native.plane_resample(np.full((96, 128), 255, np.uint8), -50, -50, 180, 150, out, np.empty(48 + 257, np.uint32))
    assert (out == 255).all()


@pytest.mark.parametrize("shape,size", [((60, 83), (15, 14)), ((40, 700), (22, 600)), ((33, 64), (33, 64)),
                                        ((90, 70), (1, 1)), ((80, 300), (79, 3)), ((5, 5), (2, 5))])
@pytest.mark.parametrize("worst", [False, True])
@pytest.mark.parametrize("least", [0, 25, 65025])
def test_matching(native, shape, size, worst, least) -> None:
    random = np.random.default_rng(8)
    plane, pattern = (random.integers(0, 256, sides).astype(np.uint8) for sides in (shape, size))
    if worst:
        plane, pattern = (np.where(side > 127, 255, 0).astype(np.uint8) for side in (plane, pattern))
    found = []
    for module in (reference, native):
        place, score = np.full(2, -1), np.full(2, 9, np.float32)
        room = 3 * shape[1] + size[0] * (shape[1] + 64)
        module.plane_match(plane, pattern, least, np.empty(room, np.int64), place, score)
        found.append((place.tolist(), score.tolist()))
    assert found[0] == found[1]


def test_matching_is_the_correlation_coefficient(native) -> None:
    random = np.random.default_rng(9)
    plane, pattern = (random.integers(0, 256, sides).astype(np.uint8) for sides in ((30, 41), (6, 7)))
    values = np.array([[np.corrcoef(plane[y:y + 6, x:x + 7].ravel(), pattern.ravel())[0, 1] for x in range(35)]
                       for y in range(25)])
    place, score = np.empty(2, np.int64), np.empty(2, np.float32)
    native.plane_match(plane, pattern, 25, np.empty(3 * 41 + 6 * 105, np.int64), place, score)
    assert place.tolist() == [values.argmax(), values.argmin()]
    assert np.allclose(score, [values.max(), values.min()], atol=1e-6)


def test_a_pattern_is_found_where_it_is_and_its_negative_too(native) -> None:
    random = np.random.default_rng(10)
    plane, pattern = (random.integers(0, 200, sides).astype(np.uint8) for sides in ((50, 60), (9, 8)))
    plane[20:29, 31:39], plane[3:12, 40:48] = pattern, 255 - pattern
    place, score = np.empty(2, np.int64), np.empty(2, np.float32)
    native.plane_match(plane, pattern, 25, np.empty(3 * 60 + 9 * 124, np.int64), place, score)
    assert place.tolist() == [20 * 53 + 31, 3 * 53 + 40] and score.tolist() == [1, -1]


def test_flat_ground_and_flat_patterns_match_nothing(native) -> None:
    noise = np.random.default_rng(11).integers(0, 256, (20, 20)).astype(np.uint8)
    for plane, pattern in ((noise // 64 + 100, noise[:5, :5].copy()), (noise, np.full((5, 5), 9, np.uint8))):
        place, score = np.full(2, 7), np.ones(2, np.float32)
        native.plane_match(plane, pattern, 25, np.empty(60 + 5 * 84, np.int64), place, score)
        assert score.tolist() == [0, 0]


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


def _codes() -> np.ndarray:
    """Any prefix code will do: each symbol by its number in 9 bits."""
    return np.tile((np.arange(272) << 8 | 9).astype(np.uint32), (2, 1))


@pytest.mark.parametrize("across,down", [(1, 1), (2, 1), (2, 2)])
@pytest.mark.parametrize("shape", [(200, 333, 3), (64, 1100, 3), (9, 700, 3), (5, 3, 3), (1, 1, 3), (33, 256, 3)])
@pytest.mark.parametrize("coarse", [1, 20, 255])
def test_jpeg(native, shape, across, down, coarse) -> None:
    pixels, results = _pixels(shape), []
    quantisers = np.minimum(np.arange(128) // 3 + coarse, 255).astype(np.uint16).reshape(2, 64)
    for module in (reference, native):
        out, size = np.zeros(512 * (6 + 6 * (shape[0] // 8 + 1) * (shape[1] // 8 + 1)), np.uint8), np.zeros(1, np.int64)
        module.jpeg_scan(pixels, across, down, quantisers, _codes(), out, size)
        results.append(out[:size[0]])
    assert results[0].size and np.array_equal(*results)


def test_a_jpeg_without_room_is_not_written(native) -> None:
    pixels, quantisers = _pixels((64, 64, 3)), np.ones((2, 64), np.uint16)
    for module in (reference, native):
        for room in (0, 512, 4096):
            memory, size = np.full(room + 8, 7, np.uint8), np.ones(1, np.int64)
            module.jpeg_scan(pixels, 2, 2, quantisers, _codes(), memory[:room], size)
            assert not size[0] and (memory[room:] == 7).all()


@pytest.mark.parametrize("call", [
    lambda k, q, c: k.jpeg_scan(np.zeros((8, 8, 3), np.uint8), 1, 2, q, c, np.zeros(9999, np.uint8), np.zeros(1, "q")),
    lambda k, q, c: k.jpeg_scan(np.zeros((8, 8, 1), np.uint8), 2, 2, q, c, np.zeros(9999, np.uint8), np.zeros(1, "q")),
    lambda k, q, c: k.jpeg_scan(np.zeros((8, 8, 4), np.uint8), 1, 1, q, c, np.zeros(9999, np.uint8), np.zeros(1, "q")),
    lambda k, q, c: k.jpeg_scan(np.zeros((8, 8, 3), np.uint8), 1, 1, q * 0, c, np.zeros(9999, np.uint8),
                                np.zeros(1, "q")),
    lambda k, q, c: k.jpeg_scan(np.zeros((8, 8, 3), np.uint8), 1, 1, q * 256, c, np.zeros(9999, np.uint8),
                                np.zeros(1, "q")),
    lambda k, q, c: k.jpeg_scan(np.zeros((8, 8, 3), np.uint8), 1, 1, q, c + 8, np.zeros(9999, np.uint8),
                                np.zeros(1, "q")),
    lambda k, q, c: k.jpeg_scan(np.zeros((8, 8, 3), np.uint8), 1, 1, q, c - 8, np.zeros(9999, np.uint8),
                                np.zeros(1, "q")),
])
def test_what_no_jpeg_has_is_refused(native, call) -> None:
    for module in (reference, native):
        with pytest.raises(ValueError):
            call(module, np.ones((2, 64), np.uint16), _codes())


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 258, 5000, 150_000])
@pytest.mark.parametrize("markers", [(0xD9, 0xE1, 0xFE), (1, 0xC4), (), (0xFF,)])
def test_markers(native, size, markers) -> None:
    random = np.random.default_rng(size)
    data = random.choice(np.array([0, 0xD0, 0xFF, 7], np.uint8), size, p=[.3, .2, .1, .4])
    wanted = bytes(marker in markers for marker in range(256))
    for at in random.integers(0, max(size - 1, 1), min(size // 2, 3)):
        data[at:at + 2] = 0xFF, random.choice(np.array(markers or (5,), np.uint8))
    raw, place, start, found = data.tobytes(), np.empty(1, np.int64), 0, []
    while start < size:
        want = next((at for at in range(start, size - 1) if raw[at] == 0xFF and raw[at + 1] in markers), size)
        for module in (reference, native):
            for form in (data, raw, memoryview(raw)):
                module.jpeg_marker(form, wanted, start, place)
                assert place[0] == want
        found.append(want)
        start = want + 1 if len(found) < 5 else size
    assert bool(found) == bool(size) and (not markers or size < 255 or found[0] < size)
    with pytest.raises(ValueError):
        native.jpeg_marker(raw, wanted, size + 1, place)


def test_the_place_after_the_last_marker_is_the_end(native) -> None:
    place = np.zeros(1, np.int64)
    for module in (reference, native):
        module.jpeg_marker(b"\xff", bytes(256), 1, place)
        assert place[0] == 1
        module.jpeg_marker(b"", bytes([1] * 256), 0, place)
        assert place[0] == 0


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
    lambda k: k.code_distance(np.zeros(3, np.int64), np.zeros((8, 256, 2), np.int64), np.zeros((1, 3), np.int64),
                              np.zeros((1, 3), np.int64), np.zeros((1, 3), np.uint16)),
    lambda k: k.code_distance(np.zeros(3, np.int64), np.zeros((8, 256, 65), np.int64), np.zeros((1, 65), np.int64),
                              np.zeros((1, 65), np.int64), np.zeros((1, 3), np.uint16)),
    lambda k: k.polar_decode(np.zeros(100, np.int32), np.ones(100, np.uint8), 1, np.zeros(10000, np.uint8),
                             np.zeros(0, np.uint8), np.zeros(1, np.int64)),
])
def test_wrong_buffers_are_refused(native, call) -> None:
    with pytest.raises(ValueError):
        call(native)
