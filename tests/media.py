# SPDX-License-Identifier: Apache-2.0
"""Pictures for the tests of the whole: large enough to carry every layer, made here."""

from __future__ import annotations

import functools
import io

import numpy as np
from PIL import Image

from labelkit.label import Kind, Label

LABEL = Label(Kind.GENERATED, "001191440300708461136T1XGW3", "2026-000017")


@functools.cache
def photo(height: int = 384, width: int = 512, seed: int = 1) -> np.ndarray:
    """uint8 [height, width, 3]: soft shapes, edges and texture, as photographs have them."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / 64.0
    ground = 120 + 50 * np.sin(x * 1.3 + seed) * np.cos(y * 0.9) + 25 * ((np.sin(3 * x) + np.sin(2.2 * y)) > 0.8)
    grain = random.normal(0, 1, (height, width))
    grain = grain + np.roll(grain, 1, axis=1) + np.roll(grain, 1, axis=0)
    colour = np.stack([ground + 6 * grain, ground * 0.9 + 5 * grain + 10, ground * 0.7 + 4 * grain + 30], axis=-1)
    array = np.clip(colour + random.normal(0, 2, (height, width, 1)), 0, 255).astype(np.uint8)
    array.flags.writeable = False
    return array


def saved(picture: np.ndarray | Image.Image, format: str, **options: object) -> bytes:
    """The picture as Pillow writes it."""
    out = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(out, format, **options)
    return out.getvalue()
