# SPDX-License-Identifier: Apache-2.0
"""Growth of films against what is read of them after hard treatment, at several strengths, as Markdown.

    python -m benchmarks.video_frontier FOLDER [--settings everyday:0.7 everyday:1 hard:1] [--frames 48] [--log 1000]

Films are those of a folder, such as `benchmarks.video_films` makes. Each is marked, encoded by x264 medium at crf 18,
and read after one treatment of the whole, or of its last second; with --log, looked for among so many payloads where it
cannot be read. Growth is that of the file at equal crf.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks import video_attacks
from benchmarks.video_attacks import x264
from benchmarks.video_fidelity import encoded, frames_of, marked, published
from benchmarks.video_robustness import SUFFIXES, detected, label_of
from labelkit.payload import Payload
from labelkit.watermark.candidates import Candidates

RATE = 25  # frames a second, of the files that `encoded` writes
video_attacks.ATTACKS |= {
    "360 lines crf 28": ("frontier", (x264(28, "scale=-2:360"),)),
    "360 lines crf 32": ("frontier", (x264(32, "scale=-2:360"),)),
    "three platforms": ("frontier", (x264(26, "scale=-2:720", "veryfast"), x264(28, "scale=-2:540", "veryfast"),
                                     x264(28, "scale=-2:480", "veryfast"))),
    "x264 crf 36": ("frontier", (x264(36),)),
    "240 lines crf 26": ("frontier", (x264(26, "scale=-2:240"),)),
    "cut of 1 s, crf 23": ("frontier", (x264(23),))}
TREATMENTS = video_attacks.names("frontier")


def outcomes(path: Path, robustness: str, strength: float, count: int,
             log: Candidates | None = None) -> Iterator[tuple[str, float]]:
    """(name, value) of one film: growth at two crf, and whether the word was read after each treatment."""
    frames, wanted = frames_of(path, count), Payload.of(label_of(0))
    with_mark = marked(frames, wanted, strength, robustness)
    with tempfile.TemporaryDirectory() as folder:
        plain, film, treated = (Path(folder) / f"{name}.mkv" for name in ("plain", "film", "treated"))
        for crf in (23, 18):
            options = {"crf": str(crf), "preset": "medium"}
            yield f"growth, crf {crf}", published(with_mark, film, crf) / encoded(frames, plain, options) - 1
        for name in TREATMENTS:
            seconds = 1.0 if name.startswith("cut") else count / RATE
            video_attacks.apply(name, film, treated, count / RATE - seconds, seconds)
            found = detected(treated, "normal", log)
            if found.payload not in (None, wanted):
                print(f"wrong word: {path.name}, {name}", flush=True)
            yield name, found.payload == wanted


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", type=Path)
    parser.add_argument("--settings", nargs="+", default=["everyday:0.7", "everyday:1", "hard:1"])
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--log", type=int, default=0)
    options = parser.parse_args(arguments)
    films = sorted(path for path in options.films.iterdir() if path.suffix.lower() in SUFFIXES)
    log = Candidates.of(Payload.of(label_of(seed)) for seed in range(options.log)) if options.log else None
    print("| class, strength | growth, crf 18 | crf 23 | " + " | ".join(TREATMENTS) + " |\n" + "|---" * 9 + "|")
    for setting in options.settings:
        robustness, _, strength = setting.partition(":")
        rows: dict[str, list[float]] = {}
        for path in films:
            for name, value in outcomes(path, robustness, float(strength), options.frames, log):
                rows.setdefault(name, []).append(value)
        grown = [f"{np.mean(values):+.0%} ({max(values):+.0%})" for values in
                 (rows["growth, crf 18"], rows["growth, crf 23"])]
        read = [f"{sum(rows[name]):.0f} of {len(rows[name])}" for name in TREATMENTS]
        print(f"| {robustness}, {strength} | " + " | ".join(grown + read) + " |", flush=True)


if __name__ == "__main__":
    main()
