# SPDX-License-Identifier: Apache-2.0
"""PPTX: the label is a text box in the lower right corner of the first or last slide, or of one between.

Slides are shown as pictures are, so the height of the words is what clause 5.2 asks of pictures (ECMA-376-1, 19).
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from labelkit.codec.samples import Block, Words
from labelkit.container import archive, join, markup, ooxml
from labelkit.container.base import Reader, splice
from labelkit.container.markup import Element
from labelkit.errors import HostTooSmall, MalformedFile

_MAIN, _RELATIONS = "ppt/presentation.xml", "ppt/_rels/presentation.xml.rels"
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
_USUAL = (12_192_000, 6_858_000)  # EMU, 16 : 9
_EMU_PER_POINT = 12_700
_SHARE, _MARGIN = 0.05, 0.02  # of the short side
_TITLES = ("title", "ctrTitle")
_MAX_SLIDES = 5000


@dataclass(slots=True)
class _Slide:
    """A slide: its member, its bytes, where a shape goes, a free number for it, and the namespace of its elements."""

    name: str
    data: bytes
    at: int
    number: int
    namespace: str


@dataclass(slots=True)
class _Slides:
    """An archive, its slides in their order, and their size in EMU."""

    reader: Reader
    archive: archive.Archive
    slides: list[_Slide]
    size: tuple[int, int]

    def labelled(self, words: Sequence[Words]) -> bytes:
        """See `TextSource`; raises HostTooSmall for fewer than three slides, UnsupportedFormat for a signed file."""
        ooxml.refuse_signed(self.reader, self.archive)
        new: dict[str, bytes] = {}
        for one in words:
            if one.place == "middle" and len(self.slides) < 3:
                raise HostTooSmall("fewer than three slides have no middle for a label",
                                   hint="put the label at the start or the end")
            slide = self.slides[{"start": 0, "end": -1}.get(one.place, len(self.slides) // 2)]
            if slide.name not in new:
                shape = self._shape(slide, "AI" if one.mark else one.text)
                new[slide.name] = markup.changed(slide.data, [(slide.at, slide.at, shape)])
        if not new:
            return self.reader.whole()
        return join(self.reader, splice(self.reader.size, archive.replaced(self.reader, self.archive, new)))

    def _shape(self, slide: _Slide, text: str) -> bytes:
        width, height = self.size
        short = min(width, height)
        points = max(8, round(_SHARE * short / _EMU_PER_POINT))
        ems = sum(0.6 if character.isascii() else 1.0 for character in text) + 0.8
        wide, high = min(width, round(ems * points * _EMU_PER_POINT)), round(1.6 * points * _EMU_PER_POINT)
        left, top = (round(size - part - _MARGIN * short) for size, part in ((width, wide), (height, high)))
        return (f'<p:sp xmlns:p={quoteattr(slide.namespace)} xmlns:a="{_DRAWING}"><p:nvSpPr><p:cNvPr '
                f'id="{slide.number}" name="AIGC label" descr={quoteattr(text)}/><p:cNvSpPr txBox="1"/><p:nvPr/>'
                f'</p:nvSpPr><p:spPr><a:xfrm><a:off x="{max(left, 0)}" y="{max(top, 0)}"/><a:ext cx="{wide}" '
                f'cy="{high}"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/></a:prstGeom><a:solidFill><a:srgbClr '
                f'val="F2F2F2"/></a:solidFill></p:spPr><p:txBody><a:bodyPr wrap="none" lIns="0" tIns="0" rIns="0" '
                f'bIns="0" anchor="ctr"/><a:p><a:pPr algn="ctr"/><a:r><a:rPr lang="zh-CN" sz="{100 * points}">'
                f'<a:solidFill><a:srgbClr val="111111"/></a:solidFill></a:rPr><a:t>{escape(text)}</a:t></a:r></a:p>'
                '</p:txBody></p:sp>').encode()


def read(data: bytes, name: str) -> tuple[Sequence[Block], _Slides]:
    """The text of slides; boxes in a corner come first on a slide, and last in the second half of them."""
    reader = Reader.of(data, name)
    members = archive.read(reader)
    slides: list[_Slide] = []
    texts: list[tuple[list[Block], list[Block]]] = []
    seen = set[str]()
    names, size = _order(reader, members)
    for part in names:
        whole = archive.unpacked(reader, members, part)
        elements = markup.parse(whole, part)
        tree = next((one for one in elements if one.local == "spTree"), None)
        if tree is None or tree.empty or _is_hidden(elements[0]):
            continue
        last = next((one for one in elements if one.parent is tree and one.local == "extLst"), None)
        numbers = [int(one.attributes["id"]) for one in elements if one.attributes.get("id", "").isdecimal()]
        slides.append(_Slide(part, whole, last.start if last else tree.end_tag, max([1, *numbers]) + 1,
                             elements[0].namespace))
        boxes, others = _blocks(elements, size)
        behind = [] if elements[0].attributes.get("showMasterSp") in ("0", "false") else _behind(
            reader, members, part, size, seen)
        texts.append(([*behind, *boxes], others))
    if not slides:
        raise MalformedFile("{where}: there are no slides in it", where=name)
    blocks = [block for index, (boxes, others) in enumerate(texts)
              for block in ([*boxes, *others] if 2 * index < len(texts) else [*others, *boxes])]
    return blocks, _Slides(reader, members, slides, size)


def _behind(reader: Reader, members: archive.Archive, part: str, size: tuple[int, int], seen: set[str]) -> list[Block]:
    """What the layout and the master of a slide show on it, each but once in a presentation; placeholders show nothing.
    """
    found, parts = list[Block](), [part]
    for kind in ("/slideLayout", "/slideMaster"):
        relations = f"{posixpath.dirname(parts[-1])}/_rels/{posixpath.basename(parts[-1])}.rels"
        if relations not in members.members:
            break
        target = next((one.attributes.get("Target", "") for one in markup.parse(
            archive.unpacked(reader, members, relations), relations)
            if one.attributes.get("Type", "").endswith(kind)), "")
        parts.append(posixpath.normpath(posixpath.join(posixpath.dirname(parts[-1]), target)).lstrip("/"))
        if not target or parts[-1] not in members.members or parts[-1] in seen:
            break
        seen.add(parts[-1])
        elements = markup.parse(archive.unpacked(reader, members, parts[-1]), parts[-1])
        boxes, others = _blocks(elements, size, placeholders=False)
        found += [*boxes, *others]
        if elements[0].attributes.get("showMasterSp") in ("0", "false"):
            break
    return found


def _is_hidden(slide: Element) -> bool:
    return slide.attributes.get("show") in ("0", "false")


def _order(reader: Reader, members: archive.Archive) -> tuple[list[str], tuple[int, int]]:
    """The members that hold the slides, in their order, and their size."""
    for part in (_MAIN, _RELATIONS):
        if part not in members.members:
            raise MalformedFile("{where}: there is no {part} in it", where=reader.name, part=part)
    targets = {one.attributes.get("Id"): one.attributes.get("Target", "")
               for one in markup.parse(archive.unpacked(reader, members, _RELATIONS), _RELATIONS)}
    names: dict[str, None] = {}
    size = _USUAL
    for one in markup.parse(archive.unpacked(reader, members, _MAIN), _MAIN):
        if one.local == "sldSz":
            sides = [one.attributes.get(side, "") for side in ("cx", "cy")]
            if all(side.isdecimal() and 0 < len(side) < 10 and int(side) for side in sides):
                size = int(sides[0]), int(sides[1])
        target = next((targets.get(value) for key, value in one.attributes.items()
                       if one.local == "sldId" and key.endswith("\nid")), None)
        part = posixpath.normpath(posixpath.join("ppt", target)).lstrip("/") if target else ""
        if part in members.members:
            names[part] = None
    if len(names) > _MAX_SLIDES:
        raise reader.too_many("slide", _MAX_SLIDES)
    return list(names), size


def _blocks(elements: list[Element], size: tuple[int, int], *,
            placeholders: bool = True) -> tuple[list[Block], list[Block]]:
    """The text boxes of one line in a corner, and everything else on a slide; tables are lists of items.

    placeholders  whether the texts in these are shown, as on slides
    """
    shapes: dict[int, list[str]] = {}  # the paragraphs of each shape
    roles: dict[int, str] = {}
    shape_of, boxes, left_out = dict[int, int](), set[int](), set[int]()
    places: dict[int, dict[str, int]] = {}
    for one in elements:
        around = shape_of.get(one.parent.index, -1) if one.parent else -1
        shape = one.index if one.local in ("sp", "tc") else around
        shape_of[one.index] = shape
        if shape == one.index:
            shapes[shape], roles[shape] = [], "item" if one.local == "tc" else "text"
        elif shape < 0:
            continue
        elif one.local == "ph" and not placeholders:
            left_out.add(shape)
        elif one.local == "ph":
            roles[shape] = "heading" if one.attributes.get("type") in _TITLES else roles[shape]
        elif one.local == "cNvSpPr" and one.attributes.get("txBox") in ("1", "true"):
            boxes.add(shape)
        elif one.local in ("off", "ext"):
            places.setdefault(shape, {}).update(
                (key, int(value)) for key, value in one.attributes.items() if value.isdecimal() and len(value) < 10)
        elif one.local == "p":
            shapes[shape].append("")
        elif one.local == "t" and shapes[shape]:
            shapes[shape][-1] += "".join(one.texts)
    found: tuple[list[Block], list[Block]] = [], []
    for shape, paragraphs in shapes.items():
        if shape in left_out:
            continue
        lines = [line.strip() for line in paragraphs if line.strip()]
        is_box = shape in boxes and len(lines) == 1 and _in_corner(places.get(shape, {}), size)
        role = roles[shape] if not is_box else "mark" if lines[0].strip("[]").upper() == "AI" else "box"
        found[0 if is_box else 1].extend(Block(line, role) for line in lines)
    return found


def _in_corner(place: dict[str, int], size: tuple[int, int]) -> bool:
    """Whether the middle of a shape is in the left or right third and the upper or lower fifth of the slide."""
    across = (place.get("x", 0) + place.get("cx", 0) / 2) / size[0]
    down = (place.get("y", 0) + place.get("cy", 0) / 2) / size[1]
    return not 1 / 3 < across < 2 / 3 and not 1 / 5 < down < 4 / 5 and "x" in place
