# SPDX-License-Identifier: Apache-2.0
"""Can the mark of one film be lifted onto another without the key?

    python -m benchmarks.video_copying FOLDER

The attacker knows how labelkit works but not the private key. The tile repeats, so averaging its repeats in what a
median filter takes out of labelled frames gives the tile, which is added to every frame of the next film of the same
size. The labelled film is seen after x264 crf 18, the forged one is searched after crf 23. FOLDER is made by
benchmarks.video_films.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from benchmarks.fidelity import psnr
from benchmarks.video_fidelity import encoded, frames_of
from labelkit.choices import ROBUSTNESS
from labelkit.codec.frame import Frame, FrameFormat
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import video
from labelkit.watermark.image import tile

FRAMES = 48
AVERAGED = (1, 12, FRAMES)
RMS = 1.6  # grey levels of the forged mark
KEY, PAYLOAD = Key(b"the private key of a producer"), Payload(1, 2, 3)


def luma(frame: np.ndarray) -> np.ndarray:
    """uint8 [height, width] of a yuv420p frame."""
    return frame[: frame.shape[0] * 2 // 3]


def lifted(frames: list[np.ndarray]) -> np.ndarray:
    """float [p, p]: the tile of labelled frames as it lies at the origin, with unit deviation, from their pixels."""
    height, width = luma(frames[0]).shape
    p = tile.film_period(width, height)
    total = np.zeros((p, p))
    for frame in frames:
        plane = luma(frame)
        smooth = np.asarray(Image.fromarray(plane).filter(ImageFilter.MedianFilter(5)))
        padded = np.full((-(-height // p) * p, -(-width // p) * p), np.nan)
        padded[:height, :width] = np.clip(plane.astype(np.float64) - smooth, -4, 4)
        total += np.nanmean(padded.reshape(len(padded) // p, p, -1, p), axis=(0, 2))
    return (total - total.mean()) / total.std()


def forged(frames: list[np.ndarray], pattern: np.ndarray) -> list[np.ndarray]:
    """The frames with a lifted tile added to each."""
    height, width = luma(frames[0]).shape
    repeated = RMS * np.tile(pattern, (-(-height // len(pattern)), -(-width // len(pattern))))[:height, :width]
    copies = [frame.copy() for frame in frames]
    for copy in copies:
        luma(copy)[...] = np.clip(np.rint(luma(copy) + repeated), 0, 255)
    return copies


def again(frames: list[np.ndarray], crf: int, folder: Path) -> list[np.ndarray]:
    """The frames after x264."""
    encoded(frames, folder / "film.mkv", {"crf": str(crf), "preset": "veryfast"})
    return frames_of(folder / "film.mkv", len(frames))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", type=Path, metavar="FOLDER")
    films = [frames_of(path, FRAMES) for path in sorted(parser.parse_args().films.glob("*.mp4"))]
    films = [film for film in films if film[0].shape == films[0][0].shape]
    print("| class | frames averaged | words read | PSNR of the forgery, dB |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        for robustness in ROBUSTNESS:
            seen = [again(_labelled(film, robustness), 18, Path(place)) for film in films]
            for count in AVERAGED:
                read, cost = 0, []
                for source, target in zip(seen, films[1:] + films[:1], strict=True):
                    copies = forged(target, lifted(source[:count]))
                    cost.append(psnr(luma(target[0]), luma(copies[0])))
                    planes = [luma(frame) for frame in again(copies, 23, Path(place))]
                    read += video.detect_frames(planes, KEY, rate=24).payload == PAYLOAD
                print(f"| {robustness} | {count} | {read} of {len(films)} | {np.mean(cost):.1f} |", flush=True)


def _labelled(frames: list[np.ndarray], robustness: str) -> list[np.ndarray]:
    height, width = luma(frames[0]).shape
    marker = video.Marker(width, height, PAYLOAD, KEY, robustness=robustness)
    copies = [frame.copy() for frame in frames]
    for copy in copies:
        marker.mark(Frame(FrameFormat(width, height), luma(copy)))
    return copies


if __name__ == "__main__":
    main()
