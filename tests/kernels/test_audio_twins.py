# SPDX-License-Identifier: Apache-2.0
"""The audio kernels against their NumPy twins, and against each other.

Instruction sets agree to the bit. The twins transform and add in another order, and agree within the share of the
largest value that native/lk_audio.h states.
"""

from __future__ import annotations

import numpy as np
import pytest

from labelkit import kernels
from labelkit.kernels import audio as twin
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark.audio.difference import DifferenceMaker
from labelkit.watermark.audio.pattern import BANDS, EDGES, PAIRS, roots, windows
from tests import sounds
from tests.backends import using

COMPILED = kernels.backends()[1:]
TOLERANCE = 1e-3
SHIELD_SCRATCH = 5 * 1024 + 8 * 129


def mark(k, channels=2):
    x = np.ascontiguousarray(np.resize(sounds.speech(2), (channels, 512 * 40 + 512)))
    signs = np.random.default_rng(1).choice([-1, 0, 1], (7, BANDS)).astype(np.int8)
    out, heard = np.zeros_like(x), np.zeros(257, np.float32)
    heard[0] = -1e9
    k.audio_mark(x, channels, 40, roots(), windows()[0], EDGES, signs, 3, np.full(BANDS, 0.25, np.float32),
                 heard, np.empty(max(1, k.audio_mark_scratch(channels)), np.float32), out)
    return np.concatenate([out.reshape(-1), heard / np.abs(heard).max()])


def limit(k):
    host, difference = sounds.speech(1), sounds.noise(1, 16_000, 0.02)
    out = np.empty(len(host) - 64, np.float32)
    k.audio_limit(host, difference, 0.1, np.empty(2 * len(host), np.float32), out)
    return out


def shield(k):
    host, difference = sounds.speech(1)[: 51 * 128], sounds.noise(1, 16_000, 0.02)[: 51 * 128]
    out = np.zeros(len(host), np.float32)
    k.audio_shield(host, difference, 0.1, roots(), windows()[0][::4].copy(), np.empty(SHIELD_SCRATCH, np.float32), out)
    return out


