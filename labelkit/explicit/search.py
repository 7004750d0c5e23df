# SPDX-License-Identifier: Apache-2.0
"""Looking for our own explicit label in pixels: a deterministic match of the bundled font near edges and corners.

Every text that the standard accepts holds 生成 or 合成, so 成 is looked for first, over a ladder of sizes at a size
where it costs little; its neighbour is asked next, then every character of every text that is looked for, each on
its own. That last check is what keeps pages of text and textures out: chance would have to draw each character.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from labelkit.explicit import rules
from labelkit.explicit.raster import Rendering, render

# Bars on the correlation coefficient. Over 4,000 unlabelled pictures, crops and pages of Chinese text the best
# whole-text score with every character over MIN_GLYPH was 0.00 (none came that far); drawn labels score over 0.85,
# over 0.75 after JPEG at quality 50 and half the size.
MIN_ANCHOR, MIN_PAIR, MIN_ALIGNED, MIN_GLYPH, MIN_TEXT = 0.50, 0.55, 0.25, 0.45, 0.65
_MIN_DEVIATION = 6.0  # grey levels; less structure than this is nothing that a person could read

_SMALLEST, _LARGEST, _STEP = 0.035, 0.17, 1.085  # height of 成 as a share of the shortest side
_SMALLEST_PX = 8  # less is a smudge
_ANCHOR_PX = 14  # height of 成 in the first pass
_VERIFY_INK_PX = 20  # ink height of the renderings of the second pass
_DEEPEST_MARGIN = 0.05  # distance of the label from the edge as a share of the shortest side
_CANDIDATES = 6


@dataclass(frozen=True, slots=True)
class Match:
    """A label that was found.

    text                the longest text of those looked for that matches in every character
    box                 (x, y, width, height) of its ink in pixels of the picture
    glyph_height_px     height of its lowest Chinese character in pixels of the picture
    score               mean correlation coefficient -1 to 1 of its characters; light ink (+) or dark ink (-)
    contrast            WCAG contrast ratio of the middle ink to the middle ground in the box
    """

    text: str
    box: tuple[int, int, int, int]
    glyph_height_px: float
    score: float
    contrast: float


@dataclass(frozen=True, slots=True)
class _Candidate:
    score: float
    x: float
    y: float
    height: float  # of 成, all three in pixels of the grey picture


def search(grey: np.ndarray, texts: tuple[tuple[str, ...], ...]) -> Match | None:
    """The best match of one of `texts`, each given as its lines, in uint8 [height, width]; None where there is none."""
    candidates = sorted(_anchors(grey), key=lambda c: -abs(c.score))
    kept: list[_Candidate] = []
    for candidate in candidates:
        if all(abs(candidate.x - k.x) + abs(candidate.y - k.y) > k.height / 2 or
               not 0.8 < candidate.height / k.height < 1.25 for k in kept):
            kept.append(candidate)
        if len(kept) == _CANDIDATES:
            break
    matches = [match for candidate in kept for match in [_verify(grey, candidate, texts)] if match]
    return max(matches, key=lambda m: (len(m.text), abs(m.score)), default=None)


# First pass: 成 alone, small


def _anchors(grey: np.ndarray) -> Iterator[_Candidate]:
    import cv2

    short = min(grey.shape)
    template = _anchor_template()
    share, base = max(_SMALLEST, _SMALLEST_PX / short), grey
    # a small picture carries a label that is large for it: MIN_INK_PX, of which 成 has a quarter more
    largest = max(_LARGEST, 1.5 * rules.MIN_INK_PX / short)
    while share < largest:
        zoom = _ANCHOR_PX / (share * short)
        size = tuple(max(1, round(side * zoom)) for side in reversed(grey.shape))
        level = cv2.resize(base, size, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR)
        base = level if base is grey and zoom < 1 else base  # the first level is the finest
        for x, y, area in _windows(level):
            if area.shape[0] >= template.shape[0] and area.shape[1] >= template.shape[1]:
                score = cv2.matchTemplate(area, template, cv2.TM_CCOEFF_NORMED)
                for value, (px, py) in _peaks(score):
                    yield _Candidate(value, (x + px) / zoom, (y + py) / zoom, _ANCHOR_PX / zoom)
        share *= _STEP


def _peaks(score: np.ndarray) -> Iterator[tuple[float, tuple[int, int]]]:
    """The lowest and the highest value of a correlation map where they pass the bar, with (x, y)."""
    import cv2

    low, high, low_at, high_at = cv2.minMaxLoc(score)
    if high >= MIN_ANCHOR:
        yield high, high_at
    if low <= -MIN_ANCHOR:
        yield low, low_at


def _windows(level: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """The strips of a level in which a label at an edge or corner has its 成, with their (x, y)."""
    height, width = level.shape
    short = min(height, width)
    depth = round(_DEEPEST_MARGIN * short + 3.2 * _ANCHOR_PX)
    if height <= 2 * depth:
        for x0, x1 in _along_edge(width, short):
            yield x0, 0, level[:, x0:x1]
        return
    for y in (0, height - depth):
        for x0, x1 in _along_edge(width, short):
            yield x0, y, level[y:y + depth, x0:x1]
    side = round(_DEEPEST_MARGIN * short + 11 * _ANCHOR_PX)
    y0, y1 = max(depth, height // 2 - 3 * _ANCHOR_PX), min(height - depth, height // 2 + 3 * _ANCHOR_PX)
    for x in {0, max(0, width - side)}:
        yield x, y0, level[y0:y1, x:x + side]


def _along_edge(length: int, short: int) -> list[tuple[int, int]]:
    if length <= 4 * short:
        return [(0, length)]
    reach = round(1.5 * short)  # of a long picture only the ends and the middle: a label is centred or at a corner
    return [(0, reach), (length // 2 - reach // 2, length // 2 + reach // 2), (length - reach, length)]


# Second pass: its neighbour, then whole texts


@functools.cache
def _anchor_template() -> np.ndarray:
    """成 as uint8, _ANCHOR_PX high in ink, with a pixel of ground around it."""
    import cv2

    large = render(("成",), 4 * _ANCHOR_PX, "text", None)
    _, x, y, width, height = large.glyphs[0]
    cut = large.ink[y - 4:y + height + 4, x - 4:x + width + 4]
    return cv2.resize(cut, None, fx=_ANCHOR_PX / height, fy=_ANCHOR_PX / height, interpolation=cv2.INTER_AREA)


def _verify(grey: np.ndarray, candidate: _Candidate, texts: tuple[tuple[str, ...], ...]) -> Match | None:
    pairs = {line[i - 1:i + 1] for lines in texts for line in lines for i in [line.find("成")] if i > 0}
    fits = [_fit(grey, (pair,), 0, candidate, 1 + step / 25) for pair in sorted(pairs) for step in range(-2, 3)]
    best = max(fits, key=lambda fit: abs(fit.score), default=None)
    if best is None or abs(best.score) < MIN_PAIR:
        return None
    found = (_whole(grey, lines, nth, best.anchor) for lines in texts for nth in range("".join(lines).count("成")))
    return max((match for match in found if match), key=_merit, default=None)


def _merit(match: Match) -> tuple[int, float]:
    return len(match.text), abs(match.score)


@dataclass(frozen=True, slots=True)
class _Fit:
    """A rendering laid on the picture where it correlates best."""

    score: float
    anchor: _Candidate
    rendering: Rendering
    patch: np.ndarray  # the picture at the rendering's scale, cut so that patch and rendering.ink are aligned
    origin: tuple[float, float]  # of the patch in the picture
    zoom: float


def _fit(grey: np.ndarray, lines: tuple[str, ...], nth: int, at: _Candidate, stretch: float) -> _Fit:
    """`lines` matched within a quarter of a character around the place that `at` gives its `nth` 成, first is 0."""
    import cv2

    rendering = render(lines, _VERIFY_INK_PX, "text", None)
    ink = rendering.ink
    _, ax, ay, _, anchor_height = [glyph for glyph in rendering.glyphs if glyph[0] == "成"][nth]
    zoom = anchor_height / (at.height * stretch)
    slack = anchor_height // 4
    area, x0, y0 = _cut(grey, at.x - (ax + slack) / zoom, at.y - (ay + slack) / zoom, zoom,
                        (ink.shape[0] + 2 * slack, ink.shape[1] + 2 * slack))
    score = cv2.matchTemplate(_level(area), _level(ink), cv2.TM_CCOEFF_NORMED)
    low, high, low_at, high_at = cv2.minMaxLoc(score)
    value, (px, py) = (high, high_at) if high >= -low else (low, low_at)
    patch = area[py:py + ink.shape[0], px:px + ink.shape[1]]
    if patch.std() < _MIN_DEVIATION:
        value = 0.0
    origin = x0 + px / zoom, y0 + py / zoom
    anchor = _Candidate(value, origin[0] + ax / zoom, origin[1] + ay / zoom, anchor_height / zoom)
    return _Fit(value, anchor, rendering, patch, origin, zoom)


def _level(area: np.ndarray) -> np.ndarray:
    """Without what changes slowly: a ground that shines through a plate must not outweigh the strokes."""
    import cv2

    area = area.astype(np.float32)
    return area - cv2.blur(area, (_VERIFY_INK_PX * 2 + 1, _VERIFY_INK_PX * 2 + 1))


def _cut(grey: np.ndarray, x: float, y: float, zoom: float, shape: tuple[int, int]) -> tuple[np.ndarray, int, int]:
    """`shape` pixels of the picture from (x, y) on at scale `zoom`, its rim repeated outside, and the true corner."""
    import cv2

    height, width = (math.ceil(size / zoom) + 1 for size in shape)
    x0, y0 = math.floor(x), math.floor(y)
    inside = grey[max(0, y0):max(0, y0 + height), max(0, x0):max(0, x0 + width)]
    if not inside.size:
        return np.zeros(shape, np.uint8), x0, y0
    cut = cv2.copyMakeBorder(inside, max(0, -y0), max(0, y0 + height - grey.shape[0]), max(0, -x0),
                             max(0, x0 + width - grey.shape[1]), cv2.BORDER_REPLICATE)
    scaled = cv2.resize(cut, (round(width * zoom), round(height * zoom)),
                        interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR)
    return scaled, x0, y0


def _whole(grey: np.ndarray, lines: tuple[str, ...], nth: int, at: _Candidate) -> Match | None:
    """The match of `lines` if the whole and each of its characters correlate."""
    fit = _fit(grey, lines, nth, at, 1.0)
    for step in (0.03, 0.015, 0.008):
        if abs(fit.score) < MIN_ALIGNED:
            return None
        others = [_fit(grey, lines, nth, fit.anchor, 1 + step * way) for way in (-1, 1)]
        fit = max([fit, *others], key=lambda fit: abs(fit.score))
    each = list(_each_glyph(fit))  # on its own: a ground that changes along the text costs the whole, not the parts
    score = math.copysign(sum(each) / len(each), fit.score)
    if abs(score) < MIN_TEXT or min(each) < MIN_GLYPH:
        return None
    glyphs = fit.rendering.glyphs
    left, top = (min(glyph[i] for glyph in glyphs) for i in (1, 2))
    right, bottom = (max(glyph[i] + glyph[i + 2] for glyph in glyphs) for i in (1, 2))
    box = tuple(round(value) for value in (fit.origin[0] + left / fit.zoom, fit.origin[1] + top / fit.zoom,
                                           (right - left) / fit.zoom, (bottom - top) / fit.zoom))
    lowest = min(height for character, *_, height in glyphs if not character.isascii())
    return Match("".join(lines), box, lowest / fit.zoom, score, _contrast(fit))


def _contrast(fit: _Fit) -> float:
    ink, ground = fit.patch[fit.rendering.ink >= 230], fit.patch[fit.rendering.ink == 0]
    strokes = np.percentile(ink, 80 if fit.score > 0 else 20)  # thin strokes lose contrast to scaling
    return rules.contrast(*((float(value),) * 3 for value in (strokes, np.median(ground))))


def _each_glyph(fit: _Fit) -> Iterator[float]:
    """Correlation of every character in its own cell, where it may lie a pixel off: advances and lines are rounded."""
    import cv2

    sign = 1 if fit.score > 0 else -1
    reach = 2 + min(6, max(1, math.ceil(fit.zoom)))
    for _, x, y, width, height in fit.rendering.glyphs:
        cell = fit.patch[y - reach:y + height + reach, x - reach:x + width + reach]
        ink = fit.rendering.ink[y - 2:y + height + 2, x - 2:x + width + 2]
        yield float((sign * cv2.matchTemplate(cell, ink, cv2.TM_CCOEFF_NORMED)).max())
