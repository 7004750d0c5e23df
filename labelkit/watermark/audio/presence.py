# SPDX-License-Identifier: Apache-2.0
"""The mark that carries presence alone: every sign is known, so that a second of sound is enough to find it."""

from __future__ import annotations

import numpy as np

from labelkit.watermark.audio import synchronizer
from labelkit.watermark.audio.inputs import Float32
from labelkit.watermark.audio.pattern import RATE, Pattern
from labelkit.watermark.audio.synchronizer import LocatedMark, Replay

SHORT = 6 * RATE // synchronizer.STEP  # frames: clips up to 6 s are searched for it under speed and pitch changes
_MIN_ROWS = 4  # of 192 ms, which a mark must fill
_SPANS = (5, 16)  # rows over which it is scored before the search for its path is worth while
# swept 2026-11-28, tables in benchmarks/TUNING.md: PRESENCE_SCORE
_MIN_SCORE = 5.5  # standard deviations there; the decision needs more than 7


def find_presence(chips: Float32, pattern: Pattern, replay: Replay, log_tried: float) -> list[LocatedMark]:
    """The mark of presence, if these chips hold it."""
    if presence_score(chips, pattern) < _MIN_SCORE:
        return []
    mark = synchronizer.confirm(chips, pattern, None, replay, log_tried)
    return [mark] if mark else []


def presence_score(chips: Float32, pattern: Pattern) -> float:
    """Correlation with the signs of presence over the best one or three seconds at one start, in deviations."""
    scores = synchronizer.row_scores(chips, pattern.chips(None))
    hit, var = (np.pad(np.cumsum(x, axis=0), ((1, 0), (0, 0))) for x in scores)
    best = 0.0
    for span in _SPANS:
        rows = min(span, len(hit) - 1)
        if rows >= _MIN_ROWS:
            score = (hit[rows:] - hit[:-rows]) / np.sqrt(var[rows:] - var[:-rows] + 1e-6 * float(var.max()) + 1e-12)
            best = max(best, float(score.max()))
    return best