def resample(k, up=3, down=1, phases=3, taps=32):
    x, bank = sounds.noise(0.2, 16_000), sounds.noise(1, phases * taps).reshape(phases, taps)
    out = np.empty((len(x) - taps) * up // down - 7, np.float32)
    k.audio_resample(x, bank, phases, up, down, 5, out)
    return out


def stream(k, rate=48_000, channels=2, whole=False, adds=True, chunk=None):
    """What a second of speech becomes, pushed chunk by chunk."""
    host = np.stack([sounds.speech(1, rate) * np.float32(1.5**c) for c in range(channels)], axis=1)
    host = (host * 40_000).clip(-32768, 32767).astype(np.int16) if whole else host
    with using("numpy" if k is twin else kernels.backend()):
        maker = DifferenceMaker(rate, channels, Payload.from_int(5), Key.public(), 1.0, adds=adds)
        size = chunk or len(host)
        return np.concatenate([maker.push(host[at : at + size]) for at in range(0, len(host), size)])


def spectrum(k):
    x = sounds.speech(1)
    out = np.empty((40, 491), np.float32)
    k.audio_spectrum(x, 40, 256, roots(), windows()[1], 22, 512, np.empty(4096, np.float32), out)
    return out


def chips(k, pace=0.97):
    sums = spectrum(twin)
    edges = np.linspace(3, 480, 79)
    index = edges.astype(np.uint16)
    out = np.empty((37, 38), np.float32)
    k.audio_chips(sums, 40, index, (edges - index).astype(np.float32), (1 / np.diff(edges)).astype(np.float32),
                  np.full(78, -14, np.float32), np.linspace(0, 1, 78, dtype=np.float32), pace, 37,
                  np.empty(4 * 37 * 78, np.float32), out)
    return out


def rows(k):
    values = sounds.noise(1, 100 * PAIRS).reshape(100, PAIRS)
    signs = np.random.default_rng(2).choice([-1, 0, 1], (PAIRS, 16)).astype(np.float32)
    hit, variance = np.empty((2, 8, 192), np.float32)
    k.audio_rows(values, signs, 12, hit, variance)
    return np.stack([hit, variance])


CASES = {"mark": mark, "mark mono": lambda k: mark(k, 1), "limit": limit, "shield": shield, "resample up": resample,
         "resample down": lambda k: resample(k, 1, 3, 1, 80), "resample far": lambda k: resample(k, 160, 441, 160, 48),
         "resample phases": lambda k: resample(k, 1001, 1000, 16, 16), "spectrum": spectrum, "chips": chips,
         "chips plain": lambda k: chips(k, 1.0), "rows": rows, "stream": lambda k: stream(k, adds=False),
         "stream at 16 kHz": lambda k: stream(k, 16_000, 1, adds=False),
         "stream at 44.1 kHz": lambda k: stream(k, 44_100, 3, adds=False)}


@pytest.mark.parametrize("case", CASES)
def test_twins_agree(case):
    want = CASES[case](twin)
    assert np.isfinite(want).all() and np.abs(want).max() > 0
    results = []
    for isa in COMPILED:
        with using(isa):
            results.append(CASES[case](kernels.native))
    for got in results:
        assert np.array_equal(got, results[0]), "instruction sets agree to the bit"
        assert np.abs(got - want).max() <= TOLERANCE * np.abs(want).max()


def test_the_spectrum_is_the_logarithm_of_the_power():
    x = sounds.speech(1)
    power = np.abs(np.fft.rfft(x[:1024] * windows()[1])[21:512]) ** 2
    power = power[1:-1] + (power[:-2] + power[2:]) / 20
    assert np.allclose(np.diff(spectrum(kernels)[0])[:-1], np.log2(power + 1e-12), atol=2e-3)


def shielded(host, difference, ratio):
    out = np.zeros(len(host), np.float32)
    kernels.audio_shield(host, difference, ratio, roots(), windows()[0][::4].copy(),
                         np.empty(SHIELD_SCRATCH, np.float32), out)
    return out


def test_the_shield_keeps_a_difference_out_of_the_holes_of_a_spectrum_and_nothing_else():
    t = np.arange(128 * 51) / 16_000
    host = (np.sin(2 * np.pi * 1_000 * t) * 0.3 + sounds.noise(1, len(t), 1e-4)).astype(np.float32)
    difference = sounds.noise(1, len(t), 0.01, seed=2)

    def levels(x):
        power = np.square(np.abs(np.fft.rfft(x[1024:2048] * windows()[1])))
        return power[400:500].mean(), power[60:69].mean()  # a hole; around the tone
    (hole, tone), (free, near), (kept, held) = map(levels, (host, difference, shielded(host, difference, 0.5)))
    assert free > 1_000 * hole and near < 0.01 * tone
    assert kept < hole and held > 0.5 * near
    free = shielded(host, difference, 1e6) - difference
    assert np.square(free[128:-128]).mean() < 0.03 * np.square(difference).mean(), "only DC and 8 kHz are taken out"


@pytest.mark.parametrize("isa", COMPILED)
def test_a_shield_in_parts_gives_the_bits_of_the_whole(isa):
    host, difference = sounds.speech(1)[: 51 * 128], sounds.noise(1, 16_000, 0.02)[: 51 * 128]
    with using(isa):
        whole = shielded(host, difference, 0.1)
        parts = np.zeros(len(host), np.float32)
        for first, end in ((0, 4), (4, 16), (16, 50)):
            part = slice(first * 128, (end + 1) * 128)
            parts[part] += shielded(host[part], difference[part], 0.1)
    assert np.array_equal(parts, whole)


@pytest.mark.parametrize("rate, channels, whole", [(48_000, 1, False), (44_100, 2, True), (8_000, 3, False),
                                                   (16_000, 2, False), (96_001, 1, True)])
def test_a_stream_in_parts_gives_the_bits_of_the_whole(rate, channels, whole):
    want = stream(kernels.native, rate, channels, whole)
    assert len(want) > 0.9 * rate and want.any()
    for chunk in (1_000, 20_000):
        assert np.array_equal(stream(kernels.native, rate, channels, whole, chunk=chunk), want)
    marked = stream(twin, rate, channels, whole, chunk=9_000)
    assert np.abs(marked.astype(float) - want).max() <= (1 if whole else 1e-3 * np.abs(want).max())


def test_a_stream_adds_the_difference_and_keeps_to_full_scale():
    for channels in (1, 2, 3):
        host = stream(kernels.native, 16_000, channels, adds=True)
        change = stream(kernels.native, 16_000, channels, adds=False)
        given = np.stack([sounds.speech(1, 16_000) * np.float32(1.5**c) for c in range(channels)], axis=1)
        top = np.maximum(np.abs(given[: len(host)]), 1)
        assert np.array_equal(host, np.clip(given[: len(host)] + change, -top, top))


@pytest.mark.parametrize("isa", COMPILED)
@pytest.mark.parametrize("call", [
    lambda k: k.audio_resample(np.zeros(10, np.float32), np.zeros(32, np.float32), 1, 1, 1, 0, np.zeros(1, np.float32)),
    lambda k: k.audio_resample(np.zeros(99, np.float32), np.zeros(20, np.float32), 1, 1, 1, 0, np.zeros(1, np.float32)),
    lambda k: k.audio_spectrum(np.zeros(1000, np.float32), 1, 256, roots(), windows()[1], 22, 512,
                               np.zeros(4096, np.float32), np.zeros((1, 491), np.float32)),
    lambda k: k.audio_spectrum(np.zeros(2000, np.float32), 1, 256, roots(), windows()[1], 0, 512,
                               np.zeros(4096, np.float32), np.zeros((1, 513), np.float32)),
    lambda k: k.audio_mark(np.zeros(1000, np.float32), 1, 1, roots(), windows()[0], EDGES,
                           np.zeros((1, BANDS), np.int8), 0, np.zeros(BANDS, np.float32), np.zeros(257, np.float32),
                           np.zeros(k.audio_mark_scratch(1), np.float32), np.zeros(1000, np.float32)),
    lambda k: k.audio_rows(np.zeros(49, np.float32), np.zeros((4, 16), np.float32), 12,
                           np.zeros((1, 192), np.float32), np.zeros((1, 192), np.float32)),
    lambda k: k.audio_limit(np.zeros(10, np.float32), np.zeros(10, np.float32), 0.1, np.zeros(200, np.float32),
                            np.zeros(10, np.float32)),
    lambda k: k.audio_shield(np.zeros(300, np.float32), np.zeros(300, np.float32), 0.1, roots(),
                             np.ones(256, np.float32), np.zeros(SHIELD_SCRATCH, np.float32), np.zeros(300, np.float32)),
    lambda k: k.audio_shield(np.zeros(384, np.float32), np.zeros(256, np.float32), 0.1, roots(),
                             np.ones(256, np.float32), np.zeros(SHIELD_SCRATCH, np.float32), np.zeros(384, np.float32)),
])
def test_arguments_are_checked(isa, call):
    with using(isa), pytest.raises(ValueError):
        call(kernels.native)
