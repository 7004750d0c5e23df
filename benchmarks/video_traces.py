# SPDX-License-Identifier: Apache-2.0
"""What of a film is said to be marked, and the static pattern that its mean shows, as Markdown.

    python -m benchmarks.video_traces FOLDER [--frames 96] [--robustness everyday]

Each film of the folder, such as `benchmarks.video_films` makes, is marked from end to end, encoded by x264 at crf 18
and once more at crf 28, and searched. The pattern is what marking adds to the mean of the first two seconds, in grey
levels rms. Frames are counted at 25 a second.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.video_attacks import apply
from benchmarks.video_fidelity import frames_of, marked, published
from benchmarks.video_robustness import SUFFIXES, detected, label_of
from labelkit.choices import ROBUSTNESS
from labelkit.payload import Payload

RATE = 25  # frames a second, of the files that `published` writes


def static_pattern(frames: list[np.ndarray], with_mark: list[np.ndarray]) -> float:
    """Grey levels rms that the mark adds to the mean of two seconds."""
    height = frames[0].shape[0] * 2 // 3
    change = sum(copy[:height].astype(np.int32) - host[:height] for host, copy in
                 zip(frames[:2 * RATE], with_mark, strict=False))
    return float(np.asarray(change / min(len(frames), 2 * RATE)).std())


def spans(path: Path) -> str:
    """The stretches that are said to be marked."""
    geometry = detected(path, "normal").geometry
    found = getattr(geometry, "spans", None)
    return "; ".join(f"{start:.2f} to {stop:.2f} s" for start, stop in found) if found else "not read"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", type=Path)
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--robustness", choices=ROBUSTNESS, default=ROBUSTNESS[0])
    options = parser.parse_args()
    print("| film | static pattern | length | marked, crf 18 | then crf 28 |\n|---|---|---|---|---|")
    for path in sorted(path for path in options.films.iterdir() if path.suffix.lower() in SUFFIXES):
        frames = frames_of(path, options.frames)
        with_mark = marked(frames, Payload.of(label_of(0)), 1.0, options.robustness)
        with tempfile.TemporaryDirectory() as folder:
            film, again = Path(folder) / "film.mkv", Path(folder) / "again.mkv"
            published(with_mark, film, 18)
            apply("x264_28", film, again, 0.0, float("inf"))
            print(f"| {path.stem} | {static_pattern(frames, with_mark):.2f} | {len(frames) / RATE:.2f} s | "
                  f"{spans(film)} | {spans(again)} |", flush=True)


if __name__ == "__main__":
    main()
