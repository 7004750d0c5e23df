# SPDX-License-Identifier: Apache-2.0
"""Rasterises text to coverage masks: font size, line breaks, plate and badge. The masks are cached and read-only."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from labelkit.errors import MalformedFile, MissingGlyph
from labelkit.explicit.image.font import Font, bundled, is_right_to_left, is_shaped
from labelkit.explicit.rules import element_characters

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

UInt8: TypeAlias = npt.NDArray[np.uint8]

INK = 128  # coverage from which a pixel counts as ink when heights are measured
CACHED_RENDERINGS = 64

# In units of the ink height. The space around the text makes a plate look calm; WCAG asks for none.
PAD_X, PAD_Y, _LEADING, _RADIUS = 0.62, 0.50, 0.55, 0.30
_MAX_EM = 6  # em per ink height above which a font is rejected as broken: bounds the memory of a canvas

_BADGE, _BADGE_TEXT, _BADGE_GAP = 1.50, 0.53, 0.50

# A line never breaks inside an element, a word or a number, nor before closing punctuation.
_WORD = "[\x21-\x7e\u00c0-\u00d6\u00d8-\u1fff\u200c\u200d\uac00-\ud7af]+"  # of scripts that put spaces between words
_PIECES = re.compile(f"(?:人工智能|生成|合成|{_WORD}|.)[，。、！？：；）》」】]* *")


class Glyph(NamedTuple):
    """A visible character and the box of its ink in pixels."""

    character: str
    x: int
    y: int
    width: int
    height: int

    def moved(self, dx: int, dy: int) -> Glyph:
        """The glyph elsewhere."""
        return self._replace(x=self.x + dx, y=self.y + dy)


def bounds(glyphs: tuple[Glyph, ...]) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the ink of all glyphs, right and bottom exclusive."""
    return (min(glyph.x for glyph in glyphs), min(glyph.y for glyph in glyphs),
            max(glyph.x + glyph.width for glyph in glyphs), max(glyph.y + glyph.height for glyph in glyphs))


@dataclass(frozen=True, slots=True, eq=False)
class Rendering:
    """One label, ready to be laid over pixels.

    ink, plate      uint8 [height, width], coverage 0-255 of the glyphs and of the rounded plate behind them
    em_px           font size that this took
    ink_height_px   height of the lowest element character, counting pixels of coverage >= INK
    glyphs          every visible character in the masks; of a shaped text, one after the other what stands apart
    """

    ink: UInt8
    plate: UInt8
    em_px: float
    ink_height_px: int
    glyphs: tuple[Glyph, ...]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        height, width = self.ink.shape
        return height, width


@functools.lru_cache(maxsize=CACHED_RENDERINGS)
def render(lines: tuple[str, ...], ink_px: int, style: str, font: str | Path | None) -> Rendering:
    """The label `lines` with an ink height of at least `ink_px` pixels in the font at path `font`.

    The font size is chosen by the measured ink, because fonts differ in how high they draw at one size.
    Raises MissingGlyph or MalformedFile for a font that cannot draw the text. A font file that changes
    while the process runs is not read again.
    """
    text = "".join(lines)
    face = Font.open(font, text)
    face.check(text + "AI" if style == "icon" else text)
    em, ink_height = _fitted(_measured(face, text), ink_px, bundled(text) if font is None else font)
    rows, glyphs = _stack([_line(face, em, line) for line in lines], round(_LEADING * ink_height))
    if style == "icon":
        rows, glyphs = _with_badge(face, rows, glyphs, ink_height, at_right=is_right_to_left(text))
    pad_y, pad_x = max(2, round(PAD_Y * ink_height)), max(3, round(PAD_X * ink_height))
    ink = np.pad(rows, ((pad_y, pad_y), (pad_x, pad_x)))
    plate = _rounded(ink.shape[0], ink.shape[1], _RADIUS * (ink_height + 2 * pad_y))
    for mask in (ink, plate):
        mask.flags.writeable = False
    return Rendering(ink, plate, em, ink_height, tuple(glyph.moved(pad_x, pad_y) for glyph in glyphs))


@functools.lru_cache(maxsize=1024)
def width_em(text: str, font: str | Path | None) -> float:
    """Advance width of `text` in ems."""
    shaped = is_shaped(text)
    return float(Font.open(font, text).at(100, shaped=shaped).getlength(text, direction=_direction(text))) / 100


