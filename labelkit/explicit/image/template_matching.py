# SPDX-License-Identifier: Apache-2.0
"""Template matching: finds labels drawn in the bundled font near edges and corners. Deterministic.

Every text that the standard accepts holds 生成 or 合成. So 成 is searched for first, at a resolution that costs little:
where the label is likely, then in a pyramid of sizes along all edges. Then its neighbour is matched, then every
character of every text, each on its own. That last check rejects pages of text and textures: chance would have to draw
every character.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from labelkit.explicit import rules
from labelkit.explicit.image.matching import extremes, resized
from labelkit.explicit.image.raster import Glyph, UInt8, bounds, height_em, render
from labelkit.plan import MIN_HEIGHT_SHARE

# Thresholds of the correlation coefficient. MIN_GLYPH decides: in 3,500 unlabelled photographs, crops and pages of text
# dense in 生, 合 and 成 nothing was found, and the worst character of the best candidate reached 0.52; in 520 labelled
# pictures (26, four plans; bare, JPEG 20 and 50, half the size, a third at JPEG 70) all were found, at 0.67 or more.
MIN_ANCHOR, MIN_PAIR, MIN_ALIGNED, MIN_GLYPH, MIN_TEXT = 0.50, 0.55, 0.25, 0.55, 0.70
_SMALLEST, _LARGEST, _STEP = 0.04, 0.36, 1.09  # height of 成 as a share of the shortest side
_SMALLEST_PX = 8  # smaller is illegible
_ANCHOR_PX = 13  # height of 成, the anchor, in the first pass
_VERIFY_INK_PX, _RIM = 20, 2  # ink height and rim in pixels of the templates of the second pass
_NEAR_PX = 6  # how far a character may be off before the scale is refined
_MARGIN, _LEGAL_MARGIN = 0.05, 0.2  # deepest distance from the edge, of labels below and above about the legal height
_CANDIDATES = 6
_LIKELY, _MIN_LIKELY = 2, 0.60  # candidates where the label is likely, and their least correlation
_LIKELY_PIXELS = 1 << 19  # of that place, zoomed; the usual one of the longest picture has half of it
_SOME_INK = 0.1  # of the cell of a character: 不, a thin one, has 0.21 to 0.24, a comma 0.04


@dataclass(frozen=True, slots=True)
class TextMatch:
    """A label that was found.

    text                the longest of the texts searched for that matches in every character
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
    """A place where 成 may stand."""

    score: float
    x: float
    y: float
    em: float  # font size; x and y are of 成, all three in pixels of the grey picture


@dataclass(frozen=True, slots=True)
class Place:
    """Where a label is likely: (left, top, right, bottom) in pixels, and the height of 成 there in pixels."""

    box: tuple[int, int, int, int]
    anchor_px: float


def search(grey: UInt8, texts: tuple[tuple[str, ...], ...], likely: Place) -> TextMatch | None:
    """The longest of `texts`, each given as its lines, that uint8 [height, width] shows; None where it shows none.

    likely  is looked at first. What is found there spares the search along all edges; what is not says nothing.
    """
    longest_first = sorted(texts, key=lambda lines: -sum(map(len, lines)))
    return (_best(grey, _anchors_near(grey, likely), _LIKELY, longest_first) or
            _best(grey, _anchors(grey), _CANDIDATES, longest_first))


def _best(grey: UInt8, candidates: Iterable[_Candidate], count: int, texts: list[tuple[str, ...]]) -> TextMatch | None:
    """The match at the strongest candidate that has one, of up to `count` that lie apart."""
    kept: list[_Candidate] = []
    for candidate in sorted(candidates, key=lambda c: -abs(c.score)):
        if all(abs(candidate.x - k.x) + abs(candidate.y - k.y) > k.em / 2 or
               not 0.8 < candidate.em / k.em < 1.25 for k in kept):
            kept.append(candidate)
        if len(kept) == count:
            break
    return next((match for candidate in kept for match in [_verify(grey, candidate, texts)] if match), None)


