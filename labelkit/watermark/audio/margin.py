# SPDX-License-Identifier: Apache-2.0
"""How much mark sound needs to be read after everyday transformations, measured on sampled seconds.

A stand-in mark is put into up to three periods of the host at amplitude 1, and read three times: as it is, after noise
that follows the spectrum as that of codecs does, and in white noise 10 dB under the sound. Each reading gives the ratio
of the mark's energy to that of everything else. It grows with the length, because periods are summed, and with a power
of the amplitude. A real attack leaves nearly the same share of one of the readings in every clip; the factors in
`needed` are the medians of 28 clips.

The amplitude is the highest of three:

- light: what codecs at 64 kbit/s, filters and other rates ask for is always given;
- usual: what Opus at 16 kbit/s and a cut to 3 s ask for is given, up to where the mark is plainly heard;
- all: what voice codecs, re-recording and noise 10 dB under the sound ask for is given as far as it is not heard.

Sustained tones, such as pads and organs, get no more than makes them swell by some 5 % (`_swell_of_tones`): at 5 Hz the
ear hears that well, and it is enough for codecs.

How far it is heard is told by how much the mark changes the excitation of the ear's bands (`_change_of_excitation`).
The need of clips differs by a factor of four: speech is loud in few bands and needs most, and long sound needs less
than short sound.

What is spent depends on the sound alone, not on payload or key. Figures are in benchmarks/AUDIO.md.
"""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np

from labelkit.codec.resample import Resampler
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark.audio.character import Character
from labelkit.watermark.audio.difference import DifferenceMaker
from labelkit.watermark.audio.inputs import Float32, Float64, Samples, mean_of
from labelkit.watermark.audio.pattern import EDGES, FRAME, HOP, PAIRS, PERIOD_FRAMES, RATE, ROWS, pattern
from labelkit.watermark.audio.significance import score
from labelkit.watermark.audio.synchronizer import ROW, STEP_S, Replay, Spectrum, band_levels

PERIOD_S = PERIOD_FRAMES * HOP / RATE
PERIODS = 3  # of a section that are sampled
LEAST, MOST = 0.25, 4.0  # amplitudes; at MOST every band has its full depth
COUNTED_S = 32.0  # of a section: what is read of longer sound is often a part
_LEAST_S, _APART = 20.0, 1.5  # of a section that is marked in parts; by what factor their needs differ
_LEAST_DEVIATION = 1.0  # octaves, of a band: no sound is as even as an organ was for three seconds
_CUT_S = 3.0
# swept 2026-11-28, tables in benchmarks/TUNING.md: POWER, USUAL_RESERVE, READ, LIGHT, RESERVE, HEARD, USUAL_MOST,
# USUAL_HEARD, LEAST_DEVIATION (2026-11-29)
_READ = 0.255  # the ratio from which on 64 bits are read: 11.1 standard deviations of sqrt(608)
_POWER = 1.75  # of the amplitude, that the ratio grows with
_LIGHT = 0.25  # of the ratio is left at least after codecs of 64 kbit/s; what that asks for is always given
_RESERVE, _USUAL_RESERVE = 1.15, 1.25  # factors of the amplitudes that attacks ask for
_HEARD = 0.115  # octaves of power by which the excitation of the ear's bands may change on average for all attacks
_USUAL_MOST, _USUAL_HEARD = 1.1, 1.6  # for usual ones: amplitude 1.1, or 1.6 times what is not heard
_SWELL = 0.035  # amplitude modulation of sustained tones, as measured here: 0.05 of a partial, about what is heard
_STILL, _STILL_FRAMES = 0.15, 25
_NARROW = int(np.count_nonzero(EDGES[1:] < 3_400 * FRAME / RATE)) // 2  # chips of a row that telephones keep
_NOISE_SHARE, _SPECTRAL_NOISE, _SPECTRAL_STEP = 10**-0.5, 0.2, 64
_AT_ONCE = 32  # frames
_STAND_IN = Payload.from_int(0x5A3C91D277AA0F13)


