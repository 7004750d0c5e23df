# SPDX-License-Identifier: Apache-2.0
"""Memory to work in, kept for the next call of the same thread.

Fresh memory costs a page fault for every 4 kB: for a picture of 3 MB that is as much time as it takes to mark it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

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
