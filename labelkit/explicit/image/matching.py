# SPDX-License-Identifier: Apache-2.0
"""Grey planes at another scale, and where a template correlates with one: the kernels, in terms of the search."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from labelkit import kernels
from labelkit.explicit.image.raster import UInt8

_Sample = TypeVar("_Sample", bound=np.generic)
MIN_DEVIATION = 5  # grey levels; less structure than this is illegible to people
_BLOCK, _SCALE = 64, 4096  # LK_MATCH_BLOCK, LK_RESAMPLE_SCALE


@dataclass(frozen=True, slots=True)
class Extremes:
    """The highest and the lowest correlation coefficient, -1 to 1, and the (x, y) of the template there."""

    highest: float
    highest_at: tuple[int, int]
    lowest: float
    lowest_at: tuple[int, int]

    @property
    def strongest(self) -> tuple[float, tuple[int, int]]:
        """The one of larger magnitude: light ink is positive, dark ink negative."""
        light = (self.highest, self.highest_at)
        return light if self.highest >= -self.lowest else (self.lowest, self.lowest_at)


def extremes(area: UInt8, template: UInt8) -> Extremes:
    """How `template` correlates with `area` [height, width], which is no smaller, at every place inside.

    The coefficient is 0 where the area under the template deviates by less than MIN_DEVIATION from flat.
    """
    rows, width = template.shape[0], area.shape[1]
    place, score = np.empty(2, np.int64), np.empty(2, np.float32)
    scratch = np.empty(3 * width + rows * (width + _BLOCK), np.int64)
    kernels.plane_match(np.ascontiguousarray(area), np.ascontiguousarray(template), MIN_DEVIATION**2, scratch, place,
                        score)
    (y0, x0), (y1, x1) = (divmod(at, width - template.shape[1] + 1) for at in place.tolist())
    highest, lowest = score.tolist()
    return Extremes(highest, (x0, y0), lowest, (x1, y1))


def resized(grey: UInt8, size: tuple[int, int], box: tuple[float, float, float, float] | None = None) -> UInt8:
    """uint8 [height, width] of `size` (width, height): `grey`, or its `box`.

    grey  uint8 [height, width]
    box   (left, top, right, bottom) in fractional pixels
    The border is repeated outside. Averages where the columns grow fewer, interpolates otherwise.
    """
    left, top, right, bottom = box or (0.0, 0.0, float(grey.shape[1]), float(grey.shape[0]))
    out, scratch = np.empty((size[1], size[0]), np.uint8), np.empty(3 * size[0] + 2 * grey.shape[1] + 1, np.uint32)
    kernels.plane_resample(np.ascontiguousarray(grey), left, top, right, bottom, out, scratch)
    return out


def ends_and_middle(pixels: npt.NDArray[_Sample], longest: float,
                    reach: float) -> Iterator[tuple[int, int, npt.NDArray[_Sample]]]:
    """(x, y, pixels) of what is searched: the whole picture, or, where it is longer than `longest`, its ends and its
    middle, where labels are, each `reach` long. Both are multiples of the short side."""
    height, width = pixels.shape[:2]
    short, long = sorted((height, width))
    if long <= longest * short:
        yield 0, 0, pixels
        return
    length = int(reach * short)
    for start in (0, long - length, (long - length) // 2):
        if height > width:
            yield 0, start, pixels[start:start + length]
        else:
            yield start, 0, pixels[:, start:start + length]
