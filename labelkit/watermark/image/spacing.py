# SPDX-License-Identifier: Apache-2.0
"""On which lattices the tile of a key may lie in a picture: its synchronisation pattern is tried on many of them.

Of upright squares it is tried at every spacing; of turned ones, and of upright rectangles, where the autocorrelation is
highest. There the right one is among the first 300 or so, seldom among the first four: of 26 pictures, turned by 12
degrees, cut to 0.6 of the area and saved at JPEG 60, 17 are read with this step and 12 without, and 307 of 338 after
thirteen turns, shears and crops, 288 without.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labelkit.watermark.image import lattice, pattern, tile
from labelkit.watermark.image.matcher import SHIFTS, Trials

# swept 2026-11-29, tables in benchmarks/TUNING.md: SPACING_STEP, KEPT_SPACINGS, LARGEST, MOST_SPACING
_STEP = 0.03  # cycles in the longer side of the plane, from one spacing to the next
_KEPT = 3  # spacings, of which the right one is nearly always the first
# the spacing grows with the root of a picture's sides, so that a picture shrunk to a quarter has half of its own
_LARGEST = 2560  # pixels, the longest side of what may have been shrunk to this picture
_MOST = 2.0  # of its own spacing: pictures enlarged to four times, or quarters of them to two
SQUARES, MORE_SQUARES = 320, 2000  # that are tried; 1,000 read 279 instead of 272 of 338 of 512 pixels
_KEPT_SHAPES = 4
_APART = 2.0  # pixels, of the lattices that are kept
_NEAR = 0.4 * (np.array([[[a + c, -b], [b, a - c]] for a, b, c in np.ndindex(3, 3, 3)]) - [[2, -1], [1, 0]])
"""In samples: larger and smaller, turned, and stretched."""

Bins = npt.NDArray[np.complex64]


def likely(bins: Bins, longer: int, factor: int, shape: tuple[int, int], keyed: tile.KeyedBins,
           trials: Trials) -> list[float]:
    """The spacings in pixels at which the pattern is seen best, the likeliest first.

    bins    `pattern.white` of the picture's plane, shrunk by `factor`
    longer  side of that plane
    shape   the height and the width of the picture
    trials  is brought up to date
    """
    step = _STEP / longer
    least, most = _range(factor, shape)
    frequency = np.arange(1 / most, 1 / least, step)
    score = _of_upright(bins, keyed, frequency)
    trials.count += 2 * SHIFTS * len(frequency)
    before, after = np.pad(score, (1, 0))[:-1], np.pad(score, (0, 1))[1:]
    peaks = np.flatnonzero((score >= before) & (score >= after))
    best = frequency[peaks[np.argsort(-score[peaks], kind="stable")[:_KEPT]]]
    near = best[:, None] + step / 4 * np.arange(-3, 4)
    score = _of_upright(bins, keyed, near.ravel()).reshape(near.shape)
    trials.count += 2 * SHIFTS * near.size
    top, row = score[:, 1:-1].argmax(1) + 1, np.arange(len(best))
    left, middle, right = (score[row, top + side] for side in (-1, 0, 1))
    tip = 0.5 * (left - right) / np.minimum(left - 2 * middle + right, np.float32(-1e-6))
    tops = near[row, top] + step / 4 * np.clip(tip, -0.5, 0.5)
    return [float(factor / one) for one in tops]


def shaped(bins: Bins, correlation: lattice.Autocorrelation, factor: int, shape: tuple[int, int],
           keyed: tile.KeyedBins, trials: Trials, squares: int) -> list[lattice.Lattice]:
    """The squares turned by up to 45 degrees and the upright rectangles on which the pattern is seen best, in samples
    of the plane, the likeliest first.

    bins         `pattern.white` of the correlation, of a plane that was shrunk by `factor`
    shape        the height and the width of the picture
    trials       is brought up to date
    squares      that are tried
    """
    least, most = _range(factor, shape)
    most = min(most, 0.75 * max(correlation.height, correlation.width))
    x, y = correlation.best_squares(squares, least, most)[:, :2].T.astype(np.float64)
    steep = y > x  # the same lattice, turned the other way
    x, y = np.where(steep, y, x), np.where(steep, -x, y)
    turned = np.stack([x, -y, y, x], 1).reshape(-1, 2, 2)
    tried = np.concatenate([turned, correlation.rectangles().reshape(-1, 2, 2)])
    order = np.argsort(-pattern.scores(bins, keyed, tried), kind="stable")
    kept: list[lattice.Lattice] = []
    for one in tried[order]:
        if len(kept) < _KEPT_SHAPES and all(np.abs(one - other).max() > _APART for other in kept):
            kept.append(one)
    found = []
    for one in kept:
        near = one + _NEAR
        found.append(near[pattern.scores(bins, keyed, near).argmax()])
    trials.count += 2 * SHIFTS * (len(tried) + len(kept) * len(_NEAR))
    return found


def best(bins: Bins, longer: int, keyed: tile.KeyedBins, tiles: tuple[float, float],
         ratios: npt.NDArray[np.float64]) -> tuple[lattice.Lattice, int]:
    """The upright lattice, in samples of the plane, at which the pattern is seen best, and how many were tried.

    bins    `pattern.white` of the plane
    longer  side of the plane
    tiles   in that side, the least and the most
    ratios  of the spacing across to the one down
    """
    def highest(frequency: npt.NDArray[np.floating], some: npt.NDArray[np.floating]) -> tuple[float, float, int]:
        score = np.array([_of_upright(bins, keyed, frequency, float(ratio)) for ratio in some])
        row, column = np.unravel_index(score.argmax(), score.shape)
        return float(frequency[column]), float(some[row]), score.size

    at, ratio, tried = highest(np.arange(*tiles, _STEP) / longer, ratios)
    at, ratio, more = highest(at + _STEP / longer / 4 * np.arange(-3, 4), ratio + np.array([-0.0025, 0, 0.0025]))
    return np.diag([1 / at, 1 / (at * ratio)]), tried + more


def _range(factor: int, shape: tuple[int, int]) -> tuple[float, float]:
    """Between which spacings a tile may lie in a picture's plane, shrunk by `factor`, in samples of it."""
    own = tile.fine_period(*shape) / factor
    return max(min(1.0, max(shape) / _LARGEST) ** 0.5 * own, lattice.MIN_SPACING), _MOST * own


def _of_upright(bins: Bins, keyed: tile.KeyedBins, frequency: npt.NDArray[np.floating],
                ratio: float = 1.0) -> npt.NDArray[np.float32]:
    """float32 [count]: `pattern.scores` at each spacing 1 / frequency, and 1 / ratio times as much down."""
    spacing = 1 / frequency
    vectors = np.zeros((len(frequency), 2, 2))
    vectors[:, 0, 0], vectors[:, 1, 1] = spacing, spacing / ratio
    return pattern.scores(bins, keyed, vectors)
