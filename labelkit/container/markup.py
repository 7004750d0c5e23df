# SPDX-License-Identifier: Apache-2.0
"""XML read for its places: where each element, its content and its attributes lie, and nothing expanded.

Declarations of entities are refused, elements and characters of names are counted, and nesting costs no stack.
"""

from __future__ import annotations

import gc
import html
import re
from collections.abc import Container
from dataclasses import dataclass
from xml.parsers import expat

from labelkit.errors import LimitExceeded, MalformedFile

_MAX_ELEMENTS = 200_000
_MAX_DEPTH = 1_000  # libxml2 stops at 256; an element's ancestors are asked for
_NAMES_A_BYTE, _LEAST_NAMES = 16, 1 << 20  # characters of names and attributes as they are handed out; real ones take 6
PROLOG = rb"(?:\xef\xbb\xbf)?(?:\s++|<\?[^>]*+>|<!--(?:(?!-->).)*+-->)*+"
"""What may stand before a document type or root element, as a pattern that never backtracks."""
_SLASH = b"/"[0]
_START_TAG = re.compile(rb"""<[^\s/>]+(?:\s+[^\s=>]+\s*=\s*(?:"[^"]*"|'[^']*'))*\s*/?>""")
_ATTRIBUTE = re.compile(rb"""\s+([^\s=>]+)\s*=\s*(?:"[^"]*"|'[^']*')""")


def escaped(text: str) -> str:
    """A text as the content of an element; `xml.sax.saxutils.escape` does the same, and loads HTTP and TLS."""
    return html.escape(text, quote=False)


@dataclass(slots=True, eq=False)
class Element:
    """One element: its place in the list, its name as "namespace\\nlocal", its attributes likewise, and where it lies.

    start, body, end_tag, stop   where its start tag, its content and its end tag start, and where it ends;
                                 body, end_tag and stop are one where it is an empty-element tag
    texts, ranks                 the characters between the tags in it, and the place of each among all of the document
    local                        the name without its namespace
    """

    index: int
    name: str
    attributes: dict[str, str]
    parent: Element | None
    start: int
    body: int
    local: str
    end_tag: int = 0
    stop: int = 0
    texts: list[str] | tuple[()] = ()  # lists where there are any: most elements have none
    ranks: list[int] | tuple[()] = ()

    @property
    def namespace(self) -> str:
        """The namespace, "" for none."""
        return self.name.rpartition("\n")[0]

    @property
    def empty(self) -> bool:
        """Whether it is an empty-element tag."""
        return self.body == self.stop

    def raw_name(self, data: bytes) -> bytes:
        """The name as it is written, prefix and all."""
        return re.split(rb"[\s/>]", data[self.start + 1:self.body], maxsplit=1)[0]

    def raw_attributes(self, data: bytes) -> list[tuple[bytes, int, int]]:
        """(name as written, start, stop) of each attribute, the space before it included."""
        return [(found.group(1), self.start + found.start(), self.start + found.end())
                for found in _ATTRIBUTE.finditer(data[self.start:self.body])]


def parse(data: bytes, what: str) -> list[Element]:
    """The elements of a UTF-8 document in their order; raises MalformedFile for what is no XML, LimitExceeded.

    what   what the document is called in messages
    """
    walk = _Walk(data, what)
    collects = gc.isenabled()
    gc.disable()  # nothing is garbage before the end, and to look for it takes a fifth of the time
    try:
        walk.parser.Parse(data.rstrip(b"\0"), True)
    except expat.ExpatError as error:
        raise MalformedFile("the {what} is not well-formed XML: {problem}", what=what, problem=str(error)) from error
    finally:
        if collects:
            gc.enable()
        del walk.parser  # it holds the walk: a circle would wait for the collector
    return walk.found


def text_of(elements: list[Element], element: Element, without: Container[int] = ()) -> str:
    """The characters in an element and in all that it holds, in their order; of elements `without` not their own."""
    texts: list[tuple[int, str]] = []
    for index in range(element.index, len(elements)):
        if elements[index].start >= element.stop:
            break
        if index not in without:
            texts += zip(elements[index].ranks, elements[index].texts, strict=True)
    return "".join(text for _, text in sorted(texts))


def append_to(data: bytes, element: Element, text: bytes) -> tuple[int, int, bytes]:
    """The change that puts `text` at the end of an element's content."""
    if not element.empty:
        return element.end_tag, element.end_tag, text
    slash = data.rindex(b"/", element.start, element.stop)
    return slash, element.stop, b">" + text + b"</" + element.raw_name(data) + b">"


def changed(data: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    """The document with each range start..stop replaced."""
    pieces, done = [], 0
    for start, stop, text in sorted(changes):
        pieces += [data[done:start], text]
        done = stop
    return b"".join([*pieces, data[done:]])


class _Walk:
    """One pass of expat, noting elements."""

    def __init__(self, data: bytes, what: str) -> None:
        self.data, self.what = data, what
        self.found: list[Element] = []
        self.open: list[Element] = []
        self.rank = 0
        self.room = _LEAST_NAMES + _NAMES_A_BYTE * len(data)
        self.parser = parser = expat.ParserCreate("UTF-8", "\n")
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self.start, self.end
        parser.CharacterDataHandler, parser.EntityDeclHandler = self.text, self.refuse

    def start(self, name: str, attributes: dict[str, str]) -> None:
        # a long namespace stands in every name, and a declared value in every element
        self.room -= len(name)
        for key in attributes:  # a generator takes twice as long
            self.room -= len(key) + len(attributes[key])
        if self.room < 0:
            raise LimitExceeded("the {what} has names of more than {limit} characters in all", what=self.what,
                                limit=_LEAST_NAMES + _NAMES_A_BYTE * len(self.data))
        start = self.parser.CurrentByteIndex
        tag = _START_TAG.match(self.data, start)
        if tag is None:
            raise MalformedFile("the {what} is not well-formed XML: {problem}", what=self.what, problem=f"byte {start}")
        body = tag.end()
        stop = body if self.data[body - 2] == _SLASH else 0
        local = name[name.rfind("\n") + 1:]  # once: it is asked for ten times
        found, around = self.found, self.open
        element = Element(len(found), name, attributes, around[-1] if around else None, start, body, local, stop, stop)
        around.append(element)
        found.append(element)
        if len(found) > _MAX_ELEMENTS:
            raise LimitExceeded("the {what} has more than {limit} elements", what=self.what, limit=_MAX_ELEMENTS)
        if len(around) > _MAX_DEPTH:
            raise LimitExceeded("the {what} has elements inside each other, more than {limit} deep", what=self.what,
                                limit=_MAX_DEPTH)

    def end(self, _name: str) -> None:
        element = self.open.pop()
        if not element.stop:
            element.end_tag = self.parser.CurrentByteIndex
            element.stop = self.data.index(b">", element.end_tag) + 1

    def text(self, text: str) -> None:
        element = self.open[-1]
        texts, ranks = element.texts, element.ranks
        if isinstance(texts, list) and isinstance(ranks, list):
            texts.append(text)
            ranks.append(self.rank)
        else:
            element.texts, element.ranks = [text], [self.rank]
        self.rank += 1

    def refuse(self, *_: object) -> None:
        raise MalformedFile("the {what} declares entities, which are not expanded", what=self.what)