def sections(frames: int, rate: int, channels: int) -> list[tuple[int, int]]:
    """(start, stop) of the equal parts of a clip, of about a minute or what 8 million samples last, measured apart."""
    longest = max(4 * PERIOD_S, min(64.0, 2**23 / (rate * channels)))
    count = max(1, math.ceil(frames / rate / longest))
    edges = [frames * k // count for k in range(count + 1)]
    return list(zip(edges, edges[1:], strict=False))


def amplitude(host: Samples, rate: int, counted_s: float | None = None) -> float:
    """The amplitude that sound, float32 or int16, [frames] or [frames, channels], needs; MOST where it lasts no period.

    counted_s  the length to be read, where it differs from that of `host`
    """
    length_s = len(host) / rate
    if length_s < PERIOD_S + 1 / rate:
        return MOST
    return needed(_sample(host, rate), min(counted_s or length_s, COUNTED_S))


def amplitudes(host: Samples, rate: int) -> list[tuple[int, float]]:
    """The frames from which on, and the amplitude that, a section needs: more than one where its sound changes.

    Where the periods that are sampled differ, a change is looked for by halves between two of them, and what lies on
    either side measured apart. That decides where needs differ by _APART: what varies all the time needs the same.
    """
    if len(host) < _LEAST_S * rate:
        return [(0, amplitude(host, rate))]
    sample, starts = _sample(host, rate), _starts(len(host), rate)
    levels = band_levels(sample)
    whole = needed(sample, min(len(host) / rate, COUNTED_S), levels)
    sampled = zip(starts, np.split(levels, len(starts)), strict=True)
    edges = [0, *(_change(host, rate, *two) for two in itertools.pairwise(sampled)
                  if _character(two[0][1]).differs(_character(two[1][1])))]
    if not edges[1:]:
        return [(0, whole)]
    needs = [_inner(host, rate, first, stop) for first, stop in itertools.pairwise([*edges, len(host)])]
    parts = [(first, need) for first, need in zip(edges, needs, strict=True) if need is not None]
    asked = [whole, *(need for _, need in parts)]
    if not parts or max(asked) < _APART * min(asked):
        return [(0, whole)]
    frame = round(FRAME / RATE * rate)  # those that reach over a change get the lesser amplitude
    return [(0, parts[0][1]), *((first + (frame if need > before else -frame), need)
                                for (_, before), (first, need) in itertools.pairwise(parts))]


def _inner(host: Samples, rate: int, first: int, stop: int) -> float | None:
    """The amplitude of a part of a section by what lies a period from its changes; None where that is too short."""
    away = round(PERIOD_S * rate)
    inner = host[first + away * (first > 0) : stop - away * (stop < len(host))]
    length_s = max(_LEAST_S / 2, (stop - first) / rate)
    return amplitude(inner, rate, length_s) if len(inner) > away + 1 else None


def _change(host: Samples, rate: int, before: tuple[int, Float32], after: tuple[int, Float32]) -> int:
    """The frame from which on sound is not of the kind of a period before; starts and `band_levels` of both.

    A period differs as soon as a part of it does, so the levels tell from where on. An organ that was marked as the
    speech behind it for its last second was heard there.
    """
    (low, old), (high, _) = before, after
    size, kind = round(PERIOD_S * rate), _character(old)
    while high - low > PERIOD_S / 4 * rate:
        middle = (low + high) // 2
        changed = kind.differs(_character(band_levels(_period(host, rate, middle))))
        low, high = (low, middle) if changed else (middle, high)
    differs = band_levels(_period(host, rate, high))
    new = band_levels(_period(host, rate, min(high + size, after[0])))
    return high + round(_kept(differs, old, new) / len(differs) * size)


def _kept(levels: Float32, old: Float32, new: Float32) -> int:
    """How many frames at the start of a stretch are of one sound, those behind of another; `band_levels` of all three.

    The likeliest number, each band of each sound being a normal variable by itself.
    """
    shares = []
    for kind in (old, new):
        mean, deviation = kind.mean(0), np.maximum(kind.std(0), _LEAST_DEVIATION)
        shares.append(-(np.square((levels - mean) / deviation) / 2 + np.log(deviation)).sum(1, dtype=np.float64))
    return int(np.cumsum(np.pad(shares[0] - shares[1], (1, 0))).argmax())


def _character(levels: Float32) -> Character:
    return Character(levels.mean(0), levels.std(0))


def _starts(frames: int, rate: int) -> list[int]:
    """Of up to PERIODS periods that are spread over so many frames."""
    count = min(PERIODS, frames // int(PERIOD_S * rate))
    return [(frames - round(PERIOD_S * rate)) * k // max(1, count - 1) for k in range(count)]


def _sample(host: Samples, rate: int) -> Float32:
    """float32 [n] at RATE: up to PERIODS periods, spread over the host, of the mean of its channels."""
    return np.concatenate([_period(host, rate, start) for start in _starts(len(host), rate)])


def _period(host: Samples, rate: int, start: int) -> Float32:
    """float32 [n] at RATE: a period from a frame on, of the mean of the channels."""
    size = round(PERIOD_S * rate)
    lookahead = Resampler(rate, RATE, 1).lookahead + 1
    part = np.zeros((1, size + lookahead), np.float32)
    part[0, :size] = mean_of(host[start : start + size])
    return Resampler(rate, RATE, 1).push(part)[0, : PERIOD_FRAMES * HOP]


def needed(sample: Float32, length_s: float, host: Float32 | None = None) -> float:
    """The amplitude for so many seconds of sound, float32 [n] at RATE, that sounds like this.

    host  its `band_levels`, where they are there
    """
    length = len(sample)
    maker = DifferenceMaker(RATE, 1, _STAND_IN, Key.public(), 1.0, 1.0)
    change = np.asarray(maker.push(np.concatenate([sample, np.zeros(maker.delay, np.float32)]))[:length], np.float32)
    marked = sample + change
    white, steps = (noise[:length] for noise in _noises(-(-length // (PERIOD_FRAMES * HOP))))
    spectrum = Spectrum.of(marked)
    clean, _ = _ratios(spectrum)
    levels = band_levels(sample) if host is None else host, spectrum.levels()
    steady = _SWELL / max(_swell_of_tones(*levels), 1e-6)
    unheard = min(_HEARD / max(_change_of_excitation(*levels), 1e-6), steady)
    usual_most = max(_USUAL_MOST, _USUAL_HEARD * unheard)

    def is_more_than_is_given(usual: float, every: float) -> bool:
        """Whether these ratios ask for more than is given: then what is not read yet decides nothing."""
        return _RESERVE * _asked(every) >= unheard and _USUAL_RESERVE * _asked(usual) >= min(usual_most, steady)

    usual = every = min(_CUT_S, length_s) * clean  # cut to 3 s
    if not is_more_than_is_given(usual, every):
        coded, coded_narrow = _ratios(Spectrum.of(marked * (1 + steps))) * length_s
        usual = min(usual, 0.3 * coded)  # Opus 16k
        every = min(usual, 0.19 * coded, 0.275 * coded_narrow)  # Opus 12k for voice; AMR-NB
    if _RESERVE * _asked(every) < unheard:
        noisy, noisy_narrow = _ratios(Spectrum.of(marked + white * (_NOISE_SHARE * _level(sample)))) * length_s
        every = min(every, 2.3 * noisy_narrow, 1.3 * noisy)  # voices and white noise, 10 dB under the sound
    spent = max(_asked(_LIGHT * length_s * clean), min(_RESERVE * _asked(every), unheard),
                min(_USUAL_RESERVE * _asked(usual), usual_most))
    return math.ceil(64 * min(max(min(spent, steady), LEAST), MOST)) / 64


def _asked(ratio: float) -> float:
    """The amplitude from which on 64 bits are read, where amplitude 1 gives this ratio."""
    return float((_READ / max(ratio, 1e-4)) ** (1 / _POWER))


def _ratios(spectrum: Spectrum) -> Float64:
    """float64 [2], a second: energy of the stand-in mark over all else, of every chip and of those below 3.4 kHz."""
    chips = spectrum.chips(Replay())
    folded = chips[::ROW].reshape(-1, ROWS, PAIRS).sum(0, dtype=np.float64)
    signs = pattern(Key.public()).chips(_STAND_IN)
    alike = np.array([score(folded[:, :pairs], signs[:, :pairs]) for pairs in (PAIRS, _NARROW)])
    share = np.square(np.maximum(alike, 0)) / signs.size
    ratios: Float64 = share / np.maximum(1 - share, 1e-6) / (len(chips) * STEP_S)
    return ratios


def _change_of_excitation(host: Float32, marked: Float32) -> float:
    """Mean over frames and Bark of by how much, in octaves of power, the mark changes what the ear's bands receive.

    host, marked  float32 [frames, 76]: log2 power of each band
    Frames 50 dB under the loudest do not count. On 27 clips it tells the grade of PEAQ within 0.15 (0.7 a factor of e).
    """
    spread, weights = _ear()
    before, after = (_excitation(np.exp2(one), spread) for one in (host, marked))
    total = before.sum(1)
    loud = total > 1e-5 * total.max()
    least = np.float32(1e-9) * total.max() + np.float32(1e-30)
    change = np.abs(np.log2((after[loud] + least) / (before[loud] + least)))
    return float((change.mean(0) * weights).sum())


def _swell_of_tones(host: Float32, marked: Float32) -> float:
    """Amplitude modulation that the mark gives to sustained tones: 0.1 is 10 % up and down.

    host, marked  float32 [frames, 76]: log2 power of each band
    The root of the mean square over all cells, weighted by their power, where those count as 0 whose own level moves:
    by _STILL octaves, within 0.4 s, they count a quarter.
    """
    sums = np.cumsum([host, np.square(host)], axis=1, dtype=np.float64)
    mean, square = (sums[:, _STILL_FRAMES:] - sums[:, :-_STILL_FRAMES]) / _STILL_FRAMES
    inner = slice(_STILL_FRAMES // 2 + 1, _STILL_FRAMES // 2 + 1 + len(mean))
    still = np.square(1 / (1 + np.maximum(square - np.square(mean), 0) / _STILL**2))
    power = np.exp2(host[inner], dtype=np.float64) * np.diff(EDGES)
    moved = np.square((marked - host)[inner] * (math.log(2) / 2))  # of the amplitude, as a share
    return math.sqrt(2 * float((power * still * moved).sum()) / max(float(power.sum()), 1e-30))


def _excitation(power: Float32, spread: Float32) -> Float32:
    """`power` [frames, 76] times `spread`, in parts that BLAS takes on one thread: waking others costs more than it."""
    return np.concatenate([power[at : at + _AT_ONCE] @ spread for at in range(0, len(power), _AT_ONCE)])


@functools.cache
def _ear() -> tuple[Float32, Float64]:
    """float32 [76, 76], by which band powers excite the bands around them, 27 dB a Bark below and 12 above; the width
    of each band in Bark, as a share of all, float64 [76]."""
    bark = 7 * np.arcsinh(EDGES * (RATE / FRAME / 650))
    away = np.subtract.outer(middles := (bark[1:] + bark[:-1]) / 2, middles)  # of the source from what it excites
    slopes = 10 ** np.where(away > 0, -2.7 * away, 1.2 * away)
    return (slopes * np.diff(EDGES.astype(float))[:, None]).astype(np.float32), np.diff(bark) / (bark[-1] - bark[0])


def _level(x: Float32) -> float:
    """RMS of the 50 ms that are within 40 dB of the loudest."""
    size = RATE // 20
    power = np.square(x[: len(x) // size * size]).reshape(-1, size).mean(1)
    return float(np.sqrt(power[power >= power.max() * 1e-4].mean()))


@functools.cache
def _noises(periods: int) -> tuple[Float32, Float32]:
    """float32 [n] each: white noise of RMS 1; and what, times a sound, is noise of that sound's spectrum."""
    count = periods * PERIOD_FRAMES * HOP
    white, steps = (math.sqrt(12) * (Key.public().stream(f"audio/{name}").uniform(n) - 0.5)
                    for name, n in (("margin-noise", count), ("margin-steps", -(-count // _SPECTRAL_STEP))))
    return white.astype(np.float32), (_SPECTRAL_NOISE * np.repeat(steps, _SPECTRAL_STEP)[:count]).astype(np.float32)
