# SPDX-License-Identifier: Apache-2.0
"""The kernel that weights sound for its loudness gives the bits of its NumPy twin, and what its two filters give."""

from __future__ import annotations

import numpy as np
import pytest

from labelkit.explicit.audio.loudness import _filters
from labelkit.kernels import reference


def sound(frames: int, channels: int, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.2, (frames, channels)).astype(np.float32)


def measured(module, x: np.ndarray, rate: int, state: np.ndarray) -> np.ndarray:
    """Energy of each tenth of a second, [hops, channels]."""
    filters, fade, step = _filters(rate)
    channels, hop = x.shape[1], rate // 10
    energy = np.empty((len(x) // hop, channels))
    module.audio_loudness(x, channels, hop, filters, fade, step, state, np.empty(16 * len(fade)), energy)
    return energy


def one_by_one(x: np.ndarray, filters: np.ndarray, hop: int) -> list[float]:
    """The same of one channel, sample by sample, by the difference equations."""
    b0, b1, b2, a1, a2, c1, c2 = filters
    x1 = x2 = y1 = y2 = w1 = w2 = 0.0
    squares = []
    for now in x.tolist():
        y = b0 * now + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2
        w = y - 2 * y1 + y2 - c1 * w1 - c2 * w2
        x1, x2, y1, y2, w1, w2 = now, x1, y, y1, w, w1
        squares.append(w * w)
    return np.reshape(squares, (-1, hop)).sum(1).tolist()


@pytest.mark.parametrize("rate, channels", [(48_000, 1), (44_100, 2), (8_000, 3), (11_025, 1), (96_001, 6)])
def test_the_energy_of_weighted_sound(native, rate, channels) -> None:
    x, results = sound(rate // 10 * 7, channels), []
    for module in (reference, native):
        state = np.zeros((channels, 4))
        whole = measured(module, x, rate, state)
        again = np.zeros((channels, 4))
        parts = [measured(module, x[at : at + rate // 10], rate, again) for at in range(0, len(x), rate // 10)]
        assert np.array_equal(np.concatenate(parts), whole) and np.array_equal(state, again)
        results.append((whole, state))
    assert all(np.array_equal(*pair) for pair in zip(*results, strict=True))
    whole = results[1][0]
    assert np.allclose(whole[:, -1], one_by_one(x[:, -1], _filters(rate)[0], rate // 10), rtol=1e-9)
    plain = np.square(x[:, -1]).reshape(-1, rate // 10).sum(1)
    assert not np.allclose(whole[:, -1], plain, rtol=0.05), "it is weighted"


def test_short_stretches_are_refused(native) -> None:
    for module in (reference, native):
        with pytest.raises(ValueError):
            module.audio_loudness(sound(255, 1), 1, 255, np.ones(7), np.ones(64), np.ones(32), np.zeros(4),
                                  np.empty(256), np.empty(1))
