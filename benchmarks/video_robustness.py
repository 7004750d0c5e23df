# SPDX-License-Identifier: Apache-2.0
"""Recovery of the whole payload from two seconds of film after each attack, as Markdown.

    python -m benchmarks.video_robustness [--films FOLDER] [--attacks MODULE.py] [--effort normal] [--strength 1]
                                          [--robustness everyday]
                                          [--seconds 2] [--stretches 3] [--only NAME ...]

The defaults are the films of samples/ and benchmarks/video_attacks.py. Films are labelled at the default quality, from
file to file; stretches are taken at even distances.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from types import ModuleType

import av
import numpy as np

import labelkit as lk
from benchmarks import video_attacks
from benchmarks.image_robustness import attacks as module_of
from labelkit import codec, container
from labelkit.choices import ROBUSTNESS
from labelkit.payload import Payload
from labelkit.watermark import video
from labelkit.watermark.candidates import Candidates

SUFFIXES = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".flv"}


def label_of(seed: int) -> lk.Label:
    return lk.Label(lk.Kind.GENERATED, "001191440300708461136T1XGW3", f"film-{seed}")


def labelled(source: Path, target: Path, seed: int, strength: float, robustness: str) -> None:
    """The film with explicit label and watermark."""
    lk.embed(source, target, label_of(seed), check=False,
             plan=lk.Plan(watermark=lk.Watermark(strength, robustness=robustness)))


def detected(path: Path, effort: str, candidates: Candidates | None = None) -> lk.watermark.Detection:
    """The detector's decision on a file."""
    with container.opened(path) as reader:
        return video.detect(codec.decode(reader), effort=effort, candidates=candidates)


def length(path: Path) -> float:
    """Seconds of a film."""
    with av.open(str(path)) as film:
        return film.duration / 1e6


def starts(path: Path, seconds: float, stretches: int) -> list[float]:
    """Where the stretches begin: at even distances, as many as fit."""
    free = length(path) - seconds
    count = max(1, min(stretches, int(length(path) / seconds)))
    return [free * i / max(1, count - 1) if free > 0 else 0.0 for i in range(count)]


def sweep(films: list[Path], module: ModuleType,
          options: argparse.Namespace) -> tuple[dict[str, list[bool]], list[str], int]:
    """For each attack whether words were read, what failed, and how many words were wrong."""
    read: dict[str, list[bool]] = defaultdict(list)
    failed, wrong = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for seed, film in enumerate(films):
            marked, attacked = Path(folder) / f"{seed}.mkv", Path(folder) / "attacked.mkv"
            marked = marked.with_suffix(film.suffix)
            labelled(film, marked, seed, options.strength, options.robustness)
            wanted = Payload.of(label_of(seed))
            for start in starts(marked, options.seconds, options.stretches):
                for name in options.only or module.names():
                    module.apply(name, marked, attacked, start, options.seconds)
                    found = detected(attacked, options.effort)
                    read[name].append(found.payload == wanted)
                    wrong += found.payload not in (None, wanted)
                    if found.payload != wanted:
                        failed.append(f"{film.name} {start:.1f} s {name} ({found.score:.1f})")
                    if options.verbose:
                        print(f"{film.name} {start:.1f} s {name}: {found.score:.1f}", flush=True)
    return read, failed, wrong


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=Path, default=Path(__file__).parent.parent / "samples")
    parser.add_argument("--attacks")
    parser.add_argument("--effort", default="normal")
    parser.add_argument("--strength", type=float, default=1.0)
    parser.add_argument("--robustness", choices=ROBUSTNESS, default=ROBUSTNESS[0])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--stretches", type=int, default=3)
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args(arguments)
    module = module_of(options.attacks) if options.attacks else video_attacks
    films = sorted(path for path in options.films.iterdir() if path.suffix.lower() in SUFFIXES)
    started = time.process_time()
    read, failed, wrong = sweep(films, module, options)
    print(f"{len(films)} films, effort {options.effort}, {options.robustness}, strength {options.strength}, "
          f"{wrong} wrong words, {time.process_time() - started:.0f} s of CPU\n\n"
          "| attack | class | words read | % |\n|---|---|---|---|")
    for name, words in read.items():
        print(f"| {name} | {module.group_of(name)} | {sum(words)} of {len(words)} | {100 * np.mean(words):.0f} |")
    if failed:
        print("\nNot read: " + "; ".join(failed))


if __name__ == "__main__":
    main()
