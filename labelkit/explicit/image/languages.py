# SPDX-License-Identifier: Apache-2.0
"""Finds labels in other languages than Chinese: the usual words of each, and those that a manifest names.

Each text is cut into pieces of ink about as wide as they are high. A run of them, the anchor, is searched for first:
where labels stand at the legal height, which costs next to nothing; along all edges in every size for the languages
that are asked for; and coarsely from the legal height on for all others. Then all pieces must match, each on its own.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import numpy as np

from labelkit.choices import CORNERS, EDGES
from labelkit.errors import HostTooSmall, LabelkitError
from labelkit.evidence import StatedPlace
from labelkit.explicit import rules
from labelkit.explicit.image.alignment import (
    RIM,
    VERIFY_INK_PX,
    Candidate,
    Template,
    TextMatch,
    align,
    box_of,
    contrast,
    match_at,
    matched,
    refine_scale,
    template_of,
    without_slow_parts,
)
from labelkit.explicit.image.drawing import fit
from labelkit.explicit.image.font import can_shape, is_right_to_left, is_shaped
from labelkit.explicit.image.matching import resized
from labelkit.explicit.image.raster import PAD_X, PAD_Y, Glyph, UInt8, width_em
from labelkit.explicit.image.template_matching import (
    CANDIDATES,
    Anchor,
    along_edges,
    areas_along_edges,
    found_in,
    strongest,
)
from labelkit.explicit.translations import LEADS, TAILS, names_ai
from labelkit.languages import CHINESE, LANGUAGES
from labelkit.plan import MIN_HEIGHT_SHARE, Explicit

_ANCHOR_PX, _ANCHOR_WIDTH = 11, 3.0  # ink height of the anchor in the first pass; its width in ink heights
_COARSE_PX, _COARSE_SHARE = 7, 0.95  # the same where nobody asked; smallest size there, by the legal height
_MIN_COARSE, _COARSE_CANDIDATES = 0.55, 5
_MIN_PLACED, _MIN_RUN = 0.60, 0.60  # least correlation of the anchor where a label is likely, and of its run of pieces
_NEAR = 0.8  # ink heights that the anchor may lie off there
_MARGIN = Explicit().margin
_SMALL = 400  # shortest side up to which rounding changes the size of a label by more than the search bears
_NEAR_SHARE = 0.6  # of the pieces: small letters are a whole number of pixels apart, so that long words drift
_NEGATED = (0.55, 0.65)  # least and mean correlation of a negation


@dataclass(frozen=True, slots=True, eq=False)
class _Sought:
    """A text to look for, and its lines.

    whole, corner    its template, and the box of the run of pieces that is looked for first in it
    run, run_corner  the template of that run, and the box of its ink in it
    anchor, coarse   the run, small and smaller
    """

    text: str
    lines: tuple[str, ...]
    whole: Template
    corner: Glyph
    run: Template
    run_corner: Glyph
    anchor: Anchor
    coarse: Anchor


def find_in(grey: UInt8, asked: Collection[str] = (), expected_text: str | None = None,
            stated_place: StatedPlace | None = None) -> TextMatch | None:
    """A label in another language in uint8 [height, width], or None.

    asked           languages whose words are searched for along all edges, in every size; the others from the legal
                    height on
    expected_text   a text that another layer names, searched for as those are
    stated_place    where it says that it is; looked at first
    """
    expected = _expected(expected_text)
    if expected and stated_place:
        seen = match_at(grey, (expected,), stated_place.box, least=0.55, mean=0.70, in_pieces=True)
        if seen:
            return _with_negation(grey, expected, (expected,), seen)
    texts = {language: LANGUAGES[language].text for language in LANGUAGES if language != CHINESE}
    wanted = [*([expected] if expected else []), *(texts[one] for one in asked if one in texts)]
    usable = [text for text in dict.fromkeys([*wanted, *texts.values()]) if can_shape() or not is_shaped(text)]
    sought = {text: _sought(text, lines) for text in usable for lines in _lines(grey.shape[0], grey.shape[1], text)}
    placed = (_first_match(grey, one, strongest(_placed(grey, one), 2)) for one in sought.values())
    anywhere = (_first_match(grey, one, strongest(along_edges(grey, one.anchor), CANDIDATES))
                for text, one in sought.items() if text in wanted)
    elsewhere = _elsewhere(grey, [one for text, one in sought.items() if text not in wanted])
    return next((match for matches in (placed, anywhere, elsewhere) for match in matches if match), None)


def language_of(text: str) -> str | None:
    """The language whose usual words a text is; Chinese goes without saying."""
    return next((one for one, words in LANGUAGES.items() if words.text == text and one != CHINESE), None)


def _expected(text: str | None) -> str | None:
    """A text that another layer names, unless it does not name AI, we could not have drawn it, or it is Chinese."""
    if not isinstance(text, str) or rules.has_elements(text) or not names_ai(text):
        return None
    try:
        rules.check_words(text)
        template_of((text,), in_pieces=True)
    except LabelkitError:
        return None
    return text


def _lines(height: int, width: int, text: str) -> Iterator[tuple[str, ...]]:
    """How a text is broken into lines in a picture of this size."""
    if width_em(text, None) * 1.6 * rules.floor_px(height, width) <= width:
        yield (text,)
        return
    try:
        yield fit(height, width, Explicit(text, language="en")).lines
    except HostTooSmall:
        return


@functools.lru_cache(maxsize=128)
def _sought(text: str, lines: tuple[str, ...]) -> _Sought:
    whole = template_of(lines, in_pieces=True)
    first, last = _busiest_run(whole)
    pieces = whole.glyphs[first:last]
    left, top = min(one.x for one in pieces) - RIM, min(one.y for one in pieces) - RIM
    right, bottom = max(one.x + one.width for one in pieces) + RIM, max(one.y + one.height for one in pieces) + RIM
    ink = np.ascontiguousarray(whole.ink[top:bottom, left:right])
    run = Template(ink, without_slow_parts(ink), whole.em_px, tuple(one.moved(-left, -top) for one in pieces))
    corner = Glyph("", RIM, RIM, ink.shape[1] - 2 * RIM, ink.shape[0] - 2 * RIM)
    return _Sought(text, lines, whole, corner.moved(left, top), run, corner,
                   *(_small(ink, whole.em_px, px) for px in (_ANCHOR_PX, _COARSE_PX)))


def _small(ink: UInt8, em_px: float, px: int) -> Anchor:
    """An anchor of the ink of a run, in which letters are `px` high."""
    scale = px / VERIFY_INK_PX
    return Anchor(resized(ink, (round(ink.shape[1] * scale), round(ink.shape[0] * scale))), px, em_px * scale)


def _busiest_run(whole: Template) -> tuple[int, int]:
    """First and last piece of the run of about _ANCHOR_WIDTH that has the most strokes across."""
    def strokes(piece: Glyph) -> int:
        cell = whole.ink[piece.y:piece.y + piece.height, piece.x:piece.x + piece.width].astype(np.int16)
        return int(np.abs(np.diff(cell, axis=1)).sum()) + int(np.abs(np.diff(cell, axis=0)).sum())

    runs = []
    for first in range(len(whole.glyphs)):
        last = first + 1
        while (last < len(whole.glyphs) and whole.glyphs[last].y < whole.glyphs[first].y + whole.glyphs[first].height
               and whole.glyphs[last].x + whole.glyphs[last].width - whole.glyphs[first].x
               <= _ANCHOR_WIDTH * VERIFY_INK_PX):
            last += 1
        runs.append((sum(map(strokes, whole.glyphs[first:last])), first, last))
    return max(runs)[1:]


# Along all edges, for all languages at once


def _elsewhere(grey: UInt8, sought: list[_Sought]) -> Iterator[TextMatch | None]:
    """The matches along all edges of texts nobody asked for: from the legal height on, by smaller anchors, so that all
    languages together cost about as much as three that are asked for."""
    found: list[list[Candidate]] = [[] for _ in sought]
    for zoom, x, y, area in areas_along_edges(grey, _COARSE_PX, MIN_HEIGHT_SHARE * _COARSE_SHARE):
        for one, places in zip(sought, found, strict=True):
            places += (replace(place, x=x / zoom + place.x, y=y / zoom + place.y)
                       for place in found_in(area, one.coarse, zoom, _MIN_COARSE))
    for one, places in zip(sought, found, strict=True):
        yield _first_match(grey, one, strongest(places, _COARSE_CANDIDATES))


# Where labels are unless a plan says otherwise


def _placed(grey: UInt8, sought: _Sought) -> Iterator[Candidate]:
    """Where the anchor stands in a label at the legal height and the usual margin, at a corner or an edge."""
    height, width = grey.shape
    ink_px = rules.floor_px(height, width)
    short = min(grey.shape)
    sizes = (ink_px,) if short > _SMALL else (ink_px, ink_px * 1.08, MIN_HEIGHT_SHARE * short * 1.08)
    for size in dict.fromkeys(sizes):
        zoom = _ANCHOR_PX / size
        near, (rows, columns) = _NEAR * size, (side / zoom for side in sought.anchor.small.shape)
        wanted = round((columns + 2 * near) * zoom), round((rows + 2 * near) * zoom)
        for x, y in _anchor_places(height, width, sought, size):
            box = x - near, y - near, x + columns + near, y + rows + near
            for found in found_in(resized(grey, wanted, box), sought.anchor, zoom, _MIN_PLACED):
                yield replace(found, x=box[0] + found.x, y=box[1] + found.y)


def _anchor_places(height: int, width: int, sought: _Sought, size: float) -> Iterator[tuple[float, float]]:
    """x, y of the anchor's ink, for an ink height of `size` pixels in a picture of this size."""
    unit, margin = size / VERIFY_INK_PX, round(_MARGIN * min(height, width))
    rows, columns = ((side - 2 * RIM) * unit for side in sought.whole.ink.shape)
    pad_x, pad_y = PAD_X * size + margin, PAD_Y * size + margin
    across = {"left": pad_x, "": (width - columns) / 2, "right": width - pad_x - columns}
    down = {"top": pad_y, "": (height - rows) / 2, "bottom": height - pad_y - rows}
    for place in (*CORNERS, *EDGES):
        parts = place.split("-")
        x, y = (next((at[one] for one in parts if one in at), at[""]) for at in (across, down))
        yield x + (sought.corner.x - RIM) * unit, y + (sought.corner.y - RIM) * unit


