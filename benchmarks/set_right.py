# SPDX-License-Identifier: Apache-2.0
"""What the constants of searches that set a picture right decide, for `sweeps.py`: how many words one such step of the
effort "deep" reads by itself, in a few pictures of samples/ that are marked by default, or all of another folder.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks import geometry_attacks
from benchmarks.image_robustness import pictures
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import image
from labelkit.watermark.image import frame, lens, perspective, pixels, waves
from labelkit.watermark.image.search import LocatedTile, TileSearch

PAYLOAD = Payload.from_int(0x5A3C91D277AA0F13)
_SAMPLES = Path(__file__).parent.parent / "samples"
_FEW = "chelsea.webp", "coffee.png"


def aslant(folder: Path, value: float) -> dict[str, float]:
    """Pictures seen at 10 degrees, by `perspective.search`."""
    return _set_right(folder, ("aslant_10", "aslant_10_jpeg_80"), perspective.search)


def waved(folder: Path, value: float) -> dict[str, float]:
    """Pictures in waves, by `waves.search`."""
    return _set_right(folder, ("waves_4", "waves_4, another seed"), lambda luma, whole: waves.search(whole))


def bulged(folder: Path, value: float) -> dict[str, float]:
    """Pictures that a lens bulged, by `lens.search`."""
    return _set_right(folder, ("barrel_10", "pincushion_10"), lambda luma, whole: lens.search(whole))


def framed(folder: Path, value: float) -> dict[str, float]:
    """Photographs of screens, by `frame.search`."""
    return _set_right(folder, ("photographed_10", "photographed_10, another seed"), frame.search)


def _set_right(folder: Path, names: Sequence[str], search: Callable[[np.ndarray, TileSearch], LocatedTile | None],
               ) -> dict[str, float]:
    """How many words one step of "deep" alone reads in a few pictures that are marked by default; what it takes in vain
    after the first of these attacks."""
    read: dict[str, list[float]] = {name: [] for name in names}
    seconds = []
    for _, host in pictures(folder, 640, _FEW if folder == _SAMPLES else ()):
        marked = image.embed(host, PAYLOAD)
        for seed, name in enumerate((*names, names[0])):
            is_marked = seed < len(names)
            seen = geometry_attacks.apply(name.split(",")[0], marked if is_marked else host, seed)
            luma = pixels.luma_of(seen)
            start, found = time.process_time(), search(luma, TileSearch.of_picture(luma, Key.public()))
            if is_marked:
                read[name].append(100.0 * (found is not None and found.payload == PAYLOAD))
            else:
                assert found is None
                seconds.append(time.process_time() - start)
    return {name: float(np.mean(shares)) for name, shares in read.items()} | {
        "CPU ms in vain": 1000 * float(np.mean(seconds))}
