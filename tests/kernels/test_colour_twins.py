# SPDX-License-Identifier: Apache-2.0
"""The kernels between pixels of four bytes and their three colours give what their NumPy twins do."""

from __future__ import annotations

import numpy as np
import pytest

from labelkit.kernels import reference


@pytest.mark.parametrize("shape", [(7, 300), (40, 33), (1, 1), (0, 5), (5, 0)])
@pytest.mark.parametrize("apart", [False, True])
def test_colours(native, shape, apart) -> None:
    wide = np.random.default_rng(6).integers(0, 256, (shape[0], shape[1] + 5, 4), np.uint8)
    pixels = wide[:, 2:-3] if apart else np.ascontiguousarray(wide[:, 2:-3])
    for module in (reference, native):
        out = np.full((*shape, 3), 7, np.uint8)
        module.image_colours(pixels, out)
        assert np.array_equal(out, pixels[..., :3])


@pytest.mark.parametrize("shape", [(7, 300), (40, 33), (3, 9), (3, 10), (1, 1), (0, 5), (5, 0)])
@pytest.mark.parametrize("apart", [False, True])
def test_pixels_of_four_bytes(native, shape, apart) -> None:
    wide = np.random.default_rng(7).integers(0, 256, (shape[0], shape[1] + 5, 3), np.uint8)
    pixels = wide[:, 2:-3] if apart else np.ascontiguousarray(wide[:, 2:-3])
    for module in (reference, native):
        out = np.full((*shape, 4), 7, np.uint8)
        module.image_spread(pixels, out)
        assert np.array_equal(out[..., :3], pixels) and (out[..., 3] == 255).all()


def test_pixels_of_another_number_of_bytes_or_too_little_room_are_refused(native) -> None:
    for channels, room in ((4, 4), (2, 4), (3, 3), (3, 5)):
        with pytest.raises(ValueError, match="channels of pixels|out"):
            native.image_spread(np.zeros((8, 8, channels), np.uint8), np.zeros((8, 8, room), np.uint8))


def test_three_channels_or_too_little_room_are_refused(native) -> None:
    for channels, room in ((3, 3), (4, 2), (4, 4)):
        with pytest.raises(ValueError, match="channels of pixels|out"):
            native.image_colours(np.zeros((8, 8, channels), np.uint8), np.zeros((8, 8, room), np.uint8))
