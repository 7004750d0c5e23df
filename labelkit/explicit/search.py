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
from dataclasses import dataclass, replace

import numpy as np

from labelkit.explicit import rules
from labelkit.explicit.correlate import correlation, resized
from labelkit.explicit.raster import height_em, render
from labelkit.plan import MIN_HEIGHT_SHARE

# Bars on the correlation coefficient. MIN_GLYPH decides: in 3,500 unlabelled photographs, crops and pages of text dense
# in 生, 合 and 成 nothing was found, the worst character of the best candidate reached 0.52; in 520 labelled pictures
# (26, four plans; bare, JPEG 20 and 50, half the size, a third at JPEG 70) all were, and it was 0.67 or more.
MIN_ANCHOR, MIN_PAIR, MIN_ALIGNED, MIN_GLYPH, MIN_TEXT = 0.50, 0.55, 0.25, 0.55, 0.70
_SMALLEST, _LARGEST, _STEP = 0.04, 0.36, 1.09  # height of 成 as a share of the shortest side
_SMALLEST_PX = 8  # less is a smudge
_ANCHOR_PX = 13  # height of 成 in the first pass
_VERIFY_INK_PX, _RIM = 20, 2  # ink height and rim in pixels of the templates of the second pass
_NEAR_PX = 6  # as far as a character may be off before the scale is refined
_MARGIN, _LEGAL_MARGIN = 0.05, 0.2  # deepest distance from the edge, of labels below and above about the legal height
_CANDIDATES = 6


