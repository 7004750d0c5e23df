# SPDX-License-Identifier: Apache-2.0
"""Detect in unmarked pictures: how many are called marked, and how the scores are distributed.

    python -m benchmarks.false_positives [--pictures FOLDER] [--count 20000] [--effort normal] [--size 320] [--seed 1]

Each trial is a random part of a picture of the folder, or a synthetic texture, under a random attack, with a random key
(every fourth trial with the public key). Every tenth picture carries a mark of another key.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from benchmarks import image_attacks
from benchmarks.image_robustness import pictures
from labelkit.errors import HostTooSmall
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import image

MILD = [name for group in ("none", "codec", "colour", "filter", "scale") for name in image_attacks.names(group)]


def texture(size: int, random: np.random.Generator) -> np.ndarray:
    """uint8 [size, size, 3]: gratings, checks, dots or coloured noise; the periodic ones tempt a lattice search."""
    y, x = np.mgrid[:size, :size]
    angle, period = random.uniform(0, np.pi), random.uniform(6, 90)
    u = (x * np.cos(angle) + y * np.sin(angle)) / period
    v = (y * np.cos(angle) - x * np.sin(angle)) / period
    wave = [np.sin(2 * np.pi * u), np.sign(np.sin(2 * np.pi * u) * np.sin(2 * np.pi * v)),
            (np.hypot(u % 1 - 0.5, v % 1 - 0.5) < 0.3) * 1.0, np.zeros_like(u)][random.integers(4)]
    spectrum = np.fft.rfft2(random.standard_normal((size, size)))
    radius = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]) + 1 / size
    noise = np.fft.irfft2(spectrum / radius ** random.uniform(0, 1.5), s=(size, size))
    plane = 128 + random.uniform(10, 90) * wave + random.uniform(2, 30) * noise / noise.std()
    return np.clip(np.rint(plane[..., None] * random.uniform(0.7, 1, 3)), 0, 255).astype(np.uint8)


def sample(hosts: list[np.ndarray], size: int, random: np.random.Generator) -> np.ndarray:
    """One unmarked picture, attacked."""
    if random.random() < 0.2:
        picture = texture(size, random)
    else:
        host = hosts[random.integers(len(hosts))]
        height, width = (min(side, int(random.integers(size // 2, 2 * size))) for side in host.shape[:2])
        y, x = random.integers(0, host.shape[0] - height + 1), random.integers(0, host.shape[1] - width + 1)
        picture = host[y : y + height, x : x + width]
    return image_attacks.apply(MILD[random.integers(len(MILD))], picture, int(random.integers(1 << 30)))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, default=Path(__file__).parent.parent / "samples")
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--effort", default="normal")
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    hosts = [host for _, host in pictures(options.pictures, 2000)]
    scores, found = [], 0
    for trial in range(options.count):
        random = np.random.default_rng([options.seed, trial])
        picture = sample(hosts, options.size, random)
        if trial % 10 == 0:
            try:
                picture = image.embed(picture, Payload(1, 2, 3), Key(random.bytes(32)))
            except HostTooSmall:
                pass
        key = Key.public() if trial % 4 == 0 else Key(random.bytes(32))
        answer = image.detect(picture, key, effort=options.effort)
        scores.append(answer.score)
        found += answer.found
        if answer.found:
            print(f"trial {trial}: called marked, score {answer.score:.2f}, rate {answer.false_positive_rate:.1e}")
        if trial % 1000 == 999 and sys.stderr.isatty():
            print(f"{trial + 1} of {options.count}", file=sys.stderr)
    print(f"effort {options.effort}: {found} of {options.count} unmarked pictures called marked; highest score "
          f"{max(scores):.2f}, median {np.median(scores):.2f}\n")
    counts, edges = np.histogram(scores, np.arange(3, max(6.5, max(scores)) + 0.25, 0.25))
    for count, edge in zip(counts, edges, strict=False):
        print(f"{edge:5.2f} {count:6d} {'#' * round(60 * count / max(counts))}")


if __name__ == "__main__":
    main()
