# SPDX-License-Identifier: Apache-2.0
"""Whether a picture carries a mark that is known: word, key, period and place.

A detector does not know the word: it looks for the synchronisation pattern at 16,384 shifts, decodes 64 bits and counts
2^64 words as trials. Who has just put a mark into a picture knows all of that, and two projections answer, on the two
patterns of matcher.py: on unmarked media each is a standard normal variable.

The answer is used in the place of the detector's, and so must never be yes where the detector would say no. It is yes
only where both scores leave a detector no choice:

- Synchronisation, 8.5 deviations. The detector takes the highest of the shifts of its grid. Halfway between two it sees
  0.81 of the score, 6.9; that noise reaches as much at any of the 2 * 16,384 shifts and signs has a probability of
  1e-7, and the bar below which it does not decode is 4.5.
- Word, 20 deviations: Eb/N0 = 20^2 / (2 * 80) = 4 dB for the 80 bits. The list decoder decoded 300 of 300 words
  at 1 dB (ecc.py).
- Both together are 21.7 deviations: with all trials that a detector counts, 2^64 words at every shift, the chance that
  unmarked media give this answer is below 1e-80, where 1e-9 is the bar of a decision.

Weaker marks are left to the detector, which may find them too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labelkit import kernels, scratch
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark.image import tile
from labelkit.watermark.image.matcher import limited_bins, scores
from labelkit.watermark.image.pixels import eight_bits, ground_noise, luma_of
from labelkit.watermark.image.search import fold

CLEAR_SYNC, CLEAR_WORD = 8.5, 20.0  # standard deviations


def is_clear(pixels: npt.NDArray[np.uint8 | np.uint16], payload: Payload, key: Key) -> bool:
    """Whether a picture, marked at its own size and not moved since, carries `payload` so clearly that every detector
    reads it. False says nothing: the detector may still read it.

    pixels  uint8 or uint16 [height, width] or [height, width, 1..4], such as luma alone
    """
    sync, word = known_scores(pixels, payload, key)
    return sync >= CLEAR_SYNC and word >= CLEAR_WORD


def known_scores(pixels: npt.NDArray[np.uint8 | np.uint16], payload: Payload, key: Key) -> tuple[float, float]:
    """The projections on the synchronisation pattern and on the word, in standard deviations of unmarked media: of the
    tile that a picture of this size is given or of that of a page, whichever is seen more."""
    height, width = pixels.shape[:2]
    host = eight_bits(pixels)
    luma = np.ascontiguousarray(host) if host.ndim == 2 else luma_of(host)
    with scratch.lent(height * width) as white, scratch.lent(4 * 24 * (width + 16)) as rows:
        whitened = white.view(np.int8).reshape(height, width)
        kernels.plane_whiten(luma, whitened, rows.view(np.int32), ground_noise(luma))
        periods = {tile.period(width, height), tile.fine_period(width, height)}
        folded = [fold(whitened, p) for p in periods]
    phases, signs = tile.placed_phases(key, int(payload)).conj(), tile.keyed_bins(key).signs(int(payload))
    return max((scores(limited_bins(tile.analyse(one), 1)[0] * phases, signs) for one in folded), key=sum)
