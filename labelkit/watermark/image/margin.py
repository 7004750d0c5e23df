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
  One quantiser (`_STEPS`) stands for all codecs of the class; WebP 80 decides nearly always;
- the noise: what is left of the host, and the error of its constant, which bands smooth ground. In a ramp the first
  coefficient holds no energy at the tile's frequencies, so it counts by what the second says;
- the weight that the detector's whitening gives the cell.

Scales, crops and brightness are the same sums without a quantiser: with a low-pass, over the weakest quarter of the
picture, and over the share of each cell that is not driven into white. The least amplitude that every one of them is
content with, times a reserve, is spent; a picture that needs more than 1 gets 1.

Exactly flat cells cost the most to see and to encode. They are left alone where the others suffice with at most 1.15
times the amplitude.

The mark that stands for all is that of one payload of the public key: what is spent depends on the picture alone. All
sums are of whole numbers, exact in any order, so that every machine spends the same.

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

from labelkit.key import Key
from labelkit.watermark.image import gain, tile

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
UInt8 = npt.NDArray[np.uint8]

SAMPLES = 256  # cells, about
LEVELS = (1.0, 0.7, 0.5, 0.35, 0.25)  # the amplitudes that are tried
CODEC_SCORE, CODEC_RESERVE = 13.0, 3.1  # see `_with_reserve`
CROP_SCORE, SCALE_SCORE, PLAIN_RESERVE = 13.0, 15.0, 1.5  # a scaled lattice is found later than its word is read
BRIGHTER = 1.4
HOPELESS = 0.6  # of the score: a brighter picture that has less at amplitude 1 asks for nothing
MOSTLY_WHITE = 3.3  # less than 1 / 3.3 below white lies in few places, and their host does not average out
SCALE = 0.35
_FLAT_LEAST = 0.6  # the least amplitude where all is flat, as in slow gradients: rounding and codecs take the rest
_FLAT_WORTH = 1.15  # the factor of the amplitude that leaving flat cells alone is worth
_AMPLITUDE_STEPS = 256  # to 1: tiles are cached by their amplitude
_WINDOWS_ACROSS = 4  # a picture is cut into 4 x 4 regions; a crop to a quarter is four of them
_FREQUENCIES = [(i, j) for i in range(5) for j in range(5 - i)]
_RAMPS = [(_FREQUENCIES.index(one), _FREQUENCIES.index(two)) for one, two in (((0, 1), (0, 2)), ((1, 0), (2, 0)))]
_RAMP_STEP = np.float32(3.5)  # codecs predict a cell's constant from its neighbours; in a ramp they are off by that
_STEPS = np.array([24 if i + j == 0 else 18 for i, j in _FREQUENCIES], np.float32)[:, None]
_LOST_ENERGY = 3136.0  # of the coefficients above the band: what a codec takes from a cell at most
_PASSED = np.array([max(0.0, 1 - 1.5 * np.hypot(i, j) / 16 / SCALE) for i, j in _FREQUENCIES])  # of a scaled picture
_RMS = np.array([0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6])
_KEPT = np.array([0, 0.021, 0.175, 0.432, 0.663, 0.822, 0.915, 0.986, 1])  # by rounding, of a normal variable
_STAND_IN = 0x5A3C91D277AA0F13  # a payload
_LUMA = (77, 150, 29)
_WAVE_UNIT = 4096


@dataclass(frozen=True, slots=True)
class Spending:
    """What a picture gets: a factor of all amplitudes, up to 1, and whether its exactly flat cells are marked."""

    amplitude: float
    on_flat: bool


@dataclass(frozen=True, slots=True)
class _Sample:
    """Cells of a picture.

    host      float32 [15, n], DCT coefficients of the luma
    mark      float32 [15, n], of a tile at amplitude 1 with the cells' gains
    high      float32 [n], the energy of the other coefficients
    unclipped float64 [n], the share of pixels that stay below white when brightened
    is_flat   bool [n]
    region    intp [n], 0 to 15
    scale     cells of the picture for each of the sample
    """

    host: Float32
    mark: Float32
    high: Float32
    unclipped: Float64
    is_flat: npt.NDArray[np.bool_]
    region: npt.NDArray[np.intp]
    scale: float