# Whether the text is there


def _first_match(grey: UInt8, sought: _Sought, candidates: list[Candidate]) -> TextMatch | None:
    return next((match for one in candidates for match in [_verified(grey, sought, one)] if match), None)


def _verified(grey: UInt8, sought: _Sought, candidate: Candidate) -> TextMatch | None:
    """The match of a text whose anchor may stand at a candidate."""
    aligned = [align(grey, sought.run, sought.run_corner, candidate, 1 + step / 25) for step in range(-2, 3)]
    best = max(aligned, key=lambda one: abs(one.score))
    if abs(best.score) < _MIN_RUN:
        return None
    found = matched(grey, sought.whole, sought.corner, refine_scale(grey, best, (0.02, 0.01)).at, near=_NEAR_SHARE)
    if found is None:
        return None
    match = TextMatch(sought.text, box_of(found), VERIFY_INK_PX / found.zoom, found.score, contrast(found))
    return _with_negation(grey, sought.text, sought.lines, match)


def _with_negation(grey: UInt8, text: str, lines: tuple[str, ...], match: TextMatch) -> TextMatch:
    """The match, with the negation before or behind it where one is there."""
    x, y, width, height = match.box
    language = language_of(text) or ""
    for lead, tail in (*((word, "") for word in LEADS.get(language, ())),
                       *(("", word) for word in TAILS.get(language, ()))):
        longer = (lead + lines[0], *lines[1:-1], lines[-1] + tail) if len(lines) > 1 else (lead + text + tail,)
        whole, plain = template_of(longer, in_pieces=True), template_of(lines, in_pieces=True)
        unit = height / (plain.ink.shape[0] - 2 * RIM)
        wide, high = ((side - 2 * RIM) * unit for side in whole.ink.shape[::-1])
        begins_left = bool(lead) == is_right_to_left(text)
        box = (x if begins_left else round(x + width - wide), round(y + height - high), round(wide), round(high))
        if match_at(grey, longer, box, least=_NEGATED[0], mean=_NEGATED[1], in_pieces=True):
            return replace(match, text=lead + text + tail)
    return match
