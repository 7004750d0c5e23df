# SPDX-License-Identifier: Apache-2.0
"""The decision of the audio detector: the chance that unmarked sound correlates as well with any payload.

Over keys, the signs of a pattern's chips are fair and independent coins. So for any sound whatever, its repetitions
included, one can compute the chance that the sum of chips times signs comes out as high as it did.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from labelkit.watermark.audio.inputs import Float32, Float64

LOG_PAYLOADS = 64 * math.log(2)
_STEPS_PER_RMS = 16  # sums of chips are rounded to 1/16 of their root mean square


def score(folded: Float64, signs: Float32 | Float64) -> float:
    """Correlation with the signs, in standard deviations under random signs; sqrt(608) = 24.7 at most."""
    return float((folded * signs).sum() / max(math.sqrt(float(np.square(folded).sum())), 1e-12))


def log_false_positive_rate(folded: Float64, signs: Float32 | Float64, log_candidates: float) -> float:
    """Natural log of a bound on the chance that unmarked sound gives such a sum for any candidate.

    folded          float64 [16, 38]: sums of chips
    signs           float [16, 38] of -1 and +1
    log_candidates  natural log of how many payloads and geometries were tried
    """
    scale = _STEPS_PER_RMS / max(math.sqrt(float(np.square(folded).mean())), 1e-12)
    values = np.rint(folded * scale).astype(np.int64)
    return min(0.0, log_candidates + log_tail_probability(np.abs(values).reshape(-1), int((values * signs).sum())))


def log_tail_probability(values: npt.NDArray[np.int64], total: int) -> float:
    """Natural log of P(sum of s v >= total) over fair signs s, for int64 [n] values v >= 0; exact but for rounding.

    The distribution is convolved value by value under an exponential tilt that makes `total` its mean: there the
    probability is of order 1, however small it is under fair signs. The tilt is divided out at the end (the change of
    measure of large deviations).
    """
    values = values[values > 0]
    reach = int(values.sum())
    if total <= 0:
        return 0.0
    if total > reach:
        return -math.inf
    tilt = _tilt(values, total)
    positive = 1 / (1 + np.exp(-2 * tilt * values))
    distribution = np.zeros(reach + 1)  # over the sum of those values whose sign is +
    distribution[0] = 1
    for value, probability in zip(values.tolist(), positive.tolist(), strict=True):
        moved = distribution[:-value] * probability
        distribution *= 1 - probability
        distribution[value:] += moved
    first = (total + reach + 1) // 2
    beyond = 2 * np.arange(first, reach + 1) - reach - total
    tail = float((distribution[first:] * np.exp(-tilt * beyond)).sum())
    log_scale = float(np.logaddexp(tilt * values, -tilt * values).sum()) - len(values) * math.log(2) - tilt * total
    return min(0.0, log_scale + math.log(tail)) if tail > 0 else -math.inf


def _tilt(values: npt.NDArray[np.int64], total: int) -> float:
    """The tilt under which `total` is the mean, by bisection; every tilt gives the same probability."""
    low, high = 0.0, 8.0
    for _ in range(40):
        tilt = (low + high) / 2
        low, high = (tilt, high) if float((values * np.tanh(tilt * values)).sum()) < total else (low, tilt)
    return tilt
