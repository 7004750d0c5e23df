# SPDX-License-Identifier: Apache-2.0
"""The trials of sound: every transformation that measure 3.3 of the Code lists."""

from __future__ import annotations

import functools
import importlib.util
import io

import numpy as np

from labelkit.messages import Message
from labelkit.trials import acoustics
from labelkit.trials.acoustics import band, filtered, pitched, sped, stretched, white, with_noise
from labelkit.trials.table import Group, Random, Wave, WaveChange, WaveTrial


def _under(db: float) -> WaveChange:
    return lambda x, rate, random: with_noise(x, rate, white(x, random), db)


def _passed(low: float, high: float) -> WaveChange:
    return lambda x, rate, random: filtered(x, rate, band(low, min(high, 0.48 * rate)))


def _equalised(x: Wave, rate: int, random: Random) -> Wave:
    """Bells of up to 6 dB, an octave wide."""
    bells = [(hz, float(random.uniform(-6, 6))) for hz in (150, 500, 1500, 4000, 9000)]

    def gain(f: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        octaves = np.log2(np.maximum(f, 10.0))
        decibels = sum(db * np.exp(-((octaves - np.log2(hz)) ** 2) / 0.5) for hz, db in bells)
        return np.asarray(10 ** (np.asarray(decibels) / 20))
    return filtered(x, rate, gain)


def _coded(codec: str, kbps: int, container: str) -> WaveChange:
    return lambda x, rate, random: acoustics.coded(x, rate, codec, kbps, container)


def _vorbis(x: Wave, rate: int, random: Random) -> Wave:
    import soundfile

    data = io.BytesIO()
    soundfile.write(data, np.clip(x, -1, 1), rate, format="OGG", subtype="VORBIS", compression_level=0.7)
    data.seek(0)
    out: Wave = soundfile.read(data, dtype="float32", always_2d=True)[0]
    return out


def _cut(share: float) -> WaveChange:
    def change(x: Wave, rate: int, random: Random) -> Wave:
        length = max(1, round(len(x) * share))
        start = int(random.integers(0, len(x) - length + 1))
        return x[start : start + length]
    return change


def _sped(factor: float) -> WaveChange:
    return lambda x, rate, random: sped(x, factor)


def _stretched(factor: float) -> WaveChange:
    return lambda x, rate, random: stretched(x, rate, factor)


def _pitched(semitones: float) -> WaveChange:
    return lambda x, rate, random: pitched(x, rate, semitones)


def _subtracted(x: Wave, rate: int, random: Random) -> Wave:
    """Each band of each moment is drawn to the mean of its neighbours: what changes from band to band is flattened."""
    rows = []
    for channel in x.T.astype(np.float64):
        spectra = acoustics.frames_of(channel)
        loud = np.log(np.abs(spectra) + 1e-9)
        smooth = np.apply_along_axis(np.convolve, 1, loud, np.ones(9) / 9, mode="same")
        rows.append(acoustics.sound_of(spectra * np.exp(0.5 * (smooth - loud)), len(channel)))
    return np.ascontiguousarray(np.stack(rows, axis=1), np.float32)


@functools.cache
def all_trials() -> tuple[WaveTrial, ...]:
    """All of them, in the order of the report."""
    return (
        WaveTrial("unchanged", Group.UNCHANGED, Message("as it was marked"), lambda x, rate, random: x),
        WaveTrial("noise-30", Group.NOISE, Message("white noise, 30 dB below"), _under(30)),
        WaveTrial("noise-20", Group.NOISE, Message("white noise, 20 dB below"), _under(20)),
        WaveTrial("telephone", Group.FILTERS, Message("300 to 3400 Hz"), _passed(300, 3400)),
        WaveTrial("equaliser", Group.FILTERS, Message("equaliser, bells of up to 6 dB"), _equalised),
        WaveTrial("echo", Group.FILTERS, Message("echo"), lambda x, rate, random: np.ascontiguousarray(
            x + 0.35 * np.roll(x, int(0.06 * rate), 0), np.float32)),
        WaveTrial("mp3-128", Group.RECOMPRESSION, Message("MP3, 128 kbit/s"), _coded("libmp3lame", 128, "mp3"),
                  needs_pyav=True),
        WaveTrial("mp3-64", Group.RECOMPRESSION, Message("MP3, 64 kbit/s"), _coded("libmp3lame", 64, "mp3"),
                  needs_pyav=True),
        WaveTrial("aac-96", Group.RECOMPRESSION, Message("AAC, 96 kbit/s"), _coded("aac", 96, "mp4"), needs_pyav=True),
        WaveTrial("opus-32", Group.RECOMPRESSION, Message("Opus, 32 kbit/s"), _coded("libopus", 32, "ogg"),
                  needs_pyav=True),
        WaveTrial("vorbis", Group.RECOMPRESSION, Message("Vorbis, quality 3"), _vorbis),
        WaveTrial("enhance", Group.VOICE, Message("steady noise subtracted, 80 to 9000 Hz, even loudness"),
                  acoustics.enhanced, True),
        WaveTrial("crop-70", Group.CROP, Message("70 % of the length"), _cut(0.7)),
        WaveTrial("crop-40", Group.CROP, Message("40 % of the length"), _cut(0.4)),
        WaveTrial("pitch-up", Group.PITCH, Message("a semitone up"), _pitched(1)),
        WaveTrial("pitch-down", Group.PITCH, Message("a semitone down"), _pitched(-1)),
        WaveTrial("stretch-105", Group.STRETCH, Message("5 % longer, the pitch kept"), _stretched(1 / 1.05)),
        WaveTrial("stretch-95", Group.STRETCH, Message("5 % shorter, the pitch kept"), _stretched(1 / 0.95)),
        WaveTrial("speed-110", Group.STRETCH, Message("10 % faster, the pitch with it"), _sped(1.1)),
        WaveTrial("play-record", Group.PLAY, Message("a small loudspeaker, a room, a microphone, voices around"),
                  acoustics.played_and_recorded, True),
        WaveTrial("flatten", Group.REMOVAL, Message("differences of neighbouring bands halved"), _subtracted),
        WaveTrial("resynthesis", Group.REGENERATION, Message("made anew from 80 mel bands without phases"),
                  acoustics.resynthesised, True))


def trials() -> tuple[WaveTrial, ...]:
    """Those that this installation can run: some codecs want PyAV."""
    has_pyav = importlib.util.find_spec("av") is not None
    return tuple(one for one in all_trials() if has_pyav or not one.needs_pyav)


def apply(trial: WaveTrial, x: Wave, rate: int, seed: int) -> Wave:
    """What the trial makes of sound; the same seed gives the same."""
    return trial.change(x, rate, np.random.default_rng([seed, *trial.name.encode()]))
