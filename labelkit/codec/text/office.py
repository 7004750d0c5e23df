# SPDX-License-Identifier: Apache-2.0
"""DOCX and ODT: the label is a paragraph of the body (ECMA-376-1, 17.3.1; ODF 1.3, 5.1.3).

Text is read in headers, body and footers, and in the notes of DOCX. Members that do not change keep their
bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from labelkit.codec.samples import Block, Words
from labelkit.container import archive, join, markup, ooxml, opendocument
from labelkit.container.base import Reader, splice
from labelkit.container.markup import Element
from labelkit.errors import HostTooSmall, MalformedFile

_HEADINGS = re.compile(r"heading|title|^[1-9]$", re.IGNORECASE)
_AROUND = re.compile(r"word/(?:header|footer)\d*\.xml")
_OASIS, _DESCRIBES = "urn:oasis", ":svg-compatible:1.0"  # of all elements with words, and of what pictures are called
_SKIPPED = {"Fallback", "del", "tracked-changes", "annotation", "note", "sequence-decls"}
_TINY = {str(size) for size in range(6)}  # half points; smaller letters than of 3 points are not read by people
_LEAST_POINTS = 3
_FILLED = {"txbxContent", "text-box", "textbox"}  # boxes, whose ground is not read
_TEXT = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"
_STYLES, _NOTES = "styles.xml", ("word/footnotes.xml", "word/endnotes.xml")
_DISPLAY = "urn:oasis:names:tc:opendocument:xmlns:style:1.0\ndisplay"
_ITEMS = {"tc", "list-item", "table-cell"}
_STATEFUL = {"p", "h", *_ITEMS}


@dataclass(slots=True)
class _Document:
    """An archive, its main part with the elements in it, and the element that holds the paragraphs."""

    reader: Reader
    archive: archive.Archive
    part: str
    data: bytes
    body: Element
    paragraphs: list[Element]
    last: int
    paragraph: Callable[[bytes, str], bytes]

    def labelled(self, words: Sequence[Words]) -> bytes:
        """See `TextSource`; raises HostTooSmall for the middle of one paragraph, UnsupportedFormat if signed"""
        ooxml.refuse_signed(self.reader, self.archive)
        opendocument.refuse_signed(self.reader, self.archive)
        if not words:
            return self.reader.whole()
        new = markup.changed(self.data, [self._change(one) for one in words])
        patches = archive.replaced(self.reader, self.archive, {self.part: new})
        return join(self.reader, splice(self.reader.size, patches))

    def _change(self, words: Words) -> tuple[int, int, bytes]:
        new = self.paragraph(self.body.raw_name(self.data), escape("[AI]" if words.mark else words.text))
        if words.place == "start":
            at = self.paragraphs[0].start if self.paragraphs else self.last
        elif words.place == "end":
            at = self.last
        elif len(self.paragraphs) < 2:
            raise HostTooSmall("a text of one paragraph has no middle for a label",
                               hint="put the label at the start or the end")
        else:
            at = self.paragraphs[len(self.paragraphs) // 2].start
        return at, at, new


def read(data: bytes, name: str) -> tuple[Sequence[Block], _Document]:
    """The paragraphs of a document; raises MalformedFile and its children."""
    reader = Reader.of(data, name)
    found = archive.read(reader)
    is_odt = "content.xml" in found.members
    part = "content.xml" if is_odt else "word/document.xml"
    if part not in found.members:
        raise MalformedFile("{where}: there is no {part} in it", where=name, part=part)
    whole = archive.unpacked(reader, found, part)
    elements = markup.parse(whole, part)
    body = next((one for one in elements if one.local == ("text" if is_odt else "body")
                 and one.parent is not None and one.parent.local == ("body" if is_odt else "document")), None)
    if body is None or body.empty:
        raise MalformedFile("{where}: there is no text in it", where=name)
    own = [one for one in elements if one.parent is body]
    paragraphs = [one for one in own if one.local in ("p", "h", "tbl", "table", "sdt", "list")]
    section = next((one for one in own if one.local == "sectPr"), None)
    around = [one for one in found.members if _AROUND.fullmatch(one)]
    if is_odt and _STYLES in found.members:  # headers and footers belong to the styles of pages (ODF 1.3, 16.9)
        around.append(_STYLES)
    blocks = [block for one in around for block in _margins(reader, found, one, "header")]
    blocks += _blocks(elements)
    notes = [one for one in _NOTES if one in found.members]
    blocks += [Block(block.text, "item") for one in notes for block in _part(reader, found, one)]
    blocks += [block for one in around for block in _margins(reader, found, one, "footer")]
    document = _Document(reader, found, part, whole, body, paragraphs, section.start if section else body.end_tag,
                         _open_document if is_odt else _word)
    return blocks, document


def _margins(reader: Reader, found: archive.Archive, name: str, kind: str) -> Iterator[Block]:
    """What the headers or the footers in a member say."""
    if kind in name:
        yield from _part(reader, found, name)
    elif name == _STYLES:
        yield from _part(reader, found, name, {kind, f"{kind}-first", f"{kind}-left"})


def _part(reader: Reader, found: archive.Archive, name: str, within: Collection[str] = ()) -> Iterator[Block]:
    yield from _blocks(markup.parse(archive.unpacked(reader, found, name), name), within)


def _word(body: bytes, text: str) -> bytes:
    prefix = body[:-len(b"body")]
    return b"<%bp><%br><%bt>%b</%bt></%br></%bp>" % (prefix, prefix, prefix, text.encode(), prefix, prefix, prefix)


def _open_document(body: bytes, text: str) -> bytes:
    # the body is office:text; what the prefix of text: is, the document may say otherwise
    return (b'<text:p xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0">%b</text:p>' % text.encode())


@dataclass(slots=True)
class _State:
    """What holds of an element, those around it included."""

    paragraph: int = -1
    role: str = "text"
    skipped: bool = False
    inside: bool = True


def _blocks(elements: list[Element], within: Collection[str] = ()) -> Iterator[Block]:
    """The paragraphs in their order, of the elements `within` alone where any are named; of hidden runs, deleted text
    and alternatives nothing."""
    states: list[_State] = []
    texts: dict[int, list[tuple[int, str]]] = {}
    roles: dict[int, str] = {}
    hidden = {*_hidden_runs(elements), *_hidden_spans(elements)}
    for one in elements:
        around = states[one.parent.index] if one.parent else _State(inside=not within)
        is_hidden = one.index in hidden or bool(within) and one.attributes.get(_DISPLAY) == "false"
        state = around
        if one.local in _SKIPPED or is_hidden or one.local in _STATEFUL or one.local in within:
            state = _State(around.paragraph, around.role, around.skipped or one.local in _SKIPPED or is_hidden,
                           around.inside or one.local in within)
        if one.local in ("p", "h"):
            state.paragraph = one.index
            texts[one.index], roles[one.index] = [], "heading" if one.local == "h" else around.role
        elif one.local in _ITEMS:
            state.role = "item"
        elif state.paragraph >= 0 and one.local in ("pStyle", "numPr", "outlineLvl"):
            roles[state.paragraph] = _role(one) or roles[state.paragraph]
        states.append(state)
        if state.paragraph < 0 or state.skipped or not state.inside or not one.texts:
            continue
        if one.local == "t" or one.namespace.startswith(_OASIS) and not one.namespace.endswith(_DESCRIBES):
            texts[state.paragraph] += zip(one.ranks, one.texts, strict=True)
    for index, pieces in texts.items():
        text = "".join(piece for _, piece in sorted(pieces)).strip()
        if text:
            yield Block(text, roles[index])


def _hidden_runs(elements: list[Element]) -> Iterator[int]:
    """The runs of DOCX that are hidden, tiny, or white where nothing gives page, paragraph and cell another colour."""
    settings = [one for one in elements if one.parent is not None and one.parent.parent is not None
                and one.local in ("vanish", "sz", "color", "shd", "highlight")]
    grounds = {one.parent.parent.index for one in settings if one.parent and one.parent.parent
               and (one.local == "highlight" or one.local == "shd" and not _is_white(_attribute(one, "fill"), "auto"))}
    on_white = not any(one.local == "background" for one in elements[:16])
    for one in settings:
        run = one.parent.parent if one.parent else None
        if run is None:
            continue
        if one.local == "vanish" and _is_on(one) or one.local == "sz" and _value(one) in _TINY:
            yield run.index
        elif (on_white and one.local == "color" and _is_white(_value(one)) and run.local == "r"
              and not any(around.index in grounds or around.local in _FILLED for around in _around(run))):
            yield run.index


def _hidden_spans(elements: list[Element]) -> Iterator[int]:
    """The paragraphs and spans of ODF whose style in the same part is hidden, tiny or white on white."""
    unseen, grounds = set[str](), set[str]()
    for one in elements:
        if one.local not in ("text-properties", "paragraph-properties", "table-cell-properties") or one.parent is None:
            continue
        name = _attribute(one.parent, "name")
        if not _is_white(_attribute(one, "background-color"), "transparent", ""):
            grounds.add(name)
        size = re.fullmatch(r"([\d.]+)pt", _attribute(one, "font-size"))
        if one.local == "text-properties" and (
                _is_white(_attribute(one, "color")) or size and float(size[1]) < _LEAST_POINTS
                or one.attributes.get(f"{_TEXT}\ndisplay") == "none"):
            unseen.add(name)
    for one in elements if unseen else ():
        style = _attribute(one, "style-name")
        if style in unseen and one.local in ("p", "h", "span") and not any(
                _attribute(around, "style-name") in grounds or around.local in _FILLED for around in _around(one)):
            yield one.index


def _around(element: Element) -> Iterator[Element]:
    """An element and those around it."""
    one: Element | None = element
    while one is not None:
        yield one
        one = one.parent


def _is_white(value: str, *more: str) -> bool:
    """Whether a colour is white, or one of the words that mean none."""
    return value.lower().lstrip("#") in ("ffffff", "fefefe", "fdfdfd", *more)


def _attribute(element: Element, local: str) -> str:
    return next((value for name, value in element.attributes.items() if name.rpartition("\n")[2] == local), "")


def _role(setting: Element) -> str:
    """What a setting of a paragraph makes it, "" for nothing special."""
    if setting.local == "numPr" or setting.local == "pStyle" and _value(setting).lower().startswith("list"):
        return "item"
    return "heading" if setting.local == "outlineLvl" or _HEADINGS.search(_value(setting)) else ""


def _is_on(element: Element) -> bool:
    return _value(element).lower() not in ("0", "false", "off")


def _value(element: Element) -> str:
    return _attribute(element, "val")
