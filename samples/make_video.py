# SPDX-License-Identifier: Apache-2.0
"""Makes lantern-river.mp4, a drawn clip of our own: lanterns drift on a river at night, the camera moves slowly.

    python make_video.py

Needs numpy and av. Five seconds, 640 x 360, 24 frames a second, with a bell-like sound; the same on every run of one
version of x264.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

HERE = Path(__file__).parent
WIDTH, HEIGHT, RATE, SECONDS = 640, 360, 24, 5
HORIZON = 150
SOUND_RATE = 48000
LANTERNS = 26


def noise(shape: tuple[int, int], cell: int, seed: int) -> np.ndarray:
    """float [height, width] in -1 to 1: smooth noise with features of about `cell` pixels."""
    random = np.random.default_rng(seed)
    coarse = random.uniform(-1, 1, (shape[0] // cell + 3, shape[1] // cell + 3))
    y, x = np.arange(shape[0]) / cell, np.arange(shape[1]) / cell
    rows = coarse[y.astype(int)] * (1 - y % 1)[:, None] + coarse[y.astype(int) + 1] * (y % 1)[:, None]
    return rows[:, x.astype(int)] * (1 - x % 1) + rows[:, x.astype(int) + 1] * (x % 1)


def textured(shape: tuple[int, int], seed: int) -> np.ndarray:
    """Noise of several sizes."""
    return sum(noise(shape, cell, seed + cell) * weight
               for cell, weight in ((64, 0.5), (24, 0.3), (8, 0.15), (3, 0.08)))


class Scene:
    """The parts that every frame is put together from."""

    def __init__(self) -> None:
        wide = (HEIGHT, WIDTH + 200)
        y, x = np.mgrid[0:wide[0], 0:wide[1]]
        self.sky = np.stack([28 + y * 0.25, 34 + y * 0.28, 66 + y * 0.22], -1) + 10 * textured(wide, 1)[..., None]
        ridge = HORIZON - 46 + 26 * noise((1, wide[1]), 90, 2)[0] + 8 * noise((1, wide[1]), 14, 3)[0]
        hills = (y > ridge) & (y <= HORIZON)
        trees = np.stack([22, 34, 30]) + 16 * textured(wide, 4)[..., None] * np.array([0.8, 1, 0.8])
        self.sky[hills] = trees[hills]
        self.water = textured((HEIGHT, WIDTH + 200), 7)
        random = np.random.default_rng(11)
        self.lanterns = [(random.uniform(0, WIDTH + 160), random.uniform(0.04, 1) ** 1.4, random.uniform(0, 6.28),
                          random.uniform(0.8, 1.2)) for _ in range(LANTERNS)]

    def frame(self, seconds: float) -> np.ndarray:
        """uint8 [HEIGHT, WIDTH, 3]."""
        pan = round(12 * seconds)
        out = self.sky[:, pan:pan + WIDTH].copy()
        y, x = np.mgrid[HORIZON:HEIGHT, 0:WIDTH]
        depth = (y - HORIZON) / (HEIGHT - HORIZON)
        ripple = np.sin(y * (0.9 - 0.6 * depth) + 3 * seconds + 4 * self.water[HORIZON:, pan:pan + WIDTH])
        mirror = np.clip(HORIZON - (y - HORIZON) * 0.8 + 2 * ripple, 0, HORIZON - 1).astype(int)
        out[HORIZON:] = 0.55 * out[mirror, x] + np.array([6, 12, 24]) + (5 + 9 * depth[..., None]) * ripple[..., None]
        for place, near, phase, warmth in sorted(self.lanterns, key=lambda lantern: lantern[1]):
            self._lantern(out, place - pan * (0.4 + near), near, phase + seconds, warmth)
        return np.clip(np.rint(out), 0, 255).astype(np.uint8)

    def _lantern(self, out: np.ndarray, place: float, near: float, phase: float, warmth: float) -> None:
        size = 3 + 17 * near
        row, column = HORIZON + 8 + near * (HEIGHT - HORIZON - 44) + 1.5 * np.sin(2 * phase), place % (WIDTH + 80) - 40
        y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
        across, down = (x - column) / size, (y - row) / size
        light = (0.85 + 0.15 * np.sin(5 * phase)) * warmth * np.array([255, 168, 72])
        glow = np.exp(-0.22 * (across**2 + down**2)) * 0.35
        below = np.exp(-1.5 * across**2 - 0.10 * np.maximum(down - 1, 0)**2) * (down > 0.8) * 0.30
        body = 1 / (1 + np.exp(np.clip(14 * (np.maximum(np.abs(across), np.abs(down) * 0.8) - 0.8), -30, 30)))
        body = body * (0.75 + 0.25 * np.cos(9 * across))
        cover = np.maximum(np.maximum(glow, below), body)[..., None]
        out += cover * (light - out * 0.6)


def bell() -> np.ndarray:
    """float32 [1, samples]: three struck notes that fade."""
    time = np.arange(SECONDS * SOUND_RATE) / SOUND_RATE
    sound = np.zeros_like(time)
    for start, note in ((0.2, 523.25), (1.9, 659.26), (3.4, 783.99)):
        ringing = np.maximum(time - start, 0)
        for partial, weight in ((1, 1), (2.76, 0.4), (5.4, 0.15)):
            sound += (time >= start) * weight * np.exp(-2.2 * partial**0.5 * ringing) * np.sin(
                2 * np.pi * note * partial * ringing)
    return (0.22 * sound).astype(np.float32)[None]


def make(target: Path) -> None:
    """Write the clip."""
    with av.open(str(target), "w", options={"movflags": "faststart"}) as out:
        video = out.add_stream("libx264", rate=RATE, options={"crf": "26", "preset": "slow"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = out.add_stream("aac", rate=SOUND_RATE, layout="mono", bit_rate=48000)
        scene, sound = Scene(), bell()
        for index in range(RATE * SECONDS):
            frame = av.VideoFrame.from_ndarray(scene.frame(index / RATE), "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            out.mux(video.encode(frame))
        for start in range(0, sound.shape[1], 1024):
            part = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[:, start:start + 1024]), "fltp", "mono")
            part.sample_rate, part.pts = SOUND_RATE, start
            out.mux(audio.encode(part))
        out.mux(video.encode(None))
        out.mux(audio.encode(None))


if __name__ == "__main__":
    make(HERE / "lantern-river.mp4")