def spending(host: UInt8, activity: UInt8, grid: UInt8, flat_gain: float, p: int) -> Spending:
    """What a picture needs for the class `everyday`.

    host       uint8 [height, width, channels], of at least 8 x 8 pixels
    activity   its `gain.activity`
    grid       and the gains it is marked with at amplitude 1, of the same shape
    flat_gain  as for `tile.patterns`
    p          the tile's period in pixels
    """
    sample = _sample(host, activity, grid, flat_gain, p)
    energy = np.rint(np.square(sample.mark, dtype=np.float64) * 1024).sum(1)
    if not energy.any():  # black, and nothing can be said
        return Spending(1.0, True)
    bins = np.maximum(tile.BINS * energy / energy.sum(), 1e-6)
    count = len(sample.is_flat)
    flat = int(np.count_nonzero(sample.is_flat))
    marked = np.column_stack([np.ones(count), ~sample.is_flat]) if flat else np.ones((count, 1))
    least = max(LEVELS[-1], _FLAT_LEAST * flat / count)
    needs = [max(asked, least) for asked in map(max, _codec_needs(sample, marked, bins),
                                                _plain_needs(sample, marked, bins))]
    amplitude, *apart = (math.ceil(needed * _AMPLITUDE_STEPS) / _AMPLITUDE_STEPS for needed in needs)
    # codecs leave more of the mark on flat ground than single cells show, as they predict each from the last
    for alone in (needed * (1 + flat / count) for needed in apart):
        if alone <= min(1.0, _FLAT_WORTH * amplitude):
            return Spending(alone, False)
    return Spending(min(1.0, amplitude), True)


