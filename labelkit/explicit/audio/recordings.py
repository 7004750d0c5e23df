# SPDX-License-Identifier: Apache-2.0
"""Recordings of spoken labels: the bundled ones, and the user's own WAV."""

from __future__ import annotations

import io
import wave
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labelkit.codec.resample import Resampler
from labelkit.codec.samples import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE
from labelkit.errors import InvalidArgument, UnsupportedFormat
from labelkit.explicit.audio.spectrogram import Float32, Floats
from labelkit.languages import LANGUAGES
from labelkit.plan import Explicit

SPOKEN = {language: words.spoken for language, words in LANGUAGES.items() if words.spoken}
_MAX_RECORDING_S = 30
_RATE, _MU = 16_000, 255  # of recordings in mu-law (ITU-T G.711's curve, without its segments)


def language(explicit: Explicit) -> str:
    """The language of the spoken label, a key of SPOKEN: the one that is asked for, else that of the label's text.

    Raises InvalidArgument for a language without a bundled recording.
    """
    if explicit.language is None:
        return "en" if explicit.text.isascii() else "zh"
    if explicit.language not in SPOKEN:
        raise InvalidArgument("there is no bundled spoken label in {language}, but in {languages}",
                              language=explicit.language, languages=", ".join(SPOKEN),
                              hint="give a recording of one")
    return explicit.language


def compressed(samples: Floats) -> npt.NDArray[np.uint8]:
    """uint8 codes of samples of -1 to 1."""
    level = np.log1p(_MU * np.abs(samples)) / np.log1p(_MU)
    codes: npt.NDArray[np.uint8] = np.rint(np.copysign(level, samples) * 127 + 128).astype(np.uint8)
    return codes


def expanded(codes: npt.NDArray[np.uint8]) -> Float32:
    """float32 samples of the codes that `compressed` makes."""
    level = (codes.astype(np.float32) - 128) / 127
    return np.asarray(np.copysign(np.expm1(np.abs(level) * np.log1p(_MU)) / _MU, level), np.float32)


def speech(explicit: Explicit, rate: int) -> Float32:
    """float32 [frames] at `rate`: the user's recording, or the bundled one in the language of the label's text.

    Raises InvalidArgument or UnsupportedFormat for a recording that cannot be used.
    """
    samples, own_rate = _recording(explicit)
    resampler = Resampler(own_rate, rate, 1)
    padded = np.concatenate([samples, np.zeros(resampler.lookahead + 1, np.float32)])[None]
    resampled: Float32 = resampler.push(padded)[0]
    return resampled[: len(samples) * rate // own_rate]


def _recording(explicit: Explicit) -> tuple[Float32, int]:
    """float32 [frames], rate."""
    if explicit.recording is None:
        name, folder = language(explicit), resources.files("labelkit.explicit") / "speech"
        if name not in ("zh", "en"):
            return expanded(np.frombuffer((folder / f"{name}.ulaw").read_bytes(), np.uint8)), _RATE
        return _wave((folder / f"{name}.wav").read_bytes(), name)
    where = str(explicit.recording)
    try:
        return _wave(Path(explicit.recording).read_bytes(), where)
    except OSError as error:
        raise InvalidArgument("{path}: cannot read the recording: {reason}", path=where,
                              reason=error.strerror or str(error)) from error


def _wave(data: bytes, where: str) -> tuple[Float32, int]:
    """float32 [frames] and rate of a WAV of 16 bits, its channels averaged."""
    try:
        with wave.open(io.BytesIO(data)) as source:
            width, channels, rate, count = (source.getsampwidth(), source.getnchannels(), source.getframerate(),
                                            source.getnframes())
            raw = source.readframes(min(count, _MAX_RECORDING_S * rate))
    except (wave.Error, EOFError) as error:
        raise UnsupportedFormat("{where}: a recording is a WAV file of 16 bits: {reason}", where=where,
                                reason=str(error) or "it ends too early") from error
    if width != 2 or not MIN_SAMPLE_RATE <= rate <= MAX_SAMPLE_RATE or len(raw) < rate // 2:
        raise UnsupportedFormat("{where}: a recording is a WAV file of 16 bits: {reason}", where=where,
                                reason=f"{8 * width} bits, {rate} Hz, {count} frames")
    rows = np.frombuffer(raw, "<i2").reshape(-1, channels).astype(np.float32) / 32768
    return rows.mean(1), rate
