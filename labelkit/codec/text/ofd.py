# SPDX-License-Identifier: Apache-2.0
"""OFD: the label is a line at the top of the first page, at the foot of the last, or at the top of one between.

It is a text object in a layer of its own, in front of the page's others and on a white ground, in a font that stands in
the archive (GB/T 33190-2016, 7.10, 8.5, 10, 11). What is read is the text objects of pages, where they lie on them.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from xml.sax.saxutils import escape, quoteattr

from labelkit.codec.samples import Block, Words
from labelkit.codec.text.pdf import blocks_of, pages_missed
from labelkit.codec.text.pdfium import Line, Page
from labelkit.container import archive, join, markup
from labelkit.container.base import Reader, splice
from labelkit.container.markup import Element
from labelkit.distribution import install_hint
from labelkit.errors import HostTooSmall, MalformedFile, UnsupportedFormat
from labelkit.messages import Message

_ROOT = "OFD.xml"
_POINTS = 72 / 25.4  # in a millimetre, the unit of OFD (7.3)
_A4 = (0.0, 0.0, 210.0, 297.0)
_MAX_PAGES = 1000
_SHARE, _LEAST, _MARGIN = 0.02, 10.5 / _POINTS, 5.0  # of the short side; millimetres: 五号, and what printers leave
_ASCENT, _HEIGHT, _PAD = 0.88, 1.2, 0.25  # ems: of Chinese characters above the baseline; of a line; around the words
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_FACE = "AIGCLabel"


@dataclass(slots=True)
class _Sheet:
    """A page: its member, that as bytes, its content if it has one, its size in millimetres, and its texts."""

    name: str
    data: bytes
    root: Element
    content: Element | None
    box: tuple[float, float, float, float]
    lines: list[Line]


@dataclass(slots=True)
class _Document:
    """An archive, the document in it, how many pages it has, and those that were read.

    changes, parts   what changes in which member, and these members as they were
    """

    reader: Reader
    archive: archive.Archive
    part: str
    data: bytes
    elements: list[Element]
    count: int
    sheets: list[_Sheet]
    changes: dict[str, list[tuple[int, int, bytes]]] = field(default_factory=dict)
    parts: dict[str, bytes] = field(default_factory=dict)

    @property
    def missed(self) -> tuple[Message, ...]:
        """See `PartlyRead`."""
        return pages_missed(len(self.sheets), self.count)

    def labelled(self, words: Sequence[Words]) -> bytes:
        """See `TextSource`; raises HostTooSmall for the middle of fewer than three pages and for pages too small,
        UnsupportedFormat for a signed document, MalformedFile."""
        _refuse_signed(self.reader, self.archive)
        if not words:
            return self.reader.whole()
        if find_spec("fontTools") is None:
            raise UnsupportedFormat("{where}: words cannot be drawn on pages by this installation",
                                    where=self.reader.name, install=install_hint("pdf"),
                                    hint="{install}, or leave the explicit label out")
        self.changes = {}
        layers: dict[int, bytes] = {}
        fonts: list[tuple[int, str, bytes]] = []
        free = self._largest() + 1
        for one in words:
            if one.place == "middle" and self.count < 3:
                raise HostTooSmall("fewer than three pages have no middle for a label",
                                   hint="put the label at the start or the end")
            number = {"start": 0, "end": len(self.sheets) - 1}.get(one.place, len(self.sheets) // 2)
            layer, font = _drawn(self.sheets[number], one, free)
            layers[number] = layers.get(number, b"") + layer
            fonts.append(font)
            free += 4
        new = self._with_fonts(fonts)
        for number, layer in layers.items():
            self._put(self.sheets[number], layer)
        most = next((one for one in self.elements if one.local == "MaxUnitID"), None)
        if most and not most.empty:
            self._change(self.part, most.body, most.end_tag, b"%d" % (free - 1))
        self.parts.update({self.part: self.data, **{one.name: one.data for one in self.sheets}})
        new.update({name: markup.changed(self.parts[name], cuts) for name, cuts in self.changes.items()})
        return join(self.reader, splice(self.reader.size, archive.replaced(self.reader, self.archive, new)))

    def _change(self, name: str, start: int, stop: int, text: bytes) -> None:
        self.changes.setdefault(name, []).append((start, stop, text))

    def _largest(self) -> int:
        """The largest number of an object that is in use."""
        texts = [self.data, *(one.data for one in self.sheets)]
        most = next(("".join(one.texts) for one in self.elements if one.local == "MaxUnitID"), "0").strip()
        found = [int(one) for text in texts for one in re.findall(rb'\bID="(\d{1,9})"', text)]
        return max([int(most) if most.isdigit() and len(most) < 10 else 0, *found])

    def _put(self, sheet: _Sheet, layers: bytes) -> None:
        """Put layers in front of what a page shows."""
        if sheet.content:
            self._change(sheet.name, *markup.append_to(sheet.data, sheet.content, layers))
        else:
            prefix = _prefix(sheet.root, sheet.data)
            around = f"<{prefix}Content>".encode() + layers + f"</{prefix}Content>".encode()
            self._change(sheet.name, *markup.append_to(sheet.data, sheet.root, around))

    def _with_fonts(self, fonts: Sequence[tuple[int, str, bytes]]) -> dict[str, bytes]:
        """Name fonts (number, file, bytes of it) in a list of resources of the document: the members that are new."""
        folder = posixpath.dirname(self.part)
        for one in self.elements:
            name = _path(folder, "".join(one.texts)) if one.local in ("PublicRes", "DocumentRes") else ""
            if name in self.archive.members:
                data, found = _parsed(self.reader, self.archive, name)
                self.parts[name] = data
                prefix, base = _prefix(found[0], data), found[0].attributes.get("BaseLoc", "")
                held = next((each for each in found if each.local == "Fonts" and each.parent is found[0]), None)
                named = b"".join(_font(prefix, number, file) for number, file, _ in fonts)
                self._change(name, *(markup.append_to(data, held, named) if held else markup.append_to(
                    data, found[0], f"<{prefix}Fonts>".encode() + named + f"</{prefix}Fonts>".encode())))
                files = {_path(_path(posixpath.dirname(name), base), file): program for _, file, program in fonts}
                if any(path.startswith("..") for path in files):
                    raise MalformedFile("{where}: there is no {part} in it", where=self.reader.name, part=base[:80])
                return files
        return {**{posixpath.join(folder, "Res", file): program for _, file, program in fonts},
                **self._new_list(folder, fonts)}

    def _new_list(self, folder: str, fonts: Sequence[tuple[int, str, bytes]]) -> dict[str, bytes]:
        """A list of resources, which the document names in the order of its schema (7.5)."""
        common = next((one for one in self.elements if one.local == "CommonData"), None)
        if common is None:
            raise MalformedFile("{where}: there is no {part} in it", where=self.reader.name, part="CommonData")
        prefix, name = _prefix(common, self.data), f"AIGCRes{fonts[0][0]}.xml"
        listed = f"<{prefix}DocumentRes>{name}</{prefix}DocumentRes>".encode()
        behind = [one for one in self.elements if one.parent is common and one.local in ("MaxUnitID", "PageArea")]
        if common.empty:
            self._change(self.part, *markup.append_to(self.data, common, listed))
        else:
            at = behind[-1].stop if behind else common.body
            self._change(self.part, at, at, listed)
        space = f" xmlns:ofd={quoteattr(common.namespace)}" if common.namespace else ""
        prefix = "ofd:" if space else ""
        named = b"".join(_font(prefix, number, file) for number, file, _ in fonts).decode()
        return {posixpath.join(folder, name): (
            f'<?xml version="1.0" encoding="UTF-8"?><{prefix}Res{space} BaseLoc="Res"><{prefix}Fonts>{named}'
            f"</{prefix}Fonts></{prefix}Res>").encode()}


def read(data: bytes, name: str) -> tuple[Sequence[Block], _Document]:
    """The text on the pages; what stands alone in a margin comes first or last on its page.

    Raises MalformedFile and its children.
    """
    reader = Reader.of(data, name)
    held = archive.read(reader)
    root = _parsed(reader, held, _ROOT)[1]
    part = _path("", next(("".join(one.texts) for one in root if one.local == "DocRoot"), ""))
    whole, elements = _parsed(reader, held, part)
    pages = [one for one in elements if one.local == "Page" and one.parent and one.parent.local == "Pages"]
    if not pages:
        raise MalformedFile("{where}: there are no pages in it", where=name)
    usual = next((_box("".join(one.texts)) for one in elements if one.local == "PhysicalBox"), _A4)
    kept = pages if len(pages) <= _MAX_PAGES else pages[:_MAX_PAGES // 2] + pages[-_MAX_PAGES // 2:]
    sheets = [_sheet(reader, held, _path(posixpath.dirname(part), one.attributes.get("BaseLoc", "")), usual)
              for one in kept]
    shown = [Page(number, one.box[2] * _POINTS, one.box[3] * _POINTS, tuple(one.lines))
             for number, one in enumerate(sheets)]
    return blocks_of(shown), _Document(reader, held, part, whole, elements, len(pages), sheets)


def _parsed(reader: Reader, held: archive.Archive, name: str) -> tuple[bytes, list[Element]]:
    if name not in held.members:
        raise MalformedFile("{where}: there is no {part} in it", where=reader.name, part=name or "DocRoot")
    data = archive.unpacked(reader, held, name)
    return data, markup.parse(data, name)


def _refuse_signed(reader: Reader, held: archive.Archive) -> None:
    if any(one.local == "Signatures" for one in _parsed(reader, held, _ROOT)[1]):
        raise archive.signed(reader)


def _path(folder: str, stated: str) -> str:
    """The member that a place names: absolute, or from the folder of what names it (7.2)."""
    stated = stated.strip().replace("\\", "/")
    return posixpath.normpath(stated[1:] if stated.startswith("/") else posixpath.join(folder, stated))


def _sheet(reader: Reader, held: archive.Archive, name: str, usual: tuple[float, float, float, float]) -> _Sheet:
    data, elements = _parsed(reader, held, name)
    own = next((_box("".join(one.texts)) for one in elements if one.local == "PhysicalBox"), usual)
    content = next((one for one in elements if one.local == "Content" and one.parent is elements[0]), None)
    return _Sheet(name, data, elements[0], content, own, list(_lines(elements, own)))


def _lines(elements: list[Element], page: tuple[float, float, float, float]) -> Iterator[Line]:
    """The text objects that are shown, in points from the upper left corner of the page."""
    texts: dict[int, list[str]] = {}
    hidden = set[int]()
    for one in elements:
        if one.parent and one.parent.index in hidden or one.attributes.get("Visible", "").lower() == "false" or (
                one.local == "TextObject" and one.attributes.get("Alpha") == "0"):
            hidden.add(one.index)
        elif one.local == "TextObject":
            texts[one.index] = []
        elif one.local == "TextCode" and one.parent and one.parent.index in texts:
            texts[one.parent.index] += one.texts
    for index, pieces in texts.items():
        text = " ".join("".join(pieces).split())
        left, top, wide, high = _box(elements[index].attributes.get("Boundary", ""))
        left, top = (left - page[0]) * _POINTS, (top - page[1]) * _POINTS
        scale = _numbers(elements[index].attributes.get("CTM", ""), 6)
        size = (_numbers(elements[index].attributes.get("Size", ""), 1) or [high])[0] * (abs(scale[3]) if scale else 1)
        if text and left < page[2] * _POINTS and top < page[3] * _POINTS:
            yield Line(left, top, left + wide * _POINTS, top + high * _POINTS, size * _POINTS, text)


def _numbers(text: str, count: int) -> list[float]:
    found = [float(one) for one in _NUMBER.findall(text[:400])[:count]]
    return found if len(found) == count and all(abs(one) < 1e6 for one in found) else []


def _box(text: str) -> tuple[float, float, float, float]:
    """x, y, width and height in millimetres; those of A4 where they are not stated."""
    found = _numbers(text, 4)
    return (found[0], found[1], found[2], found[3]) if found and found[2] > 0 and found[3] > 0 else _A4


def _drawn(sheet: _Sheet, words: Words, free: int) -> tuple[bytes, tuple[int, str, bytes]]:
    """The layer of words on a page, and the font that it needs: its number, its file, and the bytes of that."""
    from labelkit.codec.text.pdffont import program_of

    if words.font is None:
        raise AssertionError("words that are drawn have a font")
    program, ems = program_of(words.text, words.font)
    place = _placed(sheet.box, ems, at_foot=words.place == "end")
    file = f"AIGC{free}.{'otf' if program[:4] == b'OTTO' else 'ttf'}"
    return _layer(_prefix(sheet.root, sheet.data), free, place, words), (free + 3, file, program)


def _placed(page: tuple[float, float, float, float], ems: float, *, at_foot: bool) -> tuple[float, float, float, float]:
    """Left, top and width of the words in millimetres, at the right of a margin, and their size."""
    x, y, width, height = page
    size = min(max(_SHARE * min(width, height), _LEAST), (width - 2 * _MARGIN) / (ems + 2 * _PAD))
    if size < _LEAST / 2 or size * _HEIGHT > height / 3:
        raise HostTooSmall("a page of {width} x {height} points has no room for a label that can be read",
                           width=round(width * _POINTS), height=round(height * _POINTS))
    top = y + (height - _MARGIN - _HEIGHT * size if at_foot else _MARGIN)
    return x + width - _MARGIN - (ems + 2 * _PAD) * size, top, (ems + 2 * _PAD) * size, size


def _layer(prefix: str, free: int, place: tuple[float, float, float, float], words: Words) -> bytes:
    """A layer with a white ground and the words on it; the corner mark has a frame."""
    left, top, wide, size = place
    high, pad = _HEIGHT * size, _PAD * size
    frame = f'Stroke="{str(words.mark).lower()}" LineWidth="0.25"'
    return (f'<{prefix}Layer ID="{free}" Type="Foreground"><{prefix}PathObject ID="{free + 1}" '
            f'Boundary="{left:.2f} {top:.2f} {wide:.2f} {high:.2f}" {frame} Fill="true">'
            f'<{prefix}FillColor Value="255 255 255"/><{prefix}AbbreviatedData>M 0 0 L {wide:.2f} 0 L {wide:.2f} '
            f'{high:.2f} L 0 {high:.2f} C</{prefix}AbbreviatedData></{prefix}PathObject>'
            f'<{prefix}TextObject ID="{free + 2}" Boundary="{left + pad:.2f} {top:.2f} {wide - 2 * pad:.2f} '
            f'{high:.2f}" Font="{free + 3}" Size="{size:.3f}"><{prefix}FillColor Value="0 0 0"/>'
            f'<{prefix}TextCode X="0" Y="{(_HEIGHT + _ASCENT - (1 - _ASCENT)) / 2 * size:.3f}"'
            f"{_steps(words, size)}>{escape(words.text)}</{prefix}TextCode></{prefix}TextObject></{prefix}Layer>"
            ).encode()


def _steps(words: Words, size: float) -> str:
    """How far each character is from the one before it (11.3)."""
    from labelkit.codec.text.pdffont import lettering

    assert words.font is not None
    entries = lettering(words.text, words.font).entries
    steps = [f"{entries[one][1] / 1000 * size:.3f}" for one in words.text[:-1]]
    return f' DeltaX="{" ".join(steps)}"' if steps else ""


def _font(prefix: str, number: int, file: str) -> bytes:
    return (f'<{prefix}Font ID="{number}" FontName="{_FACE}" FamilyName="宋体"><{prefix}FontFile>{file}'
            f"</{prefix}FontFile></{prefix}Font>").encode()


def _prefix(element: Element, data: bytes) -> str:
    """The prefix that an element has: some readers know no other than the usual one, whatever it is declared to be."""
    name = element.raw_name(data).decode("utf-8", "replace")
    return name[:-len(element.local)]
