# SPDX-License-Identifier: Apache-2.0
"""Can the mark of one picture be lifted onto another without the key, and does the label log notice?

    python -m benchmarks.copying [--pictures FOLDER]

The attacker knows how labelkit works but not the private key. The tile repeats, so averaging its repeats in the
difference between a marked picture and its median-filtered copy gives the tile. The attacker adds it to the next
picture of the folder. The log holds the fingerprint of the labelled picture; a genuine copy (0.6 of the size, JPEG 50)
is compared too.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from benchmarks import image_attacks
from benchmarks.fidelity import psnr
from benchmarks.image_robustness import pictures
from labelkit.key import Key
from labelkit.log.fingerprint import NEAR, distance, fingerprint
from labelkit.payload import Payload
from labelkit.watermark import image
from labelkit.watermark.image import tile

RMS = 1.6  # grey levels of the forged mark: 44 dB, about the PSNR of labelkit's own


def lifted(marked: np.ndarray) -> np.ndarray:
    """float [p, p]: the tile of a marked picture, with unit deviation, from its pixels alone."""
    smooth = np.asarray(Image.fromarray(marked).filter(ImageFilter.MedianFilter(5)))
    residual = np.clip((marked.astype(np.float64) - smooth).mean(axis=2), -4, 4)
    height, width = residual.shape
    p = tile.period(width, height)
    padded = np.full((-(-height // p) * p, -(-width // p) * p), np.nan)
    padded[:height, :width] = residual
    average = np.nanmean(padded.reshape(len(padded) // p, p, -1, p), axis=(0, 2))
    return (average - average.mean()) / average.std()


def forged(host: np.ndarray, pattern: np.ndarray) -> np.ndarray:
    """The host with a lifted tile added."""
    height, width = host.shape[:2]
    repeats = -(-height // len(pattern)), -(-width // len(pattern))
    repeated = np.tile(pattern, repeats)[:height, :width, None]
    return np.clip(np.rint(host + RMS * repeated), 0, 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, default=Path(__file__).parent.parent / "samples")
    hosts = list(pictures(parser.parse_args().pictures, 2000))
    key, payload = Key(b"the private key of a producer"), Payload(1, 2, 3)
    read, noticed, known, cost = 0, 0, 0, []
    for (_, source), (_, target) in zip(hosts, hosts[1:] + hosts[:1], strict=True):
        marked = image.embed(source, payload, key)
        copy = forged(target, lifted(marked))
        cost.append(psnr(target, copy))
        read += image.detect(copy, key).payload == payload
        logged = fingerprint(marked)
        noticed += distance(logged, fingerprint(copy)) > NEAR
        genuine = image_attacks.apply("jpeg_50", image_attacks.apply("scale_0_6", marked))
        known += distance(logged, fingerprint(genuine)) <= NEAR
    print(f"{read} of {len(hosts)} copied marks are read with the private key, at {np.mean(cost):.1f} dB; the log's "
          f"fingerprint rejects {noticed} of {len(hosts)} of them, and accepts {known} of {len(hosts)} genuine copies")


if __name__ == "__main__":
    main()
