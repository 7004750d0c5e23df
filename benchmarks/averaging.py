# SPDX-License-Identifier: Apache-2.0
"""Does the average of many marked pictures of one producer give away a pattern that erases its marks?

    python -m benchmarks.averaging [--pictures FOLDER] [--count 200]

The attacker whitens equal-sized parts of pictures marked with one private key, averages them, and subtracts the average
from fifty of them at several strengths. For comparison, the same attack on marks whose tiles all begin in one corner.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.fidelity import psnr
from benchmarks.image_robustness import pictures
from labelkit.errors import HostTooSmall
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import image
from labelkit.watermark.image import tile
from labelkit.watermark.image.pixels import luma_of, whiten

SIZE = 512


def marked_parts(folder: Path, count: int, key: Key,
                 robustness: str = "everyday") -> list[tuple[np.ndarray, Payload]]:
    """Up to `count` marked parts of SIZE x SIZE pixels, each with its own content number; the same at every call."""
    random = np.random.default_rng(1)
    hosts = [host for _, host in pictures(folder, 0) if min(host.shape[:2]) >= SIZE]
    marked: list[tuple[np.ndarray, Payload]] = []
    for turn in range(2 * count):
        host, payload = hosts[turn % len(hosts)], Payload(1, 12345, int(random.integers(1 << 35)))
        y, x = (int(random.integers(0, side - SIZE + 1)) for side in host.shape[:2])
        try:
            part = host[y : y + SIZE, x : x + SIZE]
            marked.append((image.embed(part, payload, key, robustness=robustness), payload))
        except HostTooSmall:
            continue
        if len(marked) == count:
            break
    return marked


def attack(name: str, marked: list[tuple[np.ndarray, Payload]], key: Key) -> None:
    """Average, subtract, and print how many marks are still read."""
    average = sum(whiten(luma_of(picture)).astype(np.float64) for picture, _ in marked)
    average /= average.std()
    for strength in (2, 4, 8):
        read, cost = 0, []
        for picture, payload in marked[:50]:
            spoiled = np.clip(np.rint(picture - strength * average[..., None]), 0, 255).astype(np.uint8)
            read += image.detect(spoiled, key, effort="fast").payload == payload
            cost.append(psnr(picture, spoiled))
        print(f"{name}: average of {len(marked)}, subtracted at {np.mean(cost):.1f} dB: {read} of 50 marks still read")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, default=Path(__file__).parent.parent / "samples")
    parser.add_argument("--count", type=int, default=200)
    options = parser.parse_args()
    key = Key(b"the private key of a producer")
    attack("as labelkit marks", marked_parts(options.pictures, options.count, key), key)
    keyed_origin, tile.origin = tile.origin, lambda key, payload: np.zeros(2)
    tile.patterns.cache_clear()
    try:
        attack("all from one corner", marked_parts(options.pictures, options.count, key), key)
    finally:
        tile.origin = keyed_origin
        tile.patterns.cache_clear()


if __name__ == "__main__":
    main()
