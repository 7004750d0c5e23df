# SPDX-License-Identifier: Apache-2.0
"""Words drawn on a page of a PDF: an incremental update with one more content stream, a font, and their tag.

Where the document is tagged, the words are a paragraph of its structure, before everything else or behind it, because
they say something that is not said elsewhere: PDF/UA (ISO 14289-1, 7.1) wants such content tagged, and an artifact
would not be read aloud. The ground of the words is an artifact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelkit.codec.samples import Typeface, Words
from labelkit.codec.text import pdfium
from labelkit.codec.text.pdffont import Lettering, lettering, stream
from labelkit.codec.text.pdfglyph import Glyph, glyph
from labelkit.codec.text.pdfpages import Document, unclosed
from labelkit.codec.text.pdftags import tagged
from labelkit.container.pdfsyntax import Reference
from labelkit.errors import HostTooSmall

_SHARE, _LEAST, _SMALLEST = 0.02, 10.5, 6.0  # of the short side; points: 五号, and where there is no room
_MARGIN, _LEAST_MARGIN = 0.03, 14.0  # of the short side; points that printers leave white
_BLANK = 235  # grey values from here on are paper
_PAD = 0.25  # ems around the words


@dataclass(frozen=True, slots=True)
class _Place:
    """Where words go: the left end of their baseline in points from the upper left corner of the page as shown, their
    size, and whether they need a ground of their own."""

    x: float
    y: float
    size: float
    ground: bool


def drawn(data: bytes, name: str, number: int, words: Words, font: Typeface) -> bytes:
    """The document with words on its page `number`; raises HostTooSmall, UnsupportedFormat, MalformedFile."""
    document = Document(data, name)
    document.refuse_signed()
    letters = glyph(words.text, font) if words.shaped else lettering(words.text, font)
    page = document.page(number)
    width, height, picture = next(pdfium.look(data, name, [number]))
    place = _place(width, height, picture, letters, at_foot=words.place == "end")
    font_name, fonts = b"AIGC%d" % document.free, letters.objects(document.free)
    reference = Reference(document.free, 0)
    document.new.update(fonts)
    document.free += len(fonts)
    content = page.content()
    tag = tagged(document, page, words, content)
    shown = _words(letters, place, font_name, tag, page.matrix(width, height), words.mark)
    # what the streams before it set and leave behind ends with Q
    page.draw(stream(b"q\n"), stream(b"Q\n" * max(unclosed(b"q " + content), 1) + shown), font_name, reference)
    return document.updated()


def _place(width: float, height: float, picture: npt.NDArray[np.uint8], letters: Lettering | Glyph, *,
           at_foot: bool) -> _Place:
    """The first blank place of the right, the left and the middle of a margin, else the emptiest with a ground."""
    short = min(width, height)
    margin = min(max(_MARGIN * short, _LEAST_MARGIN), 0.1 * short)
    size = max(_SHARE * short, _LEAST)
    size = min(size, (width - 2 * margin) / (letters.width + 2 * _PAD))
    high = (letters.ascent - letters.descent) * size
    if size < _SMALLEST or high > height / 3:
        raise HostTooSmall("a page of {width} x {height} points has no room for a label that can be read",
                           width=round(width), height=round(height))
    wide, pad = letters.width * size, _PAD * size
    top = height - margin - high if at_foot else margin
    found = []
    for left in (width - margin - wide - pad, margin + pad, (width - wide) / 2):
        box = np.array([top - pad, top + high + pad, left - pad, left + wide + pad])
        rows, columns = picture.shape
        y0, y1, x0, x1 = (box * np.array([rows / height] * 2 + [columns / width] * 2)).round().astype(int)
        part = picture[max(y0, 0):max(y1, 1), max(x0, 0):max(x1, 1)]
        found.append((float((part < _BLANK).mean()) if part.size else 1.0, left))
    ink, left = next((one for one in found if one[0] == 0), min(found, key=lambda one: one[0]))
    return _Place(left, top + letters.ascent * size, size, ink > 0)


def _words(letters: Lettering | Glyph, place: _Place, font: bytes, tag: bytes, matrix: tuple[float, ...],
           mark: bool) -> bytes:
    """The words as a content stream, in a coordinate system of points from the upper left corner of the page as shown.
    """
    a, b, c, d, e, f = matrix
    size, pad = place.size, _PAD * place.size
    top, bottom = place.y - letters.ascent * size, place.y - letters.descent * size
    box = b"%.2f %.2f %.2f %.2f re" % (place.x - pad, top, letters.width * size + 2 * pad, bottom - top)
    out = b"q %.5f %.5f %.5f %.5f %.3f %.3f cm\n" % (a, b, c, d, e, f)
    paint = b"1 g 0 G 0.75 w " + box + b" B\n" if mark else b"1 g " + box + b" f\n" if place.ground else b""
    if paint:
        out += b"/Artifact BMC\n" + paint + b"EMC\n" if tag else paint
    # y runs down: text is turned over again
    text = b"BT /%b %.3f Tf 0 g 0 Tr 1 0 0 -1 %.3f %.3f Tm <%b> Tj ET\n" % (
        font, size, place.x, place.y, letters.codes.hex().encode())
    return out + (tag + b" BDC\n" + text + b"EMC\n" if tag else text) + b"Q\n"
