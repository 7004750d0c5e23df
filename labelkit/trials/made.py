# SPDX-License-Identifier: Apache-2.0
"""Media made by code, for who has none at hand: pictures, sounds and a film, the same at every call."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from labelkit.trials.table import Picture, Wave

RATE, FILM_RATE = 48_000, Fraction(24)
_SIZES = ((640, 960), (720, 720), (480, 640), (768, 1024), (600, 900), (512, 512))


def pictures() -> Iterator[tuple[str, Picture]]:
    """(name, pixels) of six scenes: a textured ground with shapes, from smooth to busy."""
    for number, size in enumerate(_SIZES):
        yield f"made-{number + 1}.png", _scene(np.random.default_rng([7, number]), *size, 1.9 - 0.18 * number)


def sounds() -> Iterator[tuple[str, Wave]]:
    """(name, samples) of two sounds of 12 seconds at RATE: notes, and syllables."""
    yield "made-notes.wav", _notes(np.random.default_rng(11))
    yield "made-syllables.wav", _syllables(np.random.default_rng(12))


def film() -> list[Picture]:
    """A film of 2.5 seconds at FILM_RATE: a camera glides over a scene."""
    ground = _scene(np.random.default_rng(13), 480, 900, 1.6)
    return [np.ascontiguousarray(ground[20 + index // 3 : 380 + index // 3, 2 * index : 2 * index + 640])
            for index in range(60)]


def _cloud(random: np.random.Generator, height: int, width: int, slope: float) -> npt.NDArray[np.float64]:
    """Noise of a spectrum 1/f^slope, of unit deviation."""
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    radius = np.maximum(np.hypot(fy, fx), 1 / max(height, width))
    spectrum = np.fft.rfft2(random.standard_normal((height, width))) / radius**slope
    values = np.fft.irfft2(spectrum, (height, width))
    return np.asarray((values - values.mean()) / values.std())


def _scene(random: np.random.Generator, height: int, width: int, slope: float) -> Picture:
    light = _cloud(random, height, width, slope)
    tint = np.stack([_cloud(random, height, width, 2.2) for _ in range(3)], axis=2)
    base = random.uniform(90, 150, 3) + 38 * light[..., None] + 14 * tint
    picture = Image.fromarray(np.clip(base, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture, "RGBA")
    for _ in range(9):
        x, y = random.uniform(0, 1, 2) * (width, height)
        across, down = random.uniform(0.05, 0.25, 2) * min(width, height)
        colour = (*(int(one) for one in random.integers(20, 236, 3)), int(random.integers(90, 230)))
        (draw.ellipse if random.random() < 0.5 else draw.rectangle)((x, y, x + across, y + down), fill=colour)
    grain = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.6)), np.float64)
    return np.clip(grain + random.normal(0, 2.0, grain.shape), 0, 255).astype(np.uint8)


def _notes(random: np.random.Generator) -> Wave:
    """Chords of plucked strings, in stereo."""
    out, after = np.zeros((12 * RATE, 2)), np.arange(2 * RATE) / RATE
    fade = np.exp(-2.2 * after) * np.minimum(1, 20 * (2 - after))
    for start in range(0, 12 * RATE - len(after), 2 * RATE // 5):
        for hz in random.choice([110, 147, 165, 196, 220, 262, 294, 330, 392, 440], 3, replace=False):
            string = fade * sum(np.sin(2 * np.pi * hz * n * after) / n**1.2 * np.exp(-0.8 * n * after)
                                for n in range(1, 9))
            side = random.uniform(0.3, 0.7)
            out[start : start + len(after)] += string[:, None] * np.array([side, 1 - side])
    out += random.normal(0, 0.002, out.shape)
    return np.ascontiguousarray(0.5 * out / np.abs(out).max(), np.float32)


def _syllables(random: np.random.Generator) -> Wave:
    """A buzz through moving resonances, with hiss and pauses: like speech to a detector."""
    t = np.arange(12 * RATE) / RATE
    pitch = 120 + 22 * np.sin(2 * np.pi * 0.31 * t) + 9 * np.sin(2 * np.pi * 1.7 * t)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    first, second = 520 + 240 * np.sin(2 * np.pi * 1.9 * t), 1500 + 600 * np.sin(2 * np.pi * 1.3 * t + 1)
    buzz = np.zeros(len(t))
    for n in range(1, 40):
        hz = n * pitch
        gain = 1 / (1 + ((hz - first) / 110) ** 2) + 0.5 / (1 + ((hz - second) / 170) ** 2) + 0.05 / n
        buzz += gain * np.sin(n * phase)
    spoken = np.clip(np.sin(2 * np.pi * 2.1 * t) * 2 + 0.8, 0, 1) * (np.sin(2 * np.pi * 0.23 * t) > -0.8)
    sound = spoken * buzz + 0.08 * (1 - spoken) * random.standard_normal(len(t))
    return np.ascontiguousarray((0.4 * sound / np.abs(sound).max())[:, None], np.float32)
