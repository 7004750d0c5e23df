# SPDX-License-Identifier: Apache-2.0
"""The kernel that compares observed bits with code words gives the numbers of its NumPy twin."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from labelkit.kernels import reference


@pytest.mark.parametrize("blocks", [1, 8, 16])
def test_code_distance(native, blocks) -> None:
    random = np.random.default_rng(blocks)
    words, table, hard, mask = (random.integers(-1 << 63, 1 << 63, shape, np.int64)
                                for shape in (100, (8, 256, blocks), (3, blocks), (3, blocks)))
    results = np.zeros((2, 3, 100), np.uint16)
    for module, distance in zip((reference, native), results, strict=True):
        module.code_distance(words, table, hard, mask, distance)
    assert np.array_equal(*results) and 0 < results.min() and results.max() < 64 * blocks
    own = table[np.arange(8), words[:1].view(">u1" if sys.byteorder == "big" else "u1")[::-1]]
    native.code_distance(words, table, np.bitwise_xor.reduce(own)[None].copy(), mask[:1].copy(), results[0, :1])
    assert results[0, 0, 0] == 0
