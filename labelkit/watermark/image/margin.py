# SPDX-License-Identifier: Apache-2.0
"""How much mark a picture needs to be read after everyday transformations, measured on sampled cells.

The class `everyday`: JPEG 50, WebP 80, AVIF 60, HEIC 50, scales down to 0.35, crops to 25 % of the area, a screenshot
(scaled to 0.8, JPEG 80), two feeds (1080 pixels, JPEG 70, twice), brightness 1.4, a quarter painted over. The need of
pictures differs by a factor of five, and no histogram of gains predicts it: it lies in what a codec leaves.

The score of the detector is a sum over bins, each weighed by its signal against its noise; so it can be estimated on
256 cells of 8 x 8 pixels without running a codec or a detector. The 15 lowest DCT coefficients of the cells' luma hold
the whole band of the tile. For each of five amplitudes from 1 to 0.25:

- what rounding to whole grey levels leaves of the mark (`_KEPT`): below 0.3 grey levels rms nearly nothing;
- what a codec leaves: host plus mark and host minus mark are quantised, half the difference is the mark that is left.
  WebP 80 decides nearly always. Two quantisers stand for all codecs of the class: one whose dead zone takes all of a
  faint mark at once, as on drawings of few shapes, and one that keeps more of the coefficients of middle frequency, as
  WebP does beside edges. What pictures need lies between the two (`_codec_need`);
- the noise: what is left of the host, and the error of its constant, which bands smooth ground. Codecs predict a cell's
  constant from its neighbours; in a ramp they are off by LK_MARGIN_RAMP times its slope. There the first coefficient
  holds no energy at the tile's frequencies, so it counts by what the second says;
- the weight that the detector's whitening gives the cell.

Scales, crops and brightness are the same sums without a quantiser: with a low-pass, over the weakest quarter of the
picture, and over the share of each cell that is not driven into white. The least amplitude that every one of them is
content with, times a reserve, is spent, and `_LEAST` at least; a picture that needs more than 1 gets 1.

The reserve is what the estimate is off by: against 67 pictures, of which 41 (samples/ and drawn ones) set the constants
and 26 judged them, the need for codecs has a deviation of 0.2 octaves from the estimate, and exceeds it by up to 0.37.

What is harder than the class, such as a crop that is scaled and saved as JPEG, asks nearly the same amplitude of most
pictures, 0.5 to 0.6, however little the class does. Those that would get less are the ones that hide a mark best.

The larger tiles of pictures above 1024 x 1024 pixels need less of both, as a codec keeps more of what is coarse.

Exactly flat cells cost the most to see and to encode. They are left alone where the others suffice with at most 1.15
times the amplitude.

The mark that stands for all is that of one payload of the public key: what is spent depends on the picture alone. Two
kernels do the work, `kernels.margin_sample` and `kernels.margin_score`. All sums are of whole numbers, exact in any
order, so that every machine spends the same.

`python -m benchmarks.tuning --needs` measures needs by running the class, and prints what is spent beside them; figures
are in benchmarks/IMAGE.md.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelkit import kernels
from labelkit.key import Key
from labelkit.watermark.image import gain, tile

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
UInt8 = npt.NDArray[np.uint8]

SAMPLES = 256  # cells, about
LEVELS = (1.0, 0.7, 0.5, 0.35, 0.25)  # the amplitudes that are tried
# swept 2026-11-28, tables in benchmarks/TUNING.md: CODEC_RESERVE, PLAIN_RESERVE, LEAST, FLAT_WORTH, HOPELESS,
# MOSTLY_WHITE
CODEC_SCORE, CODEC_RESERVE = 13.0, 1.55
MOST_FOR_CODECS, SMALL_AREA = 0.9, 100_000  # of 67 pictures one needed more that is read at 1, one of 256 x 256 pixels
CROP_SCORE, SCALE_SCORE, PLAIN_RESERVE = 13.0, 14.0, 1.4  # a scaled lattice is found later than its word is read
BRIGHTER = 1.4
HOPELESS = 0.6  # of the score: a brighter picture that has less at amplitude 1 asks for nothing
MOSTLY_WHITE = 3.3  # less than 1 / 3.3 below white lies in few places, and their host does not average out
SCALE = 0.35
_LEAST = 0.6  # the least amplitude: what a crop, a smaller scale and JPEG 60 in a row ask for, whatever the picture
_FLAT_WORTH = 1.15  # the factor of the amplitude that leaving flat cells alone is worth
_AMPLITUDE_STEPS = 256  # to 1: tiles are cached by their amplitude
_WINDOWS_ACROSS = 4  # a picture is cut into 4 x 4 regions; a crop to a quarter is four of them
_FREQUENCIES = [(i, j) for i in range(5) for j in range(5 - i)]
_STEPS = np.array([[steps[i + j] for i, j in _FREQUENCIES] for steps in (
    (24, 18, 18, 18, 18), (32, 37, 4.1, 11, 9.7))], np.float32)  # of the quantisers, by i + j
_SHARES = 9, 20  # 32nds: exponents of what each of them asks for
_USUAL_AREA, _AREA_SHARE = 500_000, 4  # pixels, 32nds; small pictures need more than their score says
_USUAL_PERIOD = tile.period(tile.USUAL_SIDE, tile.USUAL_SIDE)  # pixels; the larger tiles of large pictures need less
_PERIOD_SHARE, _LEAST_SHARE = 8, 4  # 32nds
_PASSED = np.square([max(0.0, 1 - 1.5 * np.hypot(i, j) / 16 / SCALE) for i, j in _FREQUENCIES])  # of a scaled picture
_RMS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6)
_KEPT = np.array([_RMS, (0, 0.021, 0.175, 0.432, 0.663, 0.822, 0.915, 0.986, 1)])  # by rounding, of a normal variable
_LEVELS = np.array(LEVELS)
_STAND_IN = 0x5A3C91D277AA0F13  # a payload
_WAVE_UNIT = 4096
_BLOCK, _ROWS = 64, 33  # LK_MARGIN_BLOCK, LK_MARGIN_ROWS
_UNCLIPPED, _FLAT = 31, 32  # rows of the cells


@dataclass(frozen=True, slots=True)
class Spending:
    """What a picture gets: a factor of all amplitudes, 0.6 to 1, and whether its exactly flat cells are marked."""

    amplitude: float
    on_flat: bool


@dataclass(frozen=True, slots=True)
class _Places:
    """Which cells of a picture stand for all.

    y, x   uint32, the rows and columns of cells
    crops  uint8 [stride], in which of the crops each of y times x lies; stride is a multiple of _BLOCK
    count  of the cells
    scale  cells of the picture for each of them
    """

    y: npt.NDArray[np.uint32]
    x: npt.NDArray[np.uint32]
    crops: UInt8
    count: int
    scale: float


def spending(host: UInt8, activity: UInt8, grid: UInt8, flat_gain: float, p: int) -> Spending:
    """What a picture needs for the class `everyday`.

    host       uint8 [height, width, channels], rows of interleaved samples, of at least 8 x 8 pixels
    activity   its `gain.activity`
    grid       and the gains it is marked with at amplitude 1, of the same shape
    flat_gain  as for `tile.patterns`
    p          the tile's period in pixels
    """
    places = _places(host.shape[0] // 8, host.shape[1] // 8)
    cells = np.empty((_ROWS, places.crops.size), np.float32)
    kernels.margin_sample(host, places.y, places.x, activity, grid, gain.BASE_GAIN, round(255 / BRIGHTER), _waves(),
                          _stand_in(p, flat_gain), cells)
    scores = np.empty((len(_STEPS), 2, 8, len(LEVELS)))
    for steps, out in zip(_STEPS, scores, strict=True):
        kernels.margin_score(cells, places.crops, _LEVELS, steps, _KEPT, _PASSED, places.scale, out)
    area = host.shape[0] * host.shape[1]
    unclipped, flat = (float(cells[row].sum(dtype=np.float64)) / places.count for row in (_UNCLIPPED, _FLAT))
    needed, apart = (
        math.ceil(max(_codec_need(scores[:, k, 0].tolist(), area, p), _plain_need(scores[0, k, 1:].tolist(), unclipped),
                      _least(p)) * _AMPLITUDE_STEPS) / _AMPLITUDE_STEPS for k in (0, 1))
    # codecs leave more of the mark on flat ground than single cells show, as they predict each from the last
    alone = apart * (1 + flat)
    if flat and alone <= min(1.0, _FLAT_WORTH * needed):
        return Spending(alone, False)
    return Spending(min(1.0, needed), True)


@functools.lru_cache(maxsize=64)
def _places(rows: int, columns: int) -> _Places:
    """Cells of a picture of so many rows and columns of them."""
    step = max(1.0, (rows * columns / SAMPLES) ** 0.5)
    y, x = (_spread(count, step) for count in (rows, columns))
    y, x = y[: 2 * SAMPLES // len(x) or 1], x[: 2 * SAMPLES // len(y) or 1]  # of strips
    down, across = y * _WINDOWS_ACROSS // rows, x * _WINDOWS_ACROSS // columns
    count = len(y) * len(x)
    crops = np.zeros(-(-count // _BLOCK) * _BLOCK, np.uint8)
    crops[:count] = _crops()[(down[:, None] * _WINDOWS_ACROSS + across).ravel()]
    return _Places(y.astype(np.uint32), x.astype(np.uint32), crops, count, rows * columns / count)


def _spread(count: int, step: float) -> npt.NDArray[np.intp]:
    """intp: at least one of `count` places, a step apart."""
    places = (np.arange(0.5, count / step) * step).astype(np.intp)
    return places[places < count] if len(places) else np.array([count // 2])


def _crops() -> UInt8:
    """uint8 [16]: a bit for each quarter and for the middle in which a region lies."""
    y, x = np.divmod(np.arange(_WINDOWS_ACROSS**2), _WINDOWS_ACROSS)
    quarters = [(y // 2 == i) & (x // 2 == j) for i in (0, 1) for j in (0, 1)]
    inside = [*quarters, (y > 0) & (y < 3) & (x > 0) & (x < 3)]
    bits: UInt8 = np.packbits(inside, axis=0, bitorder="little")[0]
    return bits


@functools.cache
def _waves() -> npt.NDArray[np.int32]:
    """int32 [64, 16]: from a cell's samples to _WAVE_UNIT times its coefficients."""
    x = np.arange(8)
    waves = np.array([np.full(8, 0.125**0.5)] + [0.5 * np.cos(np.pi * (2 * x + 1) * k / 16) for k in range(1, 5)])
    planes = np.zeros((64, 16), np.int32)
    planes[:, : len(_FREQUENCIES)] = np.rint([_WAVE_UNIT * np.outer(waves[i], waves[j]).ravel()
                                              for i, j in _FREQUENCIES]).T
    return planes


