# SPDX-License-Identifier: Apache-2.0
"""Decide whether a picture carries a mark of a key.

The steps in order of cost; one is taken only when those before it found nothing:
  fast    the periods that a picture and a page of this size are given, at its own scale
  normal  the periods of larger pictures (crops), in all eight orientations; every spacing that the tile may have,
          upright, by the key's pattern (spacing.py); the best upright lattices, in all orientations; turned squares
          and stretched ones by the key's pattern; then the best lattices of any two vectors (turned, sheared), all
          looked for in the shrunk picture; in a page whose paper was brightened to white, its ink; what a frame
          encloses in a photograph (frame.py)
  deep    more of these lattices, and those of the picture at its own resolution; then pictures that a lens bulged
          (lens.py), whose rows and columns were moved in waves (waves.py), and pictures of a picture whose frame is
          not seen: lattices in perspective (perspective.py)
On the likeliest of the lattices that were tried, words are then looked for whose synchronisation pattern was subtracted
(unsynchronised.py), and words of parts of the picture. Where a second word is found, or a faint one, parts are
searched for more: all pictures of a collage are named that lie on one lattice.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labelkit.key import Key
from labelkit.plan import check_effort
from labelkit.watermark.candidates import AnyCandidates
from labelkit.watermark.detection import Detection
from labelkit.watermark.image import frame, lens, perspective, waves
from labelkit.watermark.image.expected import Expected
from labelkit.watermark.image.pixels import CODED_INK_REACH, INK_REACH, check_array, eight_bits, ink, luma_of
from labelkit.watermark.image.search import LocatedTile, TileSearch, first_found, undecoded

_STEPS = {"fast": 1, "normal": 7, "deep": 8}


def detect(pixels: npt.NDArray[np.uint8 | np.uint16 | np.float32], key: Key | None = None, *,
           effort: str = "normal", candidates: AnyCandidates | None = None) -> Detection:
    """Whether a mark of `key` is in the picture, and which.

    pixels      uint8, uint16 or float32 arrays as for `image.embed`, of any size
    key         None is the public key
    effort      "fast", "normal" or "deep"
    candidates  payloads of which one is expected: where no mark can be read, these are looked for
    Where a mark was decoded, `geometry` is an `ImageGeometry`. A mark whose bits cannot be decoded is found with
    payload None where the synchronisation pattern alone decides. Raises InvalidArgument for other arguments.
    """
    check_array(pixels)
    check_effort(effort)
    pixels = pixels if pixels.ndim == 3 else pixels[..., None]
    key, luma = Key.of(key), luma_of(eight_bits(pixels))
    search = TileSearch.of_picture(luma, key)
    expected = search.trials.observer = Expected.of(candidates, key)
    steps = [search.own_period, search.own_scale, search.as_part_of_large, search.any_spacing, search.any_scale,
             search.any_lattice, lambda: _in_ink(luma, search), search.more_lattices][: _STEPS[effort]]
    steps += [search.without_pattern, search.in_parts]
    if effort != "fast":
        steps.append(lambda: frame.search(luma, search))
    if effort == "deep":
        steps += [lambda: lens.search(search), lambda: waves.search(search), lambda: perspective.search(luma, search)]
    found = first_found(step() for step in steps)
    if found:
        found = search.with_neighbours(found, effort)
    elif expected:
        likely = expected.decide(search.trials)
        found = LocatedTile(*likely) if likely else None
    return found.detection(effort) if found else undecoded(search.trials, effort)


def _in_ink(luma: npt.NDArray[np.uint8], search: TileSearch) -> LocatedTile | None:
    for reach in (INK_REACH, CODED_INK_REACH):
        plane = ink(luma, reach)
        if plane is None:
            return None
        page = TileSearch(plane, search.keyed, search.trials)
        found = page.own_period() or page.own_scale()
        if found:
            return found
    return None
