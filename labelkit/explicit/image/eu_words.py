# SPDX-License-Identifier: Apache-2.0
"""Finds the words of the EU icons in pictures: where labelkit puts them, and where a manifest says that they are.

They hold no character that search could start from: A and I are in every English text. So they are looked for at the
corners and edges, at the default height and margin, at whatever scale the picture is now. In a picture that was
cropped, or in another font, text recognition reads them (the extra `ocr`).
"""

from __future__ import annotations

from collections.abc import Iterator

from labelkit.choices import CORNERS, EDGES, EU_WORDS
from labelkit.errors import HostTooSmall
from labelkit.evidence import StatedPlace
from labelkit.explicit.image.alignment import TextMatch, match_at
from labelkit.explicit.image.drawing import fit
from labelkit.explicit.image.raster import UInt8, bounds
from labelkit.plan import Explicit

# Least and mean correlation coefficient of the characters. A and I alone are two and three strokes, so they must fit
# better than the characters of the longer words. Of 87 views of 29 unlabelled pictures none reached 0.45; AI at an ink
# height of 10 pixels in JPEG 60 has 0.80 (2026-11-28).
_LONG, _SHORT = (0.55, 0.70), (0.65, 0.75)
_LONGEST_FIRST = sorted(EU_WORDS, key=lambda key: -len(EU_WORDS[key]))


def find_in(grey: UInt8, expected_text: str | None = None, stated_place: StatedPlace | None = None) -> TextMatch | None:
    """The words of an EU icon in uint8 [height, width], or None.

    expected_text, stated_place  what another layer says of the label; looked at first
    """
    height, width = grey.shape
    for lines, box in _places(height, width, expected_text, stated_place):
        least, mean = _SHORT if lines == ("AI",) else _LONG
        found = match_at(grey, lines, box, least=least, mean=mean)
        if found:
            return found
    return None


def _places(height: int, width: int, text: str | None,
            stated: StatedPlace | None) -> Iterator[tuple[tuple[str, ...], tuple[int, int, int, int]]]:
    """(lines, box of their ink) of each place to look at."""
    if stated and text in EU_WORDS.values() and text is not None:
        yield (text,), stated.box
    for key in _LONGEST_FIRST:
        for corner in (*CORNERS, *EDGES):
            try:
                lines, rendering, x, y, _ = fit(height, width, Explicit(words=key, corner=corner))
            except HostTooSmall:
                continue
            left, top, right, bottom = bounds(rendering.glyphs)
            yield lines, (x + left, y + top, right - left, bottom - top)
