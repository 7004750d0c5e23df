# SPDX-License-Identifier: Apache-2.0
"""The mark that carries presence alone: every sign is known, so that a second of sound is enough to find it."""

from __future__ import annotations

import numpy as np

from labelkit.watermark import audio_search as search
from labelkit.watermark.audio_pattern import RATE, Pattern

SHORT = 6 * RATE // search.STEP  # frames: under speed and pitch, it is looked for in clips up to 6 s
_LEAST_ROWS = 4  # of 192 ms, which a mark must fill
_SPANS = (5, 16)  # rows over which it is looked for before the search for its path is worth while
_LIKELY = 5.5  # deviations there; the decision needs more than 7


def present(chips: np.ndarray, pattern: Pattern, replay: search.Replay, log_tried: float) -> list[search.Found]:
    """The mark of presence, if these chips hold it."""
    if score(chips, pattern) < _LIKELY:
        return []
    mark = search.confirm(chips, pattern, None, replay, log_tried)
    return [mark] if mark else []


def score(chips: np.ndarray, pattern: Pattern) -> float:
    """The correlation with the signs of presence over the best second or three at one start: deviations."""
    hit, var = (np.pad(np.cumsum(x, axis=0), ((1, 0), (0, 0))) for x in search.row_scores(chips, pattern.chips(None)))
    best = 0.0
    for rows in _SPANS:
        rows = min(rows, len(hit) - 1)
        if rows >= _LEAST_ROWS:
            likeness = (hit[rows:] - hit[:-rows]) / np.sqrt(var[rows:] - var[:-rows] + 1e-6 * float(var.max()) + 1e-12)
            best = max(best, float(likeness.max()))
    return best


def any_likeness(chips: np.ndarray, pattern: Pattern) -> tuple[float, float]:
    """`likeness`, or the score of presence where that is higher."""
    whole, brief = search.likeness(chips, pattern)
    return max(whole, score(chips, pattern)), brief
