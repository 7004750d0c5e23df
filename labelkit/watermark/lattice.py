# SPDX-License-Identifier: Apache-2.0
"""Finding the lattice on which a periodic tile repeats, without knowing what the tile holds."""

from __future__ import annotations

import functools

import numpy as np

from labelkit import kernels

MIN_SPACING = 28.0  # pixels; below it a tile holds too little of its band


class Autocorrelation:
    """The autocorrelation of a whitened plane, its spectrum flattened so that no structure of the host outweighs the rest.

    values  float32 [n, n], periodic, in standard deviations at its radius; height and width of the plane inside
    """

    def __init__(self, plane: np.ndarray, most: int = 1024) -> None:
        self.height, self.width = (min(side, most) for side in plane.shape)
        y, x = ((side - min(side, most)) // 2 for side in plane.shape)
        n = 256
        while n < max(self.height, self.width):
            n *= 2
        padded = np.zeros((n, n), np.float32)
        padded[: self.height, : self.width] = plane[y : y + self.height, x : x + self.width]
        spectrum = np.fft.rfft2(padded)
        power = spectrum.real**2 + spectrum.imag**2
        flat = np.minimum(power / (_blur(power) + np.float32(1e-6)), np.float32(6)) - np.float32(1)
        values = np.fft.irfft2(flat * _band(n), s=(n, n))
        self.values = np.ascontiguousarray(values / _spread(values), np.float32)

    def score(self, vectors: np.ndarray) -> np.ndarray:
        """float32 [count] scores of float [count, 4] pairs of lattice vectors (v1x, v1y, v2x, v2y)."""
        vectors = np.ascontiguousarray(vectors, np.float32)
        score = np.empty(len(vectors), np.float32)
        kernels.lattice_score(self.values, self.height, self.width, vectors, score)
        return score

    def upright(self, count: int) -> list[np.ndarray]:
        """The best lattices with sides along the picture's, best first: float [2, 2], columns v1 and v2."""
        spacing = np.arange(MIN_SPACING, max(0.8 * min(self.height, self.width), MIN_SPACING + 1), 0.25)
        zero = np.zeros_like(spacing)
        score = self.score(np.stack([spacing, zero, zero, spacing], 1))
        return [np.eye(2) * spacing[i] for i in _peaks(score, spacing, count)]


    def turned(self, count: int) -> list[np.ndarray]:
        """The best square lattices at any angle, best first."""
        reach = int(min(0.75 * min(self.height, self.width), 0.5 * len(self.values)))
        x, y = (a.ravel().astype(np.float32) for a in np.meshgrid(np.arange(1, reach), np.arange(0, reach)))
        spacing = np.hypot(x, y)
        kept = (spacing >= MIN_SPACING) & (spacing < reach)
        x, y = x[kept], y[kept]
        score = self.score(np.stack([x, y, -y, x], 1))
        lattices: list[np.ndarray] = []
        for i in np.argsort(-score, kind="stable")[: 40 * count]:
            v = np.array([[x[i], -y[i]], [y[i], x[i]]], np.float64)
            if all(np.abs(v[:, 0] - w[:, 0]).max() > 3 for w in lattices):
                lattices.append(v)
                if len(lattices) == count:
                    break
        return lattices

    def unequal(self, count: int) -> list[np.ndarray]:
        """The best upright lattices of different sides, the longer at most 1.5 times the shorter, best first."""
        zero = np.zeros
        sides = []
        for length, axis in ((self.width, 0), (self.height, 1)):
            spacing = np.arange(MIN_SPACING, max(0.8 * length, MIN_SPACING + 1), 0.25)
            vectors = zero((len(spacing), 4))
            vectors[:, axis] = spacing
            vectors[:, 3 - axis] = 1e6  # out of reach: only multiples of one vector count
            sides.append(spacing[_peaks(self.score(vectors), spacing, 12)])
        pairs = np.array([(a, b) for a in sides[0] for b in sides[1] if 1 / 1.5 < a / b < 1.5]).reshape(-1, 2)
        score = self.score(np.stack([pairs[:, 0], zero(len(pairs)), zero(len(pairs)), pairs[:, 1]], 1))
        return [np.diag(pairs[i]) for i in np.argsort(-score, kind="stable")[:count]]

    def refine(self, vectors: np.ndarray) -> np.ndarray:
        """The lattice that fits the peaks near multiples of `vectors` best: far peaks fix it to parts in a thousand."""
        for reach in (3, 2):
            found = [self._peak_near(vectors, i, j, reach) for i in range(8) for j in range(-7, 8) if i or j > 0]
            found = np.array([peak for peak in found if peak])
            if len(found) < 3:
                return vectors
            multiples, places, weight = found[:, :2], found[:, 2:4], found[:, 4:]
            fit = np.linalg.lstsq(multiples * weight, places * weight, rcond=None)[0].T
            if not 0.9 < np.linalg.det(fit) / np.linalg.det(vectors) < 1.1:
                return vectors
            vectors = fit
        return vectors

    def _peak_near(self, vectors: np.ndarray, i: int, j: int, reach: int) -> tuple | None:
        x, y = vectors @ (i, j)
        overlap = (1 - abs(x) / self.width) * (1 - abs(y) / self.height)
        if abs(x) >= self.width or abs(y) >= self.height or overlap < 0.15:
            return None
        n, x, y = len(self.values), round(x), round(y)
        near = np.arange(-reach, reach + 1)
        patch = self.values[np.ix_((y + near) % n, (x + near) % n)]
        row, column = divmod(int(np.argmax(patch)), 2 * reach + 1)
        if not (0 < row < 2 * reach and 0 < column < 2 * reach) or patch[row, column] * overlap < 1.5:
            return None
        dx = _vertex(*patch[row, column - 1 : column + 2])
        dy = _vertex(*patch[row - 1 : row + 2, column])
        return i, j, x + column - reach + dx, y + row - reach + dy, patch[row, column] * overlap


def _vertex(left: float, middle: float, right: float) -> float:
    """Where the parabola through three values peaks."""
    return 0.5 * (left - right) / min(left - 2 * middle + right, -1e-6)


def fold(plane: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """The half spectrum, complex64 [256, 129], of an int8 plane folded over a lattice of column vectors in pixels."""
    inverse = np.linalg.inv(vectors).ravel() * 2.0**32
    step = (np.rint(inverse).astype(np.int64) & 0xFFFFFFFF).astype(np.uint32)
    folded = np.empty((256, 256), np.int32)
    kernels.plane_fold_lattice(plane, np.zeros(2, np.uint32), step, folded)
    return np.fft.rfft2(folded.astype(np.float32))


def _peaks(score: np.ndarray, spacing: np.ndarray, count: int) -> list[int]:
    """The `count` best entries that lie more than 1 % apart."""
    kept: list[int] = []
    for i in np.argsort(-score, kind="stable"):
        if all(abs(spacing[i] - spacing[j]) > 0.01 * spacing[j] for j in kept):
            kept.append(int(i))
            if len(kept) == count:
                break
    return kept


def _blur(power: np.ndarray, reach: int = 7) -> np.ndarray:
    """Mean over (2 reach + 1)^2 bins of a half spectrum."""
    n = 2 * reach + 1
    rows = np.concatenate([power[-reach - 1 :], power, power[:reach]])
    rows = np.cumsum(rows, 0, dtype=np.float64)
    rows = (rows[n:] - rows[:-n]).astype(np.float32)
    wide = np.concatenate([rows[:, reach + 1 : 0 : -1], rows, rows[:, -2 : -2 - reach : -1]], 1)
    wide = np.cumsum(wide, 1, dtype=np.float64)
    return ((wide[:, n:] - wide[:, :-n]) / (n * n)).astype(np.float32)


@functools.lru_cache(maxsize=8)
def _band(n: int) -> np.ndarray:
    frequency = np.hypot(np.fft.fftfreq(n)[:, None], np.fft.rfftfreq(n)[None])
    return ((frequency > 0.012) & (frequency < 0.36)).astype(np.float32)


@functools.lru_cache(maxsize=8)
def _radius(n: int) -> np.ndarray:
    k = np.minimum(np.arange(n), n - np.arange(n))
    return np.minimum(np.hypot(k[:, None], k[None]) // 8, n // 16 - 1).astype(np.int64)


def _spread(values: np.ndarray) -> np.ndarray:
    """The standard deviation of an autocorrelation at each radius: it grows towards the origin."""
    ring = _radius(len(values))
    count = np.bincount(ring.ravel())
    energy = np.bincount(ring.ravel(), np.square(values, dtype=np.float64).ravel()) / np.maximum(count, 1)
    return np.sqrt(energy + 1e-12).astype(np.float32)[ring]
