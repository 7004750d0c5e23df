# SPDX-License-Identifier: Apache-2.0
"""Attacks on marked sound: one table, swept by audio_robustness.py and asserted by the tests.

    y, rate = apply("speed_1.1", x, 48_000, seed=0)     # x: float32 [frames] or [frames, channels]

`names()` are the attacks that this installation can run: lossy codecs need soundfile (Vorbis) and PyAV (MP3, AAC, Opus,
AMR), some of the group "replay" the program ffmpeg. The same (name, seed, x) gives the same samples. `host` is unmarked
sound to mix in or to put beside.
"""

from __future__ import annotations

import importlib.util
import io
import shutil
import subprocess
import zlib
from collections.abc import Callable

import numpy as np

from labelkit.trials.acoustics import resized as resize, sped as speed, stretched as tempo

Attack = Callable[[np.ndarray, int, np.random.Generator, np.ndarray | None], np.ndarray]
_TABLE: dict[str, tuple[str, Attack]] = {}


def names(group: str | None = None) -> list[str]:
    """All attacks, or those of a group: none level filter noise room time replay cut mix channel codec chain."""
    return [name for name, (own, _) in _TABLE.items() if group in (None, own)]


def group_of(name: str) -> str:
    """The group of an attack."""
    return _TABLE[name][0]


def apply(name: str, x: np.ndarray, sr: int, seed: int = 0, host: np.ndarray | None = None) -> tuple[np.ndarray, int]:
    """float32 samples [frames, channels] (or [frames]) after the attack, and their rate."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    flat = np.ndim(x) == 1
    rows = np.asarray(x, np.float32).reshape(len(x), -1)
    beside = None if host is None else np.asarray(host, np.float32).reshape(len(host), -1)
    y = np.ascontiguousarray(_TABLE[name][1](rows, sr, rng, beside), np.float32)
    return (y[:, 0] if flat and y.shape[1] == 1 else y), sr


def _add(name: str, group: str, attack: Attack) -> None:
    _TABLE[name] = group, attack


# ---- tools

def _spectrum(x: np.ndarray, sr: int, gain: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Filter without phase: the spectrum of the whole clip times gain(frequency in Hz)."""
    size = len(x) + sr // 4
    spectrum = np.fft.rfft(x, size, axis=0)
    return np.fft.irfft(spectrum * gain(np.fft.rfftfreq(size, 1 / sr))[:, None], size, axis=0)[: len(x)]


def _band(low: float, high: float, order: int = 4) -> Callable[[np.ndarray], np.ndarray]:
    """Butterworth-like band pass."""
    def gain(f: np.ndarray) -> np.ndarray:
        f = np.maximum(f, 1e-3)
        return 1 / np.sqrt((1 + (f / high) ** (2 * order)) * (1 + (low / f) ** (2 * order)))
    return gain


def _bells(points: list[tuple[float, float]]) -> Callable[[np.ndarray], np.ndarray]:
    """Equaliser: (Hz, dB) bells an octave wide."""
    def gain(f: np.ndarray) -> np.ndarray:
        octaves = np.log2(np.maximum(f, 10.0))
        return 10 ** (sum(db * np.exp(-((octaves - np.log2(hz)) ** 2) / 0.5) for hz, db in points) / 20)
    return gain


def pitch(x: np.ndarray, sr: int, semitones: float) -> np.ndarray:
    """Shifted in pitch with the length kept."""
    factor = 2 ** (semitones / 12)
    return tempo(speed(x, factor), sr, 1 / factor)


