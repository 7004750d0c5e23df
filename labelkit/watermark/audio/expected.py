# SPDX-License-Identifier: Apache-2.0
"""Decide among candidates whether sound carries one of them, where no payload could be read.

The starts of a period are few, 192, and the known chips rank them. At the likeliest ones, and along the path that a
read follows, the soft bits are compared with all candidates. The nearest are searched for again with every chip known,
as a payload that was read is (`synchronizer.confirm`); that search decides, and counts.
"""

from __future__ import annotations

import math

import numpy as np

from labelkit.payload import Payload
from labelkit.watermark.audio import synchronizer
from labelkit.watermark.audio.inputs import Float32, Float64
from labelkit.watermark.audio.pattern import CODE_BITS, Pattern
from labelkit.watermark.audio.significance import score
from labelkit.watermark.audio.synchronizer import STARTS, LocatedMark, Replay, RowPath
from labelkit.watermark.candidates import Candidates

_MIN_ROWS = 8  # of 192 ms, as for a read
_PATHS = 48  # the likeliest starts and one path; a start is known to two of 192 places
_TRIED = 2  # candidates of each path
_CONFIRMED = 4  # candidates that are searched for again: a bar of 4 deviations leaves one or none in noise
_MIN_SCORE = 4.0  # standard deviations along a path; the decision needs more than 6


def read_expected(chips: Float32, pattern: Pattern, replay: Replay, log_tried: float,
                  candidates: Candidates) -> list[LocatedMark]:
    """The candidate that these chips carry, if one passes the bar of a decision.

    log_tried  natural log of what the caller tries
    """
    paths = _paths(chips, pattern, candidates.observations(_PATHS, CODE_BITS))
    if not paths:
        return []
    folded = [synchronizer.fold(chips, path) for path in paths]
    near = candidates.nearest(np.stack([_soft(one, pattern) for one in folded]), _TRIED)
    scores: dict[int, float] = {}
    for one, words in zip(folded, near, strict=True):
        for word, _ in words:
            scores[word] = max(scores.get(word, 0.0), score(one, pattern.chips(Payload.from_int(word))))
    for word in sorted(scores, key=lambda word: -scores[word])[:_CONFIRMED]:
        if scores[word] < _MIN_SCORE:
            break
        mark = synchronizer.confirm(chips, pattern, Payload.from_int(word), replay,
                                    log_tried + math.log(2), counted=candidates.counted)  # blind, or among candidates
        if mark and candidates.tells_apart(_code_score(chips, pattern, mark)):
            return [mark]
    return []


def _code_score(chips: Float32, pattern: Pattern, mark: LocatedMark) -> float:
    """Deviations of the coded bits alone, under random signs."""
    code = pattern.code_chips
    return score(synchronizer.fold(chips, mark.path).reshape(-1)[code], pattern.chips(mark.payload).reshape(-1)[code])


def _paths(chips: Float32, pattern: Pattern, most: int) -> list[RowPath]:
    """The path that the known chips suggest, and straight ones from the likeliest starts: `most` together."""
    hit, var = synchronizer.row_scores(chips, pattern.sync.astype(np.float32))
    if len(hit) < _MIN_ROWS:
        return []
    found = [synchronizer.viterbi_path(hit, var, 0.7)]
    if np.count_nonzero(found[0] != STARTS) < _MIN_ROWS:
        found = []
    scores = hit.sum(0) / np.sqrt(var.sum(0) + 1e-9)
    while len(found) < most and np.isfinite(scores).any():
        start = int(scores.argmax())
        found.append(np.full(len(hit), start))
        scores[(start + np.arange(-2, 3)) % STARTS] = -np.inf
    return found


def _soft(folded: Float64, pattern: Pattern) -> Float64:
    soft: Float64 = folded.reshape(-1)[pattern.code_chips] * pattern.code_signs
    return soft