@functools.lru_cache(maxsize=1024)
def height_em(character: str, font: str | Path | None) -> float:
    """Ink height of `character` in ems, to a thousandth or two."""
    return _ink_height(Font.open(font, character), 500, character) / 500


@functools.lru_cache(maxsize=256)
def break_lines(text: str, count: int, font: str | Path | None) -> tuple[str, ...] | None:
    """`text` in `count` lines of about equal width, or None where it has fewer pieces."""
    pieces = _PIECES.findall(text.strip())

    def measure(line: str) -> float:
        return width_em(line, font)

    if count > len(pieces):
        return None
    for slack in np.linspace(1.0, 2.0, 21):
        lines = _greedy(pieces, slack * measure(text) / count, measure)
        if len(lines) <= count:
            return tuple(lines)
    return tuple(_greedy(pieces, max(measure(piece) for piece in pieces), measure))


def _greedy(pieces: list[str], width: float, measure: Callable[[str], float]) -> list[str]:
    lines = [""]
    for piece in pieces:
        if lines[-1] and measure((lines[-1] + piece).strip()) > width:
            lines.append("")
        lines[-1] += piece
    return [line.strip() for line in lines]


def _measured(face: Font, text: str) -> str:
    """The characters whose height is that of the label: those of the elements of GB 45438-2025, of which the lowest
    counts. Of other words it is the highest capital, and where there is none the letter of middle height."""
    elements = element_characters(text)
    if elements:
        return elements
    capitals = {one for one in text if unicodedata.category(one) == "Lu"}
    letters = capitals or {one for one in text if unicodedata.category(one)[0] == "L"} or {*"".join(text.split())}
    by_height = sorted(sorted(letters), key=lambda one: _ink_height(face, 200, one))
    return by_height[-1 if capitals else len(by_height) // 2]


@functools.lru_cache(maxsize=256)
def _fitted(characters: str, ink_px: int, font: str | Path) -> tuple[float, int]:
    """As `_fit_em`: most of a rendering, and one for all the wordings that are measured by the same characters."""
    return _fit_em(Font.open(font), characters, ink_px)


def _fit_em(face: Font, characters: str, ink_px: int) -> tuple[float, int]:
    lowest = min(_ink_height(face, 200, c) for c in set(characters))
    em = max(1.0, ink_px * 200 / lowest - 0.5)
    while em <= _MAX_EM * ink_px + 16:
        height = min(_ink_height(face, em, c) for c in set(characters))
        if height >= ink_px:
            return em, height
        em += 0.25
    raise MalformedFile("{font} cannot draw {characters} {height} pixels high",
                        font=face.name, characters=characters, height=ink_px)


def _ink_height(face: Font, em: float, character: str) -> int:
    rows = np.flatnonzero((_draw(face.at(em, shaped=is_shaped(character)), character)[0] >= INK).any(axis=1))
    if not rows.size:
        raise MissingGlyph("{font} draws nothing for {characters}", font=face.name, characters=character)
    return int(rows[-1] - rows[0] + 1)


def _direction(text: str) -> str | None:
    """Which way a text is read; None for one that is not shaped."""
    return ("rtl" if is_right_to_left(text) else "ltr") if is_shaped(text) else None


def _draw(font: FreeTypeFont, text: str) -> tuple[UInt8, int]:
    """Coverage of `text` with its baseline at a whole row, and that row."""
    from PIL import Image, ImageDraw

    left, top, right, bottom = font.getbbox(text, anchor="ls", direction=_direction(text))
    if max(-top, bottom, -left) > 8 * font.size + 8 or right > 8 * font.size * (len(text) + 1):
        raise MalformedFile("the font draws {characters} {width} x {height} pixels large at {em} pixels per em",
                            characters=text, width=int(right - left), height=int(bottom - top), em=font.size)
    ascent, margin = max(1, -int(top)) + 2, max(0, -int(left)) + 2
    canvas = Image.new("L", (margin + max(1, int(right)) + 3, ascent + max(1, int(bottom)) + 3))
    ImageDraw.Draw(canvas).text((margin, ascent), text, fill=255, font=font, anchor="ls",
                              direction=_direction(text))
    return np.asarray(canvas), ascent


def _line(face: Font, em: float, line: str) -> tuple[UInt8, list[Glyph]]:
    """One line cropped to its ink, and its characters within the crop."""
    font = face.at(em, shaped=is_shaped(line))
    mask, _ = _draw(font, line)
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, top = int(xs[0]), int(ys[0])
    mask = mask[top:ys[-1] + 1, left:xs[-1] + 1]
    if is_shaped(line):  # letters join, merge and change places
        return mask, apart(mask, mask.shape[0])
    origin = max(0, -int(font.getbbox(line, anchor="ls")[0])) + 2 - left
    glyphs = []
    for i, character in enumerate(line):
        start, end = (round(origin + font.getlength(line[:i + n])) for n in (0, 1))
        start = max(0, start)
        cell = mask[:, start:max(start + 1, end)] >= INK
        rows, columns = np.flatnonzero(cell.any(axis=1)), np.flatnonzero(cell.any(axis=0))
        if rows.size:
            glyphs.append(Glyph(character, start + int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1),
                                int(rows[-1] - rows[0] + 1)))
    return mask, glyphs


