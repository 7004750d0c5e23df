# SPDX-License-Identifier: Apache-2.0
"""Short films of the kinds that generators make, drawn here or made from the pictures of samples/.

    python -m benchmarks.video_films FOLDER [--frames 96] [--lines 720]

Each is 640 x 360 (one 1280 x 720), or all of so many lines, 24 frames a second: slow zooms, a slide, a soft sky, a dark
scene, flat shapes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

SAMPLES = Path(__file__).parent.parent / "samples"
SIZE, RATE, FRAMES = (640, 360), 24, 96
Rgb = np.ndarray
Size = tuple[int, int]


def _camera(name: str, size: tuple[int, int], frames: int, begin: tuple[float, float, float],
            end: tuple[float, float, float], light: float = 1.0) -> Iterator[Rgb]:
    """A still picture under a camera that moves from one place, (x, y, width) in shares of the picture, to another."""
    with Image.open(SAMPLES / name) as opened:
        picture = opened.convert("RGB").point(lambda value: round(value * light))
    for index in range(frames):
        x, y, width = np.array(begin) + (np.array(end) - begin) * index / (frames - 1)
        wide = width * picture.width
        high = wide * size[1] / size[0]
        left, top = x * picture.width - wide / 2, y * picture.height - high / 2
        yield np.asarray(picture.resize(size, Image.Resampling.BICUBIC, (left, top, left + wide, top + high)))


def _noise(height: int, width: int, cell: int, seed: int) -> np.ndarray:
    """float32 [height, width], smooth noise of unit deviation with features of `cell` pixels."""
    coarse = np.random.default_rng(seed).normal(size=(height // cell + 4, width // cell + 4)).astype(np.float32)
    picture = Image.fromarray(coarse).resize((width + 3 * cell, height + 3 * cell), Image.Resampling.BICUBIC)
    return np.asarray(picture)[:height, :width]


def _sky(size: tuple[int, int], frames: int) -> Iterator[Rgb]:
    """A sky from blue to pale with soft clouds that drift."""
    width, height = size
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    ground = np.array([70, 120, 190], np.float32) * (1 - y) + np.array([225, 215, 200], np.float32) * y
    clouds = sum(weight * _noise(height, width + 2 * frames, cell, cell)
                 for cell, weight in ((120, 9), (50, 4), (22, 1)))
    for index in range(frames):
        shift = 0.6 * index
        whole, part = int(shift), shift % 1
        drifted = clouds[:, whole:whole + width] * (1 - part) + clouds[:, whole + 1:whole + width + 1] * part
        yield np.clip(ground + drifted[..., None], 0, 255).astype(np.uint8)


def _shapes(size: tuple[int, int], frames: int) -> Iterator[Rgb]:
    """Flat art: discs and bars of one colour each glide over a flat ground."""
    width, height = size
    colours = np.random.default_rng(5).integers(60, 240, (7, 3))
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    for index in range(frames):
        out = np.full((height, width, 3), (236, 225, 205), np.float32)
        hills = height * 0.72 + 26 * np.sin((x + 1.3 * index) / 90)
        out += np.clip(y - hills + 0.5, 0, 1)[..., None] * (np.array((120, 160, 110)) - out)
        for number, colour in enumerate(colours):
            cx = (width * (number * 0.17 + 0.05) + (0.5 + 0.35 * number) * index) % (width + 120) - 60
            cy = height * (0.2 + 0.45 * (number * 0.37 % 1)) + 12 * np.sin(index / 20 + number)
            cover = np.clip(22 + 6 * number - np.hypot(x - cx, y - cy) + 0.5, 0, 1)
            out += cover[..., None] * (colour - out)
        yield np.rint(out).astype(np.uint8)


FILMS: dict[str, Callable[[Size, int], Iterator[Rgb]]] = {
    "zoom-valley": lambda size, n: _camera("valley.jpg", size, n, (0.5, 0.5, 0.95), (0.48, 0.45, 0.8)),
    "zoom-boat": lambda size, n: _camera("boat.png", size, n, (0.5, 0.45, 0.98), (0.5, 0.5, 0.8)),
    "slide-still-life": lambda size, n: _camera("still-life.jpg", size, n, (0.36, 0.45, 0.7), (0.6, 0.5, 0.7)),
    "dark-night": lambda size, n: _camera("night.webp", size, n, (0.5, 0.5, 0.75), (0.5, 0.5, 0.95), 0.7),
    "tilt-rocket": lambda size, n: _camera("rocket.jpg", size, n, (0.5, 0.3, 0.9), (0.5, 0.6, 0.9)),
    "zoom-cat": lambda size, n: _camera("chelsea.webp", size, n, (0.5, 0.5, 0.95), (0.52, 0.45, 0.75)),
    "sky": lambda size, n: _sky(size, n),
    "shapes": lambda size, n: _shapes(size, n),
    "zoom-coffee-720": lambda _, n: _camera("coffee.png", (1280, 720), n, (0.5, 0.5, 0.9), (0.45, 0.5, 0.75)),
}


def make(name: str, target: Path, frames: int = FRAMES, size: Size = SIZE) -> Path:
    """Write one of FILMS as H.264 at crf 18, as a generator would."""
    with av.open(str(target), "w") as out:
        stream = out.add_stream("libx264", rate=RATE, options={"crf": "18", "preset": "medium"})
        for index, rgb in enumerate(FILMS[name](size, frames)):
            if not index:
                stream.height, stream.width, stream.pix_fmt = *rgb.shape[:2], "yuv420p"
                stream.thread_type = "AUTO"  # frames whole, as ffmpeg has them; else each is cut into slices
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--lines", type=int, default=SIZE[1], help="of a frame, which is 16:9")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    size = options.lines * SIZE[0] // SIZE[1] // 2 * 2, options.lines
    for name in FILMS:
        make(name, options.folder / f"{name}.mp4", options.frames, size)


if __name__ == "__main__":
    main()
