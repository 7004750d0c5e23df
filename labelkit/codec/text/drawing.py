# SPDX-License-Identifier: Apache-2.0
"""SVG: the label is a text in front of the drawing, in its lower right corner (GB 45438-2025, 5.2; SVG 2, 11).

What is seen is their outlines in a font of ours, on a plate, so that they look the same whatever fonts the viewer has.
The text that can be selected lies beneath them in the plate's colour; it is seen where no font of ours has the
characters. Capitals reach 5 % of the shortest side. What is read is the texts that are shown; those near the upper or
lower edge can be a label by themselves.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from xml.sax.saxutils import escape

from labelkit.codec.samples import Block, Words
from labelkit.codec.text import outlines
from labelkit.container import join, markup
from labelkit.container.base import Reader, splice
from labelkit.container.markup import Element
from labelkit.errors import HostTooSmall, MalformedFile

_EM, _LINE, _PAD, _MARGIN = 0.075, 1.4, 0.4, 0.02  # em and margin of the short side, the others of an em
_BAND = 0.15  # of the height, at the top and the bottom
_LENGTH = re.compile(r"\s*(\d{1,9}(?:\.\d+)?)\s*(px|pt|mm|cm|in)?\s*")
_UNITS = {"pt": 4 / 3, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96.0}
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_TRANSFORM = re.compile(r"([a-zA-Z]+)\s*\(([^()]*)\)")
_HIDDEN = ("defs", "symbol", "title", "desc", "metadata", "style", "script", "clipPath", "mask", "pattern", "marker")
_NOT_SHOWN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|(?<![\w-])opacity\s*:\s*0(?:\.0*)?\s*(?:;|$)")
_TINY, _MOST_AROUND = 0.003, 64  # of the short side: letters nobody reads; elements around a text that may move it
_WIDE, _NARROW = 1.0, 0.58  # ems of a character of East Asia, and of others
_INK, _PLATE = "#fff", "#141414"
_FONTS = "Noto Sans SC, Noto Sans, PingFang SC, Microsoft YaHei, Arial, sans-serif"


_Box = tuple[float, float, float, float]


class _Matrix(NamedTuple):
    """x' = ax + cy + e, y' = bx + dy + f."""

    a: float
    b: float
    c: float
    d: float
    e: float
    f: float

    def of(self, x: float, y: float) -> tuple[float, float]:
        return self.a * x + self.c * y + self.e, self.b * x + self.d * y + self.f

    def times(self, other: _Matrix) -> _Matrix:
        """`other` first, then this."""
        return _Matrix(self.a * other.a + self.c * other.b, self.b * other.a + self.d * other.b,
                       self.a * other.c + self.c * other.d, self.b * other.c + self.d * other.d,
                       *self.of(other.e, other.f))


class _Text(NamedTuple):
    """A text, where it starts and how large it is, None where that is not known, and whether it runs up or down."""

    element: Element
    place: tuple[float, float] | None
    size: float | None
    is_upright: bool


@dataclass(slots=True)
class _Drawing:
    """A drawing, its root, and the box that it shows: x, y, width, height."""

    reader: Reader
    data: bytes
    root: Element
    box: _Box | None

    def labelled(self, words: Sequence[Words]) -> bytes:
        """See `TextSource`; raises HostTooSmall for a drawing without a size, or too narrow."""
        if not words:
            return self.reader.whole()
        if self.box is None:
            raise HostTooSmall("the drawing states no size that a label could be measured by",
                               hint="give it a viewBox")
        change = markup.append_to(self.data, self.root, _label(self.data, self.root, self.box, words[0]))
        return join(self.reader, splice(self.reader.size, [change]))


def read(data: bytes, name: str) -> tuple[Sequence[Block], _Drawing]:
    """The texts of a drawing; raises MalformedFile, LimitExceeded."""
    elements = markup.parse(data, "SVG")
    if elements[0].local != "svg":
        raise MalformedFile("{where}: there is no {part} in it", where=name, part="svg")
    box = _box(elements[0])
    return list(_blocks(elements, box)), _Drawing(Reader.of(data, name), data, elements[0], box)


def _box(root: Element) -> _Box | None:
    numbers = [float(one) for one in _NUMBER.findall(root.attributes.get("viewBox", "")[:200])]
    if len(numbers) == 4 and min(numbers[2:]) > 0 and max(map(abs, numbers)) < 1e9:
        return numbers[0], numbers[1], numbers[2], numbers[3]
    sides = [_LENGTH.fullmatch(root.attributes.get(name, "")) for name in ("width", "height")]
    wide, high = (float(one[1]) * _UNITS.get(one[2] or "", 1.0) if one else 0.0 for one in sides)
    return (0.0, 0.0, wide, high) if wide > 0 and high > 0 else None


def _blocks(elements: list[Element], box: _Box | None) -> Iterator[Block]:
    hidden = set[int]()
    texts: list[tuple[Element, bool]] = []
    stop = 0
    for index, one in enumerate(elements):
        if one.parent and one.parent.index in hidden or one.local in _HIDDEN or _is_hidden(one):
            hidden.add(one.index)
        elif one.local == "text" and one.start >= stop:  # a text in a text is a part of it
            following = elements[index + 1] if index + 1 < len(elements) else None
            placed = _text_of(one, following if following is not None and following.parent is one else None)
            if _is_seen(placed, box):
                texts.append((one, _at_edge(placed, box)))
                stop = one.stop
    for one, is_near in texts:
        text = " ".join(markup.text_of(elements, one, hidden).split())
        if text:
            is_mark = is_near and text.strip("[]【】 ").upper() == "AI"
            yield Block(text, "mark" if is_mark else "box" if is_near else "item")


def _is_hidden(element: Element) -> bool:
    stated = element.attributes
    return (stated.get("display") == "none" or stated.get("visibility") == "hidden"
            or stated.get("opacity") in ("0", "0.0") or stated.get("fill-opacity") == "0"
            or bool(_NOT_SHOWN.search(stated.get("style", ""))))


def _is_seen(text: _Text, box: _Box | None) -> bool:
    """Whether a text lies on the drawing in letters that people read, as far as its place and size say."""
    if box is None or text.place is None:
        return True
    x, y = text.place
    if not (box[0] - box[2] < x < box[0] + box[2] and box[1] - box[3] < y < box[1] + 2 * box[3]):
        return False
    return text.size is None or text.size >= _TINY * min(box[2:])


def _at_edge(text: _Text, box: _Box | None) -> bool:
    """Whether a text starts near the edge that it runs along, as far as its place says."""
    if box is None or text.place is None:
        return False
    shares = [(text.place[axis] - box[axis]) / box[axis + 2] for axis in (0, 1)]
    share = shares[0] if text.is_upright else shares[1]
    return share < _BAND or share > 1 - _BAND


def _text_of(element: Element, first: Element | None) -> _Text:
    """Where a text stands; `first` is the element in it that comes first, which may say so in its stead."""
    stated = [one.attributes for one in (element, first) if one is not None]
    x, y = (next((found for one in stated if (found := _NUMBER.match(one.get(name, "").strip()))), None)
            for name in ("x", "y"))
    size = _NUMBER.match(element.attributes.get("font-size", "").strip())
    is_number = size is not None and element.attributes["font-size"].strip() in (size[0], f"{size[0]}px")
    moves = _Matrix(1, 0, 0, 1, 0, 0)
    around: Element | None = element
    for _ in range(_MOST_AROUND):
        if around is None:
            break
        if around is not element and around.local == "svg" and around.parent:
            return _Text(element, None, None, False)
        moved = _matrix(around.attributes.get("transform", ""))
        if moved is None:
            return _Text(element, None, None, False)
        moves, around = moved.times(moves), around.parent
    place = moves.of(float(x[0]) if x else 0.0, float(y[0]) if y else 0.0)
    is_placed = y is not None or (moves.e, moves.f) != (0, 0)
    return _Text(element, place if is_placed else None,
                 float(size[0]) * math.hypot(moves.c, moves.d) if size and is_number else None,
                 abs(moves.b) > abs(moves.a))


def _matrix(stated: str) -> _Matrix | None:
    """What a transform does; None for one that is not understood."""
    whole = _Matrix(1, 0, 0, 1, 0, 0)
    for name, inside in _TRANSFORM.findall(stated[:1000]):
        v = [float(one) for one in _NUMBER.findall(inside)]
        cos, sin = (math.cos(math.radians(v[0])), math.sin(math.radians(v[0]))) if v and abs(v[0]) < 1e9 else (1.0, 0.0)
        match name, len(v):
            case "translate", 1 | 2:
                one = _Matrix(1, 0, 0, 1, v[0], v[1] if v[1:] else 0)
            case "scale", 1 | 2:
                one = _Matrix(v[0], 0, 0, v[-1], 0, 0)
            case "rotate", 1 | 3:
                x, y = v[1:] or (0.0, 0.0)
                one = _Matrix(cos, sin, -sin, cos, x - x * cos + y * sin, y - x * sin - y * cos)
            case "matrix", 6:
                one = _Matrix(*v)
            case _:
                return None
        whole = whole.times(one)
    return whole if all(map(math.isfinite, whole)) else None


def _label(data: bytes, root: Element, box: _Box, words: Words) -> bytes:
    """A plate with the words on it, in the lower right corner."""
    x, y, wide, high = box
    short = min(wide, high)
    text, em, margin = "AI" if words.mark else words.text, _EM * short, _MARGIN * short
    drawn = outlines.outlines(text, words.font) if words.font else None
    length = em * (drawn.width / outlines.EM if drawn else
                   sum(_WIDE if unicodedata.east_asian_width(one) in "WF" else
                       0.0 if unicodedata.category(one) == "Mn" else _NARROW for one in text))
    width, height = length + 2 * _PAD * em, _LINE * em
    if width + 2 * margin > wide:
        raise HostTooSmall("a drawing of {width} x {height} has no room for a label that can be read",
                           width=round(wide), height=round(high), hint="make the label shorter")
    left, top = x + wide - margin - width, y + high - margin - height
    p = root.raw_name(data).decode("utf-8", "replace")[:-len("svg")]
    strong = next((kind for kind in map(unicodedata.bidirectional, text) if kind in ("L", "R", "AL")), "L")
    start, direction = (left + _PAD * em, "ltr") if strong == "L" else (left + _PAD * em + length, "rtl")
    style = (f'direction="{direction}" font-family="{_FONTS}" font-size="{em:.4g}" font-weight="400" '
             f'font-style="normal" text-anchor="start" stroke="none" fill="{_PLATE if drawn else _INK}"')
    scale = em / outlines.EM
    path = (f'<{p}path transform="translate({left + _PAD * em:.12g} {top + 1.05 * em:.12g}) scale({scale:.6g})" '
            f'fill="{_INK}" stroke="none" fill-rule="evenodd" d="{drawn.path}"/>' if drawn else "")
    return (f'<{p}g class="AIGC-label"><{p}rect x="{left:.12g}" y="{top:.12g}" width="{width:.4g}" '
            f'height="{height:.4g}" rx="{0.25 * em:.4g}" fill="{_PLATE}"/><{p}text x="{start:.12g}" '
            f'y="{top + 1.05 * em:.12g}" textLength="{length:.4g}" lengthAdjust="spacingAndGlyphs" {style}>'
            # readable in whatever encoding is stated
            f"{escape(text)}</{p}text>{path}</{p}g>").encode("ascii", "xmlcharrefreplace")
