# SPDX-License-Identifier: Apache-2.0
"""Aligns a text, drawn in a bundled font, with a picture at a place where one of its pieces may stand."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from labelkit.explicit import rules
from labelkit.explicit.image.matching import extremes, resized
from labelkit.explicit.image.raster import Glyph, UInt8, apart, bounds, render

# Thresholds of the correlation coefficient. MIN_GLYPH decides: in 3,500 unlabelled photographs, crops and pages of text
# dense in 生, 合 and 成 nothing was found, and the worst character of the best candidate reached 0.52; in 520 labelled
# pictures (26, four plans; bare, JPEG 20 and 50, half the size, a third at JPEG 70) all were found, at 0.67 or more.
MIN_ALIGNED, MIN_GLYPH, MIN_TEXT = 0.25, 0.55, 0.70
VERIFY_INK_PX, RIM = 20, 2  # ink height and rim in pixels of the templates
NEAR_PX = 6  # how far a character may be off before the scale is refined
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
class Candidate:
    """A place where a glyph may stand, the anchor; x, y and the font size in pixels of the grey picture."""

    score: float
    x: float
    y: float
    em: float


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A text to match: its ink with RIM pixels of ground around, that without its slow parts, and its
    characters, or the pieces that stand apart."""

    ink: UInt8
    detail: UInt8
    em_px: float
    glyphs: tuple[Glyph, ...]


@functools.lru_cache(maxsize=128)
def template_of(lines: tuple[str, ...], *, in_pieces: bool = False) -> Template:
    """The template of a text in its bundled font.

    in_pieces  its glyphs are pieces of ink about as wide as high, which say more than letters such as I and l
    """
    if in_pieces:
        return _template_in_pieces(lines)
    rendering = render(lines, VERIFY_INK_PX, "text", None)
    left, top, right, bottom = bounds(rendering.glyphs)
    left, top, right, bottom = left - RIM, top - RIM, right + RIM, bottom + RIM
    ink = np.ascontiguousarray(rendering.ink[top:bottom, left:right])
    return Template(ink, without_slow_parts(ink), rendering.em_px,
                    tuple(glyph.moved(-left, -top) for glyph in rendering.glyphs))


_FINE = 4  # times finer a text is drawn whose template is cut in pieces: advances are whole pixels


def _template_in_pieces(lines: tuple[str, ...]) -> Template:
    rendering = render(lines, _FINE * VERIFY_INK_PX, "text", None)
    zoom = VERIFY_INK_PX / rendering.ink_height_px
    left, top, right, bottom = bounds(rendering.glyphs)
    box = left - RIM / zoom, top - RIM / zoom, right + RIM / zoom, bottom + RIM / zoom
    ink = resized(rendering.ink, (round((right - left) * zoom) + 2 * RIM, round((bottom - top) * zoom) + 2 * RIM), box)
    lines_of = _rows(tuple(glyph.moved(0, -top) for glyph in rendering.glyphs))
    pieces = []
    for first, last in ((round(edge * zoom) + RIM for edge in line) for line in lines_of):
        row = ink[first:last, RIM:-RIM]
        pieces += [piece.moved(RIM, first) for piece in apart(row, VERIFY_INK_PX)]
    return Template(ink, without_slow_parts(ink), rendering.em_px * zoom, tuple(pieces))


def _rows(glyphs: tuple[Glyph, ...]) -> list[tuple[int, int]]:
    """The first row of each line of a text, and the row behind its last."""
    lines: list[tuple[int, int]] = []
    for glyph in sorted(glyphs, key=lambda glyph: glyph.y):
        if lines and glyph.y < lines[-1][1]:
            lines[-1] = lines[-1][0], max(lines[-1][1], glyph.y + glyph.height)
        else:
            lines.append((glyph.y, glyph.y + glyph.height))
    return lines


@dataclass(frozen=True, slots=True)
class Alignment:
    """A text aligned with the picture so that one of its glyphs, the anchor, lies where the candidate is.

    area    the picture around the text, at the template's scale
    place   x, y of the template in the area
    origin  x, y of the template in the picture, in fractional pixels
    zoom    pixels of the template per pixel of the picture
    """

    template: Template
    anchor: Glyph
    score: float
    at: Candidate
    area: UInt8
    place: tuple[int, int]
    origin: tuple[float, float]
    zoom: float


