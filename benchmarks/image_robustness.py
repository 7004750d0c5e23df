# SPDX-License-Identifier: Apache-2.0
"""Recovery of the whole payload over pictures and attacks, with fidelity, as Markdown.

    python -m benchmarks.image_robustness [--pictures FOLDER] [--attacks MODULE.py] [--effort deep] [--strength 1 2]
                                          [--longest 1600] [--only NAME ...] [--systems labelkit dwtDct ...]

The defaults are samples/, benchmarks/image_attacks.py and labelkit alone. The other systems, dwtDct, dwtDctSvd, rivaGan
and blind-watermark, want the extra `peers`. A word counts only when all its bits are right. Before a host is marked
each system looks at it: "unmarked answered" are the hosts in which it reads a word, "detect ms" what that takes of CPU
time, in the median.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import image_attacks, peers
from benchmarks.fidelity import psnr, ssim

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}


def pictures(folder: Path, longest: int, only: Collection[str] = ()) -> Iterator[tuple[str, np.ndarray]]:
    """Name and uint8 [height, width, 3] of the pictures of a folder, all or `only` those of these names, each shrunk
    to `longest` where it is larger."""
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES):
        if only and path.name not in only:
            continue
        with Image.open(path) as picture:
            picture = picture.convert("RGB")
            if longest:
                picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
            yield path.name, np.asarray(picture)


def attacks(path: str | None):
    """The module of attacks at `path`, or the project's own."""
    if not path:
        return image_attacks
    spec = importlib.util.spec_from_file_location("given_attacks", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Tally:
    """What one system did: words read and tried for each attack, fidelity and CPU seconds for each picture."""

    def __init__(self) -> None:
        self.read: dict[str, list[bool]] = defaultdict(list)
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.wrong = self.answered = 0
        self.psnr: list[float] = []
        self.ssim: list[float] = []
        self.failed: list[str] = []

    def run(self, system: peers.System, name: str, host: np.ndarray, module, seed: int) -> None:
        """Mark one picture, attack it in every way, read it back."""
        payload = int(np.random.default_rng(seed).integers(1 << 61, 1 << 62))
        marked = self.timed(system.embed, host, payload)
        self.psnr.append(psnr(host, marked))
        self.ssim.append(ssim(host, marked))
        self.answered += self.timed(system.detect, host) is not None
        for attack in module.names():
            found = system.detect(module.apply(attack, marked, seed))
            right = found == system.expected(payload)
            self.wrong += found is not None and not right
            self.read[attack].append(right)
            if not right:
                self.failed.append(f"{name}: {attack}")

    def timed(self, call: Callable, *arguments: object):
        """What the call returns; its CPU time is kept."""
        started = time.process_time()
        result = call(*arguments)
        self.seconds[call.__name__].append(time.process_time() - started)
        return result


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, default=Path(__file__).parent.parent / "samples")
    parser.add_argument("--attacks")
    parser.add_argument("--effort", default="deep")
    parser.add_argument("--strength", type=float, nargs="+", default=[1.0])
    parser.add_argument("--longest", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--systems", nargs="+", default=["labelkit"])
    options = parser.parse_args(arguments)
    module = attacks(options.attacks)
    tallies: dict[str, Tally] = {}
    for system in peers.systems(options.systems, options.strength, options.effort):
        tally = tallies[system.name] = Tally()
        started = time.process_time()
        for seed, (name, host) in enumerate(pictures(options.pictures, options.longest, options.only)):
            try:
                tally.run(system, name, host, module, seed)
            except peers.Refused as reason:
                print(f"- {system.name} refuses {name}: {reason}")
        print(f"- {system.name}: {len(tally.psnr)} pictures, {time.process_time() - started:.0f} s of CPU", flush=True)
    print_tables({name: tally for name, tally in tallies.items() if tally.psnr}, module)


def print_tables(tallies: dict[str, Tally], module) -> None:
    """Fidelity, then recovery by class and by attack."""
    print("\n| system | PSNR dB least, mean | SSIM least, mean | embed, detect ms | unmarked answered | wrong words | "
          "words read |\n|---" + "|---" * 6 + "|")
    for name, tally in tallies.items():
        read = [word for words in tally.read.values() for word in words]
        embed, detect = (1000 * np.median(tally.seconds[verb]) for verb in ("embed", "detect"))
        print(f"| {name} | {min(tally.psnr):.1f}, {np.mean(tally.psnr):.1f} | {min(tally.ssim):.4f}, "
              f"{np.mean(tally.ssim):.4f} | {embed:.0f}, {detect:.0f} | {tally.answered} of {len(tally.psnr)} | "
              f"{tally.wrong} | {sum(read)} of {len(read)}, {100 * np.mean(read):.1f} % |")
    groups = dict.fromkeys(map(module.group_of, module.names()))
    rows = {f"**{group}**": [a for a in module.names() if module.group_of(a) == group] for group in groups}
    rows |= {attack: [attack] for attack in module.names()}
    print("\n| words read, % | " + " | ".join(tallies) + " |\n|---" + "|---" * len(tallies) + "|")
    for title, members in rows.items():
        shares = [100 * np.mean([word for attack in members for word in tally.read[attack]])
                  for tally in tallies.values()]
        print(f"| {title} | " + " | ".join(f"{share:.1f}".removesuffix(".0") for share in shares) + " |")
    for name, tally in tallies.items():
        if name.startswith("labelkit") and tally.failed:
            print(f"\nNot read by {name}: " + "; ".join(tally.failed))


if __name__ == "__main__":
    main()
