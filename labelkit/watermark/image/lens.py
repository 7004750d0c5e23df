# SPDX-License-Identifier: Apache-2.0
"""The search for a tile in a picture that a lens bulged, or a program that corrects lenses.

A place at a radius r from the middle is seen at r (1 + s r^2 / d^2), where d is the distance of the corners and s the
share by which these move. One number, so it is tried: the shrunk plane is set straight for each of 49 shares, and the
key's pattern is looked for at the period that a picture of this size is given. The best is read. A step between two
shares moves the corners by half a per cent, the nearer one of a true share at most a pixel at the edges of a picture of
768 pixels.

The pattern chooses the share, so every share that can be read is a trial.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labelkit.watermark.image.search import LocatedTile, TileSearch
from labelkit.watermark.image.waves import pattern_score, sampled

Float32 = npt.NDArray[np.float32]

# swept 2026-11-29, tables in benchmarks/TUNING.md: LENS_STEP
_MOST, _STEP = 0.12, 0.005
_FINER = (0.0025, 0.00125)
_CHOICES = 49 * 7  # the tried ones, and how far both finer steps lead from each


def search(whole: TileSearch) -> LocatedTile | None:
    """The tile, at the period that a picture of this size is given, in a picture whose corners were moved.

    whole  the search that found nothing: its plane and its key
    """
    if (own := whole.at_own_period()) is None:
        return None
    factor, flat, period = own

    def scored(share: float) -> tuple[float, float]:
        return pattern_score(straight(flat, share), period / factor, whole.keyed), share

    count = round(_MOST / _STEP)
    best = max(scored(number * _STEP) for number in range(-count, count + 1))
    for step in _FINER:
        best = max(best, scored(best[1] - step), scored(best[1] + step))
    return whole.set_right(straight(whole.plane.astype(np.float32), best[1]), _CHOICES, np.eye(2) * period)


def straight(plane: Float32, share: float) -> Float32:
    """float32 of the same shape: a plane whose corners are back where they were, bilinear; 0 outside.

    share  by which they moved outwards, where it is seen from the result
    """
    height, width = plane.shape
    y = np.arange(height, dtype=np.float32)[:, None] - np.float32(height / 2)
    x = np.arange(width, dtype=np.float32)[None] - np.float32(width / 2)
    far = (x * x + y * y) * np.float32(4 / (width * width + height * height))
    less = np.ones_like(far)
    for _ in range(4):  # what belongs at r lies at r * less: r * less * (1 + share * (r * less)^2) = r
        less = (1 / (1 + np.float32(share) * far * less * less)).astype(np.float32)
    return sampled(plane, x * less + np.float32(width / 2), y * less + np.float32(height / 2))