def aligned_at(grey: UInt8, template: Template, anchor: Glyph, at: Candidate, stretch: float) -> Alignment:
    """A text as `at` places its anchor, with a quarter of a character of room around."""
    zoom = template.em_px / (at.em * stretch)
    slack = anchor.height // 4
    origin = at.x - anchor.x / zoom, at.y - anchor.y / zoom
    height, width = template.ink.shape
    area = cut(grey, origin[0] - slack / zoom, origin[1] - slack / zoom, zoom, (height + 2 * slack, width + 2 * slack))
    return Alignment(template, anchor, at.score, at, area, (slack, slack), origin, zoom)


def align(grey: UInt8, template: Template, anchor: Glyph, at: Candidate, stretch: float) -> Alignment:
    """As `aligned_at`, moved within that room to where the correlation is best."""
    start = aligned_at(grey, template, anchor, at, stretch)
    value, (px, py) = extremes(without_slow_parts(start.area), template.detail).strongest
    dx, dy = ((now - before) / start.zoom for now, before in zip((px, py), start.place, strict=True))
    return replace(start, score=value, at=Candidate(value, at.x + dx, at.y + dy, at.em * stretch), place=(px, py),
                   origin=(start.origin[0] + dx, start.origin[1] + dy))


def refine_scale(grey: UInt8, best: Alignment, steps: tuple[float, ...]) -> Alignment:
    """The best alignment within one step of scale up or down, then within a smaller step, and so on."""
    for step in steps:
        others = [align(grey, best.template, best.anchor, best.at, 1 + step * way) for way in (-1, 1)]
        best = max([best, *others], key=lambda alignment: abs(alignment.score))
    return best


