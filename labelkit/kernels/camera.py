# SPDX-License-Identifier: Apache-2.0
"""The NumPy twins of the kernels that follow the camera of a film; see native/lk.h for the contracts."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from labelkit.kernels.contract import Float32, Float64, UInt16

LANES, LIMIT, LEAST, JOINED, STEPS = 16, 1 << 16, 8, 64, 64


def camera_grid(brightness: UInt16, times: int, scale: float, plain: float, scratch: Float32, grid: Float32,
                facts: Float64) -> None:
    """The cells of a frame, joined and smoothed; their contrast, and the share of them that is plain."""
    if not 1 <= times <= JOINED:
        raise ValueError("times: 1 to 64 wanted")
    rows, columns = (count // times for count in brightness.shape)
    if rows < 4 or columns < 4:
        raise ValueError("brightness: at least 4 x 4 joined cells wanted")
    blocks = brightness[: rows * times, : columns * times].reshape(rows, times, columns, times)
    x = blocks.sum((1, 3), dtype=np.uint32).astype(np.float32) * np.float32(scale)
    x = x[:-2] + 2 * x[1:-1] + x[2:]
    grid[:] = x[:, :-2] + 2 * x[:, 1:-1] + x[:, 2:]
    middle = np.float32(_total(grid) / grid.size)
    facts[0] = _total(np.abs(grid - middle)) / grid.size
    slopes = np.abs(grid[1:, 1:] - grid[:-1, 1:]) + np.abs(grid[1:, 1:] - grid[1:, :-1])
    facts[1] = np.count_nonzero(slopes < np.float32(plain)) / slopes.size


def camera_fit(now: Float32, first: Float32, start: Float64, steps: int, zooms: bool, settled: float,
               scratch: Float32, found: Float64) -> None:
    """The zoom and the shift that take a frame to an earlier one, and the error that they leave."""
    if min(now.shape) < LEAST or max(now.shape) > LIMIT or steps > STEPS:
        raise ValueError("now: 8 to 65536 rows and columns wanted; steps: up to 64")
    step = [float(value) for value in start]
    found[:] = *step, -1.0
    part = _Part(now, first, step)
    for _ in range(steps):
        change = part.moves(zooms) if part.is_there else None
        if change is None:
            return
        step = [value + more for value, more in zip(step, change, strict=True)]
        part = _Part(now, first, step)
        if abs(change[0]) * now.shape[1] < settled and max(map(abs, change[1:])) < settled:
            break
    if part.is_there:
        found[:] = *step, part.error


class _Part:
    """The part of a later frame that lies in the first one: `warped` is what the first shows there, `rest` is left."""

    def __init__(self, now: Float32, first: Float32, step: list[float]) -> None:
        zoom, left, top = step
        self.error = math.nan
        if not (0.5 < zoom < 2 and -LIMIT < left < LIMIT and -LIMIT < top < LIMIT):
            return
        self.top, y, low = _line(now.shape[0], zoom, top)
        self.left, x, part = _line(now.shape[1], zoom, left)
        if min(y.size, x.size) < LEAST:
            return
        one = np.float32(1)
        mixed = first[y] * (one - low)[:, None] + first[y + 1] * low[:, None]
        self.warped: Float32 = mixed[:, x] * (one - part) + mixed[:, x + 1] * part
        self.rest: Float32 = now[self.top:self.top + y.size, self.left:self.left + x.size] - self.warped
        self.error = _total(np.abs(self.rest)) / self.rest.size

    @property
    def is_there(self) -> bool:
        return self.error >= 0

    def moves(self, zooms: bool) -> list[float] | None:
        """By what the zoom, the columns and the rows move in one step of the fit; None where nothing tells."""
        limit = np.float32(1 / (1.5 * self.error + 1e-6))
        weight: Float32 = np.reciprocal(np.maximum(np.abs(self.rest) * limit, np.float32(1)))
        gy, gx = _slopes(self.warped.T).T, _slopes(self.warped)
        down, across = (np.arange(begin, begin + count, dtype=np.float32)
                        for begin, count in zip((self.top, self.left), self.rest.shape, strict=True))
        slopes: list[Float32] = [gx, gy, gx * across + gy * down[:, None]][: 3 if zooms else 2]
        matrix = [[_total(slopes[min(i, j)] * weight * slopes[max(i, j)]) for j in range(len(slopes))]
                  for i in range(len(slopes))]
        answer = _solved(matrix, [_total(each * weight * self.rest) for each in slopes])
        return [*answer[2:], *([] if zooms else [0.0]), *answer[:2]] if answer else None


def _line(count: int, zoom: float, shift: float) -> tuple[int, npt.NDArray[np.intp], Float32]:
    """Which places zoom * i + shift lie in 0 .. count - 1: the first i; the sample before each, and what it is past."""
    start, stop = (math.ceil(min(max(edge, 0.0), float(count)))
                   for edge in (-shift / zoom, (count - 1 - shift) / zoom))
    place = np.maximum(zoom * np.arange(start, stop) + shift, 0.0)
    whole = np.minimum(place.astype(np.intp), count - 2)
    return start, whole, (place - whole).astype(np.float32)


def _slopes(rows: Float32) -> Float32:
    """Along each row: halves of the differences of both neighbours, at the border the difference to the one."""
    slopes = np.empty_like(rows)
    slopes[:, 1:-1] = (rows[:, 2:] - rows[:, :-2]) * np.float32(0.5)
    slopes[:, 0], slopes[:, -1] = rows[:, 1] - rows[:, 0], rows[:, -1] - rows[:, -2]
    return slopes


def _total(values: Float32) -> float:
    """The sum in the kernels' order: float32 sums of every sixteenth column, then of these in float64."""
    lanes = np.zeros((len(values), -(-values.shape[1] // LANES) * LANES), np.float32)
    lanes[:, : values.shape[1]] = values
    return sum(map(float, np.add.reduce(lanes.reshape(-1, LANES), axis=0)), 0.0)


def _solved(matrix: list[list[float]], answer: list[float]) -> list[float] | None:
    """Gaussian elimination."""
    count = len(answer)
    for i in range(count):
        matrix[i][i] = matrix[i][i] * (1 + 1e-6) + 1e-9
    for i in range(count):
        if not matrix[i][i] > 0:
            return None
        for j in range(i + 1, count):
            share = matrix[j][i] / matrix[i][i]
            for k in range(i, count):
                matrix[j][k] -= share * matrix[i][k]
            answer[j] -= share * answer[i]
    for i in reversed(range(count)):
        for k in range(i + 1, count):
            answer[i] -= matrix[i][k] * answer[k]
        answer[i] /= matrix[i][i]
    return answer
