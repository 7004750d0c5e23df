# SPDX-License-Identifier: Apache-2.0
"""The decision of the audio detector: probabilities that can be counted, and the bound that rests on them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark.audio.pattern import pattern
from labelkit.watermark.audio.significance import log_false_positive_rate, log_tail_probability, score
from labelkit.watermark.audio.synchronizer import ROW, STARTS, Replay, Spectrum, fold, viterbi_path
from tests import sounds

PAYLOAD = Payload.from_int(0x3123456789ABCDEF)


def test_random_keys_stay_under_the_bound():
    """The bound holds over keys: the correlations of one host with many keys spread no wider than chance allows."""
    spectrum = Spectrum.of(sounds.music(12, 16_000).mean(1))
    chips = spectrum.chips(Replay())
    scores = []
    for k in range(60):
        signs = pattern(Key(k.to_bytes(16, "big"))).chips(PAYLOAD)
        path = np.full(len(chips) // ROW, (k * 37) % STARTS)
        scores.append(score(fold(chips, path), signs))
    assert np.abs(scores).max() < 4.5 and 0.6 < np.std(scores) < 1.5


def test_the_chance_of_a_sum_is_exact():
    """Against every one of 2^12 choices of signs, at every sum; and far out, where no counting reaches, symmetric sums
    of equal values are binomial."""
    values = np.random.default_rng(3).integers(0, 9, 12)
    sums = np.sort(np.array(list(itertools.product((-1, 1), repeat=12))) @ values)
    for total in range(1, int(values.sum()) + 1):
        share = np.count_nonzero(sums >= total) / len(sums)
        assert math.exp(log_tail_probability(values, total)) == pytest.approx(share, rel=1e-9)
    assert log_tail_probability(values, int(values.sum()) + 1) == -math.inf and log_tail_probability(values, 0) == 0.0
    beyond = math.log(sum(math.comb(608, k) for k in range(440, 609))) - 608 * math.log(2)
    assert log_tail_probability(np.full(608, 7), 7 * (2 * 440 - 608)) == pytest.approx(beyond, rel=1e-9)


def test_the_bound_counts_candidates():
    signs = np.random.default_rng(4).choice([-1.0, 1.0], (16, 38))
    noise = np.random.default_rng(5).standard_normal((16, 38))
    for strength, passes in ((0.4, False), (0.9, True)):
        rate, more = (log_false_positive_rate(noise + strength * signs, signs, tried) for tried in (50.0, 53.0))
        assert (rate < math.log(1e-9)) == passes
        assert more == pytest.approx(rate + 3) if passes else more == 0.0
    assert log_false_positive_rate(np.zeros((16, 38)), signs, 0.0) == 0.0
    assert log_false_positive_rate(-signs, signs, 0.0) == 0.0, "the opposite of a pattern is no mark"


@pytest.mark.parametrize("marked", [False, True])
def test_no_path_has_a_higher_sum(marked):
    """Than the one that is found, by trying every turn from each of the 193 states to each other, row by row."""
    random, expected, rows = np.random.default_rng(6), 1.5, 70
    hit = random.standard_normal((rows, STARTS)).astype(np.float32)
    if marked:  # from one start, a row late on the way, to another
        for row in range(8, 60):
            hit[row, (40 + (row > 30)) if row < 45 else 150] += 4
    cost = np.full((STARTS + 1, STARTS + 1), math.log(STARTS * rows))  # by states before and behind
    near = np.arange(STARTS)
    for way in (1, -1):
        cost[near, (near + way) % STARTS] = math.log(2 * rows)
    cost[:, STARTS] = math.log(rows)
    np.fill_diagonal(cost, 0.0)
    gain = np.zeros((rows, STARTS + 1))
    gain[:, :STARTS] = expected * hit - expected**2 / 2
    total = gain[0] - math.log(STARTS) * (np.arange(STARTS + 1) < STARTS)
    for row in range(1, rows):
        total = (total[:, None] - cost).max(0) + gain[row]
    path = viterbi_path(hit, np.ones_like(hit), expected)
    turns = cost[path[:-1], path[1:]].sum() + math.log(STARTS) * (path[0] < STARTS)
    assert gain[np.arange(rows), path].sum() - turns == pytest.approx(total.max(), abs=1e-3)
    if marked:
        assert set(path[10:30]) == {40} and set(path[32:44]) == {41} and set(path[46:58]) == {150}
    else:
        assert (path == STARTS).all()
