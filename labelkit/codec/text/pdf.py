# SPDX-License-Identifier: Apache-2.0
"""PDF: the label is a line at the top of the first page, at the foot of the last, or at the top of one between.

It is drawn as text with a font of its own in an incremental update (`pdfupdate`), so that every byte of the file stays.
What is read is what PDFium sees on the pages, whatever program put it there.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelkit.codec.samples import Block, Words
from labelkit.codec.text import pdfium
from labelkit.codec.text.pdfium import Line, Page
from labelkit.errors import HostTooSmall, MalformedFile
from labelkit.messages import Message

_BAND = 0.14  # of the height of a page, at its top and its foot, where labels stand alone
_GAP = 0.9  # line heights between two lines of a paragraph, at most
_LARGE, _LARGE_SHARE = 1.5, 0.045  # times the usual height of letters, and of the short side: a heading
_SMALLEST = 3.0  # points; smaller letters are not read by people
_ITEM = re.compile(r"[•◦▪‣●○■□◆]|[-–*]\s|\d{1,2}[.)、]")
_SHORT = 80  # characters of a line in a margin
_SCANS = 3  # first and as many last pages that are pictures
_PAPER = 250  # grey values from here on are paper


@dataclass(slots=True)
class _Pages:
    """A document, how many pages it has, those that were read, and the seconds of computing that are left for it."""

    data: bytes
    name: str
    count: int
    pages: list[Page]
    seconds: float

    @property
    def missed(self) -> tuple[Message, ...]:
        """See `PartlyRead`."""
        scans = sum(page.is_scan for page in self.pages)
        return pages_missed(len(self.pages), self.count) + ((Message(
            "of {count} pages that are pictures, {seen} were looked at", seen=2 * _SCANS, count=scans),)
            if scans > 2 * _SCANS else ())

    def pictures(self) -> Iterator[npt.NDArray[np.uint8]]:
        """The first and last pages that are pictures and no text, without the paper around them."""
        scans = [page.number for page in self.pages if page.is_scan]
        wanted = list(dict.fromkeys([*scans[:_SCANS], *scans[-_SCANS:]]))
        for view in pdfium.look(self.data, self.name, wanted, self.seconds) if wanted else ():
            whole = view.pixels
            rows, columns = (np.flatnonzero((whole < _PAPER).any(axis=axis)) for axis in (1, 0))
            if len(rows):
                yield whole[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]

    def labelled(self, words: Sequence[Words]) -> bytes:
        """See `TextSource`; raises HostTooSmall for the middle of fewer than three pages and for pages too small,
        UnsupportedFormat for signed and encrypted documents, MalformedFile."""
        from labelkit.codec.text import pdfupdate

        data = self.data
        for one in words:
            if one.place == "middle" and self.count < 3:
                raise HostTooSmall("fewer than three pages have no middle for a label",
                                   hint="put the label at the start or the end")
            if one.font is None:
                raise AssertionError("words that are drawn have a font")
            number = {"start": 0, "end": self.count - 1}.get(one.place, self.count // 2)
            data = pdfupdate.drawn(data, self.name, number, one, one.font)
        return data


def read(data: bytes, name: str) -> tuple[Sequence[Block], _Pages]:
    """The text on the pages; what stands alone in a margin comes first or last on its page.

    Raises what `pdfium.pages` raises.
    """
    count, pages, seconds = pdfium.pages(data, name)
    if not count:
        raise MalformedFile("{where}: there are no pages in it", where=name)
    return blocks_of(pages), _Pages(data, name, count, pages, seconds)


def pages_missed(seen: int, count: int) -> tuple[Message, ...]:
    """What to say of a document of which so many pages were read."""
    return () if seen >= count else (Message("of {count} pages, {seen} were read", seen=seen, count=count),)


def blocks_of(pages: Sequence[Page]) -> list[Block]:
    """The texts on pages, as a reader sees them: margins, titles and paragraphs."""
    sizes = [line.size for page in pages for line in page.lines if line.size >= _SMALLEST for _ in line.text]
    usual = statistics.median(sizes) if sizes else 0.0
    return [block for page in pages for block in _blocks(page, usual)]


def _blocks(page: Page, usual: float) -> Iterator[Block]:
    """The lines at the top that stand alone, the paragraphs, and the lines at the foot."""
    lines = [line for line in page.lines if line.size >= _SMALLEST]
    top, foot, body = list[Line](), list[Line](), list[Line]()
    for line in lines:
        middle = (line.top + line.bottom) / 2
        band = top if middle < _BAND * page.height else foot if middle > (1 - _BAND) * page.height else body
        stands = len(line.text) <= _SHORT and not _is_title(line, page, usual) and _is_alone(line, lines)
        (band if stands else body).append(line)
    yield from map(_in_margin, sorted(top, key=lambda line: round(line.top)))
    for paragraph in _paragraphs(body):
        role = _role(paragraph[0].text, len(paragraph) < 4 and _is_title(paragraph[0], page, usual))
        yield Block("\n".join(line.text for line in paragraph), role)
    yield from map(_in_margin, sorted(foot, key=lambda line: round(line.top)))


def _is_title(line: Line, page: Page, usual: float) -> bool:
    """Whether the letters are those of a title: large for this document and this page, and not at the right."""
    return (line.size >= max(_LARGE * usual, _LARGE_SHARE * min(page.width, page.height))
            and line.left + line.right < 4 / 3 * page.width)


def _role(text: str, is_title: bool) -> str:
    return "heading" if is_title else "item" if _ITEM.match(text) else "text"


def _in_margin(line: Line) -> Block:
    return Block(line.text, "mark" if line.text.strip("[]【】 ").upper() == "AI" else "box")


def _is_alone(line: Line, lines: Sequence[Line]) -> bool:
    """Whether no line of a paragraph is right above or below."""
    return not any(other is not line and other.left < line.right and line.left < other.right
                   and -0.5 * line.size < max(other.top - line.bottom, line.top - other.bottom) < 0.5 * line.size
                   and len(other.text) > _SHORT // 2 for other in lines)


def _paragraphs(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Lines below each other in letters of one height."""
    paragraph: list[Line] = []
    for line in lines:
        last = paragraph[-1] if paragraph else None
        if last and not (-0.6 * last.size < line.top - last.bottom < _GAP * last.size
                         and 0.8 < (line.size + 0.1) / (last.size + 0.1) < 1.25
                         and line.left < last.right and last.left < line.right):
            yield paragraph
            paragraph = []
        paragraph.append(line)
    if paragraph:
        yield paragraph
