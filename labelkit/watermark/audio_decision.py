# SPDX-License-Identifier: Apache-2.0
"""The decision on the audio carrier: how likely unmarked sound is to correlate as well with any payload.

The signs of a pattern's chips are fair and independent coins over keys. So for any sound whatever, its music and its
repetitions included, the chance that a sum of its chips times signs comes out as high as it did can be computed.
"""

from __future__ import annotations

import math

import numpy as np

LOG_PAYLOADS = 64 * math.log(2)
_GRAIN = 16  # parts of the root mean square that sums of chips are rounded to for the decision


def score(folded: np.ndarray, signs: np.ndarray) -> float:
    """Correlation with the signs, in standard deviations of random signs; sqrt(608) = 24.7 at most."""
    return float((folded * signs).sum() / max(math.sqrt(float(np.square(folded).sum())), 1e-12))


def log_rate(folded: np.ndarray, signs: np.ndarray, log_candidates: float) -> float:
    """Natural log of a bound on the chance that unmarked sound gives such a sum for any candidate.

    folded      float [16, 38], sums of chips; signs float32 [16, 38] of -1 and +1
    The chance for one pattern, times the candidates: payloads and every way to lie that was tried.
    """
    scale = _GRAIN / max(math.sqrt(float(np.square(folded).mean())), 1e-12)
    values = np.rint(folded * scale).astype(np.int64)
    return min(0.0, log_candidates + log_tail(np.abs(values).reshape(-1), int((values * signs).sum())))


def log_tail(values: np.ndarray, total: int) -> float:
    """Natural log of P(sum of s v >= total) over fair signs s, for int64 [n] values v >= 0; exact but for rounding.

    The distribution is convolved value by value with coins that lean so that `total` is their mean: there it is of
    order 1, however small the chance is, and the lean is divided out again (the exponential change of measure of
    large deviations).
    """
    values = values[values > 0]
    reach = int(values.sum())
    if total <= 0:
        return 0.0
    if total > reach:
        return -math.inf
    low, high = 0.0, 8.0  # the lean that makes `total` the mean; any lean gives the same chance
    for _ in range(40):
        lean = (low + high) / 2
        low, high = (lean, high) if float((values * np.tanh(lean * values)).sum()) < total else (low, lean)
    raised = 1 / (1 + np.exp(-2 * lean * values))
    spread = np.zeros(reach + 1)  # over the sum of those values whose sign is +
    spread[0] = 1
    for value, up in zip(values.tolist(), raised.tolist(), strict=True):
        moved = spread[:-value] * up
        spread *= 1 - up
        spread[value:] += moved
    first = (total + reach + 1) // 2
    beyond = 2 * np.arange(first, reach + 1) - reach - total
    left = float((spread[first:] * np.exp(-lean * beyond)).sum())
    tilt = float(np.logaddexp(lean * values, -lean * values).sum()) - len(values) * math.log(2) - lean * total
    return min(0.0, tilt + math.log(left)) if left > 0 else -math.inf
