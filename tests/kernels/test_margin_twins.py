# SPDX-License-Identifier: Apache-2.0
"""The kernels that measure what a picture needs give the bits of their NumPy twins, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest

from labelkit.kernels import reference


def pixels_of(shape: tuple[int, int, int]) -> np.ndarray:
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    pixels[: shape[0] // 3] = pixels[: shape[0] // 3] // 32 + 100  # quiet ground
    pixels[: shape[0] // 4, : shape[1] // 2] = 255
    return pixels


def cells_of(shape: tuple[int, int, int]) -> tuple[int, int]:
    return -(-shape[0] // 8), -(-shape[1] // 8)


@pytest.mark.parametrize("shape", [(200, 333, 3), (130, 77, 4), (61, 90, 2), (130, 77, 1), (9, 700, 3), (5, 3, 3)])
def test_what_a_picture_needs(native, shape) -> None:
    random = np.random.default_rng(6)
    y, x = (random.permutation(side // 8).astype(np.uint32)[:17] for side in shape[:2])
    activity, gain = random.choice(np.array([35, 60], np.uint8), (2, *cells_of(shape)))
    waves, patterns = random.integers(-512, 513, (64, 16), np.int32), random.normal(0, 3, (2, 15, 300)).astype("f")
    kept = np.array([np.linspace(0.1, 0.6, 9), np.linspace(0, 1, 9) ** 2])
    steps, passed = np.linspace(10, 24, 15, dtype=np.float32), np.linspace(1, 0, 15)
    stride, results = -(-y.size * x.size // 64) * 64, []
    crops = random.integers(0, 32, stride).astype(np.uint8)
    for module in (reference, native):
        cells, scores = np.ones((33, stride), np.float32), np.ones((2, 8, 4))
        module.margin_sample(pixels_of(shape), y, x, activity, gain, 35, 182, waves, patterns, cells)
        module.margin_score(cells, crops, np.array([1, 0.7, 0.5, 0.1]), steps, kept, passed, 1.7, scores)
        results.append((cells, scores))
    assert all(np.array_equal(*pair) for pair in zip(*results, strict=True))
    cells, scores = results[1]
    assert not cells[:, y.size * x.size:].any(), "nothing behind the cells"
    assert (np.diff(scores[:, 1:], axis=-1) <= 0).all(), "the less, the lower"


def test_cells_beyond_the_picture_are_refused(native) -> None:
    for module in (reference, native):
        for y, x in (([2], [0]), ([0], [3]), ([2**31], [0])):
            with pytest.raises(ValueError):
                module.margin_sample(np.zeros((17, 25, 3), np.uint8), np.array(y, np.uint32), np.array(x, np.uint32),
                                     np.zeros((3, 4), np.uint8), np.zeros((3, 4), np.uint8), 35, 182,
                                     np.zeros((64, 16), np.int32), np.zeros((2, 15, 9), np.float32),
                                     np.zeros((33, 64), np.float32))
