# SPDX-License-Identifier: Apache-2.0
"""Memory to work in, kept for the next call of the same thread.

Fresh memory costs a page fault for every 4 kB: for a picture of 3 MB that is as much time as it takes to mark it.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_KEPT = 32 << 20
"""Bytes that a thread keeps; larger memory is given back when it has been used."""

_ALIGNMENT = 64


class _Kept(threading.local):
    """The memory that this thread keeps, and that nobody uses."""

    def __init__(self) -> None:
        self.blocks: list[npt.NDArray[np.uint8]] = []


_kept = _Kept()


@contextmanager
def lent(count: int) -> Iterator[npt.NDArray[np.uint8]]:
    """uint8 [count], of any content, until the `with` block ends; what is made of it must be copied before."""
    block = _taken(count)
    try:
        yield block[:count]
    finally:
        if block.size + sum(other.size for other in _kept.blocks) <= MAX_KEPT:
            _kept.blocks.append(block)


def _taken(count: int) -> npt.NDArray[np.uint8]:
    """The smallest block kept that is large enough, else a new one in the place of the largest."""
    fitting = [block for block in _kept.blocks if block.size >= count]
    chosen = min(fitting, key=lambda block: block.size) if fitting else None
    if chosen is None and _kept.blocks:
        chosen = max(_kept.blocks, key=lambda block: block.size)
    if chosen is not None:
        _kept.blocks = [block for block in _kept.blocks if block is not chosen]
    if chosen is None or chosen.size < count:
        memory = np.empty(count + _ALIGNMENT, np.uint8)
        start = -memory.ctypes.data % _ALIGNMENT
        chosen = memory[start:start + count]
    return chosen


class Results:
    """Memory for results that follow each other: the next takes that of one which nobody holds any more.

    At most one block is kept, as large as the result that it was of; it goes with this object.
    """

    def __init__(self) -> None:
        self._free: deque[npt.NDArray[np.uint8]] = deque(maxlen=1)  # needs no lock, which __del__ could not take

    def __reduce__(self) -> tuple[type[Results], tuple[()]]:
        return Results, ()  # a copy shares no memory

    def array(self, shape: tuple[int, ...], kind: np.dtype[Any]) -> npt.NDArray[Any]:
        """An array of any content; its memory comes back when the last view of it has gone."""
        count = math.prod(shape) * kind.itemsize
        try:
            block = self._free.pop()
        except IndexError:
            block = np.empty(0, np.uint8)
        if block.size != count:
            block = np.empty(count, np.uint8)
        return np.asarray(_Held(block, self._free)).view(kind).reshape(shape)


class _Held:
    """What the views of a block hold, through NumPy's array interface."""

    def __init__(self, block: npt.NDArray[np.uint8], free: deque[npt.NDArray[np.uint8]]) -> None:
        self.__array_interface__ = block.__array_interface__
        self._block, self._free = block, free

    def __del__(self) -> None:
        self._free.append(self._block)
