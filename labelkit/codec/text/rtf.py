# SPDX-License-Identifier: Apache-2.0
"""RTF: the label is a paragraph of the document, before the first, after the last or between two (RTF 1.9.1).

It is written in ASCII, in a group of its own, so that the formatting around it and every other byte stay.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from labelkit.codec.samples import Block, Words
from labelkit.container.base import Reader, splice
from labelkit.container.output import join
from labelkit.errors import HostTooSmall, LimitExceeded, MalformedFile

_MAX_FILE, _MAX_TOKENS, _MAX_DEPTH = 64 << 20, 1_000_000, 1000
_TOKEN = re.compile(rb"\\(?P<word>[A-Za-z]{1,32}+)(?P<number>-?[0-9]{1,10}+)?+ ?|(?P<hex>(?:\\'[0-9A-Fa-f]{2})++)|"
                    rb"\\(?P<symbol>[^A-Za-z])|(?P<brace>[{}])|(?P<text>[^\\{}]++)")
_SKIPPED = {"fonttbl", "colortbl", "stylesheet", "info", "pict", "object", "fldinst", "pntext", "listtext", "filetbl",
            "revtbl", "listtable", "listoverridetable", "rsidtbl", "themedata", "footnote", "annotation", "xe", "tc",
            "bkmkstart", "bkmkend", "nonshppict", "private", "sp"}
_HEADERS = {"header", "headerl", "headerr", "headerf", "shptxt"}  # and text boxes
_FOOTERS = {"footer", "footerl", "footerr", "footerf"}
_SIGNS = {"tab": "\t", "line": "\n", "emdash": "—", "endash": "–", "lquote": "‘", "rquote": "’", "ldblquote": "“",
          "rdblquote": "”", "bullet": "•", "emspace": " ", "enspace": " "}
_SYMBOLS = {b"\\": "\\", b"{": "{", b"}": "}", b"~": " ", b"_": "-"}
_CHARSETS = {77: "mac_roman", 128: "cp932", 129: "cp949", 134: "gb18030", 136: "cp950", 161: "cp1253", 162: "cp1254",
             163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250"}
_PAGES = {932: "cp932", 936: "gb18030", 949: "cp949", 950: "cp950", 10000: "mac_roman", 65001: "utf-8", 874: "cp874",
          **{page: f"cp{page}" for page in (437, 850, 852, *range(1250, 1259))}}
_HEADING = re.compile(r"heading|title|标题", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _State:
    """What holds in a group: where its text goes, hidden or not, its font, and what its paragraph is."""

    destination: str = "body"
    hidden: bool = False
    font: int = -1
    fallback: int = 1
    table: bool = False
    listed: bool = False
    heading: bool = False
    style: int = 0

    @property
    def role(self) -> str:
        """The role of a paragraph."""
        return "item" if self.table or self.listed else "heading" if self.heading else "text"


@dataclass(slots=True)
class _Document:
    """A document and where words may be put: before its first paragraph, between two, and behind the last.

    ended   whether the last paragraph is complete
    """

    reader: Reader
    start: int = 0
    end: int = 0
    boundaries: list[int] = field(default_factory=list)
    ended: bool = True

    def labelled(self, words: Sequence[Words]) -> bytes:
        """See `TextSource`; raises HostTooSmall for the middle of one paragraph."""
        patches = sorted(self._patch(one) for one in words)
        return join(self.reader, splice(self.reader.size, patches))

    def _patch(self, words: Words) -> tuple[int, int, bytes]:
        label = _escaped("[AI]" if words.mark else words.text)
        if words.place == "end":
            before = b"" if self.ended else rb"\par"
            return self.end, self.end, before + rb"\pard\plain\uc1\fs24 " + label + rb"\par "
        at = self.start
        if words.place == "middle":
            if not self.boundaries:
                raise HostTooSmall("a text of one paragraph has no middle for a label",
                                   hint="put the label at the start or the end")
            at = self.boundaries[(len(self.boundaries) - 1) // 2]
        return at, at, rb"{\pard\plain\uc1\fs24 " + label + rb"\par}"


def _escaped(text: str) -> bytes:
    """A text as it stands in RTF: numbers of UTF-16 for all that is not ASCII."""
    raw = text.encode("utf-16-le")
    units = struct.unpack(f"<{len(raw) // 2}h", raw)
    return "".join(chr(unit) if 32 <= unit < 127 and chr(unit) not in "\\{}" else f"\\{chr(unit)}" if 32 <= unit < 127
                   else f"\\u{unit}?" for unit in units).encode("ascii")


def read(data: bytes, name: str) -> tuple[Sequence[Block], _Document]:
    """The paragraphs of a document; raises MalformedFile and LimitExceeded."""
    if len(data) > _MAX_FILE:
        raise LimitExceeded("{where}: a text of {got} bytes; at most {limit} are read", where=name, got=len(data),
                            limit=_MAX_FILE)
    if not data.startswith(b"{\\rtf"):
        raise MalformedFile("{where}: the RTF document breaks off at byte {at}", where=name, at=0)
    walk = _Walk(data, name, _Document(Reader.of(data, name)))
    walk.run()
    blocks = walk.blocks["body"]
    first, last = blocks[:1], blocks[1:][-1:]  # headers and footers inside, so that a label in the body is outermost
    return [*first, *walk.blocks["header"], *blocks[1:-1], *walk.blocks["footer"], *last], walk.document


@dataclass(slots=True)
class _Walk:
    """One pass over the tokens of a document."""

    data: bytes
    name: str
    document: _Document
    state: _State = field(default_factory=_State)
    around: list[_State] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)  # of the open groups
    texts: dict[str, list[str]] = field(default_factory=lambda: {"body": [], "header": [], "footer": [], "style": []})
    blocks: dict[str, list[Block]] = field(default_factory=lambda: {"body": [], "header": [], "footer": []})
    at: int = 0  # where the token starts
    page: str = "cp1252"
    default: int = 0  # font
    fonts: dict[int, str] = field(default_factory=dict)
    headings: set[int] = field(default_factory=set)
    ignorable: bool = False  # the next word names a destination that may be skipped
    left: int = 0  # characters that stand for the last one of Unicode
    started: bool = False
    paragraphs: list[int] = field(default_factory=list)  # where each of the body stops, outside of tables

    def run(self) -> None:
        """Walk to the end of the document; raises MalformedFile where it has none."""
        at = count = 0
        while at < len(self.data):
            token = _TOKEN.match(self.data, at)
            count, self.at = count + 1, at
            if token is None or count > _MAX_TOKENS or len(self.around) > _MAX_DEPTH:
                break
            at = token.end()
            if token["brace"] == b"}" and len(self.around) == 1:
                return self._finish(token.start())
            if token["word"]:
                at += self._word(token)
            elif token["brace"]:
                self._brace(token["brace"] == b"{")
            else:
                self._characters(token)
        if count > _MAX_TOKENS or len(self.around) > _MAX_DEPTH:
            raise LimitExceeded("{where}: more than {limit} words, or groups inside too many others", where=self.name,
                                limit=_MAX_TOKENS)
        raise MalformedFile("{where}: the RTF document breaks off at byte {at}", where=self.name, at=at)

    def _finish(self, at: int) -> None:
        document = self.document
        document.end, document.ended = at, not "".join(self.texts["body"]).strip()
        self._flush("body")
        document.start = document.start if self.started else at
        document.boundaries = [one for one in self.paragraphs if document.start < one < at]
        if document.boundaries and document.ended:
            document.boundaries.pop()  # behind it is the end

    def _brace(self, opens: bool) -> None:
        self.left, self.ignorable = 0, False
        if opens:
            self.around.append(self.state)
            self.starts.append(self.at)
            return
        if self.state.destination in ("header", "footer") and self.around[-1].destination != self.state.destination:
            self._flush(self.state.destination)
        if self.state.destination == "style":
            self._style()
        self.state = self.around.pop()
        self.starts.pop()

    def _word(self, token: re.Match[bytes]) -> int:
        """Take a control word; returns how many bytes behind it are data."""
        word, number = token["word"].decode(), int(token["number"]) if token["number"] else None
        if self.ignorable or word in _SKIPPED:
            target = "style" if word == "stylesheet" else "fonts" if word == "fonttbl" else ""
            self.state, self.ignorable = replace(self.state, destination=target), False
        elif word in _HEADERS or word in _FOOTERS:
            self.state = replace(self.state, destination="header" if word in _HEADERS else "footer")
        elif word == "u" and number is not None:
            self._add(chr(number & 0xFFFF))
            self.left = self.state.fallback
        elif word == "bin":
            return max(number or 0, 0)
        elif word in _SIGNS:
            self._add(_SIGNS[word])
        elif word in ("par", "cell", "row", "sect", "page", "nestcell"):
            self._end(word, token)
        else:
            self._property(word, number)
        return 0

    def _property(self, word: str, number: int | None) -> None:
        is_on, state = number != 0, self.state
        if word in ("pard", "trowd"):
            self._begin()
            if word == "pard" and state.role != "text":
                self.state = replace(state, table=False, listed=False, heading=False)
        elif word == "plain" and (state.hidden or state.font >= 0):
            self.state = replace(state, hidden=False, font=-1)
        elif word in ("v", "deleted"):
            self.state = replace(state, hidden=is_on)
        elif word == "f":
            self.state = replace(state, font=number or 0)
        elif word == "fcharset" and state.destination == "fonts":
            self.fonts[state.font] = _CHARSETS.get(number or 0, "")
        elif word == "deff":
            self.default = number or 0
        elif word == "ansicpg":
            self.page = _PAGES.get(number or 0, self.page)
        elif word == "uc":
            self.state = replace(state, fallback=min(max(number or 0, 0), 255))
        elif word == "intbl":
            self.state = replace(state, table=is_on)
        elif word in ("ls", "pnlvlblt", "pnlvlbody"):
            self.state = replace(state, listed=is_on)
        elif word == "s":
            self.state = replace(state, style=number or 0, heading=number in self.headings)
        elif word == "outlinelevel":
            self.state = replace(state, heading=True)

    def _characters(self, token: re.Match[bytes]) -> None:
        if token["symbol"]:
            self.ignorable = token["symbol"] == b"*"
            if token["symbol"] in b"\r\n":
                self._end("par", token)
            elif not self._spent(1):
                self._add(_SYMBOLS.get(token["symbol"], ""))
            return
        raw = bytes.fromhex(token["hex"].replace(b"\\'", b"").decode()) if token["hex"] else (
            token["text"].translate(None, b"\r\n\0"))
        raw = raw[self._spent(len(raw)):]
        font = self.state.font if self.state.font >= 0 else self.default
        page = self.fonts.get(font) or self.page
        if raw:
            self._add(raw.decode(page, "replace"))

    def _spent(self, count: int) -> int:
        """How many of so many characters stand for one of Unicode that has been read."""
        spent = min(self.left, count)
        self.left -= spent
        return spent

    def _add(self, text: str) -> None:
        destination = self.state.destination
        if self.state.hidden or destination not in self.texts:
            return
        if destination == "body" and text.strip():
            self._begin()
        self.texts[destination].append(text)

    def _begin(self) -> None:
        """The body starts here, or with the group around it."""
        if not self.started and self.state.destination == "body":
            self.started = True
            outer = self.starts[1:2]
            self.document.start = outer[0] if outer else self.at

    def _end(self, word: str, token: re.Match[bytes]) -> None:
        """A paragraph of the text, or a cell, ends."""
        destination = self.state.destination
        if destination not in self.blocks:
            return
        if destination == "body":
            self._begin()
        self._flush(destination, is_item=word in ("cell", "nestcell"))
        if destination == "body" and word == "par" and not self.state.table:
            self.paragraphs.append(token.end())

    def _flush(self, destination: str, *, is_item: bool = False) -> None:
        pieces = "".join(self.texts[destination]).encode("utf-16-le", "surrogatepass")
        text = pieces.decode("utf-16-le", "replace").strip()
        self.texts[destination] = []
        if text:
            role = "box" if destination != "body" else "item" if is_item else self.state.role
            self.blocks[destination].append(Block(text, role))

    def _style(self) -> None:
        """The name of a style: whether it is that of headings."""
        if _HEADING.search("".join(self.texts["style"])):
            self.headings.add(self.state.style)
        self.texts["style"] = []
