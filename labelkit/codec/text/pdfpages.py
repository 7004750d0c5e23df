# SPDX-License-Identifier: Apache-2.0
"""The pages of a PDF as objects, and the changes to them that an incremental update writes (ISO 32000-2, 7.7.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from labelkit.container import archive, pdf
from labelkit.container.base import Reader
from labelkit.container.pdfobjects import Found, Objects
from labelkit.container.pdfsyntax import BLANK, Dictionary, Name, Reference, Value, written
from labelkit.errors import LabelkitError, MalformedFile
from labelkit.messages import Message

_MAX_NODES, _MAX_DEPTH, _MAX_FIELDS, _MAX_PARTS = 100_000, 64, 5000, 1000
_MARKS = re.compile(rb"\(|%[^\r\n]*|(?<![^\0\t\n\f\r \[\]<>(){}])"
                    rb"(?:ID(?=[\0\t\n\f\r ])|[qQ](?![^\0\t\n\f\r \[\]<>(){}/%]))")
_PARENTHESES = re.compile(rb"\\.|[()]", re.DOTALL)
_IMAGE_ENDS = re.compile(rb"[\0\t\n\f\r ]EI(?![^\0\t\n\f\r /])")
_LETTER = (0.0, 0.0, 612.0, 792.0)  # where a page states no size


class Document:
    """A PDF in memory that gets an update.

    free  the next number of an object that is not used yet
    new   the bodies of new objects by number
    Raises MalformedFile for what cannot be read, UnsupportedFormat for an encrypted document.
    """

    def __init__(self, data: bytes, name: str) -> None:
        self.reader = Reader.of(data, name)
        self.objects = Objects(self.reader)
        pdf.refuse_encrypted(self.reader, self.objects)
        size = self.objects.trailer.integer(b"Size")
        if size is None or not 0 < size < 1 << 31:
            raise self.broken()
        self.size = self.free = size
        self.new: dict[int, bytes] = {}
        self._changed: dict[int, tuple[Found, dict[bytes, bytes]]] = {}
        root = self.objects.get(self.objects.trailer.get(b"Root"))
        if root is None:
            raise self.broken()
        self.root = root

    def broken(self) -> MalformedFile:
        """The error for an object that is not what it must be."""
        return self.reader.malformed("PDF", self.objects.start, Message("a cross-reference or object is broken"))

    def add(self, body: bytes) -> Reference:
        """A new object with this body."""
        self.new[self.free] = body
        self.free += 1
        return Reference(self.free - 1, 0)

    def change(self, found: Found, entries: Mapping[bytes, bytes]) -> None:
        """Give an object, which is a dictionary, these entries; the others stay as they are written."""
        if found.reference.generation:
            raise pdf.numbered_anew(self.reader)
        if found.data[found.dictionary.stop:].lstrip(BLANK).startswith(b"stream"):
            raise self.broken()
        self._changed.setdefault(found.reference.number, (found, {}))[1].update(entries)

    def updated(self) -> bytes:
        """The file with the new and the changed objects behind it."""
        for number, (found, entries) in self._changed.items():
            self.new[number] = joined(rows(found.data, found.dictionary, entries), entries)
        info = self.objects.trailer.get(b"Info")
        info = info if isinstance(info, Reference) else None
        return self.reader.whole() + pdf.update(self.reader, self.objects, self.new, info, self.size)

    def refuse_signed(self) -> None:
        """Raise UnsupportedFormat for a document with a signature: what is on its pages is what was signed."""
        form = self.objects.resolve(self.root.dictionary.get(b"AcroForm"))
        waiting: list[Value] = [*form.array(b"Fields")] if isinstance(form, Dictionary) else []
        is_signed = self.objects.resolve(self.root.dictionary.get(b"Perms")) is not None
        for _ in range(_MAX_FIELDS):
            if is_signed or not waiting:
                break
            one = self.objects.resolve(waiting.pop())
            if isinstance(one, Dictionary):
                is_signed = one.get(b"FT") == b"Sig" and one.get(b"V") is not None
                waiting += one.array(b"Kids")
        if is_signed:
            raise archive.signed(self.reader)

    def page(self, number: int) -> Page:
        """The page `number`, from 0; raises MalformedFile where the tree of pages does not lead to it."""
        chain = [self.objects.get(self.root.dictionary.get(b"Pages"))]
        for _ in range(_MAX_DEPTH):
            node = chain[-1]
            if node is None:
                break
            if node.dictionary.get(b"Type") == b"Page" or b"Kids" not in node.dictionary.values:
                if number:
                    break
                return Page(self, node, [one for one in chain[:-1] if one is not None])
            kids = self.objects.resolve(node.dictionary.get(b"Kids"))
            child, number = self._child(kids if isinstance(kids, list) else [], number)
            chain.append(child)
        raise self.broken()

    def _child(self, kids: list[Value], number: int) -> tuple[Found | None, int]:
        """The kid that holds the page `number` of them all, and which one of its pages that is."""
        for kid in kids[:_MAX_NODES]:
            found = self.objects.get(kid)
            if found is None:
                continue
            count = found.dictionary.integer(b"Count") if b"Kids" in found.dictionary.values else 1
            if number < (count or 0):
                return found, number
            number -= count or 0
        return None, number


@dataclass(slots=True)
class Page:
    """A page: its object, and those from which it inherits, the nearest last."""

    document: Document
    found: Found
    above: list[Found] = field(repr=False)

    def _inherited(self, name: bytes) -> tuple[Found, Value]:
        """The value of an entry of the page or of what it inherits from, and the object where it stands."""
        for one in (self.found, *reversed(self.above)):
            if (value := one.dictionary.get(name)) is not None:
                return one, value
        return self.found, None

    def _box(self, name: bytes) -> tuple[float, float, float, float] | None:
        value = self.document.objects.resolve(self._inherited(name)[1])
        sides = [self.document.objects.resolve(one) for one in value] if isinstance(value, list) else []
        numbers = [float(one) for one in sides if isinstance(one, int | float)]
        if len(numbers) != 4:
            return None
        (x0, x1), (y0, y1) = sorted(numbers[::2]), sorted(numbers[1::2])
        return x0, y0, x1, y1

    def matrix(self, width: float, height: float) -> tuple[float, float, float, float, float, float]:
        """From points of the page as shown, which is so wide and high, y down, to its user space (8.3.4).

        Raises MalformedFile where the page states another size.
        """
        x0, y0, x1, y1 = media = self._box(b"MediaBox") or _LETTER
        if crop := self._box(b"CropBox"):
            x0, y0, x1, y1 = (*map(max, media[:2], crop[:2]), *map(min, media[2:], crop[2:]))
        turned = self.document.objects.resolve(self._inherited(b"Rotate")[1])
        turn = turned % 360 if isinstance(turned, int) else 0
        sides = (y1 - y0, x1 - x0) if turn in (90, 270) else (x1 - x0, y1 - y0)
        if turn % 90 or abs(sides[0] - width) > 1 or abs(sides[1] - height) > 1:
            raise self.document.broken()
        return {0: (1, 0, 0, -1, x0, y1), 90: (0, 1, 1, 0, x0, y0), 180: (-1, 0, 0, 1, x1, y0),
                270: (0, -1, -1, 0, x1, y1)}[turn]

    def _parts(self) -> list[Value]:
        contents = self.found.dictionary.get(b"Contents")
        held = self.document.objects.resolve(contents)
        return held if isinstance(held, list) else [contents] if held is not None else []

    def content(self) -> bytes:
        """What the page draws now; b"" where it is packed in a way that is not unpacked here, or is too long."""
        try:
            parts = [self.document.objects.get(one) for one in self._parts()[:_MAX_PARTS]]
            return b"\n".join(self.document.objects.stream_of(one) for one in parts if one)
        except LabelkitError:
            return b""

    def draw(self, before: bytes, after: bytes, name: bytes, font: Reference) -> None:
        """Put streams before and after those of the page, and a font among its resources under `name`."""
        document = self.document
        streams = [document.add(before), *self._parts(), document.add(after)]
        document.change(self.found, {b"Contents": written(streams), b"Resources": self._resources(name, font)})

    def _resources(self, name: bytes, font: Reference) -> bytes:
        data, resources = self._dictionary(*self._inherited(b"Resources"))
        fonts_data, fonts = self._dictionary(Found(resources, data, 0, 0, Reference(0, 0)), resources.get(b"Font"))
        fonts_row = joined(rows(fonts_data, fonts, {name: b""}), {name: written(font)})
        return joined(rows(data, resources, {b"Font": b""}), {b"Font": fonts_row})

    def _dictionary(self, holder: Found, value: Value) -> tuple[bytes, Dictionary]:
        """A dictionary that stands in an object or that it refers to, and the bytes it was read from."""
        if isinstance(value, Reference):
            found = self.document.objects.get(value)
            return (found.data, found.dictionary) if found else (b"", Dictionary())
        return holder.data, value if isinstance(value, Dictionary) else Dictionary()


def unclosed(content: bytes) -> int:
    """How many q of a page's content have no Q (8.4.2); strings, comments and inline pictures are passed over."""
    at = depth = 0
    while found := _MARKS.search(content, at):
        at, mark = found.end(), found[0][:1]
        if mark == b"(":
            level = 1
            while level and (inner := _PARENTHESES.search(content, at)):
                level += {b"(": 1, b")": -1}.get(inner[0], 0)
                at = inner.end()
        elif mark == b"I":
            end = _IMAGE_ENDS.search(content, at)
            at = end.end() if end else len(content)
        elif mark != b"%":
            depth = max(depth + (1 if mark == b"q" else -1), 0)
    return depth


def rows(data: bytes, dictionary: Dictionary, without: Mapping[bytes, bytes]) -> list[bytes]:
    """The entries of a dictionary as they are written, without some."""
    return [data[start:stop] for name, (start, stop) in dictionary.places.items() if name not in without]


def joined(kept: list[bytes], entries: Mapping[bytes, bytes]) -> bytes:
    """A dictionary of entries as they are written, and of new ones."""
    return b"<< " + b"\n".join([*kept, *(written(Name(name)) + b" " + body for name, body in entries.items())]) + b" >>"
