# SPDX-License-Identifier: Apache-2.0
"""Find the lattice on which a periodic tile repeats, without knowing what the tile holds.

A lattice is given by its two vectors in pixels, the columns of float64 [2, 2]: x in the first row, y in the second.
"""

from __future__ import annotations

import copy
import functools

import numpy as np
import numpy.typing as npt

from labelkit import kernels

Lattice = npt.NDArray[np.float64]

# swept 2026-11-28, tables in benchmarks/TUNING.md: MIN_LATTICE_SCORE, MAX_POWER, RING_WIDTH, LATTICE_BAND
MIN_LATTICE_SCORE = 3.0  # in standard deviations
MIN_SPACING = 28.0  # pixels; below it a tile holds too little of its band
LOW_BAND = 0.2  # cycles per pixel; a tile of 180 pixels ends here
_RING_WIDTH = 16  # pixels
_MAX_POWER = 6.0  # of one bin, as a multiple of its surroundings'
_MAX_PEAK = 8.0  # deviations: where the host repeats itself along a line, any lattice with that line would do
_MAX_RATIO = 1.6  # of the longer vector of an oblique lattice to the shorter
_MAX_COSINE = 0.6  # of the angle between them, which is 53 to 127 degrees: a shear of 30 degrees


class Autocorrelation:
    """The autocorrelation of a whitened plane, its spectrum flattened so that no structure of the host stands out.

    plane          int8 or float32 [height, width]; of larger ones the middle max_side x max_side is taken
    is_flat        whether it was `flattened` before, and then warped

    spectrum       complex64 [n, n / 2] of the part of the plane that was taken; n is a power of two
    power, usual   float32 of the same shape, and the mean of the bins around each
    values         float32 [n, n], periodic
    height, width  of the part of the plane that was taken
    deviation      float32 [n], the standard deviation of `values` by distance from the origin in pixels
    noise          the deviation far from the origin
    """

    def __init__(self, plane: npt.NDArray[np.int8] | npt.NDArray[np.float32], max_side: int = 1024,
                 is_flat: bool = False) -> None:
        self.height, self.width = (min(side, max_side) for side in plane.shape)
        y, x = ((side - min(side, max_side)) // 2 for side in plane.shape)
        self.spectrum = _half_spectrum(plane[y : y + self.height, x : x + self.width])
        self.power, n = self.spectrum.real**2 + self.spectrum.imag**2, len(self.spectrum)
        self.usual = self.power[:, n // 64 : n // 4].mean() if is_flat else _local_mean(self.power)
        self._above = np.minimum(self.power / (self.usual + np.float32(1e-6)), np.float32(_MAX_POWER)) - np.float32(1)
        self._transform(_band_weights(n))

    def low_band(self) -> Autocorrelation:
        """The same without the frequencies from LOW_BAND on: only there do large tiles have bins, of which a crop holds
        few. After crops to a third and JPEG 60, turned and sheared, it shows twice as many lattices."""
        low = copy.copy(self)
        low._transform(_band_weights(len(self.values)) * (_frequency(len(self.values)) < LOW_BAND))
        return low

    def _transform(self, weights: npt.NDArray[np.float32]) -> None:
        n = len(weights)
        flat = np.zeros((n, n // 2 + 1), np.float32)
        flat[:, :-1] = self._above * weights
        self.values = np.fft.irfft2(flat, s=(n, n)).astype(np.float32, copy=False)
        self.deviation = _deviation_by_radius(self.values)
        self.noise = float(np.median(self.deviation[n // 8 : n // 2]))
        self._limited = np.minimum(self.values, np.float32(_MAX_PEAK * self.noise))

    def score(self, flat_vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """float32 [count] scores, in standard deviations, of float [count, 4] lattice vectors (v1x, v1y, v2x, v2y)."""
        vectors = np.ascontiguousarray(flat_vectors, np.float32)
        score = np.empty(len(vectors), np.float32)
        kernels.lattice_score(self._limited, self.height, self.width, vectors, score)
        length = np.minimum(np.hypot(vectors[:, 0], vectors[:, 1]), np.hypot(vectors[:, 2], vectors[:, 3]))
        return score / self.deviation[np.minimum(length, len(self.deviation) - 1).astype(np.int64)]

    def total(self, vectors: Lattice) -> float:
        """The sum of the peaks of one lattice, in standard deviations, each limited."""
        return float(self._peak_sums(vectors[None], self._limited)[0]) / self.noise

    def upright(self, count: int) -> list[Lattice]:
        """The best lattices with equal sides along the picture's, at most `count`, best first."""
        spacing = np.arange(MIN_SPACING, max(0.9 * min(self.height, self.width), MIN_SPACING + 1), 0.25)
        zero = np.zeros_like(spacing)
        return self._best_distinct(np.stack([spacing, zero, zero, spacing], 1), count)

    def rotated(self, count: int) -> list[Lattice]:
        """The best lattices with equal sides at any angle, at most `count`, best first."""
        shorter, longer = sorted((self.height, self.width))
        reach = int(min(0.75 * longer, 0.95 * shorter, 0.5 * len(self.values)))
        return self._best_distinct(_squares(reach), count)

    def best_squares(self, count: int, least: float, most: float) -> npt.NDArray[np.float32]:
        """float32 [up to count, 4]: the squares of whole numbers, at any angle, that score best, best first; their
        sides are `least` to `most` samples long."""
        squares = _squares(int(most) + 1)
        squares = squares[np.hypot(squares[:, 0], squares[:, 1]) >= least]
        score = self.score(squares)
        best = _largest(score, count) if len(score) > count else np.arange(len(score))
        return squares[best[np.argsort(-score[best], kind="stable")]]

    def rectangular(self, count: int) -> list[Lattice]:
        """The best upright lattices of unequal sides, the longer at most 1.5 times the shorter, best first."""
        return self._best_distinct(self.rectangles(), count)

    def rectangles(self) -> npt.NDArray[np.float64]:
        """float64 [up to 256, 4]: the upright lattices of the spacings that are seen best along each axis."""
        across, down = (self._best_spacings(length, axis) for length, axis in ((self.width, 0), (self.height, 1)))
        return np.array([(a, 0, 0, b) for a in across for b in down if 1 / 1.5 < a / b < 1.5]).reshape(-1, 4)

    def oblique(self, count: int, peaks: int = 400) -> list[Lattice]:
        """The best lattices of any two vectors, paired from the `peaks` strongest peaks, at most `count`, best first.

        Each lattice is given by its shortest vectors, which are those of the tile up to a shear of 26 degrees.
        """
        tips = self._strongest(peaks)
        length, dot = np.hypot(tips[:, 0], tips[:, 1]), tips @ tips.T
        shorter, longer = np.minimum.outer(length, length), np.maximum.outer(length, length)
        fits = (np.abs(dot) < _MAX_COSINE * shorter * longer) & (np.abs(dot) <= 0.55 * shorter * shorter)
        fits &= np.multiply.outer(tips[:, 0], tips[:, 1]) > np.multiply.outer(tips[:, 1], tips[:, 0])  # not mirrored
        one, two = np.nonzero(fits & (longer < _MAX_RATIO * shorter))
        return self._best_distinct(np.concatenate([tips[one], tips[two]], 1), count)

    def _strongest(self, count: int) -> npt.NDArray[np.float32]:
        """float32 [up to count, 2]: places (x, y) of the highest peaks of one half plane, between samples, best first.

        A peak is judged by its first three multiples, relative to the deviation at its distance.
        """
        n, mask = len(self.values), len(self.values) - 1
        down, across = (min(3 * side // 4, n // 2 - 2) for side in (self.height, self.width))
        part = self.values[np.ix_(np.arange(-1, down + 2) & mask, np.arange(-across - 1, across + 2) & mask)]
        row, column = np.nonzero(_is_peak(part) & (part[1:-1, 1:-1] > 1.5 * self.noise))
        x, y = column - across, row
        kept = ((y > 0) | (x > 0)) & (np.hypot(x, y) >= MIN_SPACING)
        row, column, x, y = row[kept] + 1, column[kept] + 1, x[kept], y[kept]
        top = part[row, column]
        tips = np.stack([x + _parabola_peak(part[row, column - 1], top, part[row, column + 1]),
                         y + _parabola_peak(part[row - 1, column], top, part[row + 1, column])], 1)
        multiples = np.arange(1, 4)[:, None, None] * tips
        overlap = np.maximum(1 - np.abs(multiples) / (self.width, self.height), 0).prod(2)
        at = np.rint(multiples).astype(np.int64) & mask
        score = (overlap * self.values[at[..., 1], at[..., 0]]).sum(0) / np.sqrt(np.square(overlap).sum(0) + 1e-6)
        score /= self.deviation[np.hypot(x, y).astype(np.int64)]
        return tips[np.argsort(-score, kind="stable")[:count]].astype(np.float32)

    def _best_spacings(self, length: int, axis: int) -> npt.NDArray[np.float64]:
        """Up to 16 spacings in pixels along one axis at whose multiples the autocorrelation is highest, best first."""
        spacing = np.arange(MIN_SPACING, max(0.9 * length, MIN_SPACING + 1), 0.25)
        position = spacing[:, None] * np.arange(1, 16)
        weight = np.maximum(1 - position / length, 0)
        line = self.values[0] if axis == 0 else self.values[:, 0]
        value = np.interp(np.minimum(position, length), np.arange(length + 1), line[np.arange(length + 1) % len(line)])
        score = (weight * value).sum(1) / np.sqrt(np.square(weight).sum(1) + 1e-9)
        kept: list[int] = []
        for i in np.argsort(-score, kind="stable"):
            if all(abs(spacing[i] - spacing[j]) > 0.01 * spacing[j] for j in kept):
                kept.append(int(i))
                if len(kept) == 16:
                    break
        return spacing[kept]

    def _best_distinct(self, vectors: npt.NDArray[np.floating], count: int) -> list[Lattice]:
        """The `count` best of [n, 4] lattices that differ: chosen by a few near multiples, ranked by all of them.

        The ranking needs all multiples: a lattice of half the density scores as high on its own few.
        """
        if not len(vectors):
            return []
        score = self.score(vectors)
        first = np.argsort(-score, kind="stable")[: 60 * count] if len(score) < 4096 else _largest(score, 60 * count)
        lattices = vectors[first].reshape(-1, 2, 2).transpose(0, 2, 1).astype(np.float64)
        total = self._peak_sums(lattices, self._limited) / self.noise
        order = np.argsort(-total, kind="stable")
        return _distinct(lattices[order[total[order] >= MIN_LATTICE_SCORE]], count)

    def refine(self, vectors: Lattice) -> Lattice:
        """The lattice near `vectors` with the highest sum of peaks: far multiples fix it to parts in a thousand.

        First scale and angle by steps, then all four numbers by a least-squares fit to the peaks; a step that lowers
        the sum is not taken.
        """
        best, total = vectors, self._peak_sums(vectors[None])[0]
        for step in (0.004, 0.002, 0.001, 0.0005, 0.00025):
            trials = best @ (np.eye(2) + step * _STEPS)
            totals = self._peak_sums(trials)
            if totals.max() > total:
                best, total = trials[totals.argmax()], totals.max()
        for start, reach in ((vectors, 3), (best, 2), (best, 1)):
            multiples, positions, weight = self._peaks_near(start, reach)
            if len(weight) < 3:
                continue
            solution = np.linalg.lstsq(multiples * weight, positions * weight, rcond=None)[0]
            fit = solution.T.astype(np.float64, copy=False)
            fitted = self._peak_sums(fit[None])[0]
            if fitted > total and 0.8 < np.linalg.det(fit) / np.linalg.det(vectors) < 1.25:
                best, total = fit, fitted
        return best

    def _peak_sums(self, lattices: npt.NDArray[np.float64],
                   values: npt.NDArray[np.float32] | None = None) -> npt.NDArray[np.float64]:
        """float64 [count]: `values` at all multiples of [count, 2, 2] lattices, weighted by overlap."""
        positions = lattices @ _MULTIPLES.T
        x, y = positions[:, 0], positions[:, 1]
        weight = np.maximum(1 - np.abs(x) / self.width, 0) * np.maximum(1 - np.abs(y) / self.height, 0)
        mask, n = len(self.values) - 1, len(self.values)
        x0, y0 = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
        fx, fy = x - x0, y - y0
        flat = (self.values if values is None else values).ravel()
        top = flat[(y0 & mask) * n + (x0 & mask)] * (1 - fx) + flat[(y0 & mask) * n + (x0 + 1 & mask)] * fx
        bottom = flat[(y0 + 1 & mask) * n + (x0 & mask)] * (1 - fx) + flat[(y0 + 1 & mask) * n + (x0 + 1 & mask)] * fx
        sums: npt.NDArray[np.float64] = (weight * (top * (1 - fy) + bottom * fy)).sum(1)
        sums /= np.sqrt(np.square(weight).sum(1) + 1e-9)
        return sums

    def _peaks_near(self, vectors: Lattice, reach: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64],
                                                                 npt.NDArray[np.float64]]:
        """Multiples (i, j) with a clear peak within `reach` pixels, the positions (x, y) of the peaks, and weights."""
        x, y = vectors @ _MULTIPLES.T
        overlap = np.maximum(1 - np.abs(x) / self.width, 0) * np.maximum(1 - np.abs(y) / self.height, 0)
        kept = overlap >= 0.15
        x, y, overlap, multiples = np.rint(x[kept]), np.rint(y[kept]), overlap[kept], _MULTIPLES[kept]
        near, mask = np.arange(-reach, reach + 1), len(self.values) - 1
        rows = (y.astype(np.int64)[:, None, None] + near[:, None]) & mask
        columns = (x.astype(np.int64)[:, None, None] + near) & mask
        patches = self.values[rows, columns]
        row, column = np.divmod(patches.reshape(-1, len(near) ** 2).argmax(1), len(near))
        inner = (row > 0) & (row < 2 * reach) & (column > 0) & (column < 2 * reach)
        k = np.flatnonzero(inner)
        row, column = row[k], column[k]
        top = patches[k, row, column]
        dx = _parabola_peak(patches[k, row, column - 1], top, patches[k, row, column + 1])
        dy = _parabola_peak(patches[k, row - 1, column], top, patches[k, row + 1, column])
        positions = np.stack([x[k] + column - reach + dx, y[k] + row - reach + dy], 1)
        weight = top * overlap[k] / self.noise
        clear = weight >= 1.5
        return multiples[k][clear], positions[clear], weight[clear, None]


_STEPS = np.array([[[1, 0], [0, 1]], [[-1, 0], [0, -1]], [[0, -1], [1, 0]], [[0, 1], [-1, 0]],
                   [[1, 0], [0, 0]], [[-1, 0], [0, 0]], [[0, 0], [0, 1]], [[0, 0], [0, -1]]], np.float64)
_MULTIPLES = np.array([(i, j) for i in range(8) for j in range(-7, 8) if i or j > 0], np.float64)


def _parabola_peak(left: npt.NDArray[np.float32], middle: npt.NDArray[np.float32],
                   right: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Where the parabola through values at -1, 0 and 1 peaks."""
    curvature = np.minimum(left - 2 * middle + right, -1e-6)
    peak: npt.NDArray[np.float32] = 0.5 * (left - right) / curvature
    return peak


def fold(plane: npt.NDArray[np.int8], vectors: Lattice) -> npt.NDArray[np.int32]:
    """int32 [256, 256]: the sum of an int8 plane's repeats over a lattice."""
    inverse = np.linalg.inv(vectors).ravel() * 2.0**32
    step = (np.rint(inverse).astype(np.int64) & 0xFFFFFFFF).astype(np.uint32)
    folded = np.empty((256, 256), np.int32)
    kernels.plane_fold_lattice(plane, np.zeros(2, np.uint32), step, folded)
    return folded


def is_same(one: Lattice, other: Lattice, tolerance: float = 0.004) -> bool:
    """Whether two lattices have the same vectors, in any order and direction, up to a `tolerance` in shares of them."""
    multiples = np.linalg.solve(one, other)
    whole = np.rint(multiples)
    return bool(np.abs(multiples - whole).max() < tolerance and _is_turn(whole))


def _is_turn(whole: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """bool [...]: which whole matrices [..., 2, 2] swap or reverse vectors and do no more."""
    turn: npt.NDArray[np.bool_] = (np.abs(whole).sum(-1) == 1).all(-1) & (np.abs(whole).sum(-2) == 1).all(-1)
    return turn


def _distinct(lattices: npt.NDArray[np.float64], count: int) -> list[Lattice]:
    """The first `count` of [n, 2, 2] lattices that differ. Those that hold the points of one before them, or every
    second or so, come last: a host that repeats itself has many."""
    kept: list[Lattice] = []
    multiples: list[Lattice] = []
    while len(lattices) and len(kept) < count:
        first = lattices[0]
        kept.append(first)
        whole = np.rint(np.linalg.inv(first) @ lattices)
        near = np.abs(first @ whole - lattices).max((1, 2)) <= 0.012 * np.abs(lattices).max((1, 2)) + 1
        within = near & (np.abs(whole).max((1, 2)) <= 2)
        multiples.extend(lattices[within & ~_is_turn(whole)])
        lattices = lattices[~within]
    return kept + _distinct(np.array(multiples), count - len(kept)) if multiples and len(kept) < count else kept


def _is_peak(values: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """bool [height - 2, width - 2]: which inner samples are as high as the eight around them."""
    rows = np.maximum(np.maximum(values[:-2], values[1:-1]), values[2:])
    around = np.maximum(np.maximum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
    peak: npt.NDArray[np.bool_] = values[1:-1, 1:-1] >= around
    return peak


def _largest(score: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.intp]:
    return np.argpartition(-score, count)[:count]


def flattened(plane: npt.NDArray[np.int8]) -> npt.NDArray[np.float32]:
    """float32 of the same shape: a plane with the flat spectrum that `Autocorrelation` makes, as far as a tile reaches.
    Warped a little it stays flat, so that many warps cost one flattening."""
    spectrum = _half_spectrum(plane)
    power = spectrum.real**2 + spectrum.imag**2
    relative = power / (_local_mean(power) + np.float32(1e-6))
    gain = np.sqrt(np.minimum(relative, np.float32(_MAX_POWER)) / (power + np.float32(1e-6)))
    n = len(spectrum)
    flat = np.zeros((n, n // 2 + 1), np.complex64)
    flat[:, :-1] = spectrum * np.where(_band_weights(n) > 0, gain, np.float32(0))
    return np.fft.irfft2(flat, s=(n, n))[: plane.shape[0], : plane.shape[1]].astype(np.float32)


def _half_spectrum(plane: npt.NDArray[np.int8] | npt.NDArray[np.float32]) -> npt.NDArray[np.complex64]:
    """complex64 [n, n / 2]: the spectrum of a plane in a corner of n x n, n a power of two, without its last column."""
    n = 512  # with 256, small planes of which the tile has half hardly show a turned lattice
    while n < max(plane.shape):
        n *= 2
    padded = np.zeros((n, n), np.float32)
    padded[: plane.shape[0], : plane.shape[1]] = plane
    # NumPy transforms in float32 only where it applies a factor
    spectrum: npt.NDArray[np.complex64] = np.fft.rfft2(padded, norm="forward").astype(np.complex64, copy=False)[:, :-1]
    return spectrum * np.float32(n * n)


def _local_mean(power: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The mean power of the 15 x 15 bins around each bin of a half spectrum without its last column."""
    power = np.concatenate([power[:, 7:0:-1], power, power[:, -2:-9:-1]], 1)
    power = np.concatenate([power[-7:], power, power[:7]])
    return _running_sum15(_running_sum15(power).T).T * np.float32(1 / 225)


def _running_sum15(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Sums of 15 consecutive rows."""
    three: npt.NDArray[np.float32] = x[:-2] + x[1:-1] + x[2:]
    n = len(x) - 14
    return three[:n] + three[3 : n + 3] + three[6 : n + 6] + three[9 : n + 9] + three[12 : n + 12]


@functools.lru_cache(maxsize=2)
def _squares(reach: int) -> npt.NDArray[np.float32]:
    """float32 [count, 4]: the lattices with equal sides at any angle, of whole numbers up to a reach."""
    x, y = (a.ravel().astype(np.float32) for a in np.meshgrid(np.arange(1, reach), np.arange(0, reach)))
    kept = (np.hypot(x, y) >= MIN_SPACING) & (np.hypot(x, y) < reach)
    x, y = x[kept], y[kept]
    return np.stack([x, y, -y, x], 1)


@functools.lru_cache(maxsize=8)
def _frequency(n: int) -> npt.NDArray[np.float32]:
    """float32 [n, n / 2]: cycles per sample of each bin of a half spectrum without its last column."""
    frequency: npt.NDArray[np.float64] = np.hypot(np.fft.fftfreq(n)[:, None], np.fft.rfftfreq(n)[None])
    return frequency[:, :-1].astype(np.float32)


@functools.lru_cache(maxsize=8)
def _band_weights(n: int) -> npt.NDArray[np.float32]:
    """float32 [n, n / 2]: the weight of each bin of a half spectrum, by the share of the tile's energy there."""
    frequency = _frequency(n)
    # a tile at its own scale ends at a quarter of the sampling rate; one shrunk to half, at the half
    steps = [frequency < 0.012, frequency < 0.25, frequency < 0.36, frequency < 0.49]
    return np.select(steps, [0.0, 1.0, 0.6, 0.35], 0.0).astype(np.float32)


def _deviation_by_radius(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """float32 [n]: the standard deviation of an autocorrelation by radius in pixels; it grows towards the origin."""
    n = len(values)
    ring = _ring_index(n)
    energy = np.bincount(ring, np.square(values[: n // 2 : 2, ::2]).ravel()) / np.bincount(ring)
    deviation: npt.NDArray[np.float64] = np.repeat(np.sqrt(energy + 1e-12), _RING_WIDTH)[:n]
    return deviation.astype(np.float32)


@functools.lru_cache(maxsize=8)
def _ring_index(n: int) -> npt.NDArray[np.intp]:
    """intp: the ring of every second sample of the upper half of an [n, n] autocorrelation, flattened."""
    x = np.minimum(np.arange(n), n - np.arange(n))[::2]
    return (np.hypot(np.arange(0, n // 2, 2)[:, None], x) // _RING_WIDTH).astype(np.intp).ravel()