@functools.lru_cache(maxsize=32)
def _stand_in(p: int, flat_gain: float) -> Float32:
    """float32 [2, 15, count]: coefficients of the flat and of the textured pattern in cells anywhere on a tile."""
    y, x = Key.public().stream("image/stand-in", p).uniform(4 * SAMPLES).reshape(2, -1) * p
    near = np.arange(8)
    rows = (y.astype(np.intp)[:, None, None] + near[:, None]) % p
    columns = (x.astype(np.intp)[:, None, None] + near) % p
    units = tile.FLAT_UNIT, tile.PATTERN_UNIT
    patterns = tile.patterns(Key.public(), _STAND_IN, p, 1.0, 1, flat_gain)
    cells = [plane[rows, columns].reshape(-1, 64).astype(np.float64) for plane in patterns]
    waves = 256.0 * _waves()[:, : len(_FREQUENCIES)]
    return np.array([(cell @ waves).T / (256 * _WAVE_UNIT * unit) for cell, unit in zip(cells, units, strict=True)],
                    np.float32)


def _least(p: int) -> float:
    """The least amplitude: 0.6, and less for larger tiles, of which a smaller scale leaves more."""
    return _LEAST * _power(min(1.0, _USUAL_PERIOD / p), _LEAST_SHARE)


