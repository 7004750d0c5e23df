# SPDX-License-Identifier: Apache-2.0
"""The outlines of words as a path of SVG, so that no font of the viewer's is needed.

Pillow draws them large, shaped by Raqm where their script wants it; the contour at half coverage is traced by marching
squares (Lorensen and Cline, 1987) and thinned by Douglas and Peucker's method (1973).
"""

from __future__ import annotations

import functools
import io
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelkit.codec.samples import Typeface

EM = 512  # units of a path
_EM_PX = 256
_HALF = 127.5
_TOLERANCE_PX = 0.3
_TOP, _RIGHT, _BOTTOM, _LEFT = range(4)  # of a cell of four pixels
# by which of its corners are inside, 1 upper left, 2 upper right, 4 lower right, 8 lower left: where the contour enters
# a cell and leaves it, with the inside on one side all along
_CROSSINGS: dict[int, tuple[tuple[int, int], ...]] = {
    1: ((_LEFT, _TOP),), 2: ((_TOP, _RIGHT),), 3: ((_LEFT, _RIGHT),), 4: ((_RIGHT, _BOTTOM),),
    5: ((_LEFT, _TOP), (_RIGHT, _BOTTOM)), 6: ((_TOP, _BOTTOM),), 7: ((_LEFT, _BOTTOM),), 8: ((_BOTTOM, _LEFT),),
    9: ((_BOTTOM, _TOP),), 10: ((_TOP, _RIGHT), (_BOTTOM, _LEFT)), 11: ((_BOTTOM, _RIGHT),), 12: ((_RIGHT, _LEFT),),
    13: ((_RIGHT, _TOP),), 14: ((_TOP, _LEFT),)}

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Outlines:
    """A path (SVG 2, 9.3) whose inside is by the rule evenodd: y grows downwards, the baseline is at 0, the words start
    at x = 0; `width` is theirs. All in EM units an em."""

    path: str
    width: int


@functools.lru_cache(maxsize=32)
def outlines(text: str, font: Typeface) -> Outlines:
    """The outlines of a text in one line; the font has all of its characters."""
    ink, baseline = _drawn(text, font)
    unit = EM / _EM_PX
    columns = np.flatnonzero(ink.any(axis=0))
    left = int(columns[0])
    parts = []
    for contour in _contours(ink):
        points = np.rint((_thinned(contour) - (left, baseline)) * unit).astype(int).tolist()
        if len(points) > 2:
            (x, y), *others = points
            parts.append(f"M{x} {y}L" + " ".join(f"{x} {y}" for x, y in others) + "Z")
    return Outlines("".join(parts), round((int(columns[-1]) + 1 - left) * unit))


def _drawn(text: str, font: Typeface) -> tuple[npt.NDArray[np.uint8], int]:
    """Coverage of a text, and the row of its baseline."""
    from PIL import Image, ImageDraw, ImageFont, features

    has_raqm = bool(features.check("raqm"))
    engine = ImageFont.Layout.RAQM if has_raqm else ImageFont.Layout.BASIC
    is_right_to_left = any(unicodedata.bidirectional(one) in ("R", "AL") for one in text)
    direction = ("rtl" if is_right_to_left else "ltr") if has_raqm else None
    face = ImageFont.truetype(io.BytesIO(font.data), _EM_PX, index=font.face, layout_engine=engine)
    left, top, right, bottom = face.getbbox(text, anchor="ls", direction=direction)
    origin, baseline = 2 - int(left), 2 - int(top)
    canvas = Image.new("L", (int(right) + origin + 3, int(bottom) + baseline + 3))
    ImageDraw.Draw(canvas).text((origin, baseline), text, fill=255, font=face, anchor="ls", direction=direction)
    return np.asarray(canvas), baseline


def _contours(ink: npt.NDArray[np.uint8]) -> Iterator[Points]:
    """The closed contours, [n, 2] of x and y, of what is covered by more than half; nothing is at the rim."""
    value = ink.astype(np.float64)
    inside = value > _HALF
    kinds = inside[:-1, :-1] + 2 * inside[:-1, 1:] + 4 * inside[1:, 1:] + 8 * inside[1:, :-1]
    width = ink.shape[1]
    follows: dict[int, int] = {}
    for y, x in np.argwhere((kinds > 0) & (kinds < 15)).tolist():
        at = 2 * (y * width + x)  # the crossing of a row's edge; that of a column's is one more
        edges = (at, at + 3, at + 2 * width, at + 1)
        for enter, leave in _CROSSINGS[int(kinds[y, x])]:
            follows[edges[enter]] = edges[leave]
    while follows:
        first, here = follows.popitem()
        crossings = [first]
        while here != first:
            crossings.append(here)
            here = follows.pop(here)
        yield _places(np.array(crossings), value)


def _places(crossings: npt.NDArray[np.int64], value: Points) -> Points:
    """Where on their edges the contour crosses, between the centres of pixels, which are half a pixel in."""
    down = crossings & 1
    y, x = np.divmod(crossings >> 1, value.shape[1])
    start, end = value[y, x], value[y + down, x + 1 - down]
    share = (_HALF - start) / (end - start)
    return np.stack((x + 0.5 + share * (1 - down), y + 0.5 + share * down), axis=1)


def _thinned(points: Points) -> Points:
    """The points of a closed contour that it cannot do without."""
    far = int(np.argmax(((points - points[0]) ** 2).sum(axis=1)))
    closed = np.concatenate((points, points[:1]))
    kept = np.zeros(len(closed), bool)
    kept[[0, far, -1]] = True
    waiting = [(0, far), (far, len(points))]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2:
            continue
        along = closed[last] - closed[first]
        offset = closed[first + 1:last] - closed[first]
        length = np.hypot(*along)
        away = (np.abs(along[0] * offset[:, 1] - along[1] * offset[:, 0]) / length if length else
                np.hypot(offset[:, 0], offset[:, 1]))
        worst = int(np.argmax(away))
        if away[worst] > _TOLERANCE_PX:
            middle = first + 1 + worst
            kept[middle] = True
            waiting += [(first, middle), (middle, last)]
    return closed[:-1][kept[:-1]]
