# SPDX-License-Identifier: Apache-2.0
"""The kernel that takes the colours of pixels of four bytes gives what its NumPy twin does."""

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


def test_three_channels_or_too_little_room_are_refused(native) -> None:
    for channels, room in ((3, 3), (4, 2), (4, 4)):
        with pytest.raises(ValueError, match="channels of pixels|out"):
            native.image_colours(np.zeros((8, 8, channels), np.uint8), np.zeros((8, 8, room), np.uint8))
