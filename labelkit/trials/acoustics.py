# SPDX-License-Identifier: Apache-2.0
"""What happens to sound on its way: bands, noise, rooms, speed, pitch, lossy codecs. By NumPy; codecs by PyAV.

Sound is float32 [frames, channels], full scale +-1; rates are in Hz.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from labelkit.trials.table import Random, Wave

Curve = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
"""Gain by frequency in Hz, or by level."""


def _wave(values: npt.NDArray[Any]) -> Wave:
    out: Wave = np.ascontiguousarray(values, np.float32)
    return out


def filtered(x: Wave, rate: int, gain: Curve) -> Wave:
    """The spectrum of the whole times gain(frequency), without a change of phase."""
    size = len(x) + rate // 4
    gains = gain(np.asarray(np.fft.rfftfreq(size, 1 / rate), np.float64))[:, None]
    return _wave(np.fft.irfft(np.fft.rfft(x, size, axis=0) * gains, size, axis=0)[: len(x)])


def band(low: float, high: float, order: int = 4) -> Curve:
    """A band pass like Butterworth's."""
    def gain(f: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        f = np.asarray(np.maximum(f, 1e-3), np.float64)
        return np.asarray(1 / np.sqrt((1 + (f / high) ** (2 * order)) * (1 + (low / f) ** (2 * order))))
    return gain


def resized(x: Wave, length: int) -> Wave:
    """Band-limited to another number of samples."""
    return _wave(np.fft.irfft(np.fft.rfft(x, axis=0), length, axis=0) * (length / len(x)))


def sped(x: Wave, factor: float) -> Wave:
    """Played `factor` times as fast, the pitch with it."""
    return resized(x, round(len(x) / factor))


def stretched(x: Wave, rate: int, factor: float) -> Wave:
    """Played `factor` times as fast with the pitch kept: overlapping segments, moved to where they fit (WSOLA)."""
    size, search = int(0.06 * rate), int(0.012 * rate)
    hop = size // 2
    window = np.hanning(size)[:, None]
    mono = np.pad(x.mean(1), (search, size + search))
    rows = np.pad(x, ((search, size + search), (0, 0)))
    count = int(len(x) / factor / hop)
    out = np.zeros((count * hop + size, x.shape[1]))
    place = search
    for step in range(count):
        follow = mono[place + hop : place + hop + size]
        out[step * hop : step * hop + size] += rows[place : place + size] * window
        aim = search + int((step + 1) * hop * factor)
        region = mono[aim - search : aim + search + size]
        if len(region) < 2 * search + size or len(follow) < size:
            break
        fit = np.fft.irfft(np.fft.rfft(region, 4 * size) * np.conj(np.fft.rfft(follow, 4 * size)))[: 2 * search]
        place = aim - search + int(fit.argmax())
    return _wave(out[: int(len(x) / factor)])


def pitched(x: Wave, rate: int, semitones: float) -> Wave:
    """Another pitch, the same length."""
    factor = 2 ** (semitones / 12)
    return stretched(sped(x, factor), rate, 1 / factor)


def level(x: Wave, rate: int) -> float:
    """RMS of the pieces of 50 ms that are within 40 dB of the loudest."""
    n = max(1, rate // 20)
    power = np.square(x.mean(1)[: len(x) // n * n], dtype=np.float64).reshape(-1, n).mean(1)
    return float(np.sqrt(power[power >= power.max() * 1e-4].mean() + 1e-20)) if len(power) else 1e-10


def with_noise(x: Wave, rate: int, noise: npt.NDArray[Any], below_db: float) -> Wave:
    """Noise added, `below_db` below the sound."""
    return _wave(x + noise * (level(x, rate) * 10 ** (-below_db / 20) / np.sqrt(np.square(noise).mean() + 1e-20)))


def white(x: Wave, random: Random) -> Wave:
    """Noise as long as the sound."""
    return _wave(random.standard_normal(x.shape))


def voices(x: Wave, rate: int, random: Random) -> Wave:
    """Noise with the spectrum and the slow modulation of many voices."""
    shaped = filtered(white(x, random), rate,
                      lambda f: 1 / (1 + (f / 500) ** 2) ** 0.7 / (1 + (100 / np.maximum(f, 1)) ** 4))
    t = np.arange(len(x))[:, None] / rate
    return _wave(shaped * (1 + 0.5 * np.sin(2 * np.pi * 3 * t) * np.sin(2 * np.pi * 0.31 * t + 1)))


def in_room(x: Wave, rate: int, random: Random, rt60_s: float, direct_db: float) -> Wave:
    """With the reverberation of a room; the direct sound is `direct_db` above it."""
    t = np.arange(int(rt60_s * rate)) / rate
    tail = random.standard_normal(len(t)) * 10 ** (-3 * t / rt60_s) * (t > 0.003)
    tail *= 10 ** (-direct_db / 20) / np.sqrt(np.square(tail).sum())
    tail[0] = 1
    size = len(x) + len(tail)
    return _wave(np.fft.irfft(np.fft.rfft(x, size, axis=0) * np.fft.rfft(tail, size)[:, None], size, axis=0)[: len(x)])


def gain_follows(x: Wave, rate: int, curve: Curve, seconds: float) -> Wave:
    """Gain by the level in a sliding window, as compressors and automatic gain set it."""
    n = max(1, int(seconds * rate))
    total = np.cumsum(np.pad(np.square(x.mean(1), dtype=np.float64), (n, 0)))
    return _wave(x * curve(np.sqrt(np.maximum(total[n:] - total[:-n], 0) / n + 1e-12))[:, None])


def played_and_recorded(x: Wave, rate: int, random: Random) -> Wave:
    """A small loudspeaker, a room, a microphone with a clock of its own, voices in the background."""
    speaker = filtered(x, rate, band(150, min(7000, 0.45 * rate), 2))
    heard = sped(in_room(speaker, rate, random, 0.4, 4), 1.00004)
    return with_noise(heard, rate, voices(heard, rate, random), 25)


SIZE = 1024


def frames_of(x: npt.NDArray[np.float64]) -> npt.NDArray[np.complex128]:
    """Short-time spectra of mono sound, SIZE long with three quarters of overlap."""
    hop = SIZE // 4
    padded = np.pad(x, (SIZE, SIZE))
    views = np.lib.stride_tricks.sliding_window_view(padded, SIZE)[::hop]
    return np.asarray(np.fft.rfft(views * np.hanning(SIZE + 1)[:SIZE], axis=1))


def sound_of(spectra: npt.NDArray[np.complex128], length: int) -> npt.NDArray[np.float64]:
    """The inverse of `frames_of`."""
    hop, window = SIZE // 4, np.hanning(SIZE + 1)[:SIZE]
    pieces = np.fft.irfft(spectra, SIZE, axis=1) * window
    out, weight = np.zeros((len(pieces) + 3) * hop), np.zeros((len(pieces) + 3) * hop)
    for quarter in range(4):
        part = slice(quarter * hop, (quarter + 1) * hop)
        out.reshape(-1, hop)[quarter : quarter + len(pieces)] += pieces[:, part]
        weight.reshape(-1, hop)[quarter : quarter + len(pieces)] += np.square(window[part])
    out /= np.maximum(weight, 1e-3)
    return out[SIZE : SIZE + length]


def enhanced(x: Wave, rate: int, random: Random) -> Wave:
    """A voice enhancer: spectral subtraction of what is steady, a band for voices, and even loudness."""
    rows = []
    for channel in x.T.astype(np.float64):
        spectra = frames_of(channel)
        power = np.square(np.abs(spectra))
        floor = np.quantile(power, 0.1, axis=0)
        rows.append(sound_of(spectra * np.sqrt(np.maximum(1 - 2 * floor / (power + 1e-12), 0.03)), len(channel)))
    clean = filtered(_wave(np.stack(rows, axis=1)), rate, band(80, min(9000, 0.46 * rate), 3))
    return gain_follows(clean, rate, lambda e: np.clip(0.1 / e, 0.5, 4), 0.4)


def resynthesised(x: Wave, rate: int, random: Random) -> Wave:
    """Made anew from the magnitudes in 80 mel bands, all phases forgotten (Griffin and Lim 1984, 12 rounds)."""
    rows = [_from_bands(channel, rate, random) for channel in x.T.astype(np.float64)]
    return _wave(np.stack(rows, axis=1))


def _from_bands(x: npt.NDArray[np.float64], rate: int, random: Random) -> npt.NDArray[np.float64]:
    magnitude = np.abs(frames_of(x))
    mel = 2595 * np.log10(1 + np.fft.rfftfreq(SIZE, 1 / rate) / 700)
    centres = np.linspace(0, mel[-1], 80)
    weights = np.maximum(1 - np.abs(mel[:, None] - centres) / (centres[1] - centres[0]), 0)
    bands = magnitude @ (weights / np.maximum(weights.sum(0), 1e-9))
    wanted = bands @ weights.T
    spectra = wanted * np.exp(2j * np.pi * random.random(wanted.shape))
    for _ in range(12):
        again = frames_of(sound_of(spectra, len(x)))[: len(wanted)]
        spectra = wanted * again / np.maximum(np.abs(again), 1e-9)
    return sound_of(spectra, len(x))


_OPUS = (8000, 12000, 16000, 24000, 48000)
_COMMON = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000)


def coded(x: Wave, rate: int, codec: str, kbps: int, container: str) -> Wave:
    """Through an encoder of FFmpeg and back at the sound's own rate. Wants PyAV."""
    import av

    used = next((r for r in (_OPUS if codec == "libopus" else _COMMON) if r >= rate), 48000)
    y = np.clip(resized(x, round(len(x) * used / rate)) if used != rate else x, -1, 1)
    layout = "mono" if y.shape[1] == 1 else "stereo"
    data = io.BytesIO()
    with av.open(data, "w", format=container) as out:
        stream = out.add_stream(codec, rate=used)
        assert isinstance(stream, av.AudioStream)
        stream.layout, stream.bit_rate = layout, kbps * 1000
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(y.T, np.float32), format="fltp", layout=layout)
        frame.sample_rate = used
        fitted = av.AudioResampler(format=stream.format.name, layout=layout, rate=used,
                                   frame_size=stream.codec_context.frame_size or 1024)
        for part in [*fitted.resample(frame), *fitted.resample(None), None]:
            out.mux(stream.encode(part))
    data.seek(0)
    with av.open(data, "r") as source:
        planar = av.AudioResampler(format="fltp", layout=layout, rate=used)
        rows = [part.to_ndarray() for decoded in [*source.decode(audio=0), None] for part in planar.resample(decoded)]
    z = _wave(np.concatenate(rows, axis=1).T)
    return resized(z, round(len(z) * rate / used)) if used != rate else z
