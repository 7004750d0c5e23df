# SPDX-License-Identifier: Apache-2.0
"""Attacks by who knows how labelkit works and has marked pictures, but not the key: copying, and averaging.

`benchmarks/copying.py` and `benchmarks/averaging.py` measure the same on more pictures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from labelkit.errors import HostTooSmall
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.plan import Watermark
from labelkit.trials.screens import clipped
from labelkit.trials.table import Picture
from labelkit.watermark import image

SIDE = 320  # of the parts that are averaged
AVERAGED, ATTACKED = 64, 12
_COPIED_RMS = 1.6  # grey levels of a copied mark: 44 dB
_SUBTRACTED_RMS = 3.0


def residual(rgb: Picture) -> npt.NDArray[np.float64]:
    """What a median filter takes away, at most 4 grey levels of luma: [height, width]."""
    smooth = np.asarray(Image.fromarray(rgb).filter(ImageFilter.MedianFilter(5)), np.float64)
    return np.asarray(np.clip((rgb - smooth).mean(axis=2), -4, 4))


def lifted(marked: Picture) -> npt.NDArray[np.float64]:
    """[p, p] of unit deviation: the tile of a marked picture, by averaging its repeats."""
    from labelkit.watermark.image import tile

    height, width = marked.shape[:2]
    p = tile.period(width, height)
    padded = np.full((-(-height // p) * p, -(-width // p) * p), np.nan)
    padded[:height, :width] = residual(marked)
    average = np.nanmean(padded.reshape(len(padded) // p, p, -1, p), axis=(0, 2))
    return np.asarray((average - average.mean()) / average.std())


def forged(host: Picture, pattern: npt.NDArray[np.float64]) -> Picture:
    """An unmarked picture with a lifted tile added."""
    height, width = host.shape[:2]
    repeats = -(-height // len(pattern)), -(-width // len(pattern))
    return clipped(host + _COPIED_RMS * np.tile(pattern, repeats)[:height, :width, None])


def averaged(hosts: Sequence[Picture], key: Key, plan: Watermark) -> Iterator[tuple[Picture, Payload]]:
    """Marked parts of one key from which the average of all was subtracted, each with its payload; none where the
    pictures are too small."""
    random = np.random.default_rng(5)
    large = [host for host in hosts if min(host.shape[:2]) >= SIDE]
    marked: list[tuple[Picture, Payload]] = []
    for turn in range(AVERAGED if large else 0):
        host = large[turn % len(large)]
        y, x = (int(random.integers(0, side - SIDE + 1)) for side in host.shape[:2])
        payload = Payload(1, 4242, int(random.integers(1 << 35)))
        try:
            marked.append((image.embed(np.ascontiguousarray(host[y : y + SIDE, x : x + SIDE]), payload, key,
                                       strength=plan.strength, robustness=plan.robustness), payload))
        except HostTooSmall:
            continue
    if not marked:
        return
    average = np.sum([residual(picture) for picture, _ in marked], axis=0)
    average *= _SUBTRACTED_RMS / max(float(average.std()), 1e-9)
    for picture, payload in marked[:ATTACKED]:
        yield clipped(picture - average[..., None]), payload
