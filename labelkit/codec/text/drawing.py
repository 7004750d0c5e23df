# SPDX-License-Identifier: Apache-2.0
"""SVG: the label is a text in front of the drawing, in its lower right corner (GB 45438-2025, 5.2; SVG 2, 11).

What is seen is their outlines in a font of ours, on a plate, so that they look the same whatever fonts the viewer has.
The text that can be selected lies beneath them in the plate's colour; it is seen where no font of ours has the
characters. Capitals reach 5 % of the shortest side. What is read is the texts that are shown; those near the upper or
lower edge can be a label by themselves.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
_HIDDEN = ("defs", "symbol", "title", "desc", "metadata", "style", "script", "clipPath", "mask", "pattern", "marker")
_NOT_SHOWN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|(?<![\w-])opacity\s*:\s*0(?:\.0*)?\s*(?:;|$)")
_TINY, _MOST_AROUND = 0.003, 64  # of the short side: letters nobody reads; elements around a text that may move it
_WIDE, _NARROW = 1.0, 0.58  # ems of a character of East Asia, and of others
_INK, _PLATE = "#fff", "#141414"
_FONTS = "Noto Sans SC, Noto Sans, PingFang SC, Microsoft YaHei, Arial, sans-serif"


@dataclass(slots=True)
class _Drawing:
    """A drawing, its root, and the box that it shows: x, y, width, height."""

    reader: Reader
    data: bytes
    root: Element
    box: tuple[float, float, float, float] | None

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


def _box(root: Element) -> tuple[float, float, float, float] | None:
    numbers = [float(one) for one in _NUMBER.findall(root.attributes.get("viewBox", "")[:200])]
    if len(numbers) == 4 and min(numbers[2:]) > 0 and max(map(abs, numbers)) < 1e9:
        return numbers[0], numbers[1], numbers[2], numbers[3]
    sides = [_LENGTH.fullmatch(root.attributes.get(name, "")) for name in ("width", "height")]
    wide, high = (float(one[1]) * _UNITS.get(one[2] or "", 1.0) if one else 0.0 for one in sides)
    return (0.0, 0.0, wide, high) if wide > 0 and high > 0 else None


def _blocks(elements: list[Element], box: tuple[float, float, float, float] | None) -> Iterator[Block]:
    hidden = set[int]()
    texts: list[tuple[Element, bool]] = []
    stop = 0
    for one in elements:
        if one.parent and one.parent.index in hidden or one.local in _HIDDEN or _is_hidden(one):
            hidden.add(one.index)
        elif one.local == "text" and one.start >= stop and _is_seen(one, box):  # a text in a text is a part of it
            texts.append((one, _at_edge(one, box)))
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


def _is_seen(element: Element, box: tuple[float, float, float, float] | None) -> bool:
    """Whether a text lies on the drawing in letters that people read, as far as its own place and size say."""
    x, y, size = (_NUMBER.match(element.attributes.get(name, "").strip()) for name in ("x", "y", "font-size"))
    if box is None:
        return True
    outside = (x and not box[0] - box[2] < float(x[0]) < box[0] + box[2]
               or y and not box[1] - box[3] < float(y[0]) < box[1] + 2 * box[3])
    tiny = size and element.attributes["font-size"].strip() == size[0] and float(size[0]) < _TINY * min(box[2:])
    around: Element | None = element
    for _ in range(_MOST_AROUND if outside or tiny else 0):
        if around is None:
            return False
        if "transform" in around.attributes or around is not element and around.local == "svg" and around.parent:
            return True
        around = around.parent
    return True


def _at_edge(element: Element, box: tuple[float, float, float, float] | None) -> bool:
    """Whether a text starts near the upper or lower edge, as far as its own place says."""
    y = _NUMBER.match(element.attributes.get("y", "").strip())
    if box is None or y is None or "transform" in element.attributes:
        return False
    share = (float(y[0]) - box[1]) / box[3]
    return share < _BAND or share > 1 - _BAND


def _label(data: bytes, root: Element, box: tuple[float, float, float, float], words: Words) -> bytes:
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
