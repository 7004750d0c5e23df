# SPDX-License-Identifier: Apache-2.0
"""EPUB: the label is a paragraph of the first or last chapter, or of one between (EPUB 3.3, 5.7)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from labelkit.codec.samples import Block, Words
from labelkit.codec.text import html
from labelkit.container import archive, join, markup, opendocument
from labelkit.container.base import Reader, splice
from labelkit.errors import MalformedFile

_MAX_CHAPTERS = 5000


@dataclass(slots=True)
class _Book:
    """An archive and its chapters that have text, in reading order: their names and pages."""

    reader: Reader
    archive: archive.Archive
    chapters: list[tuple[str, html.Page]]

    def labelled(self, words: Sequence[Words]) -> bytes:
        """See `TextSource`; raises UnsupportedFormat for a signed book."""
        opendocument.refuse_signed(self.reader, self.archive)
        added: dict[int, list[Words]] = {}
        for one in words:
            at = {"start": 0, "end": len(self.chapters) - 1}.get(one.place, len(self.chapters) // 2)
            # between two chapters is a place in the middle
            place = "start" if one.place == "middle" and at else one.place
            added.setdefault(at, []).append(Words(one.text, place, one.mark))
        if not added:
            return self.reader.whole()
        new = {self.chapters[at][0]: self.chapters[at][1].labelled(ones) for at, ones in added.items()}
        return join(self.reader, splice(self.reader.size, archive.replaced(self.reader, self.archive, new)))


def read(data: bytes, name: str) -> tuple[Sequence[Block], _Book]:
    """The text of a book, chapter by chapter; raises MalformedFile and its children."""
    reader = Reader.of(data, name)
    members = archive.read(reader)
    blocks: list[Block] = []
    chapters = []
    for chapter in _spine(reader, members):
        found, page = html.read(archive.unpacked(reader, members, chapter), chapter)
        blocks += found
        if found:
            chapters.append((chapter, page))
    if not chapters:
        raise MalformedFile("{where}: there is no text in it", where=name)
    return blocks, _Book(reader, members, chapters)


def _spine(reader: Reader, members: archive.Archive) -> Iterator[str]:
    """The members that hold the chapters, in reading order."""
    package = opendocument.package_document(reader, members)
    if package not in members.members:
        raise MalformedFile("{where}: there is no {part} in it", where=reader.name, part=package or "package document")
    elements = markup.parse(archive.unpacked(reader, members, package), package)
    manifest = {one.attributes.get("id"): one.attributes.get("href", "") for one in elements if one.local == "item"}
    seen = set[str]()
    for one in elements:
        href = manifest.get(one.attributes.get("idref"), "") if one.local == "itemref" else ""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(package), unquote(href)))
        if href and path in members.members and path not in seen:
            seen.add(path)
            if len(seen) > _MAX_CHAPTERS:
                raise reader.too_many("chapter", _MAX_CHAPTERS)
            yield path