# What turns a label into its opposite, as far as the bundled font has it. Looked for before a label that was found.
NEGATIONS = ("非", "不是", "非由", "不属于", "不含", "不使用", "未使用", "未经", "禁止", "禁止使用")


# First pass: 成 alone, small


def _anchors_near(grey: UInt8, likely: Place) -> Iterator[_Candidate]:
    height, width = grey.shape
    left, top, right, bottom = likely.box
    left, top, right, bottom = max(0, left), max(0, top), min(width, right), min(height, bottom)
    for step in (-1, 0, 1):
        zoom = _ANCHOR_PX / (likely.anchor_px * _STEP**step)
        size = round((right - left) * zoom), round((bottom - top) * zoom)
        if min(size) >= _ANCHOR_PX and size[0] * size[1] <= _LIKELY_PIXELS:  # a file may state any place
            for found in _found(resized(grey, size, (left, top, right, bottom)), zoom, _MIN_LIKELY):
                yield replace(found, x=left + found.x, y=top + found.y)


def _found(area: UInt8, zoom: float, least: float) -> Iterator[_Candidate]:
    """The best places of light and of dark ink in an area, if they pass; x and y from its corner, before zooming."""
    template = _anchor_template()
    if area.shape[0] < template.shape[0] or area.shape[1] < template.shape[1]:
        return
    found = extremes(area, template)
    for value, (x, y) in ((found.highest, found.highest_at), (found.lowest, found.lowest_at)):
        if abs(value) >= least:
            yield _Candidate(value, (x + 1) / zoom, (y + 1) / zoom, _ANCHOR_PX / height_em("成", None) / zoom)


def _anchors(grey: UInt8) -> Iterator[_Candidate]:
    height, width = grey.shape
    short = min(grey.shape)
    share, base = max(_SMALLEST, _SMALLEST_PX / short), grey
    # a small picture carries a label that is large for it: MIN_INK_PX, of which 成 has a quarter more
    largest = max(_LARGEST, 1.5 * rules.MIN_INK_PX / short)
    while share < largest:
        zoom = _ANCHOR_PX / (share * short)
        level = resized(base, (max(1, round(width * zoom)), max(1, round(height * zoom))))
        base = level if base is grey and zoom < 1 else base  # the first level is the finest
        for x, y, area in _windows(level, _LEGAL_MARGIN if share > MIN_HEIGHT_SHARE else _MARGIN):
            for found in _found(area, zoom, MIN_ANCHOR):
                yield replace(found, x=x / zoom + found.x, y=y / zoom + found.y)
        share *= _STEP