def _codec_need(scores: Sequence[Sequence[float]], area: int, p: int) -> float:
    """The amplitude that codecs ask of a picture of so many pixels, whose tile has the period p, with its reserve.

    scores  after each of the quantisers, by LEVELS
    """
    less = _power(min(1.0, _USUAL_PERIOD / p), _PERIOD_SHARE)
    need = CODEC_RESERVE * less * _power(_USUAL_AREA / area, _AREA_SHARE)
    for each, share in zip(scores, _SHARES, strict=True):
        need *= _power(min(1.6, max(0.12, _crossing(each, CODEC_SCORE))), share)
    return min(1.0 if area < SMALL_AREA else MOST_FOR_CODECS * less, need)


def _power(x: float, share: int) -> float:
    """x to the power of share / 32, of roots and products alone, which every machine rounds alike."""
    for _ in range(5):
        x = math.sqrt(x)
    return math.prod([x] * share)


def _plain_need(scores: Sequence[Sequence[float]], unclipped: float) -> float:
    """The amplitude that everything but codecs asks for, with its reserve.

    scores     of each window of `kernels.margin_score` but the first, by LEVELS
    unclipped  the share of samples that stay below white when brightened
    """
    brighter, *crops, scaled = scores
    asked = [_crossing([min(each) for each in zip(*crops, strict=True)], CROP_SCORE), _crossing(scaled, SCALE_SCORE)]
    if brighter[0] >= HOPELESS * CROP_SCORE:
        asked.append(_crossing(brighter, CROP_SCORE) / min(1.0, MOSTLY_WHITE * unclipped))
    return PLAIN_RESERVE * max(asked)


def _crossing(scores: Sequence[float], wanted: float) -> float:
    """The amplitude from which on the scores, one for each of LEVELS, are what is wanted; above 1 by extrapolation."""
    for k, score in enumerate(scores):
        if score < wanted:
            if k == 0:
                return wanted / max(score, 1e-3)
            share = (wanted - score) / (scores[k - 1] - score)
            return LEVELS[k] + (LEVELS[k - 1] - LEVELS[k]) * share
    return LEVELS[-1] * wanted / scores[-1]
