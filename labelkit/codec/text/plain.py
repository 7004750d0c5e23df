# SPDX-License-Identifier: Apache-2.0
"""Plain text: the label is a paragraph of its own before the first, after the last or between two paragraphs."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from labelkit.codec.samples import Block, Words
from labelkit.codec.text.encoding import EncodedText, bounded
from labelkit.container import textblock, textwrapper
from labelkit.errors import HostTooSmall

_GAP = re.compile(r"(?>\r\n|\r|\n)(?:[ \t\u3000]*+(?>\r\n|\r|\n))++")  # a plain + keeps 60 bytes a line
_LINE_END = re.compile(r"(?:\r\n|\r|\n)\Z")
_ITEM = re.compile(r"[ \t]*(?:[-*+][ \t]+|(?:[•·]|\d{1,3}[.)、])[ \t]*)\S")


@dataclass(slots=True)
class Paragraphs:
    """A text of paragraphs with blank lines between them.

    start       the character at which the content starts
    boundaries  characters before which a paragraph may be put, ascending, `start` and the end left out
    hidden_end  whether what is put at the end would not be shown
    markdown    whether signs of Markdown in a label are escaped
    described   what pictures in it are said to show
    """

    encoded: EncodedText
    start: int = 0
    boundaries: list[int] = field(default_factory=list)
    hidden_end: bool = False
    markdown: bool = False
    described: tuple[str, ...] = ()

    def labelled(self, words: Sequence[Words]) -> bytes:
        """See `TextSource`; raises HostTooSmall for a text without a middle, or whose end hides what is put there."""
        return self.encoded.changed(self.change(one) for one in words)

    def change(self, words: Words) -> tuple[int, int, str]:
        text, newline = self.encoded.text, self.encoded.newline
        label = shown(words, markdown=self.markdown)
        if words.place == "start":
            before = _breaks_before(text[:self.start]) if self.start else 0
            return self.start, self.start, newline * before + label + (
                newline * 2 if text[self.start:].strip() else newline if _LINE_END.search(text) else "")
        if words.place == "middle":
            if not self.boundaries:
                raise HostTooSmall("a text of one paragraph has no middle for a label",
                                   hint="put the label at the start or the end")
            at = min(self.boundaries, key=lambda one: abs(2 * one - self.start - len(text)))
            return at, at, label + newline * 2
        if self.hidden_end:
            raise HostTooSmall("the text ends in a code block or comment, which would hide a label",
                               hint="put the label at the start")
        before = _breaks_before(text) if text.strip() else 0
        return len(text), len(text), newline * before + label + (newline if _LINE_END.search(text) else "")


def shown(words: Words, *, markdown: bool) -> str:
    """The words as they stand in a text: the corner mark in brackets, signs of Markdown escaped."""
    if words.mark:
        return "[AI]"
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", words.text) if markdown else words.text


def _breaks_before(text: str) -> int:
    """How many line ends are missing before a new paragraph behind `text`."""
    tail = text[len(text.rstrip(" \t\r\n")):]
    return max(0, 2 - len(re.findall(r"\r\n|\r|\n", tail)))


def read(data: bytes, name: str) -> tuple[Sequence[Block], Paragraphs]:
    """The paragraphs of a plain text; a manifest in it would not hold when words are put in, and is left out."""
    encoded = EncodedText.of(textblock.without(textwrapper.without(data)), name)
    text = encoded.text
    found = bounded(blocks(text))
    first = len(text) - len(text.lstrip())
    boundaries = [gap.end() for gap in _GAP.finditer(text) if first < gap.end() < len(text)]
    return found, Paragraphs(encoded, 0, boundaries)


def blocks(text: str) -> Iterator[Block]:
    """The paragraphs of a text."""
    start = 0
    for stop, then in itertools.chain(((gap.start(), gap.end()) for gap in _GAP.finditer(text)), [(len(text), 0)]):
        paragraph = text[start:stop]
        start = then
        if paragraph.strip():
            yield Block(paragraph.strip(), "item" if _ITEM.match(paragraph) and "\n" not in paragraph else "text")
