# SPDX-License-Identifier: Apache-2.0
"""Markdown: front matter stays first, and code, comments, lists and tables stay whole (CommonMark 0.31)."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from labelkit.codec.samples import Block
from labelkit.codec.text.encoding import MAX_PARAGRAPHS, EncodedText, too_many
from labelkit.codec.text.plain import Paragraphs
from labelkit.container import textblock

_FRONT = re.compile(r"(?:---[ \t]*\r?\n(?:.*\r?\n)*?(?:---|\.\.\.)|"
                    r"\+\+\+[ \t]*\r?\n(?:.*\r?\n)*?\+\+\+)[ \t]*(?:\r?\n|\Z)")
_FRONT_LIMIT = 256 << 10  # characters in which front matter must end, as for the label in it
_GAP = re.compile(r"(?:[ \t]*+(?:\r\n|\r|\n))*+")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r" {0,3}#{1,6}(?:[ \t]|$)")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-+)[ \t]*$")
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+\S")
_TABLE = re.compile(r"[ \t]*\|")
_INDENTED = re.compile(r"(?: {4}|\t)")
_RAW = re.compile(r" {0,3}<(script|pre|style|textarea|!--)", re.IGNORECASE)
_INLINE = ((re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL), ""), (re.compile(r"!\[[^\[\]]*\]\([^()]*\)"), ""),
           (re.compile(r"\[([^\[\]]*)\](?:\([^()]*\)|\[[^\[\]]*\])"), r"\1"),
           (re.compile(r"</?[A-Za-z][^<>]*>"), ""), (re.compile(r"(?<!\\)(\*{1,3}|_{1,3}|~~)"), ""),
           (re.compile(r"\\([!-/:-@\[-`{-~])"), r"\1"))
_PICTURE = re.compile(r"!\[([^\[\]\n]{1,200})\](?:\(|\[)")
_MAX_PICTURES = 1000
_MARKED_UP = re.compile(r"[<\[*_~\\]")
_FOOTNOTE = re.compile(r"^[ ]{0,3}\[\^[^\]\s]{1,99}\]:[ \t]*")
_QUOTE = re.compile(r"^[ \t]*>[ \t]?(?:\[!\w+\][ \t]*)?", re.MULTILINE)


@dataclass(slots=True)
class _Walk:
    """The lines of a text, with what is open at each."""

    text: str
    fence: str = ""
    raw: re.Pattern[str] | None = None
    lines: list[str] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    boundaries: list[int] = field(default_factory=list)
    described: list[str] = field(default_factory=list)
    role: str = "text"

    def run(self, start: int) -> None:
        """Walk from the character `start` to the end."""
        at, blank = start, True
        for line in io.StringIO(self.text[start:], newline=""):
            bare = line.rstrip("\r\n")
            if self.fence or self.raw:
                self._inside(bare)
                blank = False
            elif not bare.strip():
                self._close()
                blank = True
            elif not self._opens(bare, blank):
                if blank and at > start and not line[:1].isspace() and not _ITEM.match(bare) and not _TABLE.match(bare):
                    self.boundaries.append(at)
                self._take(bare)
                blank = False
            else:
                blank = False
            at += len(line)
        self._close()

    def _inside(self, line: str) -> None:
        if self.fence and re.match(rf" {{0,3}}{re.escape(self.fence)}+[ \t]*$", line):
            self.fence = ""
        elif self.raw and self.raw.search(line):
            self.raw = None

    def _opens(self, line: str, blank: bool) -> bool:
        """Whether a line starts or is code, or starts an element of raw text; such lines are not read."""
        fence = _FENCE.match(line)
        if fence and not (fence[1][0] == "`" and "`" in line[fence.end():]):
            self._close()
            self.fence = fence[1]
            return True
        raw = _RAW.match(line)
        if raw:
            end = "-->" if raw[1] == "!--" else f"</{raw[1]}"
            if end not in line[raw.end():].lower():
                self._close()
                self.raw = re.compile(re.escape(end), re.IGNORECASE)
                return True
        return blank and bool(_INDENTED.match(line))

    def _take(self, line: str) -> None:
        if _UNDERLINE.match(line) and self.lines:
            self.role = "heading"
            self._close()
            return
        starts_item = _ITEM.match(line) or _TABLE.match(line)
        if starts_item or _HEADING.match(line):
            self._close()
            self.role = "item" if starts_item else "heading"
        self.lines.append(line)
        if self.role == "heading":
            self._close()

    def _close(self) -> None:
        if not self.lines:
            return
        whole = "\n".join(self.lines)
        text = _shown(whole)
        if "![" in whole and len(self.described) < _MAX_PICTURES:
            self.described += _PICTURE.findall(whole)
        if text:
            self.blocks.append(Block(text, self.role))
            if len(self.blocks) > MAX_PARAGRAPHS:
                raise too_many()
        self.lines, self.role = [], "text"


def _shown(text: str) -> str:
    """What a reader sees of a paragraph."""
    text = _QUOTE.sub("", text) if ">" in text else text
    if _MARKED_UP.search(text):
        for pattern, new in _INLINE:
            text = pattern.sub(new, text)
    text = _FOOTNOTE.sub("", text)
    return re.sub(r"^[ \t]*#{1,6}[ \t]+|[ \t]+#+[ \t]*$", "", text).strip()


def read(data: bytes, name: str) -> tuple[Sequence[Block], Paragraphs]:
    """The paragraphs of a Markdown text, without its front matter."""
    encoded = EncodedText.of(textblock.without(data), name)
    start = max(_front_matter(encoded.text), default=0)
    walk = _Walk(encoded.text)
    walk.run(start)
    if not encoded.text[start:].strip():
        start = len(encoded.text)
    return walk.blocks, Paragraphs(encoded, start, walk.boundaries, bool(walk.fence or walk.raw), markdown=True,
                                    described=tuple(walk.described))


def open_fence(text: str) -> str:
    """The fence of the code block that a text ends in, "" for none."""
    walk = _Walk(text)
    walk.run(0)
    return walk.fence


def _front_matter(text: str) -> Iterator[int]:
    """Where the content starts behind each front matter: exports stack labels, each in one of its own."""
    start = 0
    head = text[:_FRONT_LIMIT]
    while (front := _FRONT.match(head, start)) and (not start or "AIGC" in front[0]):
        gap = _GAP.match(text, front.end())
        start = gap.end() if gap else front.end()
        yield start
