# SPDX-License-Identifier: Apache-2.0
"""Recovery of the whole payload over pictures and attacks, with fidelity, as Markdown.

    python -m benchmarks.image_robustness [--pictures FOLDER] [--attacks MODULE.py] [--effort deep] [--strength 1 2]
                                          [--robustness everyday hard] [--longest 1600] [--only NAME ...]
                                          [--systems labelkit dwtDct ...]

The defaults are samples/, benchmarks/image_attacks.py and labelkit alone. The other systems, dwtDct, dwtDctSvd, rivaGan
and blind-watermark, need the extra `peers`. A word counts only when all its bits are right. Each system also detects in
every unmarked host: "unmarked answered" counts the hosts in which it reads a word, "detect ms" is the median CPU time.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from types import ModuleType
from typing import ParamSpec, TypeVar

import numpy as np
from PIL import Image

from benchmarks import image_attacks, peers
from benchmarks.fidelity import psnr, ssim

P, R = ParamSpec("P"), TypeVar("R")
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


def attacks(path: str | None) -> ModuleType:
    """The module of attacks at `path`, or the project's own."""
    if not path:
        return image_attacks
    spec = importlib.util.spec_from_file_location("given_attacks", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class SystemResults:
    """One system's results: for each attack whether words were read, for each picture fidelity and CPU seconds."""

    def __init__(self) -> None:
        self.read: dict[str, list[bool]] = defaultdict(list)
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.wrong = self.answered = 0
        self.psnr: list[float] = []
        self.ssim: list[float] = []
        self.failed: list[str] = []

    def run(self, system: peers.System, name: str, host: np.ndarray, module: ModuleType, seed: int) -> None:
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

    def timed(self, call: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
        """What the call returns; its CPU time is recorded."""
        started = time.process_time()
        result = call(*arguments, **named)
        self.seconds[call.__name__].append(time.process_time() - started)
        return result


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, default=Path(__file__).parent.parent / "samples")
    parser.add_argument("--attacks")
    parser.add_argument("--effort", default="normal")
    parser.add_argument("--strength", type=float, nargs="+", default=[1.0])
    parser.add_argument("--robustness", nargs="+", default=["everyday"])
    parser.add_argument("--longest", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--systems", nargs="+", default=["labelkit"])
    options = parser.parse_args(arguments)
    module = attacks(options.attacks)
    results: dict[str, SystemResults] = {}
    for system in peers.systems(options.systems, options.strength, options.effort, options.robustness):
        result = results[system.name] = SystemResults()
        started = time.process_time()
        for seed, (name, host) in enumerate(pictures(options.pictures, options.longest, options.only)):
            try:
                result.run(system, name, host, module, seed)
            except peers.Refused as reason:
                print(f"- {system.name} refuses {name}: {reason}")
        print(f"- {system.name}: {len(result.psnr)} pictures, {time.process_time() - started:.0f} s of CPU", flush=True)
    print_tables({name: result for name, result in results.items() if result.psnr}, module)


def print_tables(results: dict[str, SystemResults], module: ModuleType) -> None:
    """Fidelity, then recovery by class and by attack."""
    print("\n| system | PSNR dB least, mean | SSIM least, mean | embed, detect ms | unmarked answered | wrong words | "
          "words read |\n|---" + "|---" * 6 + "|")
    for name, result in results.items():
        read = [word for words in result.read.values() for word in words]
        embed, detect = (1000 * np.median(result.seconds[verb]) for verb in ("embed", "detect"))
        print(f"| {name} | {min(result.psnr):.1f}, {np.mean(result.psnr):.1f} | {min(result.ssim):.4f}, "
              f"{np.mean(result.ssim):.4f} | {embed:.0f}, {detect:.0f} | {result.answered} of {len(result.psnr)} | "
              f"{result.wrong} | {sum(read)} of {len(read)}, {100 * np.mean(read):.1f} % |")
    groups = dict.fromkeys(map(module.group_of, module.names()))
    rows = {f"**{group}**": [a for a in module.names() if module.group_of(a) == group] for group in groups}
    rows |= {attack: [attack] for attack in module.names()}
    print("\n| words read, % | " + " | ".join(results) + " |\n|---" + "|---" * len(results) + "|")
    for title, members in rows.items():
        shares = [100 * np.mean([word for attack in members for word in result.read[attack]])
                  for result in results.values()]
        print(f"| {title} | " + " | ".join(f"{share:.1f}".removesuffix(".0") for share in shares) + " |")
    for name, result in results.items():
        if name.startswith("labelkit") and result.failed:
            print(f"\nNot read by {name}: " + "; ".join(result.failed))


if __name__ == "__main__":
    main()
