# SPDX-License-Identifier: Apache-2.0
"""Sound for the tests, made here: like speech, like music, and noise; and WAV files of it."""

from __future__ import annotations

import functools
import io
import wave

import numpy as np
import pytest


def wave_bytes(samples: np.ndarray, rate: int) -> bytes:
    """A WAV of 16 bits from float [frames] or [frames, channels], full scale +-1."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(np.round(samples * 32767).astype("<i2").tobytes())
    return file.getvalue()


def encoded(samples: np.ndarray, rate: int, muxer: str, codec: str) -> bytes:
    """Float [frames, 1 or 2] through an encoder and a muxer of FFmpeg, whole packets alone; skips without PyAV."""
    av, layout, out = pytest.importorskip("av"), ("mono", "stereo")[samples.shape[1] - 1], io.BytesIO()
    with av.open(out, "w", format=muxer) as file:
        stream = file.add_stream(codec, rate=rate, layout=layout)
        stream.bit_rate = 96_000 * samples.shape[1]
        stream.codec_context.open(strict=False)
        step = stream.codec_context.frame_size or 1024
        for at in range(0, len(samples) - step, step):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[at:at + step].T), "fltp", layout)
            frame.sample_rate, frame.pts = rate, at
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()


def _shaped(x: np.ndarray, rate: int, peaks: list[tuple[float, float]]) -> np.ndarray:
    """x through resonances at (Hz, width in Hz), by its spectrum."""
    f = np.fft.rfftfreq(len(x), 1 / rate)
    gain = sum(1 / (1 + ((f - hz) / width) ** 2) / (k + 1) for k, (hz, width) in enumerate(peaks))
    return np.fft.irfft(np.fft.rfft(x) * (gain + 0.003), len(x))


@functools.cache
def speech(seconds: float, rate: int = 16_000, seed: int = 1) -> np.ndarray:
    """float32 [frames]: syllables of buzz and hiss with moving formants, and pauses between phrases."""
    random = np.random.default_rng([seed, rate])
    out = np.zeros(int(seconds * rate))
    start = int(0.05 * rate)
    while start < len(out):
        n = int(random.uniform(0.12, 0.3) * rate)
        t = np.arange(n) / rate
        pitch = random.uniform(95, 160) * (1 + 0.1 * np.sin(2 * np.pi * random.uniform(1, 4) * t))
        phase = np.cumsum(pitch) / rate
        buzz = sum(np.cos(2 * np.pi * k * phase) / k**0.7 for k in range(1, int(min(7000, rate * 0.45) / 160)))
        voiced = _shaped(buzz + 0.05 * random.standard_normal(n), rate, [
            (random.uniform(300, 800), 80), (random.uniform(900, 2200), 120), (random.uniform(2300, 3200), 200)])
        hiss = _shaped(random.standard_normal(n), rate, [(random.uniform(3500, 6000), 1500)]) * 0.15
        sound = voiced * np.sin(np.pi * np.arange(n) / n) ** 0.6 + hiss * (random.random() < 0.3)
        part = out[start : start + n]
        part += (sound * random.uniform(0.4, 1) / (np.abs(sound).max() + 1e-9))[: len(part)]
        start += n + int((0.35 if random.random() < 0.12 else random.uniform(0, 0.05)) * rate)
    out += 1e-4 * random.standard_normal(len(out))
    return (0.4 * out / np.abs(out).max()).astype(np.float32)


@functools.cache
def music(seconds: float, rate: int = 44_100, seed: int = 1) -> np.ndarray:
    """float32 [frames, 2]: decaying chords and drums, the same four bars over and over."""
    random = np.random.default_rng([seed, rate])
    bar = int(2.0 * rate)
    t = np.arange(bar) / rate
    loop = np.zeros((4 * bar, 2))
    for b, root in enumerate((220.0, 174.6, 261.6, 196.0)):
        chord = np.zeros((bar, 2))
        for ratio in (1, 1.26, 1.5, 2, 3.02):
            for k in range(1, 9):
                if root * ratio * k < rate * 0.45:
                    tone = np.sin(2 * np.pi * root * ratio * k * t + random.uniform(0, 6)) * np.exp(-t * (1 + k)) / k
                    chord += tone[:, None] * random.uniform(0.3, 1, 2)
        for beat in range(8):
            n = int(0.2 * rate)
            at = beat * bar // 8
            hit = random.standard_normal((n, 2)) * np.exp(-np.arange(n) / (0.02 * rate))[:, None] * 0.7
            chord[at : at + n] += hit[: len(chord) - at]
        loop[b * bar : (b + 1) * bar] = chord
    out = np.resize(loop, (int(seconds * rate), 2))
    return (0.5 * out / np.abs(out).max()).astype(np.float32)


def noise(seconds: float, rate: int, level: float = 0.1, seed: int = 1) -> np.ndarray:
    """float32 [frames]: white noise."""
    return (np.random.default_rng(seed).standard_normal(int(seconds * rate)) * level).astype(np.float32)