def _level(x: np.ndarray, sr: int) -> float:
    """RMS of the 50 ms that are within 40 dB of the loudest."""
    n = max(1, sr // 20)
    power = np.square(x.mean(1)[: len(x) // n * n]).reshape(-1, n).mean(1)
    return float(np.sqrt(power[power >= power.max() * 1e-4].mean() + 1e-20)) if len(power) else 1e-10


def _under(x: np.ndarray, sr: int, noise: np.ndarray, db: float) -> np.ndarray:
    """Noise added `db` below the sound."""
    return x + noise * (_level(x, sr) * 10 ** (-db / 20) / np.sqrt(np.square(noise).mean() + 1e-20))


def _white(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(x.shape)


def _pink(x: np.ndarray, sr: int, rng: np.random.Generator) -> np.ndarray:
    return _spectrum(_white(x, rng), sr, lambda f: 1 / np.sqrt(np.maximum(f, 20)))


def _babble(x: np.ndarray, sr: int, rng: np.random.Generator) -> np.ndarray:
    """Noise with the long-term spectrum and the slow modulation of many voices."""
    shaped = _spectrum(_white(x, rng), sr,
                       lambda f: 1 / (1 + (f / 500) ** 2) ** 0.7 / (1 + (100 / np.maximum(f, 1)) ** 4))
    t = np.arange(len(x))[:, None] / sr
    return shaped * (1 + 0.5 * np.sin(2 * np.pi * 3 * t) * np.sin(2 * np.pi * 0.31 * t + 1))


def _room(x: np.ndarray, sr: int, rng: np.random.Generator, rt60: float, direct_db: float) -> np.ndarray:
    t = np.arange(int(rt60 * sr)) / sr
    tail = rng.standard_normal(len(t)) * 10 ** (-3 * t / rt60) * (t > 0.003)
    tail *= 10 ** (-direct_db / 20) / np.sqrt(np.square(tail).sum())
    tail[0] = 1
    size = len(x) + len(tail)
    return np.fft.irfft(np.fft.rfft(x, size, axis=0) * np.fft.rfft(tail, size)[:, None], size, axis=0)[: len(x)]


def _gain_follows(x: np.ndarray, sr: int, curve: Callable[[np.ndarray], np.ndarray], seconds: float) -> np.ndarray:
    """Gain as a function of the level in a sliding window: compressors and automatic gain."""
    n = max(1, int(seconds * sr))
    total = np.cumsum(np.pad(np.square(x.mean(1)), (n, 0)))
    level = np.sqrt(np.maximum(total[n:] - total[:-n], 0) / n + 1e-12)
    return x * curve(level)[:, None]


def _loudness(x: np.ndarray, sr: int, target_db: float = -18.0) -> np.ndarray:
    y = x * (10 ** (target_db / 20) / _level(x, sr))
    return np.tanh(y * 1.05) / 1.05


def _beside(x: np.ndarray, host: np.ndarray | None, count: int, rng: np.random.Generator) -> np.ndarray:
    """Unmarked sound: the host from some place on, or the marked sound with its phases scrambled."""
    if host is None or host.shape[1] != x.shape[1]:
        spectrum = np.fft.rfft(x, axis=0)
        turn = np.exp(2j * np.pi * rng.random((len(spectrum), 1)))
        host = np.fft.irfft(np.abs(spectrum) * turn, len(x), axis=0)
    return np.roll(np.resize(host, (max(count, len(host)), x.shape[1])), int(rng.integers(len(x))), axis=0)[:count]


def _without(x: np.ndarray, sr: int, rng: np.random.Generator, piece_s: float, cut: bool) -> np.ndarray:
    """One per cent of the clip lost in pieces, silenced or cut out."""
    n = int(piece_s * sr)
    kept = np.ones(len(x), bool)
    for start in rng.choice(len(x) // n, max(1, round(len(x) * 0.01 / n)), replace=False):
        kept[start * n : (start + 1) * n] = False
    return x[kept] if cut else x * kept[:, None]


def _crop(x: np.ndarray, sr: int, rng: np.random.Generator, seconds: float) -> np.ndarray:
    start = int(rng.uniform(0, max(0.0, len(x) / sr - seconds)) * sr)
    return x[start : start + int(seconds * sr)]


# ---- codecs

def _soundfile(x: np.ndarray, sr: int, format: str, subtype: str, level: float) -> np.ndarray:
    import soundfile
    data = io.BytesIO()
    soundfile.write(data, np.clip(x, -1, 1), sr, format=format, subtype=subtype, compression_level=level)
    data.seek(0)
    return soundfile.read(data, dtype="float32", always_2d=True)[0]


_RATES = {"libopus": (8000, 12000, 16000, 24000, 48000), "libopencore_amrnb": (8000,), "pcm_alaw": (8000,)}
_COMMON = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000)


def codec(x: np.ndarray, sr: int, name: str, kbps: float, container: str, *, mono: bool = False, rate: int = 0,
          options: dict[str, str] | None = None) -> np.ndarray:
    """Through an encoder of FFmpeg and back, at the sound's own rate."""
    import av
    x = x.mean(1, keepdims=True) if mono else x
    allowed = _RATES.get(name, _COMMON)
    used = next((r for r in allowed if r >= (rate or sr)), allowed[-1])
    y = np.clip(resize(x, round(len(x) * used / sr)) if used != sr else x, -1, 1).astype(np.float32)
    layout = "mono" if y.shape[1] == 1 else "stereo"
    data = io.BytesIO()
    with av.open(data, "w", format=container) as out:
        stream = out.add_stream(name, rate=used, options=options or {})
        stream.layout = layout
        if kbps:
            stream.bit_rate = int(kbps * 1000)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(y.T), format="fltp", layout=layout)
        frame.sample_rate = used
        resampler = av.AudioResampler(format=stream.format.name, layout=layout, rate=used,
                                      frame_size=stream.codec_context.frame_size or 1024)
        for part in [*resampler.resample(frame), *resampler.resample(None), None]:
            out.mux(stream.encode(part))
    data.seek(0)
    with av.open(data) as source:
        rows = [f.to_ndarray() for f in _planar(source)]
        back = source.streams.audio[0].codec_context.sample_rate
    z = np.concatenate(rows, axis=1).T
    return resize(z, round(len(z) * sr / back)) if back != sr else z


def _filtered(x: np.ndarray, sr: int, graph: str) -> np.ndarray:
    """Through a filter of the program ffmpeg."""
    form = ["-f", "f32le", "-ar", str(sr), "-ac", str(x.shape[1])]
    out = subprocess.run(["ffmpeg", "-v", "error", *form, "-i", "-", "-af", graph, *form, "-"],
                         input=np.ascontiguousarray(x, "<f4").tobytes(), stdout=subprocess.PIPE, check=True).stdout
    return np.frombuffer(out, "<f4").reshape(-1, x.shape[1])


def _planar(source):
    import av
    resampler = None
    for frame in source.decode(audio=0):
        resampler = resampler or av.AudioResampler(format="fltp", layout=frame.layout.name, rate=frame.sample_rate)
        yield from resampler.resample(frame)
    if resampler:
        yield from resampler.resample(None)


def _voice_message(x, sr, r, h):
    y = codec(x, sr, "libopus", 20, "ogg", mono=True, rate=16000)
    return _gain_follows(y, sr, lambda level: np.clip(0.1 / level, 0.3, 8), 0.4)


def _short_video(x, sr, r, h):
    return _loudness(codec(_under(x, sr, _beside(x, h, len(x), r), 15), sr, "aac", 64, "mp4"), sr, -16)


# ---- the table

_add("none", "none", lambda x, sr, r, h: x)
_add("gain_-6", "level", lambda x, sr, r, h: x * 0.5)
_add("polarity", "level", lambda x, sr, r, h: -x)
_add("pcm16", "level", lambda x, sr, r, h: np.rint(np.clip(x, -1, 1) * 32767) / 32767)
_add("pcm8", "level", lambda x, sr, r, h: np.rint(np.clip(x, -1, 1) * 127) / 127)
_add("clip_2%", "level", lambda x, sr, r, h: np.clip(x, *np.quantile(x, (0.01, 0.99))))
_add("compressor", "level",
     lambda x, sr, r, h: _gain_follows(x, sr, lambda e: np.maximum(e / 0.05, 1) ** -0.8 * 2, 0.02))
_add("agc", "level", lambda x, sr, r, h: _gain_follows(x, sr, lambda e: np.clip(0.1 / e, 0.3, 8), 0.4))
_add("loudness", "level", lambda x, sr, r, h: _loudness(x, sr))
_add("rate_8k", "filter", lambda x, sr, r, h: resize(resize(x, len(x) * 8000 // sr), len(x)))
_add("rate_16k", "filter", lambda x, sr, r, h: resize(resize(x, len(x) * min(16000, sr * 2 // 3) // sr), len(x)))
_add("lowpass_4k", "filter", lambda x, sr, r, h: _spectrum(x, sr, _band(1, 4000, 6)))
_add("highpass_500", "filter", lambda x, sr, r, h: _spectrum(x, sr, _band(500, 1e6)))
_add("telephone", "filter", lambda x, sr, r, h: _spectrum(x, sr, _band(300, 3400)))
_add("equaliser", "filter", lambda x, sr, r, h: _spectrum(x, sr, _bells(
    [(f * r.uniform(0.8, 1.25), r.uniform(-6, 6)) for f in (150, 500, 1500, 4000, 9000)])))
for _db in (30, 20, 10):
    _add(f"white_{_db}", "noise", lambda x, sr, r, h, db=_db: _under(x, sr, _white(x, r), db))
for _db in (20, 15):
    _add(f"pink_{_db}", "noise", lambda x, sr, r, h, db=_db: _under(x, sr, _pink(x, sr, r), db))
for _db in (20, 10):
    _add(f"babble_{_db}", "noise", lambda x, sr, r, h, db=_db: _under(x, sr, _babble(x, sr, r), db))
_add("echo", "room", lambda x, sr, r, h: x + 0.35 * np.roll(x, int(0.06 * sr), 0) + 0.2 * np.roll(x, int(0.14 * sr), 0))
_add("reverb", "room", lambda x, sr, r, h: _room(x, sr, r, 0.4, 3))
_add("rerecord", "room", lambda x, sr, r, h: _under(
    speed(_room(_spectrum(x, sr, _band(150, 7000, 2)), sr, r, 0.5, 2), 1.00004), sr, _babble(x, sr, r)[: int(
        len(x) / 1.00004 + 0.5)], 25))
for _f in (0.8, 0.9, 0.98, 1.02, 1.1, 1.25):
    _add(f"speed_{_f}", "time", lambda x, sr, r, h, f=_f: speed(x, f))
_add("clock_500ppm", "time", lambda x, sr, r, h: speed(x, 1.0005))
for _f in (0.95, 1.05):
    _add(f"tempo_{_f}", "time", lambda x, sr, r, h, f=_f: tempo(x, sr, f))
for _f, _t in ((1.1, 0.97), (0.93, 1.04)):
    _add(f"speed_{_f}_tempo_{_t}", "time", lambda x, sr, r, h, f=_f, t=_t: tempo(speed(x, f), sr, t))
for _s in (-1, 1):
    _add(f"pitch_{_s:+d}", "time", lambda x, sr, r, h, s=_s: pitch(x, sr, s))
_add("reversed", "replay", lambda x, sr, r, h: x[::-1])
for _f in (0.7, 1.4, 1.5):
    _add(f"speed_{_f}", "replay", lambda x, sr, r, h, f=_f: speed(x, f))
for _f in (0.75, 0.85, 1.1, 1.25, 1.5):
    _add(f"tempo_{_f}", "replay", lambda x, sr, r, h, f=_f: tempo(x, sr, f))
for _s in (-3, -2, 2, 3):
    _add(f"pitch_{_s:+d}", "replay", lambda x, sr, r, h, s=_s: pitch(x, sr, s))
if shutil.which("ffmpeg"):
    for _f in (0.75, 1.25, 1.5):
        _add(f"atempo_{_f}", "replay", lambda x, sr, r, h, f=_f: _filtered(x, sr, f"atempo={f}"))
        _add(f"rubberband_tempo_{_f}", "replay", lambda x, sr, r, h, f=_f: _filtered(x, sr, f"rubberband=tempo={f}"))
    for _s in (-3, 3):
        _add(f"rubberband_pitch_{_s:+d}", "replay",
             lambda x, sr, r, h, s=_s: _filtered(x, sr, f"rubberband=pitch={2 ** (s / 12)}"))
for _t in (10, 5, 3):
    _add(f"crop_{_t}s", "cut", lambda x, sr, r, h, t=_t: _crop(x, sr, r, t))
_add("dropout_1%", "cut", lambda x, sr, r, h: _without(x, sr, r, 0.02, False))
_add("delete_1%", "cut", lambda x, sr, r, h: _without(x, sr, r, 0.05, True))
_add("concat", "mix", lambda x, sr, r, h: np.concatenate(
    [_beside(x, h, int(7.3 * sr), r), x, _beside(x, h, int(4.1 * sr), r)]))
_add("overlay_15", "mix", lambda x, sr, r, h: _under(x, sr, _beside(x, h, len(x), r), 15))
_add("downmix", "channel", lambda x, sr, r, h: x.mean(1, keepdims=True))
_add("left", "channel", lambda x, sr, r, h: x[:, :1])
_add("swap", "channel", lambda x, sr, r, h: x[:, ::-1])
if importlib.util.find_spec("soundfile"):
    _add("vorbis_q3", "codec", lambda x, sr, r, h: _soundfile(x, sr, "OGG", "VORBIS", 0.7))
    _add("vorbis_q0", "codec", lambda x, sr, r, h: _soundfile(x, sr, "OGG", "VORBIS", 1.0))
if importlib.util.find_spec("av"):
    from av import codecs_available
    for _k in (128, 64, 32):
        _add(f"mp3_{_k}k", "codec", lambda x, sr, r, h, k=_k: codec(x, sr, "libmp3lame", k, "mp3"))
    for _k in (64, 32):
        _add(f"aac_{_k}k", "codec", lambda x, sr, r, h, k=_k: codec(x, sr, "aac", k, "mp4"))
    for _k in (48, 24, 16):
        _add(f"opus_{_k}k", "codec", lambda x, sr, r, h, k=_k: codec(x, sr, "libopus", k, "ogg"))
    _add("opus_voice_12k", "codec", lambda x, sr, r, h: codec(x, sr, "libopus", 12, "ogg", mono=True, rate=16000,
                                                              options={"application": "voip"}))
    if "libopencore_amrnb" in codecs_available:  # not in the wheels of PyAV 19
        _add("amr_nb", "codec",
             lambda x, sr, r, h: codec(x, sr, "libopencore_amrnb", 12.2, "amr", mono=True, rate=8000))
    _add("alaw", "codec", lambda x, sr, r, h: codec(x, sr, "pcm_alaw", 0, "wav", mono=True, rate=8000))
    _add("voice_message", "chain", _voice_message)
    _add("short_video", "chain", _short_video)
    _add("speed_3%_mp3_96k", "chain", lambda x, sr, r, h: codec(speed(x, 1.03), sr, "libmp3lame", 96, "mp3"))