@dataclass(frozen=True, slots=True)
class Match:
    """A label that was found.

    text                the longest text of those looked for that matches in every character
    box                 (x, y, width, height) of its ink in pixels of the picture
    glyph_height_px     height of the lowest Chinese character of its elements in pixels of the picture
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
    em: float  # font size; x and y are of 成, all three in pixels of the grey picture


def search(grey: np.ndarray, texts: tuple[tuple[str, ...], ...]) -> Match | None:
    """The longest of `texts`, each given as its lines, that is in uint8 [height, width]; None where none is."""
    candidates = sorted(_anchors(grey), key=lambda c: -abs(c.score))
    kept: list[_Candidate] = []
    for candidate in candidates:
        if all(abs(candidate.x - k.x) + abs(candidate.y - k.y) > k.em / 2 or
               not 0.8 < candidate.em / k.em < 1.25 for k in kept):
            kept.append(candidate)
        if len(kept) == _CANDIDATES:
            break
    longest_first = sorted(texts, key=lambda lines: -sum(map(len, lines)))
    return next((match for candidate in kept for match in [_verify(grey, candidate, longest_first)] if match), None)


# First pass: 成 alone, small


def _anchors(grey: np.ndarray) -> Iterator[_Candidate]:
    height, width = grey.shape
    short = min(grey.shape)
    template = _anchor_template()
    em_px = _ANCHOR_PX / height_em("成", None)
    share, base = max(_SMALLEST, _SMALLEST_PX / short), grey
    # a small picture carries a label that is large for it: MIN_INK_PX, of which 成 has a quarter more
    largest = max(_LARGEST, 1.5 * rules.MIN_INK_PX / short)
    while share < largest:
        zoom = _ANCHOR_PX / (share * short)
        level = resized(base, (max(1, round(width * zoom)), max(1, round(height * zoom))))
        base = level if base is grey and zoom < 1 else base  # the first level is the finest
        for corners, areas in _windows(level, _LEGAL_MARGIN if share > MIN_HEIGHT_SHARE else _MARGIN):
            if areas.shape[1] >= template.shape[0] and areas.shape[2] >= template.shape[1]:
                for (x, y), score in zip(corners, correlation(areas, template), strict=True):
                    for value, px, py in _peaks(score):
                        yield _Candidate(value, (x + px + 1) / zoom, (y + py + 1) / zoom, em_px / zoom)
        share *= _STEP


def _peaks(score: np.ndarray) -> Iterator[tuple[float, int, int]]:
    """The lowest and the highest value of a correlation map where they pass the bar, with x and y."""
    for place in (int(score.argmax()), int(score.argmin())):
        y, x = divmod(place, score.shape[1])
        if abs(score[y, x]) >= MIN_ANCHOR:
            yield float(score[y, x]), x, y


def _windows(level: np.ndarray, margin: float) -> Iterator[tuple[list[tuple[int, int]], np.ndarray]]:
    """The strips of a level in which a label at an edge or corner has its 成: their (x, y), and they as [n, h, w]."""
    height, width = level.shape
    short = min(height, width)
    depth = round(margin * short + 3.2 * _ANCHOR_PX)
    wide = depth < height / 2
    strips = [(0, depth), (height - depth, height)] if wide else [(0, height)]
    pieces = [(x0, y0, level[y0:y1, x0:x1]) for y0, y1 in strips for x0, x1 in _along_edge(width, short)]
    yield [piece[:2] for piece in pieces], np.stack([piece[2] for piece in pieces])
    reach = min(width, round(margin * short + 11 * _ANCHOR_PX))
    y0, y1 = max(depth, height // 2 - 2 * _ANCHOR_PX), min(height - depth, height // 2 + 2 * _ANCHOR_PX)
    if wide and y1 > y0:
        ends = sorted({0, width - reach})
        yield [(x, y0) for x in ends], np.stack([level[y0:y1, x:x + reach] for x in ends])


def _along_edge(length: int, short: int) -> list[tuple[int, int]]:
    if length <= 4 * short:
        return [(0, length)]
    reach = round(1.5 * short)  # of a long picture only the ends and the middle: a label is centred or at a corner
    middle = (length - reach) // 2
    return [(0, reach), (middle, middle + reach), (length - reach, length)]


@functools.cache
def _anchor_template() -> np.ndarray:
    """成 as uint8, _ANCHOR_PX high in ink, with a pixel of ground around it."""
    large = render(("成",), 4 * _ANCHOR_PX, "text", None)
    _, x, y, width, height = large.glyphs[0]
    cut = large.ink[y - 4:y + height + 4, x - 4:x + width + 4]
    return resized(cut, tuple(round(side * _ANCHOR_PX / height) for side in reversed(cut.shape)))


# Second pass: its neighbour, then whole texts


def _verify(grey: np.ndarray, candidate: _Candidate, texts: list[tuple[str, ...]]) -> Match | None:
    """The first of `texts` that is where the candidate is."""
    pairs = {line[i - 1:i + 1] for lines in texts for line in lines for i in [line.find("成")] if i > 0}
    fits = [_fit(grey, (pair,), 0, candidate, 1 + step / 25) for pair in sorted(pairs) for step in range(-2, 3)]
    best = max(fits, key=lambda fit: abs(fit.score), default=None)
    if best is None or abs(best.score) < MIN_PAIR:
        return None
    best = _sharpened(grey, best, (0.02, 0.01))
    found = (_whole(grey, lines, nth, best.anchor) for lines in texts for nth in range("".join(lines).count("成")))
    return next((match for match in found if match), None)


@dataclass(frozen=True, slots=True, eq=False)
class _Template:
    """A text to match: uint8 ink with _RIM pixels of ground around, and the ink boxes of its characters in it."""

    ink: np.ndarray
    em_px: float
    glyphs: tuple[tuple[str, int, int, int, int], ...]


@functools.lru_cache(maxsize=64)
def _template(lines: tuple[str, ...]) -> _Template:
    rendering = render(lines, _VERIFY_INK_PX, "text", None)
    left, top = (min(glyph[i] for glyph in rendering.glyphs) - _RIM for i in (1, 2))
    right, bottom = (max(glyph[i] + glyph[i + 2] for glyph in rendering.glyphs) + _RIM for i in (1, 2))
    return _Template(np.ascontiguousarray(rendering.ink[top:bottom, left:right]), rendering.em_px,
                     tuple((c, x - left, y - top, w, h) for c, x, y, w, h in rendering.glyphs))


@dataclass(frozen=True, slots=True)
class _Fit:
    """A text laid on the picture with its `nth` 成 at the anchor."""

    lines: tuple[str, ...]
    nth: int
    score: float
    anchor: _Candidate
    template: _Template
    area: np.ndarray  # the picture around it at the template's scale
    place: tuple[int, int]  # x, y of the template in the area
    origin: tuple[float, float]  # x, y of the template in the picture, in real pixels
    zoom: float


def _laid(grey: np.ndarray, lines: tuple[str, ...], nth: int, at: _Candidate, stretch: float) -> _Fit:
    """`lines` where `at` says that their `nth` 成 is (first is 0), with a quarter of a character of room around."""
    template = _template(lines)
    _, ax, ay, _, anchor_height = [glyph for glyph in template.glyphs if glyph[0] == "成"][nth]
    zoom = template.em_px / (at.em * stretch)
    slack = anchor_height // 4
    origin = at.x - ax / zoom, at.y - ay / zoom
    area = _cut(grey, origin[0] - slack / zoom, origin[1] - slack / zoom, zoom,
                tuple(side + 2 * slack for side in template.ink.shape))
    return _Fit(lines, nth, at.score, at, template, area, (slack, slack), origin, zoom)


def _fit(grey: np.ndarray, lines: tuple[str, ...], nth: int, at: _Candidate, stretch: float) -> _Fit:
    """As `_laid`, moved within that room to where the correlation is best."""
    laid = _laid(grey, lines, nth, at, stretch)
    score = correlation(_level(laid.area)[None], _level(laid.template.ink))[0]
    py, px = divmod(int(np.abs(score).argmax()), score.shape[1])
    value = float(score[py, px])
    dx, dy = ((now - before) / laid.zoom for now, before in zip((px, py), laid.place, strict=True))
    anchor = _Candidate(value, at.x + dx, at.y + dy, at.em * stretch)
    return replace(laid, score=value, anchor=anchor, place=(px, py), origin=(laid.origin[0] + dx, laid.origin[1] + dy))


def _sharpened(grey: np.ndarray, fit: _Fit, steps: tuple[float, ...]) -> _Fit:
    """`fit` at the best of the scales that a step up or down lead to, then a smaller step, and so on."""
    for step in steps:
        others = [_fit(grey, fit.lines, fit.nth, fit.anchor, 1 + step * way) for way in (-1, 1)]
        fit = max([fit, *others], key=lambda fit: abs(fit.score))
    return fit


def _level(area: np.ndarray) -> np.ndarray:
    """Without what changes slowly: a ground that shines through a plate must not outweigh the strokes."""
    rows, columns = area.shape
    coarse = resized(area, (max(2, columns // _VERIFY_INK_PX), max(2, rows // _VERIFY_INK_PX)))
    steep = area.astype(np.int16) - resized(coarse, (columns, rows)) + 128
    return np.clip(steep, 0, 255).astype(np.uint8)


def _cut(grey: np.ndarray, x: float, y: float, zoom: float, shape: tuple[int, int]) -> np.ndarray:
    """`shape` pixels of the picture at scale `zoom` from its real point (x, y) on, its rim repeated outside."""
    height, width = (size / zoom for size in shape)
    x0, y0, x1, y1 = math.floor(x), math.floor(y), math.ceil(x + width), math.ceil(y + height)
    inside = grey[max(0, y0):max(0, y1), max(0, x0):max(0, x1)]
    if not inside.size:
        return np.zeros(shape, np.uint8)
    padded = np.pad(inside, ((max(0, -y0), max(0, y1 - grey.shape[0])), (max(0, -x0), max(0, x1 - grey.shape[1]))),
                    mode="edge")
    return resized(padded, (shape[1], shape[0]), (x - x0, y - y0, x - x0 + width, y - y0 + height))


def _whole(grey: np.ndarray, lines: tuple[str, ...], nth: int, at: _Candidate) -> Match | None:
    """The match of `lines` if the whole and each of its characters correlate."""
    if any(score < MIN_GLYPH for score in _each_glyph(_laid(grey, lines, nth, at, 1.0), _NEAR_PX)):
        return None  # most texts end here, at their first character
    fit = _fit(grey, lines, nth, at, 1.0)
    if abs(fit.score) < MIN_ALIGNED:
        return None
    fit = _sharpened(grey, fit, (0.03, 0.012, 0.006))
    # each on its own: a ground that changes along the text costs the whole, not the parts
    each = list(_each_glyph(fit, math.ceil(fit.zoom)))
    score = math.copysign(sum(each) / len(each), fit.score)
    if abs(score) < MIN_TEXT or min(each) < MIN_GLYPH:
        return None
    height, width = fit.template.ink.shape
    box = tuple(round(value) for value in (fit.origin[0] + _RIM / fit.zoom, fit.origin[1] + _RIM / fit.zoom,
                                           (width - 2 * _RIM) / fit.zoom, (height - 2 * _RIM) / fit.zoom))
    text = "".join(lines)
    lowest = min(height_em(character, None) for character in rules.element_characters(text) if not character.isascii())
    return Match(text, box, lowest * fit.anchor.em, score, _contrast(fit))


def _contrast(fit: _Fit) -> float:
    ink, (x, y) = fit.template.ink, fit.place
    patch = fit.area[y:y + ink.shape[0], x:x + ink.shape[1]]
    strokes = np.percentile(patch[ink >= 230], 80 if fit.score > 0 else 20)  # thin strokes lose contrast to scaling
    return rules.contrast(*((float(value),) * 3 for value in (strokes, np.median(patch[ink == 0]))))


def _each_glyph(fit: _Fit, reach: int) -> Iterator[float]:
    """Correlation of every character in its own cell, where it may lie `reach` pixels off, at most _NEAR_PX.

    A pixel of the picture is needed: advances and lines are rounded to it.
    """
    sign, reach = (1 if fit.score > 0 else -1), min(reach, _NEAR_PX)
    for _, x, y, width, height in fit.template.glyphs:
        x0, y0 = x - _RIM, y - _RIM
        ink = fit.template.ink[y0:y + height + _RIM, x0:x + width + _RIM]
        top, left = (max(0, place + start - reach) for place, start in zip(fit.place[::-1], (y0, x0), strict=True))
        cell = fit.area[top:fit.place[1] + y0 + ink.shape[0] + reach, left:fit.place[0] + x0 + ink.shape[1] + reach]
        yield float((sign * correlation(cell[None], ink)).max())


def ends_and_middle(pixels: np.ndarray, longest: float, reach: float) -> Iterator[tuple[int, int, np.ndarray]]:
    """(x, y, pixels) of what is searched: the whole; of a picture longer than `longest` its ends and its middle, where
    labels are, each `reach` long; both are multiples of the short side."""
    height, width = pixels.shape[:2]
    short, long = sorted((height, width))
    if long <= longest * short:
        yield 0, 0, pixels
        return
    length = int(reach * short)
    for start in (0, long - length, (long - length) // 2):
        if height > width:
            yield 0, start, pixels[start:start + length]
        else:
            yield start, 0, pixels[:, start:start + length]
