# SPDX-License-Identifier: Apache-2.0
"""How much mark sound needs to be read after everyday transformations, measured on sampled seconds.

A stand-in mark is put into up to four periods of the host at amplitude 1, and read three times: as it is, after noise
that follows the spectrum as that of codecs does, and in white noise 10 dB under the sound. Each reading gives the ratio
of the mark's energy to that of everything else. It grows with the length, because periods are summed, and with a power
of the amplitude. What an attack leaves of it is nearly the same share in every clip (`_USUAL`, `_HARSH`).

The amplitude is the least at which each usual attack leaves enough to read 64 bits, with a reserve. Attacks that few
people's sound meets are let count as long as what they ask for is hardly heard. The need of clips differs by a factor
of four: speech is loud in few bands and needs most, and it hides most.

What is spent depends on the sound alone, not on payload or key. Figures are in benchmarks/AUDIO.md.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import numpy as np

from labelkit.codec.resample import Resampler
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark.audio.difference import DifferenceMaker
from labelkit.watermark.audio.inputs import Float32, Float64, Samples, by_channel, channels_of
from labelkit.watermark.audio.pattern import EDGES, FRAME, HOP, PAIRS, PERIOD_FRAMES, RATE, ROWS, pattern
from labelkit.watermark.audio.significance import score
from labelkit.watermark.audio.synchronizer import ROW, Replay, Spectrum

PERIOD_S = PERIOD_FRAMES * HOP / RATE
PERIODS = 4  # of a section that are sampled
LEAST, MOST = 0.25, 4.0  # amplitudes; at MOST every band has its full depth
UNHEARD = 1.5  # of a stream before anything was heard: what the median clip of speech needs
STREAM_S = 10.0  # of a stream are to be enough
_HEARD_PERIODS = 2  # by which a stream is measured, every four periods
FULLY_COUNTED_S = 32.0  # of a section: longer clips are cut, and two windows of the detector share them
_READ = 0.30  # the ratio from which on 64 bits are read: 12 standard deviations of sqrt(608)
_POWER = 1.75  # of the amplitude, that the ratio grows with; 40 clips
_CUT_S = 3.0
_NARROW = int(np.count_nonzero(EDGES[1:] * RATE / FRAME < 3_400)) // 2  # chips of a row that telephones keep
_NOISE_SHARE, _SPECTRAL_NOISE, _SPECTRAL_STEP = 10**-0.5, 0.2, 64
_STAND_IN = Payload.from_int(0x5A3C91D277AA0F13)


def sections(frames: int, rate: int, channels: int) -> list[tuple[int, int]]:
    """(start, stop) of the equal parts of a clip, of about a minute or what 8 million samples last, measured apart."""
    longest = max(PERIODS * PERIOD_S, min(64.0, 2**23 / (rate * channels)))
    count = max(1, math.ceil(frames / rate / longest))
    edges = [frames * k // count for k in range(count + 1)]
    return list(zip(edges, edges[1:], strict=False))


def amplitude(host: Samples, rate: int, counted_s: float | None = None) -> float:
    """The amplitude that sound, float32 or int16, [frames] or [frames, channels], needs; MOST where it lasts no period.

    counted_s  the length to be read, where it differs from that of `host`
    """
    length_s = len(host) / rate
    if length_s < PERIOD_S:
        return MOST
    return needed(_sample(host, rate), min(counted_s or length_s, FULLY_COUNTED_S))


def _sample(host: Samples, rate: int) -> Float32:
    """float32 [n] at RATE: up to four periods, spread over the host, of the mean of its channels."""
    count = min(PERIODS, int(len(host) / rate / PERIOD_S))
    size = round(PERIOD_S * rate)
    starts = [(len(host) - size) * k // max(1, count - 1) for k in range(count)]
    lookahead = Resampler(rate, RATE, 1).lookahead + 1
    parts = []
    for start in starts:
        part = np.zeros((1, size + lookahead), np.float32)
        part[0, :size] = by_channel(host[start : start + size], channels_of(host)).mean(0)
        parts.append(Resampler(rate, RATE, 1).push(part)[0, : PERIOD_FRAMES * HOP])
    return np.concatenate(parts)


def needed(sample: Float32, length_s: float) -> float:
    """The amplitude for so many seconds of sound, float32 [n] at RATE, that sounds like this."""
    length = len(sample)
    maker = DifferenceMaker(RATE, 1, _STAND_IN, Key.public(), 1.0, 1.0)
    change = maker.push(np.concatenate([sample, np.zeros(maker.delay, np.float32)])[None])[0, :length]
    marked = sample + change
    white, steps = (noise[:length] for noise in _noises(-(-length // (PERIOD_FRAMES * HOP))))
    per_s = 1 / (length / RATE)
    clean, _ = (x * per_s for x in _ratios(marked))
    coded, coded_narrow = (x * per_s for x in _ratios(marked * (1 + steps)))
    noisy, noisy_narrow = (x * per_s for x in _ratios(marked + white * (_NOISE_SHARE * _level(sample))))
    usual = min(clean * min(_CUT_S, length_s), length_s * min(0.32 * coded, 2 * noisy_narrow))
    harsh = length_s * min(0.2 * coded, 0.33 * coded_narrow, 1.16 * noisy)
    asked = max(_asked(usual) * USUAL_RESERVE, min(_asked(harsh) * HARSH_RESERVE, HARSH_MOST))
    return math.ceil(64 * min(max(asked, LEAST), MOST)) / 64


USUAL_RESERVE, HARSH_RESERVE, HARSH_MOST = 1.2, 1.1, 1.0


def _asked(ratio: float) -> float:
    return float((_READ / max(ratio, 1e-4)) ** (1 / _POWER))


def _ratios(marked: Float32) -> tuple[float, float]:
    """Energy of the stand-in mark over that of all else: from every chip, and from those below 3.4 kHz."""
    chips = Spectrum.of(marked).chips(Replay())
    folded = chips[::ROW].reshape(-1, ROWS, PAIRS).sum(0, dtype=np.float64)
    signs = pattern(Key.public()).chips(_STAND_IN)
    return _ratio(folded, signs), _ratio(folded[:, :_NARROW], signs[:, :_NARROW])


def _ratio(folded: Float64, signs: Float32) -> float:
    likeness = max(score(folded, signs) / math.sqrt(pattern(Key.public()).presence.size), 0.0)
    return likeness**2 / max(1 - likeness**2, 1e-6)


def _level(x: Float32) -> float:
    """RMS of the 50 ms that are within 40 dB of the loudest."""
    size = RATE // 20
    power = np.square(x[: len(x) // size * size]).reshape(-1, size).mean(1)
    return float(np.sqrt(power[power >= power.max() * 1e-4].mean()))


@functools.cache
def _noises(periods: int) -> tuple[Float32, Float32]:
    """float32 [n] each: white noise of RMS 1, and what multiplies a sound so that noise of its own spectrum is added."""
    count = periods * PERIOD_FRAMES * HOP
    white, steps = (math.sqrt(12) * (Key.public().stream(f"audio/{name}").uniform(n) - 0.5)
                    for name, n in (("margin-noise", count), ("margin-steps", -(-count // _SPECTRAL_STEP))))
    return white.astype(np.float32), (_SPECTRAL_NOISE * np.repeat(steps, _SPECTRAL_STEP)[:count]).astype(np.float32)


class Listener:
    """Measures a stream as it is heard; its changes fall at the same samples whatever the chunks.

    heard_s  what was pushed, in seconds
    """

    def __init__(self, rate: int) -> None:
        self._rate, self._kept = rate, round(_HEARD_PERIODS * PERIOD_S * rate)
        self._heard = np.empty(0, np.float32)  # the mean of the channels: the newest, up to `_kept`
        self._count, self._next = 0, self._kept

    @property
    def heard_s(self) -> float:
        return self._count / self._rate

    def push(self, host: Float32) -> Iterator[tuple[Float32, float | None]]:
        """float32 [channels, n] in parts, each with the amplitude that holds from its end on, or None: as before."""
        while self._count + host.shape[1] >= self._next:
            part, host = np.split(host, [self._next - self._count], axis=1)
            self._hear(part)
            self._next += 2 * self._kept
            yield part, amplitude(self._heard, self._rate, STREAM_S)
        self._hear(host)
        yield host, None

    def _hear(self, host: Float32) -> None:
        self._heard = np.concatenate([self._heard, host.mean(0)])[-self._kept :]
        self._count += host.shape[1]
