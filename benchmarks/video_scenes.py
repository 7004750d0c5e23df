# SPDX-License-Identifier: Apache-2.0
"""Would a key made of the scene bind a mark to its film? How a robust hash of a shot holds what platforms do.

    python -m benchmarks.video_scenes FOLDER [--frames 48]

The hash has 15 bits: the signs of the lowest cosine coefficients, 4 x 4 without the first, of the mean of a second of
the shot. A mark keyed by it could be read where its hash is found again among a handful of keys, those of the hash seen
and its 15 neighbours at one bit. Per attack: the bits that differ, and in how many films the key would be among the 16.
Last, how many pairs of different films would take each other's key for their own: there a copied mark would be read.
FOLDER is made by benchmarks.video_films.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import video_attacks
from benchmarks.video_fidelity import frames_of
from benchmarks.video_robustness import SUFFIXES

SIDE, LOW = 32, 4
SHOT = 24  # frames
REACH = 1  # bits: 1 + 15 keys are searched
ATTACKS = ("x264_28", "scale_480_28", "two_platforms", "brighter", "gamma_1_3", "overlays", "speed_1_25",
           "crop_60_scaled", "mirror")
_WAVES = np.cos(np.pi * (2 * np.arange(SIDE) + 1) * np.arange(LOW)[:, None] / (2 * SIDE))


def hashed(frames: list[np.ndarray]) -> np.ndarray:
    """bool [15] of a shot, yuv420p frames."""
    mean = np.mean([frame[: frame.shape[0] * 2 // 3] for frame in frames[:SHOT]], axis=0)
    small = np.asarray(Image.fromarray(mean.astype(np.float32)).resize((SIDE, SIDE), Image.Resampling.BOX))
    return (_WAVES @ small @ _WAVES.T).ravel()[1:] > 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", type=Path, metavar="FOLDER")
    parser.add_argument("--frames", type=int, default=48)
    options = parser.parse_args()
    films = sorted(path for path in options.films.iterdir() if path.suffix.lower() in SUFFIXES)
    own = {film: hashed(frames_of(film, options.frames)) for film in films}
    print("| attack | bits that differ, mean | most | key among 16 |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        attacked = Path(folder) / "attacked.mkv"
        for name, start in [*((name, 0.0) for name in ATTACKS), ("x264_28", 1.0)]:
            off = []
            for film in films:
                video_attacks.apply(name, film, attacked, start, 1.0)
                off.append(int(np.count_nonzero(own[film] != hashed(frames_of(attacked, options.frames)))))
            shown = name if not start else f"{name}, from {start:g} s on"
            known = sum(n <= REACH for n in off)
            print(f"| {shown} | {np.mean(off):.1f} | {max(off)} | {known} of {len(off)} |", flush=True)
    pairs = [np.count_nonzero(one != two) for one, two in itertools.combinations(own.values(), 2)]
    print(f"\nPairs of films within {REACH} bit: {sum(n <= REACH for n in pairs)} of {len(pairs)}; "
          f"mean distance {np.mean(pairs):.1f} bits")


if __name__ == "__main__":
    main()