def without_slow_parts(area: UInt8) -> UInt8:
    """The area high-pass filtered: a ground that shines through a plate must not outweigh the strokes."""
    rows, columns = area.shape
    coarse = resized(area, (max(2, columns // VERIFY_INK_PX), max(2, rows // VERIFY_INK_PX)))
    detail = area.astype(np.int16) - resized(coarse, (columns, rows)) + 128
    levelled: UInt8 = np.clip(detail, 0, 255).astype(np.uint8)
    return levelled


def cut(grey: UInt8, x: float, y: float, zoom: float, shape: tuple[int, int]) -> UInt8:
    """`shape` pixels of the picture at scale `zoom` from the point (x, y) on, its border repeated outside."""
    height, width = (size / zoom for size in shape)
    x0, y0, x1, y1 = math.floor(x), math.floor(y), math.ceil(x + width), math.ceil(y + height)
    if y1 <= 0 or x1 <= 0 or y0 >= grey.shape[0] or x0 >= grey.shape[1]:
        return np.zeros(shape, np.uint8)
    return resized(grey, (shape[1], shape[0]), (x, y, x + width, y + height))


def matched(grey: UInt8, template: Template, anchor: Glyph, at: Candidate, *,
            near: float = 1.0) -> Alignment | None:
    """A text aligned at a candidate, with the mean score of its glyphs, if it and each of them correlate.

    near  share of its glyphs that must correlate before its scale is refined; of a long text those far from the anchor
          lie off by then
    """
    if near == 1.0 and first_score(grey, template, anchor, at) < MIN_GLYPH:
        return None  # most texts are rejected here, at their first character, before the whole is cut out
    scores = glyph_scores(aligned_at(grey, template, anchor, at, 1.0), NEAR_PX)
    bearable = math.floor((1 - near) * len(template.glyphs))
    if any(missed > bearable for missed in itertools.accumulate(score < MIN_GLYPH for score in scores)):
        return None
    best = align(grey, template, anchor, at, 1.0)
    if abs(best.score) < MIN_ALIGNED:
        return None
    best = refine_scale(grey, best, (0.03, 0.012, 0.006))
    # each on its own: a ground that changes along the text costs the whole, not the parts
    final = list(glyph_scores(best, math.ceil(best.zoom)))
    score = math.copysign(sum(final) / len(final), best.score)
    return replace(best, score=score) if abs(score) >= MIN_TEXT and min(final) >= MIN_GLYPH else None


def first_score(grey: UInt8, template: Template, anchor: Glyph, at: Candidate) -> float:
    """`glyph_scores` of the first glyph of a text where `aligned_at` places it, by its cell alone."""
    zoom, slack = template.em_px / at.em, anchor.height // 4
    _, x, y, width, height = template.glyphs[0]
    left, top = max(-slack, x - RIM - NEAR_PX), max(-slack, y - RIM - NEAR_PX)  # of the template
    right = min(template.ink.shape[1] + slack, x + width + RIM + NEAR_PX)
    bottom = min(template.ink.shape[0] + slack, y + height + RIM + NEAR_PX)
    cell = cut(grey, at.x + (left - anchor.x) / zoom, at.y + (top - anchor.y) / zoom, zoom,
                (bottom - top, right - left))
    found = extremes(cell, template.ink[y - RIM:y + height + RIM, x - RIM:x + width + RIM])
    return found.highest if at.score > 0 else -found.lowest


def box_of(alignment: Alignment) -> tuple[int, int, int, int]:
    """(x, y, width, height) of the ink of an aligned text in pixels of the picture."""
    (height, width), origin, zoom = alignment.template.ink.shape, alignment.origin, alignment.zoom
    return (round(origin[0] + RIM / zoom), round(origin[1] + RIM / zoom),
            round((width - 2 * RIM) / zoom), round((height - 2 * RIM) / zoom))


def contrast(alignment: Alignment) -> float:
    ink, (x, y) = alignment.template.ink, alignment.place
    patch = alignment.area[y:y + ink.shape[0], x:x + ink.shape[1]]
    # thin strokes lose contrast to scaling
    strokes = float(np.percentile(patch[ink >= 230], 80 if alignment.score > 0 else 20))
    ground = float(np.median(patch[ink == 0]))
    return rules.contrast((strokes,) * 3, (ground,) * 3)


def glyph_scores(alignment: Alignment, reach: int) -> Iterator[float]:
    """Correlation of every character in its own cell, where it may lie `reach` pixels off, at most NEAR_PX.

    A pixel of the picture is needed: advances and lines are rounded to it.
    """
    sign, reach = (1 if alignment.score > 0 else -1), min(reach, NEAR_PX)
    left, top = alignment.place
    for _, x, y, width, height in alignment.template.glyphs:
        x0, y0 = x - RIM, y - RIM
        ink = alignment.template.ink[y0:y + height + RIM, x0:x + width + RIM]
        cell = alignment.area[max(0, top + y0 - reach):top + y0 + ink.shape[0] + reach,
                              max(0, left + x0 - reach):left + x0 + ink.shape[1] + reach]
        found = extremes(cell, ink)
        yield found.highest if sign > 0 else -found.lowest


def match_at(grey: UInt8, lines: tuple[str, ...], box: tuple[int, int, int, int], *, least: float,
             mean: float, in_pieces: bool = False) -> TextMatch | None:
    """The match of `lines` whose ink is said to fill `box`, (x, y, width, height), in each of their characters.

    least, mean  of the characters' correlation coefficients, 0 to 1
    A box that is off by a twentieth of the height of a character is met all the same.
    """
    template = template_of(lines, in_pieces=in_pieces)
    zoom = (template.ink.shape[1] - 2 * RIM) / box[2]
    origin = box[0] - RIM / zoom, box[1] - RIM / zoom
    height, width = template.ink.shape
    area = cut(grey, origin[0] - NEAR_PX / zoom, origin[1] - NEAR_PX / zoom, zoom,
                (height + 2 * NEAR_PX, width + 2 * NEAR_PX))
    for sign in (1.0, -1.0):
        seen = Alignment(template, template.glyphs[0], sign, Candidate(sign, *origin, template.em_px / zoom), area,
                         (NEAR_PX, NEAR_PX), origin, zoom)
        scores = list(itertools.takewhile(lambda score: score >= least, glyph_scores(seen, NEAR_PX)))
        if len(scores) == len(template.glyphs) and sum(scores) / len(scores) >= mean:
            return TextMatch(" ".join(lines), box, VERIFY_INK_PX / zoom, sign * sum(scores) / len(scores),
                             contrast(seen))
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