def apart(mask: UInt8, width: int) -> list[Glyph]:
    """The ink of a line cut into pieces about `width` wide, where there are gaps between its columns."""
    inked = (mask >= INK).any(axis=0)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], inked, [False])).astype(np.int8)))
    pieces: list[tuple[int, int]] = []
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if pieces and stop - pieces[-1][0] <= 1.2 * width:
            pieces[-1] = pieces[-1][0], stop
        else:
            count = max(1, round((stop - start) / width))
            cuts = [start + (stop - start) * i // count for i in range(count + 1)]
            pieces += zip(cuts, cuts[1:], strict=False)
    boxes = []
    for start, stop in pieces:
        rows = np.flatnonzero((mask[:, start:stop] >= INK).any(axis=1))
        boxes.append(Glyph("", start, int(rows[0]), stop - start, int(rows[-1] - rows[0] + 1)))
    return boxes


def _stack(lines: list[tuple[UInt8, list[Glyph]]], leading: int) -> tuple[UInt8, list[Glyph]]:
    if len(lines) == 1:
        return lines[0]
    width = max(mask.shape[1] for mask, _ in lines)
    rows: list[UInt8] = []
    glyphs: list[Glyph] = []
    y = 0
    for mask, of_line in lines:
        left = (width - mask.shape[1]) // 2
        rows.append(np.pad(mask, ((0, leading), (left, width - left - mask.shape[1]))))
        glyphs += [glyph.moved(left, y) for glyph in of_line]
        y += mask.shape[0] + leading
    return np.concatenate(rows)[:y - leading], glyphs


def _with_badge(face: Font, text: UInt8, glyphs: list[Glyph], ink_height: int, *,
                at_right: bool) -> tuple[UInt8, list[Glyph]]:
    """The AI corner mark, a filled badge with the letters cut out, before the text as it is read."""
    side = round(_BADGE * ink_height)
    em, _ = _fit_em(face, "AI", max(4, round(_BADGE_TEXT * side)))
    letters, _ = _line(face, em, "AI")
    width = max(side, letters.shape[1] + round(0.4 * side))
    badge = _rounded(side, width, 0.24 * side).copy()
    y, x = (side - letters.shape[0]) // 2, (width - letters.shape[1]) // 2
    hole = badge[y:y + letters.shape[0], x:x + letters.shape[1]]
    hole[:] = np.minimum(hole, 255 - letters)
    gap = round(_BADGE_GAP * ink_height)
    height = max(side, text.shape[0])
    out = np.zeros((height, width + gap + text.shape[1]), np.uint8)
    left, badge_at = (0, text.shape[1] + gap) if at_right else (width + gap, 0)
    out[(height - side) // 2:(height - side) // 2 + side, badge_at:badge_at + width] = badge
    top = (height - text.shape[0]) // 2
    out[top:top + text.shape[0], left:left + text.shape[1]] = text
    return out, [glyph.moved(left, top) for glyph in glyphs]


def _rounded(height: int, width: int, radius: float) -> UInt8:
    """Coverage uint8 [height, width] of a rectangle with round corners, anti-aliased by its signed distance."""
    radius = min(radius, height / 2, width / 2)
    dy = np.abs(np.arange(height) + 0.5 - height / 2) - (height / 2 - radius)
    dx = np.abs(np.arange(width) + 0.5 - width / 2) - (width / 2 - radius)
    distance = np.hypot(np.maximum(dy, 0)[:, None], np.maximum(dx, 0)[None]) - radius
    cover: UInt8 = np.round(np.clip(0.5 - distance, 0, 1) * 255).astype(np.uint8)
    return cover
