# SPDX-License-Identifier: Apache-2.0
"""CPU time of films on the command line, to that of ffmpeg: labelling to the plain transcode, verifying to decoding.

    python -m benchmarks.video_costs FILM [FILM...] [--presets veryfast medium] [--pairs 5] [--verify]

Both run in turn, as processes of their own, and the median of the pairs' ratios is shown with the least and the most.
The plain transcode is ffmpeg's (of imageio-ffmpeg) at the same crf and preset, sound copied. With --verify the films,
which carry no label, are verified whole, and ffmpeg decodes them whole. `start` is what the command line takes to say
its version, which a short film shows most.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import imageio_ffmpeg

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
CRF = "18"


def spent(command: Sequence[str]) -> float:
    """CPU seconds of a process and its children; raises CalledProcessError where it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   env={**os.environ, "OMP_NUM_THREADS": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def labelkit(*words: str) -> list[str]:
    return [sys.executable, "-m", "labelkit", *words]


def ffmpeg(film: Path, *words: str) -> list[str]:
    return [FFMPEG, "-nostdin", "-y", "-i", str(film), *words]


def labelling(film: Path, preset: str, folder: Path) -> tuple[list[str], list[str]]:
    """What labels a film by default, and the same transcode without."""
    ours, plain = folder / f"ours{film.suffix}", folder / f"plain{film.suffix}"
    return (labelkit("embed", str(film), "-o", str(ours), "--producer", "acme", "--crf", CRF, "--preset", preset, "-q"),
            ffmpeg(film, "-c:v", "libx264", "-crf", CRF, "-preset", preset, "-c:a", "copy", str(plain)))


def verifying(film: Path) -> tuple[list[str], list[str]]:
    """What verifies a film, and what decodes its pictures."""
    return ([sys.executable, "-c", "import sys, labelkit; labelkit.verify(sys.argv[1])", str(film)],
            ffmpeg(film, "-map", "0:v:0", "-f", "null", "-"))


def row(name: str, pair: tuple[list[str], list[str]], count: int) -> str:
    """A line of the table."""
    times = [(spent(pair[0]), spent(pair[1])) for _ in range(count)]
    ratios = [ours / plain for ours, plain in times]
    return (f"| {name} | {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) | "
            f"{statistics.median(ours for ours, _ in times):.2f} s | {statistics.median(p for _, p in times):.2f} s |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", type=Path, nargs="+")
    parser.add_argument("--presets", nargs="+", default=["veryfast", "medium"])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--verify", action="store_true")
    options = parser.parse_args()
    print(f"start: {statistics.median(spent(labelkit('--version')) for _ in range(3)):.2f} s\n\n"
          "| what | CPU, to ffmpeg's | labelkit | ffmpeg |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for film in options.films:
            if options.verify:
                print(row(f"{film.name}, verify", verifying(film), options.pairs), flush=True)
                continue
            for preset in options.presets:
                print(row(f"{film.name}, {preset}", labelling(film, preset, Path(folder)), options.pairs), flush=True)


if __name__ == "__main__":
    main()
