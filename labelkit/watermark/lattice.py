# SPDX-License-Identifier: Apache-2.0
"""Finding the lattice on which a periodic tile repeats, without knowing what the tile holds."""

from __future__ import annotations

import functools

import numpy as np

from labelkit import kernels

MIN_LATTICE_SCORE = 3.0  # in standard deviations; two or three lattices of a typical unmarked picture pass it
MIN_SPACING = 28.0  # pixels; below it a tile holds too little of its band


class Autocorrelation:
    """The autocorrelation of a whitened plane, its spectrum flattened so that no structure of the host stands out.

    values  float32 [n, n], periodic; height and width of the plane inside
    spread  float32 [n], the standard deviation of values by their distance from the origin; noise: far from it
    """

    def __init__(self, plane: np.ndarray, most: int = 1024) -> None:
        self.height, self.width = (min(side, most) for side in plane.shape)
        y, x = ((side - min(side, most)) // 2 for side in plane.shape)
        n = 256
        while n < max(self.height, self.width):
            n *= 2
        padded = np.zeros((n, n), np.float32)
        padded[: self.height, : self.width] = plane[y : y + self.height, x : x + self.width]
        spectrum = np.fft.rfft2(padded)[:, :-1]
        power = spectrum.real**2 + spectrum.imag**2
        flat = np.zeros((n, n // 2 + 1), np.float32)
        above = np.minimum(power / (_floor(power) + np.float32(1e-6)), np.float32(6)) - np.float32(1)
        flat[:, :-1] = above * _band(n)
        self.values = np.fft.irfft2(flat, s=(n, n))
        spread = _spread(self.values)
        self.noise = float(np.median(spread[n // 8 : n // 2]))
        self.spread = spread

    def score(self, vectors: np.ndarray) -> np.ndarray:
        """float32 [count] scores, in standard deviations, of float [count, 4] lattice vectors (v1x, v1y, v2x, v2y)."""
        vectors = np.ascontiguousarray(vectors, np.float32)
        score = np.empty(len(vectors), np.float32)
        kernels.lattice_score(self.values, self.height, self.width, vectors, score)
        length = np.minimum(np.hypot(vectors[:, 0], vectors[:, 1]), np.hypot(vectors[:, 2], vectors[:, 3]))
        return score / self.spread[np.minimum(length, len(self.spread) - 1).astype(np.int64)]

    def upright(self, count: int) -> list[np.ndarray]:
        """The best lattices with equal sides along the picture's, best first: float [2, 2], columns v1 and v2."""
        spacing = np.arange(MIN_SPACING, max(0.9 * min(self.height, self.width), MIN_SPACING + 1), 0.25)
        zero = np.zeros_like(spacing)
        return self._best(np.stack([spacing, zero, zero, spacing], 1), count)

    def turned(self, count: int) -> list[np.ndarray]:
        """The best lattices with equal sides at any angle, best first."""
        shorter, longer = sorted((self.height, self.width))
        reach = int(min(0.75 * longer, 0.95 * shorter, 0.5 * len(self.values)))
        x, y = (a.ravel().astype(np.float32) for a in np.meshgrid(np.arange(1, reach), np.arange(0, reach)))
        kept = (np.hypot(x, y) >= MIN_SPACING) & (np.hypot(x, y) < reach)
        x, y = x[kept], y[kept]
        return self._best(np.stack([x, y, -y, x], 1), count)

    def unequal(self, count: int) -> list[np.ndarray]:
        """The best upright lattices of different sides, the longer at most 1.5 times the shorter, best first."""
        across, down = (self._sides(length, axis) for length, axis in ((self.width, 0), (self.height, 1)))
        pairs = [(a, 0, 0, b) for a in across for b in down if 1 / 1.5 < a / b < 1.5]
        return self._best(np.array(pairs).reshape(-1, 4), count)

    def _sides(self, length: int, axis: int) -> np.ndarray:
        """The spacings along one axis at whose multiples the autocorrelation is highest."""
        spacing = np.arange(MIN_SPACING, max(0.9 * length, MIN_SPACING + 1), 0.25)
        place = spacing[:, None] * np.arange(1, 16)
        weight = np.maximum(1 - place / length, 0)
        line = self.values[0] if axis == 0 else self.values[:, 0]
        value = np.interp(np.minimum(place, length), np.arange(length + 1), line[np.arange(length + 1) % len(line)])
        score = (weight * value).sum(1) / np.sqrt(np.square(weight).sum(1) + 1e-9)
        kept: list[int] = []
        for i in np.argsort(-score, kind="stable"):
            if all(abs(spacing[i] - spacing[j]) > 0.01 * spacing[j] for j in kept):
                kept.append(int(i))
                if len(kept) == 16:
                    break
        return spacing[kept]

    def _best(self, vectors: np.ndarray, count: int) -> list[np.ndarray]:
        """The `count` best of [n, 4] lattices that differ: chosen by a few near multiples, ranked by all of them.

        All multiples must count in the end: a lattice of half the density scores as high on its own few.
        """
        if not len(vectors):
            return []
        score = self.score(vectors)
        first = np.argsort(-score, kind="stable")[: 60 * count] if len(score) < 4096 else _largest(score, 60 * count)
        lattices = vectors[first].reshape(-1, 2, 2).transpose(0, 2, 1).astype(np.float64)
        total = self._total(lattices) / self.noise
        kept: list[np.ndarray] = []
        for i in np.argsort(-total, kind="stable"):
            if total[i] < MIN_LATTICE_SCORE or len(kept) == count:
                break
            near = 0.012 * np.abs(lattices[i]).max() + 1
            if all(np.abs(lattices[i] - other).max() > near for other in kept):
                kept.append(lattices[i])
        return kept

    def refine(self, vectors: np.ndarray) -> np.ndarray:
        """The lattice near `vectors` that collects most: far multiples fix it to parts in a thousand.

        First scale and angle by steps, then all four numbers by a fit to the peaks; a step that loses is not taken.
        """
        best, total = vectors, self._total(vectors[None])[0]
        for step in (0.004, 0.002, 0.001, 0.0005, 0.00025):
            trials = best @ (np.eye(2) + step * _MOVES)
            totals = self._total(trials)
            if totals.max() > total:
                best, total = trials[totals.argmax()], totals.max()
        for start, reach in ((vectors, 3), (best, 2), (best, 1)):
            multiples, places, weight = self._peaks_near(start, reach)
            if len(weight) < 3:
                continue
            fit = np.linalg.lstsq(multiples * weight, places * weight, rcond=None)[0].T
            fitted = self._total(fit[None])[0]
            if fitted > total and 0.8 < np.linalg.det(fit) / np.linalg.det(vectors) < 1.25:
                best, total = fit, fitted
        return best

    def _total(self, lattices: np.ndarray) -> np.ndarray:
        """float [count]: the autocorrelation at all multiples of [count, 2, 2] lattices, weighted by overlap."""
        places = lattices @ _MULTIPLES.T
        x, y = places[:, 0], places[:, 1]
        weight = np.maximum(1 - np.abs(x) / self.width, 0) * np.maximum(1 - np.abs(y) / self.height, 0)
        mask, n = len(self.values) - 1, len(self.values)
        x0, y0 = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
        fx, fy = x - x0, y - y0
        flat = self.values.ravel()
        top = flat[(y0 & mask) * n + (x0 & mask)] * (1 - fx) + flat[(y0 & mask) * n + (x0 + 1 & mask)] * fx
        bottom = flat[(y0 + 1 & mask) * n + (x0 & mask)] * (1 - fx) + flat[(y0 + 1 & mask) * n + (x0 + 1 & mask)] * fx
        return (weight * (top * (1 - fy) + bottom * fy)).sum(1) / np.sqrt(np.square(weight).sum(1) + 1e-9)

    def _peaks_near(self, vectors: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Multiples (i, j) with a clear peak within `reach` pixels, the places of the peaks, their weights."""
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
        dx = _vertex(patches[k, row, column - 1], top, patches[k, row, column + 1])
        dy = _vertex(patches[k, row - 1, column], top, patches[k, row + 1, column])
        places = np.stack([x[k] + column - reach + dx, y[k] + row - reach + dy], 1)
        weight = top * overlap[k] / self.noise
        clear = weight >= 1.5
        return multiples[k][clear], places[clear], weight[clear, None]


_MOVES = np.array([[[1, 0], [0, 1]], [[-1, 0], [0, -1]], [[0, -1], [1, 0]], [[0, 1], [-1, 0]],
                   [[1, 0], [0, 0]], [[-1, 0], [0, 0]], [[0, 0], [0, 1]], [[0, 0], [0, -1]]], np.float64)
_MULTIPLES = np.array([(i, j) for i in range(8) for j in range(-7, 8) if i or j > 0], np.float64)


def _vertex(left: np.ndarray, middle: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Where the parabola through three values peaks."""
    return 0.5 * (left - right) / np.minimum(left - 2 * middle + right, -1e-6)


def fold(plane: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """int32 [256, 256]: an int8 plane folded over a lattice of column vectors in pixels."""
    inverse = np.linalg.inv(vectors).ravel() * 2.0**32
    step = (np.rint(inverse).astype(np.int64) & 0xFFFFFFFF).astype(np.uint32)
    folded = np.empty((256, 256), np.int32)
    kernels.plane_fold_lattice(plane, np.zeros(2, np.uint32), step, folded)
    return folded


def _largest(score: np.ndarray, count: int) -> np.ndarray:
    return np.argpartition(-score, count)[:count]


def _floor(power: np.ndarray) -> np.ndarray:
    """The mean power of the 15 x 15 bins around each bin of a half spectrum without its last column."""
    power = np.concatenate([power[:, 7:0:-1], power, power[:, -2:-9:-1]], 1)
    power = np.concatenate([power[-7:], power, power[:7]])
    return _sum15(_sum15(power).T).T * np.float32(1 / 225)


def _sum15(x: np.ndarray) -> np.ndarray:
    """Sums of 15 rows that follow each other."""
    three = x[:-2] + x[1:-1] + x[2:]
    n = len(x) - 14
    return three[:n] + three[3 : n + 3] + three[6 : n + 6] + three[9 : n + 9] + three[12 : n + 12]


@functools.lru_cache(maxsize=8)
def _band(n: int) -> np.ndarray:
    frequency = np.hypot(np.fft.fftfreq(n)[:, None], np.fft.rfftfreq(n)[None])[:, :-1]
    # a tile at its own scale ends at a quarter of the sampling rate; one shrunk to half, at the half
    steps = [frequency < 0.012, frequency < 0.25, frequency < 0.36, frequency < 0.49]
    return np.select(steps, [0.0, 1.0, 0.6, 0.35], 0.0).astype(np.float32)


def _spread(values: np.ndarray) -> np.ndarray:
    """float32 [n]: the standard deviation of an autocorrelation by radius in pixels; it grows towards the origin."""
    n = len(values)
    ring = _rings(n)
    energy = np.bincount(ring, np.square(values[: n // 2 : 2, ::2]).ravel()) / np.bincount(ring)
    return np.repeat(np.sqrt(energy + 1e-12), RING)[:n].astype(np.float32)


RING = 16  # pixels


@functools.lru_cache(maxsize=8)
def _rings(n: int) -> np.ndarray:
    x = np.minimum(np.arange(n), n - np.arange(n))[::2]
    return (np.hypot(np.arange(0, n // 2, 2)[:, None], x) // RING).astype(np.int64).ravel()
