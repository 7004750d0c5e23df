# SPDX-License-Identifier: Apache-2.0
"""The NumPy twin of the kernel that compares code words; reference.py shows it with the others."""

from __future__ import annotations

import functools

import numpy as np

from labelkit.kernels.contract import Int64, UInt8, UInt16


@functools.cache
def _ones() -> UInt8:
    """uint8 [65536]: how many bits of each number are set."""
    bits = np.unpackbits(np.arange(65536, dtype=np.uint16).view(np.uint8)).reshape(-1, 16)
    counts: UInt8 = bits.sum(1, dtype=np.uint8)
    return counts


def code_distance(words: Int64, table: Int64, hard: Int64, mask: Int64, distance: UInt16) -> None:
    """Count the bits of code words that differ from observed ones; see native/lk.h for the contract."""
    blocks = hard.shape[1]
    rows = table.reshape(8, 256, blocks)
    code = np.zeros((words.size, blocks), np.int64)
    for byte in range(8):
        code ^= rows[byte, (words.reshape(-1) >> (56 - 8 * byte)) & 255]
    for observation, (bits, counted) in enumerate(zip(hard, mask.reshape(hard.shape), strict=True)):
        differing = ((code ^ bits) & counted).view(np.uint16)
        distance.reshape(len(hard), -1)[observation] = _ones()[differing].sum(1, dtype=np.uint16)
