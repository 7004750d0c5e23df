# SPDX-License-Identifier: Apache-2.0
"""Makes the two sound samples: a spoken notice by espeak-ng, and a piece of music by arithmetic.

    python make_audio.py

Needs numpy, soundfile and the program espeak-ng (GPL; what it says is not). The music is the same on every run.
"""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import numpy as np
import soundfile

HERE = Path(__file__).parent
RATE = 44_100
TEXTS = {"cmn": "欢迎收听本期节目。今天我们来谈一谈，如何标识人工智能生成的声音。",
         "en-us": "Every file that leaves this studio carries its label, and any listener can check it."}


def speech() -> None:
    """speech.flac: a sentence in Mandarin and one in English, 22,050 Hz mono."""
    parts = []
    for voice, text in TEXTS.items():
        spoken = subprocess.run(["espeak-ng", "-v", voice, "-s", "140", "--stdout", text], capture_output=True,
                                check=True)
        samples, rate = soundfile.read(io.BytesIO(spoken.stdout), dtype="float64")
        parts += [samples, np.zeros(int(0.4 * rate))]
    joined = np.concatenate(parts)
    soundfile.write(HERE / "speech.flac", 0.5 * joined / np.abs(joined).max(), rate, subtype="PCM_16")


def pluck(hz: float, seconds: float, random: np.random.Generator) -> np.ndarray:
    """A plucked string (Karplus and Strong, 1983): noise going round a delay line with a slight low pass."""
    period, count = int(RATE / hz), int(seconds * RATE)
    line = random.uniform(-1, 1, period)
    out = []
    for _ in range(-(-count // period)):
        out.append(line)
        line = 0.996 * 0.5 * (line + np.roll(line, 1))
    return np.concatenate(out)[:count] * np.linspace(1, 0, count) ** 0.5


def music() -> None:
    """music.mp3: plucked chords, a bass and brushed drums over eight bars, 44,100 Hz stereo."""
    random = np.random.default_rng(7)
    bar = int(1.6 * RATE)
    out = np.zeros((8 * bar + 2 * RATE, 2))

    def add(at: int, sound: np.ndarray, left: float, right: float) -> None:
        out[at : at + len(sound)] += sound[: len(out) - at, None] * (left, right)

    for index, root in enumerate((57, 53, 60, 55, 57, 53, 50, 52)):
        start = index * bar
        hz = 440 * 2 ** ((root - 69) / 12)
        t = np.arange(bar) / RATE
        add(start, 0.35 * np.sin(2 * np.pi * hz / 2 * t + 0.8 * np.sin(2 * np.pi * hz * t)) * np.exp(-1.5 * t), 1, 1)
        for step, interval in enumerate((0, 7, 12, 16, 19, 16, 12, 7)):
            pan = 0.5 + 0.4 * np.sin(step + index)
            add(start + step * bar // 8, 0.3 * pluck(hz * 2 ** (interval / 12), 1.2, random), 1 - pan, pan)
        for beat in range(4):
            size = int(0.12 * RATE)
            brush = random.standard_normal(size) * np.exp(-np.arange(size) / (0.03 * RATE))
            add(start + beat * bar // 4, (0.12 if beat % 2 else 0.05) * brush, 0.9, 1)
    out *= 0.7 / np.abs(out).max()
    out[-RATE:] *= np.linspace(1, 0, RATE)[:, None]
    soundfile.write(HERE / "music.mp3", out, RATE, format="MP3", bitrate_mode="CONSTANT", compression_level=0.667)


if __name__ == "__main__":
    speech()
    music()