def _windows(level: UInt8, margin: float) -> Iterator[tuple[int, int, UInt8]]:
    """The strips of a level in which a label at an edge or corner has its 成: x, y, and uint8 [h, w]."""
    height, width = level.shape
    short = min(height, width)
    depth = round(margin * short + 3.2 * _ANCHOR_PX)
    wide = depth < height / 2
    strips = [(0, depth), (height - depth, height)] if wide else [(0, height)]
    yield from ((x0, y0, level[y0:y1, x0:x1]) for y0, y1 in strips for x0, x1 in _along_edge(width, short))
    reach = min(width, round(margin * short + 11 * _ANCHOR_PX))
    y0, y1 = max(depth, height // 2 - 2 * _ANCHOR_PX), min(height - depth, height // 2 + 2 * _ANCHOR_PX)
    if wide and y1 > y0:
        yield from ((x, y0, level[y0:y1, x:x + reach]) for x in sorted({0, width - reach}))


def _along_edge(length: int, short: int) -> list[tuple[int, int]]:
    if length <= 4 * short:
        return [(0, length)]
    reach = round(1.5 * short)  # of a long picture only the ends and the middle: a label is centred or at a corner
    middle = (length - reach) // 2
    return [(0, reach), (middle, middle + reach), (length - reach, length)]


@functools.cache
def _anchor_template() -> UInt8:
    """成 as uint8, _ANCHOR_PX high in ink, with a pixel of ground around it."""
    large = render(("成",), 4 * _ANCHOR_PX, "text", None)
    _, x, y, width, height = large.glyphs[0]
    cut = large.ink[y - 4:y + height + 4, x - 4:x + width + 4]
    return resized(cut, (round(cut.shape[1] * _ANCHOR_PX / height), round(cut.shape[0] * _ANCHOR_PX / height)))


# Second pass: its neighbour, then whole texts


def _verify(grey: UInt8, candidate: _Candidate, texts: list[tuple[str, ...]]) -> TextMatch | None:
    """The first of `texts` that matches at the candidate."""
    pairs = {line[i - 1:i + 1] for lines in texts for line in lines for i in [line.find("成")] if i > 0}
    aligned = [_align(grey, (pair,), 0, candidate, 1 + step / 25) for pair in sorted(pairs) for step in range(-2, 3)]
    best = max(aligned, key=lambda alignment: abs(alignment.score), default=None)
    if best is None or abs(best.score) < MIN_PAIR:
        return None
    best = _refine_scale(grey, best, (0.02, 0.01))
    for lines in texts:
        for nth in range("".join(lines).count("成")):
            match = _match(grey, lines, nth, best.anchor)
            if match:
                return _with_negation(grey, lines, nth, best.anchor) or match
    return None


def _with_negation(grey: UInt8, lines: tuple[str, ...], nth: int, at: _Candidate) -> TextMatch | None:
    """The match of a text that was found together with a negation before it."""
    longer = ((word + lines[0], *lines[1:]) for word in NEGATIONS)
    return next((match for text in longer for match in [_match(grey, text, nth, at)] if match), None)


@dataclass(frozen=True, slots=True, eq=False)
class _Template:
    """A text to match: its ink with _RIM pixels of ground around, that without its slow parts, and its characters."""

    ink: UInt8
    detail: UInt8
    em_px: float
    glyphs: tuple[Glyph, ...]


@functools.lru_cache(maxsize=64)
def _template(lines: tuple[str, ...]) -> _Template:
    rendering = render(lines, _VERIFY_INK_PX, "text", None)
    left, top, right, bottom = bounds(rendering.glyphs)
    left, top, right, bottom = left - _RIM, top - _RIM, right + _RIM, bottom + _RIM
    ink = np.ascontiguousarray(rendering.ink[top:bottom, left:right])
    return _Template(ink, _without_slow_parts(ink), rendering.em_px,
                     tuple(glyph.moved(-left, -top) for glyph in rendering.glyphs))


@dataclass(frozen=True, slots=True)
class _Alignment:
    """A text aligned with the picture so that its `nth` 成 (first is 0) lies on the anchor.

    area    the picture around the text, at the template's scale
    place   x, y of the template in the area
    origin  x, y of the template in the picture, in fractional pixels
    zoom    pixels of the template per pixel of the picture
    """

    lines: tuple[str, ...]
    nth: int
    score: float
    anchor: _Candidate
    template: _Template
    area: UInt8
    place: tuple[int, int]
    origin: tuple[float, float]
    zoom: float


def _aligned_at(grey: UInt8, lines: tuple[str, ...], nth: int, at: _Candidate, stretch: float) -> _Alignment:
    """`lines` as the anchor `at` places their `nth` 成, with a quarter of a character of room around."""
    template = _template(lines)
    anchor = [glyph for glyph in template.glyphs if glyph.character == "成"][nth]
    zoom = template.em_px / (at.em * stretch)
    slack = anchor.height // 4
    origin = at.x - anchor.x / zoom, at.y - anchor.y / zoom
    height, width = template.ink.shape
    area = _cut(grey, origin[0] - slack / zoom, origin[1] - slack / zoom, zoom, (height + 2 * slack, width + 2 * slack))
    return _Alignment(lines, nth, at.score, at, template, area, (slack, slack), origin, zoom)


def _align(grey: UInt8, lines: tuple[str, ...], nth: int, at: _Candidate, stretch: float) -> _Alignment:
    """As `_aligned_at`, moved within that room to where the correlation is best."""
    start = _aligned_at(grey, lines, nth, at, stretch)
    value, (px, py) = extremes(_without_slow_parts(start.area), start.template.detail).strongest
    dx, dy = ((now - before) / start.zoom for now, before in zip((px, py), start.place, strict=True))
    anchor = _Candidate(value, at.x + dx, at.y + dy, at.em * stretch)
    return replace(start, score=value, anchor=anchor, place=(px, py),
                   origin=(start.origin[0] + dx, start.origin[1] + dy))


def _refine_scale(grey: UInt8, best: _Alignment, steps: tuple[float, ...]) -> _Alignment:
    """The best alignment within one step of scale up or down, then within a smaller step, and so on."""
    for step in steps:
        others = [_align(grey, best.lines, best.nth, best.anchor, 1 + step * way) for way in (-1, 1)]
        best = max([best, *others], key=lambda alignment: abs(alignment.score))
    return best


def _without_slow_parts(area: UInt8) -> UInt8:
    """The area high-pass filtered: a ground that shines through a plate must not outweigh the strokes."""
    rows, columns = area.shape
    coarse = resized(area, (max(2, columns // _VERIFY_INK_PX), max(2, rows // _VERIFY_INK_PX)))
    detail = area.astype(np.int16) - resized(coarse, (columns, rows)) + 128
    levelled: UInt8 = np.clip(detail, 0, 255).astype(np.uint8)
    return levelled


def _cut(grey: UInt8, x: float, y: float, zoom: float, shape: tuple[int, int]) -> UInt8:
    """`shape` pixels of the picture at scale `zoom` from the point (x, y) on, its border repeated outside."""
    height, width = (size / zoom for size in shape)
    x0, y0, x1, y1 = math.floor(x), math.floor(y), math.ceil(x + width), math.ceil(y + height)
    if y1 <= 0 or x1 <= 0 or y0 >= grey.shape[0] or x0 >= grey.shape[1]:
        return np.zeros(shape, np.uint8)
    return resized(grey, (shape[1], shape[0]), (x, y, x + width, y + height))


def _match(grey: UInt8, lines: tuple[str, ...], nth: int, at: _Candidate) -> TextMatch | None:
    """The match of `lines` if the whole and each of its characters correlate."""
    if _first_score(grey, lines, nth, at) < MIN_GLYPH:
        return None  # most texts are rejected here, at their first character, before the whole is cut out
    if any(score < MIN_GLYPH for score in _glyph_scores(_aligned_at(grey, lines, nth, at, 1.0), _NEAR_PX)):
        return None
    best = _align(grey, lines, nth, at, 1.0)
    if abs(best.score) < MIN_ALIGNED:
        return None
    best = _refine_scale(grey, best, (0.03, 0.012, 0.006))
    # each on its own: a ground that changes along the text costs the whole, not the parts
    scores = list(_glyph_scores(best, math.ceil(best.zoom)))
    score = math.copysign(sum(scores) / len(scores), best.score)
    if abs(score) < MIN_TEXT or min(scores) < MIN_GLYPH:
        return None
    height, width = best.template.ink.shape
    box = (round(best.origin[0] + _RIM / best.zoom), round(best.origin[1] + _RIM / best.zoom),
           round((width - 2 * _RIM) / best.zoom), round((height - 2 * _RIM) / best.zoom))
    text = "".join(lines)
    lowest = min(height_em(character, None) for character in rules.element_characters(text) if not character.isascii())
    return TextMatch(text, box, lowest * best.anchor.em, score, _contrast(best))


def _first_score(grey: UInt8, lines: tuple[str, ...], nth: int, at: _Candidate) -> float:
    """`_glyph_scores` of the first character of `lines` where `_aligned_at` places them, by its cell alone."""
    template = _template(lines)
    anchor = [glyph for glyph in template.glyphs if glyph.character == "成"][nth]
    zoom, slack = template.em_px / at.em, anchor.height // 4
    _, x, y, width, height = template.glyphs[0]
    left, top = max(-slack, x - _RIM - _NEAR_PX), max(-slack, y - _RIM - _NEAR_PX)  # of the template
    right = min(template.ink.shape[1] + slack, x + width + _RIM + _NEAR_PX)
    bottom = min(template.ink.shape[0] + slack, y + height + _RIM + _NEAR_PX)
    cell = _cut(grey, at.x + (left - anchor.x) / zoom, at.y + (top - anchor.y) / zoom, zoom,
                (bottom - top, right - left))
    found = extremes(cell, template.ink[y - _RIM:y + height + _RIM, x - _RIM:x + width + _RIM])
    return found.highest if at.score > 0 else -found.lowest


def _contrast(alignment: _Alignment) -> float:
    ink, (x, y) = alignment.template.ink, alignment.place
    patch = alignment.area[y:y + ink.shape[0], x:x + ink.shape[1]]
    # thin strokes lose contrast to scaling
    strokes = float(np.percentile(patch[ink >= 230], 80 if alignment.score > 0 else 20))
    ground = float(np.median(patch[ink == 0]))
    return rules.contrast((strokes,) * 3, (ground,) * 3)


def _glyph_scores(alignment: _Alignment, reach: int) -> Iterator[float]:
    """Correlation of every character in its own cell, where it may lie `reach` pixels off, at most _NEAR_PX.

    A pixel of the picture is needed: advances and lines are rounded to it.
    """
    sign, reach = (1 if alignment.score > 0 else -1), min(reach, _NEAR_PX)
    left, top = alignment.place
    for _, x, y, width, height in alignment.template.glyphs:
        x0, y0 = x - _RIM, y - _RIM
        ink = alignment.template.ink[y0:y + height + _RIM, x0:x + width + _RIM]
        cell = alignment.area[max(0, top + y0 - reach):top + y0 + ink.shape[0] + reach,
                              max(0, left + x0 - reach):left + x0 + ink.shape[1] + reach]
        found = extremes(cell, ink)
        yield found.highest if sign > 0 else -found.lowest


def match_at(grey: UInt8, lines: tuple[str, ...], box: tuple[int, int, int, int], *, least: float,
             mean: float) -> TextMatch | None:
    """The match of `lines` whose ink is said to fill `box`, (x, y, width, height), in each of their characters.

    least, mean  of the characters' correlation coefficients, 0 to 1
    A box that is off by a twentieth of the height of a character is met all the same.
    """
    template = _template(lines)
    zoom = (template.ink.shape[1] - 2 * _RIM) / box[2]
    origin = box[0] - _RIM / zoom, box[1] - _RIM / zoom
    height, width = template.ink.shape
    area = _cut(grey, origin[0] - _NEAR_PX / zoom, origin[1] - _NEAR_PX / zoom, zoom,
                (height + 2 * _NEAR_PX, width + 2 * _NEAR_PX))
    for sign in (1.0, -1.0):
        seen = _Alignment(lines, 0, sign, _Candidate(sign, *origin, template.em_px / zoom), template, area,
                          (_NEAR_PX, _NEAR_PX), origin, zoom)
        scores = list(itertools.takewhile(lambda score: score >= least, _glyph_scores(seen, _NEAR_PX)))
        if len(scores) == len(template.glyphs) and sum(scores) / len(scores) >= mean:
            return TextMatch(" ".join(lines), box, _VERIFY_INK_PX / zoom, sign * sum(scores) / len(scores),
                             _contrast(seen))
    return None


def ink_before(grey: UInt8, match: TextMatch) -> bool:
    """Whether something as dark or bright as a label's ink stands where the character before it would be.

    grey  uint8 [height, width], in which `match` was found
    """
    x, y, width, height = match.box
    rows = grey[max(0, y):y + height].astype(np.int16)
    inside, before = rows[:, max(0, x):x + width], rows[:, max(0, x - height):max(0, x)]
    if not before.size or not inside.size:
        return False
    ink, ground = np.percentile(inside, (95, 5) if match.score > 0 else (5, 95))
    return float((np.abs(before - ink) < np.abs(before - ground)).mean()) > _SOME_INK