def _sample(host: UInt8, activity: UInt8, grid: UInt8, flat_gain: float, p: int) -> _Sample:
    rows, columns, channels = host.shape[0] // 8, host.shape[1] // 8, host.shape[2]
    step = max(1.0, (rows * columns / SAMPLES) ** 0.5)
    y, x = (_spread(count, step) for count in (rows, columns))
    y, x = y[: 2 * SAMPLES // len(x) or 1], x[: 2 * SAMPLES // len(y) or 1]  # of strips
    colours, index = 3 if channels >= 3 else 1, (y[:, None], x)
    blocks = host[: 8 * rows, : 8 * columns, :colours].reshape(rows, 8, columns, 8, colours)  # a view
    cells = blocks[y[:, None], :, x].reshape(-1, 64 * colours)
    gains = grid[index].ravel() * np.float32(1 / tile.GAIN_UNIT)
    flat, textured = _stand_in(p, flat_gain)[:, :, : len(cells)]
    exact = _waves(colours).T @ cells.astype(np.float64).T
    coefficients = (exact * (1 / (256 * _WAVE_UNIT))).astype(np.float32)
    coefficients[0] = _RAMP_STEP * (coefficients[_RAMPS[0][0]] + coefficients[_RAMPS[1][0]])
    green = np.ascontiguousarray(cells[:, colours // 2 :: colours])
    region = (y * _WINDOWS_ACROSS // rows)[:, None] * _WINDOWS_ACROSS + x * _WINDOWS_ACROSS // columns
    seen = 1 - (_count(green == 0) + 0.15 * _count(green >= 254)) / 64
    mark = (flat + gains * textured) * seen.astype(np.float32)  # black stays black, of white half is clipped away
    return _Sample(coefficients, mark, _high_energy(green.astype(np.float32), coefficients),
                   _count(green < round(255 / BRIGHTER)) / 64,
                   activity[index].ravel() == gain.BASE_GAIN, region.ravel(), rows * columns / len(cells))


def _count(pixels: npt.NDArray[np.bool_]) -> UInt8:
    """uint8 [n]: how many of 64 are set, of bool [n, 64]."""
    count: UInt8 = pixels.view(np.uint8).sum(1, dtype=np.uint8)
    return count


def _spread(count: int, step: float) -> npt.NDArray[np.intp]:
    """intp: at least one of `count` places, a step apart."""
    places = (np.arange(0.5, count / step) * step).astype(np.intp)
    return places[places < count] if len(places) else np.array([count // 2])


@functools.cache
def _waves(colours: int) -> Float64:
    """float64 [64 * colours, 15], whole numbers: from a cell's samples to 256 * _WAVE_UNIT times its coefficients."""
    x = np.arange(8)
    waves = np.array([np.full(8, 0.125**0.5)] + [0.5 * np.cos(np.pi * (2 * x + 1) * k / 16) for k in range(1, 5)])
    planes = np.rint([_WAVE_UNIT * np.outer(waves[i], waves[j]).ravel() for i, j in _FREQUENCIES])
    weights = np.array(_LUMA if colours == 3 else (256,))
    return np.ascontiguousarray((planes[:, :, None] * weights).reshape(len(planes), -1).T)


def _high_energy(green: Float32, coefficients: Float32) -> Float32:
    """float32 [n]: the energy of cells, float32 [n, 64], outside of their coefficients."""
    total = green.sum(1)
    energy: Float32 = np.einsum("ij,ij->i", green, green) - total * total * np.float32(1 / 64)  # whole, below 2^24
    for row in coefficients[1:]:
        energy = energy - row * row
    return np.maximum(energy, 0)


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
    return np.array([(cell @ _waves(1)).T / (256 * _WAVE_UNIT * unit)
                     for cell, unit in zip(cells, units, strict=True)], np.float32)


def _codec_needs(sample: _Sample, marked: Float64, bins: Float64) -> list[float]:
    """The amplitudes that codecs ask for, one for each column of `marked`, float64 [n, choices], 1 in marked cells."""
    signal, noise = _after_codec(sample)
    sums, squares = ((_whole(x) @ marked).transpose(2, 0, 1) for x in (signal, np.square(signal)))
    scores = _score(sums, _whole(noise).sum(2), bins, sample.scale, squares)
    return [_with_reserve(_crossing(row, CODEC_SCORE)) for row in scores]


def _with_reserve(estimate: float) -> float:
    """The amplitude that is spent where codecs are estimated to need so much.

    The envelope of what pictures needed: 2.2 times an estimate of 0.2, as much as one of 0.9, all there is from 1 on.
    """
    x = CODEC_RESERVE * estimate * math.sqrt(math.sqrt(math.sqrt(estimate)))
    return x / math.sqrt(1 + x * x) if estimate < 1 else estimate


def _after_codec(sample: _Sample) -> tuple[Float32, Float32]:
    """What each cell adds to the signal and to the noise after a codec: float32 [levels, 15, n] each."""
    host, levels = sample.host, np.array(LEVELS, np.float32)[:, None]
    kept = np.interp(_root_mean_square(sample.mark) * levels, _RMS, _KEPT).astype(np.float32)
    mark = sample.mark * (levels * kept)[:, None]
    both = np.empty((2, *mark.shape), np.float32)
    np.add(host, mark, out=both[0])
    np.subtract(host, mark, out=both[1])
    both /= _STEPS
    np.rint(both, out=both)
    both *= _STEPS
    plus, minus = both
    left, middle = plus - minus, plus + minus
    left *= np.float32(0.5)
    middle *= np.float32(0.5)
    noise = np.square(middle)
    weight = _weight(noise, np.maximum(sample.high - np.float32(_LOST_ENERGY), 0))
    middle -= host
    error = np.square(middle, out=middle)
    for one, two in _RAMPS:
        noise[:, one] = np.minimum(noise[:, one], 2 * np.square(host[two]) + error[:, one])
    noise[:, 0] = _of_constant(noise) + error[:, 0]
    lost = np.square(left, out=error)
    lost *= np.float32(0.5)
    lost += np.float32(0.3)
    noise += lost
    noise *= np.square(weight * sample.mark)
    left *= weight
    left *= sample.mark
    return left, noise


def _plain_needs(sample: _Sample, marked: Float64, bins: Float64) -> list[float]:
    """The same of scales, crops and brightness."""
    host = sample.host
    noise = np.square(host)
    weight = _weight(noise, sample.high)
    for one, two in _RAMPS:
        noise[one] = np.minimum(noise[one], 2 * np.square(host[two]))
    noise[0] = _of_constant(noise)
    energy = np.square(sample.mark)
    signal = _whole(weight * energy)
    noise = _whole(np.square(weight) * energy * (noise + np.float32(0.3)))
    whole, regions = np.ones(len(marked)), _CROPS[sample.region]
    noises = (noise @ np.column_stack([whole, sample.unclipped > 0, regions])).T
    noises = np.concatenate([noises, noises[:1]])
    left = float(np.rint(64 * sample.unclipped).sum()) / (64 * len(marked))
    needs = []
    for cells in marked.T:
        signals = (signal @ (np.column_stack([whole, sample.unclipped, regions]) * cells[:, None])).T
        signals = np.concatenate([signals, signals[:1] * np.square(_PASSED)])
        scores = _score(signals * np.array(LEVELS)[:, None, None], noises, bins, sample.scale)  # [levels, windows]
        asked = [_crossing(scores[:, 2:-1].min(1), CROP_SCORE), _crossing(scores[:, -1], SCALE_SCORE)]
        if scores[0, 1] >= HOPELESS * CROP_SCORE:
            asked.append(_crossing(scores[:, 1], CROP_SCORE) / min(1.0, MOSTLY_WHITE * left))
        needs.append(PLAIN_RESERVE * max(asked))
    return needs


def _root_mean_square(mark: Float32) -> Float32:
    total = np.zeros(mark.shape[1], np.float32)
    for row in mark:
        total += row * row
    result: Float32 = np.sqrt(total * np.float32(1 / 64))
    return result


def _of_constant(noise: Float32) -> Float32:
    """The noise of a cell's constant after a high-pass, from that of its first two coefficients."""
    result: Float32 = np.multiply(np.float32(0.15), noise[..., _RAMPS[0][0], :] + noise[..., _RAMPS[1][0], :])
    return result


def _weight(squares: Float32, high: Float32) -> Float32:
    """float32 [..., 1, n]: the detector's weight of cells with squared coefficients [..., 15, n]: lk_plane_whiten."""
    energy = np.zeros(squares.shape[:-2] + squares.shape[-1:], np.float32) + high
    for k in range(1, len(_FREQUENCIES)):
        energy += squares[..., k, :]
    weight: Float32 = np.reciprocal(np.float32(0.01) * energy + np.float32(25))
    return weight[..., None, :]


def _whole(x: Float32) -> Float64:
    """Whole numbers that stand for x: their sums are exact, and the same in any order."""
    whole = x.astype(np.float64)
    whole *= 2.0**20
    return np.rint(whole, out=whole)


def _score(signal: Float64, noise: Float64, bins: Float64, scale: float, squares: Float64 | float = 0.0) -> Float64:
    """The detector's score from sums of `_whole` numbers [..., 15]: each bin is limited as the matcher limits it.

    squares  those of the signal's squares, by which its own square is too large where few cells of the sample hold it
    """
    power = np.maximum(np.square(signal) - squares * 2.0**20, 0)
    ratio = power / np.maximum(noise, 1.0) * (scale / 2.0**20) / bins
    total = bins * ratio / (1 + ratio)
    result: Float64 = np.sqrt(total.sum(-1))
    return result


def _crossing(scores: Sequence[float] | Float64, wanted: float) -> float:
    """The amplitude from which on the scores, one for each of LEVELS, are what is wanted; above 1 by extrapolation."""
    for k, score in enumerate(scores):
        if score < wanted:
            if k == 0:
                return wanted / max(float(score), 1e-3)
            share = (wanted - score) / (scores[k - 1] - score)
            return float(LEVELS[k] + (LEVELS[k - 1] - LEVELS[k]) * share)
    return float(LEVELS[-1] * wanted / scores[-1])


def _crops() -> Float64:
    """float64 [16, 5]: which regions lie in each quarter and in the middle."""
    y, x = np.divmod(np.arange(_WINDOWS_ACROSS**2), _WINDOWS_ACROSS)
    quarters = [(y // 2 == i) & (x // 2 == j) for i in (0, 1) for j in (0, 1)]
    return np.array([*quarters, (y > 0) & (y < 3) & (x > 0) & (x < 3)], np.float64).T


_CROPS = _crops()
