# SPDX-License-Identifier: Apache-2.0
"""Template matching: finds labels drawn in the bundled font near edges and corners. Deterministic.

Every text that the standard accepts holds 生成 or 合成. So 成 is searched for first, at a resolution that costs little:
where the label is likely, then in a pyramid of sizes along all edges. Then its neighbour is matched, then every
character of every text, each on its own. That last check rejects pages of text and textures: chance would have to draw
every character.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from labelkit.explicit import rules
from labelkit.explicit.image.alignment import (
    Candidate,
    Template,
    TextMatch,
    align,
    box_of,
    contrast,
    matched,
    refine_scale,
    template_of,
)
from labelkit.explicit.image.matching import extremes, resized
from labelkit.explicit.image.raster import Glyph, UInt8, height_em, render
from labelkit.plan import MIN_HEIGHT_SHARE

MIN_ANCHOR, MIN_PAIR = 0.50, 0.55  # correlation coefficients; `alignment` has those that decide
_SMALLEST, _LARGEST, _STEP = 0.04, 0.36, 1.09  # height of the anchor as a share of the shortest side
_SMALLEST_PX = 8  # smaller is illegible
_ANCHOR_PX = 13  # height of 成, the anchor, in the first pass
_MARGIN, _LEGAL_MARGIN = 0.05, 0.2  # deepest distance from the edge, of labels below and above about the legal height
CANDIDATES = 6
_LIKELY, _MIN_LIKELY = 2, 0.60  # candidates where the label is likely, and their least correlation
_LIKELY_PIXELS = 1 << 19  # of that place, zoomed; the usual one of the longest picture has half of it


@dataclass(frozen=True, slots=True, eq=False)
class Anchor:
    """What is searched for first.

    small   it as uint8, small, with a pixel of ground around it
    px      height of what its size is told by, and em_px its font size, in pixels of `small`
    """

    small: UInt8
    px: float
    em_px: float


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
    candidates = strongest(_anchors_near(grey, likely), _LIKELY)
    found = next((match for one in candidates for match in [_verify(grey, one, longest_first)] if match), None)
    if found:
        return found
    candidates = strongest(along_edges(grey, _anchor()), CANDIDATES)
    return next((match for one in candidates for match in [_verify(grey, one, longest_first)] if match), None)


def strongest(candidates: Iterable[Candidate], count: int) -> list[Candidate]:
    """The strongest candidates, up to `count` that lie apart."""
    kept: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda c: -abs(c.score)):
        if all(abs(candidate.x - k.x) + abs(candidate.y - k.y) > k.em / 2 or
               not 0.8 < candidate.em / k.em < 1.25 for k in kept):
            kept.append(candidate)
        if len(kept) == count:
            break
    return kept


# What turns a label into its opposite, as far as the bundled font has it. Looked for before a label that was found.
NEGATIONS = ("非", "不是", "非由", "不属于", "不含", "不使用", "未使用", "未经", "禁止", "禁止使用")


# First pass: 成 alone, small


def _anchors_near(grey: UInt8, likely: Place) -> Iterator[Candidate]:
    height, width = grey.shape
    left, top, right, bottom = likely.box
    left, top, right, bottom = max(0, left), max(0, top), min(width, right), min(height, bottom)
    for step in (-1, 0, 1):
        zoom = _ANCHOR_PX / (likely.anchor_px * _STEP**step)
        size = round((right - left) * zoom), round((bottom - top) * zoom)
        if min(size) >= _ANCHOR_PX and size[0] * size[1] <= _LIKELY_PIXELS:  # a file may state any place
            for found in found_in(resized(grey, size, (left, top, right, bottom)), _anchor(), zoom, _MIN_LIKELY):
                yield replace(found, x=left + found.x, y=top + found.y)


def found_in(area: UInt8, anchor: Anchor, zoom: float, least: float) -> Iterator[Candidate]:
    """The best places of light and of dark ink in an area, if they pass; x and y from its corner, before zooming."""
    if area.shape[0] < anchor.small.shape[0] or area.shape[1] < anchor.small.shape[1]:
        return
    found = extremes(area, anchor.small)
    for value, (x, y) in ((found.highest, found.highest_at), (found.lowest, found.lowest_at)):
        if abs(value) >= least:
            yield Candidate(value, (x + 1) / zoom, (y + 1) / zoom, anchor.em_px / zoom)


def along_edges(grey: UInt8, anchor: Anchor) -> Iterator[Candidate]:
    """Where an anchor may stand along the edges, in every size."""
    for zoom, x, y, area in areas_along_edges(grey, anchor.px):
        for found in found_in(area, anchor, zoom, MIN_ANCHOR):
            yield replace(found, x=x / zoom + found.x, y=y / zoom + found.y)


def areas_along_edges(grey: UInt8, px: float, smallest: float = _SMALLEST) -> Iterator[tuple[float, int, int, UInt8]]:
    """Where labels stand, in every size in which what is `px` high in the area is at least `smallest` of the shortest
    side: the zoom, x and y in zoomed pixels, and uint8 [height, width]."""
    height, width = grey.shape
    short = min(grey.shape)
    share, base = max(smallest, _SMALLEST_PX / short), grey
    # a small picture carries a label that is large for it: MIN_INK_PX, of which 成 has a quarter more
    largest = max(_LARGEST, 1.5 * rules.MIN_INK_PX / short)
    while share < largest:
        zoom = px / (share * short)
        level = resized(base, (max(1, round(width * zoom)), max(1, round(height * zoom))))
        base = level if base is grey and zoom < 1 else base  # the first level is the finest
        for x, y, area in _windows(level, _LEGAL_MARGIN if share > MIN_HEIGHT_SHARE else _MARGIN, px):
            yield zoom, x, y, area
        share *= _STEP


def _windows(level: UInt8, margin: float, px: float) -> Iterator[tuple[int, int, UInt8]]:
    """The strips of a level in which a label at an edge or corner has its anchor: x, y, and uint8 [h, w]."""
    height, width = level.shape
    short = min(height, width)
    depth = round(margin * short + 3.2 * px)
    wide = depth < height / 2
    strips = [(0, depth), (height - depth, height)] if wide else [(0, height)]
    yield from ((x0, y0, level[y0:y1, x0:x1]) for y0, y1 in strips for x0, x1 in _along_edge(width, short))
    reach = min(width, round(margin * short + 11 * px))
    y0, y1 = max(depth, height // 2 - round(2 * px)), min(height - depth, height // 2 + round(2 * px))
    if wide and y1 > y0:
        yield from ((x, y0, level[y0:y1, x:x + reach]) for x in sorted({0, width - reach}))


def _along_edge(length: int, short: int) -> list[tuple[int, int]]:
    if length <= 4 * short:
        return [(0, length)]
    reach = round(1.5 * short)  # of a long picture only the ends and the middle: a label is centred or at a corner
    middle = (length - reach) // 2
    return [(0, reach), (middle, middle + reach), (length - reach, length)]


@functools.cache
def _anchor() -> Anchor:
    """成, _ANCHOR_PX high in ink."""
    large = render(("成",), 4 * _ANCHOR_PX, "text", None)
    _, x, y, width, height = large.glyphs[0]
    cut = large.ink[y - 4:y + height + 4, x - 4:x + width + 4]
    small = resized(cut, (round(cut.shape[1] * _ANCHOR_PX / height), round(cut.shape[0] * _ANCHOR_PX / height)))
    return Anchor(small, _ANCHOR_PX, _ANCHOR_PX / height_em("成", None))


# Second pass: its neighbour, then whole texts


def _verify(grey: UInt8, candidate: Candidate, texts: list[tuple[str, ...]]) -> TextMatch | None:
    """The first of `texts` that matches at the candidate."""
    pairs = {line[i - 1:i + 1] for lines in texts for line in lines for i in [line.find("成")] if i > 0}
    aligned = [align(grey, *_anchored((pair,), 0), candidate, 1 + step / 25) for pair in sorted(pairs)
               for step in range(-2, 3)]
    best = max(aligned, key=lambda alignment: abs(alignment.score), default=None)
    if best is None or abs(best.score) < MIN_PAIR:
        return None
    at = refine_scale(grey, best, (0.02, 0.01)).at
    for lines in texts:
        for nth in range("".join(lines).count("成")):
            match = _match(grey, lines, nth, at)
            if match:
                return _with_negation(grey, lines, nth, at) or match
    return None


def _anchored(lines: tuple[str, ...], nth: int) -> tuple[Template, Glyph]:
    """The template of a text, and its `nth` 成, the first of which is 0."""
    template = template_of(lines)
    return template, [glyph for glyph in template.glyphs if glyph.character == "成"][nth]


def _with_negation(grey: UInt8, lines: tuple[str, ...], nth: int, at: Candidate) -> TextMatch | None:
    """The match of a text that was found together with a negation before it."""
    longer = ((word + lines[0], *lines[1:]) for word in NEGATIONS)
    return next((match for text in longer for match in [_match(grey, text, nth, at)] if match), None)


def _match(grey: UInt8, lines: tuple[str, ...], nth: int, at: Candidate) -> TextMatch | None:
    """The match of `lines` if the whole and each of its characters correlate."""
    best = matched(grey, *_anchored(lines, nth), at)
    if best is None:
        return None
    text = "".join(lines)
    lowest = min(height_em(character, None) for character in rules.element_characters(text) if not character.isascii())
    return TextMatch(text, box_of(best), lowest * best.at.em, best.score, contrast(best))
