# SPDX-License-Identifier: Apache-2.0
"""Marks of one key laid over each other, as where two marked voices are mixed: the weaker are read under the stronger.

A mark that was read is known chip by chip. What of the chips goes with its signs is taken out, at its own place and at
the eleven places up to the next row, where it is heard in part. What is left is searched again: on 20 s of two voices
at equal level and any distance the second then has 16 deviations of 24.7, where it was under the first before.
"""

from __future__ import annotations

import math

import numpy as np

from labelkit.watermark.audio import synchronizer
from labelkit.watermark.audio.inputs import Float32
from labelkit.watermark.audio.pattern import ROWS, Pattern
from labelkit.watermark.audio.synchronizer import ROW, STARTS, LocatedMark, Replay

ROUNDS = 2  # of searches beneath what was found: three voices, in bounded time


def read_beneath(chips: Float32, pattern: Pattern, found: list[LocatedMark], replay: Replay, log_tried: float, *,
                 segments: int, list_size: int) -> list[LocatedMark]:
    """The payloads under those that were `found` in these chips; the rest is as for `synchronizer.read`."""
    beneath: list[LocatedMark] = []
    last = found
    for _ in range(ROUNDS):
        for mark in last:
            chips = without(chips, pattern, mark)
        known = {mark.payload for mark in (*found, *beneath)}
        last = [mark for mark in synchronizer.read(chips, pattern, replay, log_tried + math.log(1 + ROUNDS),
                                                   segments=segments, list_size=list_size)
                if mark.payload not in known]
        if not last:
            break
        beneath += last
    return beneath


def without(chips: Float32, pattern: Pattern, mark: LocatedMark) -> Float32:
    """float32 [rows, 38]: the chips, with what goes with the mark's signs taken out along its path, by least squares.

    The known signs of its rows are those of every mark of the key: they are left out altogether, so that they count for
    no other mark at the same place.
    """
    rows = np.flatnonzero(mark.path != STARTS)
    start = mark.path[rows]
    place, row = rows * ROW + start % ROW, (rows - start // ROW) % ROWS
    signs = pattern.chips(mark.payload)
    out = chips.copy()
    for shift in range(ROW):
        inside = place + shift < len(chips)
        at, own, following = place[inside] + shift, signs[row[inside]], signs[(row[inside] + 1) % ROWS]
        if not len(at):
            continue
        value = out[at]
        overlap = float((own * following).mean())
        with_own, with_next = float((value * own).mean()), float((value * following).mean())
        scale = max(1 - overlap**2, 1e-6)
        value = (value - (with_own - overlap * with_next) / scale * own
                 - (with_next - overlap * with_own) / scale * following)
        out[at] = np.where(pattern.sync[row[inside]] != 0, 0, value) if shift == 0 else value
    return out
