# SPDX-License-Identifier: Apache-2.0
"""Bytes <-> characters of text files: the encoding, byte order mark and line ends of a file stay as they are.

UTF-8, UTF-16 and UTF-32 with a byte order mark, UTF-8 without one, and GB 18030 (GBK and GB 2312 are parts of it) where
the bytes read as common Chinese. A text in any other encoding is refused: words put into it would be other words.
"""

from __future__ import annotations

import codecs
import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from labelkit.codec.samples import Block
from labelkit.container.base import splice
from labelkit.errors import LimitExceeded, UnsupportedFormat

MAX_TEXT = 16 << 20
"""Bound of the bytes of a text: a book has a million or two."""
MAX_PARAGRAPHS = 1_000_000
"""Bound of the paragraphs of a text, which take 250 bytes each."""

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
          (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_COMMON = range(0xB0, 0xD8)  # first bytes of level 1 of GB 2312: 99.7 % of what is written in China
_SIGNS = range(0xA1, 0xA4)  # its punctuation and full-width letters
_MIN_COMMON, _JUDGED = 0.7, 1 << 16  # share of those characters, in so many bytes


def bounded(paragraphs: Iterable[Block]) -> list[Block]:
    """The paragraphs of a text; raises LimitExceeded for more than MAX_PARAGRAPHS."""
    found = list(itertools.islice(paragraphs, MAX_PARAGRAPHS + 1))
    if len(found) > MAX_PARAGRAPHS:
        raise too_many()
    return found


def too_many() -> LimitExceeded:
    """The error for more paragraphs than MAX_PARAGRAPHS."""
    return LimitExceeded("a text of more than {limit} paragraphs", limit=MAX_PARAGRAPHS)


@dataclass(frozen=True, slots=True)
class EncodedText:
    """The characters of a file, and how they are encoded.

    data      the file
    text      its characters, without the byte order mark
    mark      the byte order mark, b"" for none
    newline   the line end that comes first, a line feed where there is none
    """

    data: bytes
    text: str
    encoding: str
    mark: bytes
    newline: str

    @classmethod
    def of(cls, data: bytes, name: str) -> EncodedText:
        """Raises UnsupportedFormat for an encoding that is not known, LimitExceeded above MAX_TEXT bytes."""
        if len(data) > MAX_TEXT:
            raise LimitExceeded("{where}: a text of {got} bytes; at most {limit} are read", where=name, got=len(data),
                                limit=MAX_TEXT)
        mark, encoding = next(((mark, encoding) for mark, encoding in _MARKS if data.startswith(mark)), (b"", ""))
        encodings = (encoding,) if encoding else ("utf-8", "gb18030")
        for encoding in encodings:
            try:
                text = data[len(mark):].decode(encoding)
            except UnicodeDecodeError:
                continue
            if text.encode(encoding) == data[len(mark):] and (encoding != "gb18030" or _is_chinese(data)):
                return cls(data, text, encoding, mark, _newline(text))
        raise UnsupportedFormat("{where}: the encoding of the text is not known; UTF-8, UTF-16 and GB 18030 are read",
                                where=name, hint="save the text in UTF-8")

    def encoded(self, text: str) -> bytes:
        """Characters in the encoding of the file."""
        return text.encode(self.encoding)

    def offset(self, index: int) -> int:
        """Where in the file the character `index` of the text starts."""
        return len(self.mark) + len(self.encoded(self.text[:index]))

    def changed(self, changes: Iterable[tuple[int, int, str]]) -> bytes:
        """The file with (start, stop, new text) in characters, everything else byte for byte."""
        patches = [(self.offset(start), self.offset(stop), self.encoded(new)) for start, stop, new in changes]
        return b"".join(part if isinstance(part, bytes) else self.data[part[0]:part[1]]
                        for part in splice(len(self.data), patches))

    def lined(self, text: str) -> str:
        """A text whose line feeds are the line ends of the file."""
        return text.replace("\n", self.newline)


def _newline(text: str) -> str:
    first = min((at for at in (text.find("\r"), text.find("\n")) if at >= 0), default=-1)
    if first < 0 or text[first] == "\n":
        return "\n"
    return "\r\n" if text[first:first + 2] == "\r\n" else "\r"


def _is_chinese(data: bytes) -> bool:
    """Whether bytes that decode as GB 18030 are mostly common characters: those of Big5 and Shift JIS are not."""
    seen = common = at = 0
    data = data[:_JUDGED]
    while at < len(data):
        if data[at] < 0x80:
            at += 1
            continue
        seen += 1
        common += data[at] in _COMMON or data[at] in _SIGNS
        at += 4 if at + 1 < len(data) and 0x30 <= data[at + 1] <= 0x39 else 2
    return common >= _MIN_COMMON * seen
