# SPDX-License-Identifier: Apache-2.0
"""The NumPy twins: the specification of every kernel, its test oracle, and the fallback.

Each function takes the same arguments as its compiled twin and writes into the same buffers.
"""

from __future__ import annotations

import numpy as np


def polar_scratch(n: int, paths: int) -> int:
    """Bytes of scratch that `polar_decode` wants; this twin uses none."""
    return 0


def polar_decode(soft, frozen, paths, scratch, bits, metric) -> None:
    """Successive-cancellation list decoding; see native/lk.h for the contract."""
    n = soft.size
    alpha = {1 << s: np.zeros((1, 1 << s), np.int64) for s in range(n.bit_length() - 1)}
    alpha[n] = soft.astype(np.int64)[None]
    left = {1 << s: np.zeros((1, 1 << s), np.uint8) for s in range(n.bit_length())}
    cost = np.zeros(1, np.int64)
    decided = np.zeros((1, 0), np.uint8)
    for leaf in range(n):
        _descend(alpha, left, n, leaf)
        a = alpha[1][:, 0]
        if frozen[leaf]:
            cost = cost + np.maximum(-a, 0)
            bit = np.zeros(len(cost), np.uint8)
        else:
            forks = np.stack([cost + np.maximum(-a, 0), cost + np.maximum(a, 0)], 1).ravel()
            kept = np.argsort(forks, kind="stable")[:paths]
            parent, bit = kept // 2, (kept & 1).astype(np.uint8)
            cost = forks[kept]
            for size in left:
                left[size] = left[size][parent]
            for size in alpha:
                if size < n:
                    alpha[size] = alpha[size][parent]
            decided = np.concatenate([decided[parent], bit[:, None]], 1)
        _ascend(left, leaf, bit)
    order = np.argsort(cost, kind="stable")
    metric[:] = -1
    metric[: len(order)] = cost[order]
    bits[: len(order)] = decided[order]


def _descend(alpha: dict, left: dict, n: int, leaf: int) -> None:
    size = leaf & -leaf if leaf else n
    if leaf:
        up = alpha[2 * size]
        alpha[size] = up[:, size:] + np.where(left[size] > 0, -up[:, :size], up[:, :size])
    while size > 1:
        size //= 2
        a, b = alpha[2 * size][:, :size], alpha[2 * size][:, size:]
        low = np.minimum(np.abs(a), np.abs(b))
        out = np.where((a ^ b) < 0, -low, low)
        alpha[size] = np.broadcast_to(out, (len(left[1]), size)).copy() if len(out) != len(left[1]) else out


def _ascend(left: dict, leaf: int, bit: np.ndarray) -> None:
    size, carry = 1, bit[:, None]
    while leaf & size:
        carry = np.concatenate([left[size] ^ carry, carry], 1)
        size *= 2
    left[size] = carry
