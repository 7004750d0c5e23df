# SPDX-License-Identifier: Apache-2.0
"""HTML: the label is <meta name="AIGC"> in the head. The guides name no place for it; this one is common practice."""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Iterator

from labelkit.container.base import TEXT, Changes, Format, Layout, Patch, Reader, Slot, unit_patches
from labelkit.container.markup import PROLOG

FORMATS = (Format("html", "text/html", "document", TEXT),)

_PROBE, _LOOKED_AT = 4096, 1 << 20  # bytes that tell HTML, and bytes in which the head must end
_START = re.compile(PROLOG + rb"<(?:!doctype\s+html|html|head)[\s>]", re.IGNORECASE | re.DOTALL)
# The tags by which browsers tell HTML (WHATWG MIME Sniffing, 7.1), and two more that begin a head without its tag
_FRAGMENT = re.compile(PROLOG + rb"<(?:script|iframe|h1|div|font|table|a|style|title|b|body|br|p|meta|link)[\s>]",
                       re.IGNORECASE | re.DOTALL)
_NAMES = (".html", ".htm")
_TAG = re.compile(rb"""<([a-z][^\s/>]*+)((?:[^>"']|"[^"]*+"|'[^']*+')*+)>""", re.IGNORECASE)
_ATTRIBUTE = re.compile(rb"""([^\s=/"'>]++)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s"'>]++))?""")
_CLOSING = {name: re.compile(b"</" + name, re.IGNORECASE)  # elements that hold text, in which nothing is a tag
            for name in (b"script", b"style", b"title", b"noscript", b"template", b"textarea")}
_KEYS = {"generator": "Software", "description": "Description"}


def sniff(reader: Reader, head: bytes) -> Format | None:
    """HTML, where a document type, html or head comes first behind comments, or another tag of HTML in a file that is
    named so: the tags of the head may be left out, and Markdown begins with such tags too."""
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] != b"<":
        return None
    probe = reader.head(_PROBE)
    bare = reader.name.lower().endswith(_NAMES) and _FRAGMENT.match(probe)
    return FORMATS[0] if bare or _START.match(probe) else None


def scan(reader: Reader, found: Format) -> Layout[None, None]:
    """The named meta elements of the head; a new one goes behind the charset, else behind what opens the document."""
    page = reader.head(_LOOKED_AT)
    layout: Layout[None, None] = Layout(found, [], None, 3 if page.startswith(b"\xef\xbb\xbf") else 0)
    for name, start, stop, attributes in _tags(page):
        if name in (b"!doctype", b"html", b"head") or (name == b"meta" and b"charset" in attributes):
            layout.insert_at = stop
        if name == b"meta" and b"name" in attributes and b"content" in attributes:
            key = _text(attributes[b"name"]).decode("utf-8", "replace")
            content = functools.partial(_text, attributes[b"content"])
            layout.slots.append(Slot(TEXT, "meta", start, stop - start, content, None, _KEYS.get(key.lower(), key)))
    return layout


def _tags(page: bytes) -> Iterator[tuple[bytes, int, int, dict[bytes, bytes]]]:
    """(name, start, stop, attributes) of each start tag up to the body; stops at what is no tag."""
    at = 0
    while (at := page.find(b"<", at)) >= 0:
        if page.startswith(b"<!--", at):
            at = page.find(b"-->", at) + 3
            if at < 3:
                return
        elif page[at + 1:at + 2] in (b"!", b"?", b"/"):
            stop = page.find(b">", at) + 1
            if not stop or page[at:at + 7].lower() == b"</head>":
                return
            if page[at:at + 9].lower() == b"<!doctype":
                yield b"!doctype", at, stop, {}
            at = stop
        else:
            tag = _TAG.match(page, at)
            if tag is None or tag.group(1).lower() in (b"body", b"frameset"):
                return
            name = tag.group(1).lower()
            yield name, at, tag.end(), {one.group(1).lower(): one.group(2) or b""
                                        for one in _ATTRIBUTE.finditer(tag.group(2))}
            at = tag.end()
            if name in _CLOSING:
                closing = _CLOSING[name].search(page, at)
                if closing is None:
                    return
                at = closing.start()


def _text(value: bytes) -> bytes:
    """The value of an attribute without its quotes and character references."""
    if value[:1] in (b'"', b"'"):
        value = value[1:-1]
    return html.unescape(value.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def patches(reader: Reader, layout: Layout[None, None], changes: Changes[None], fresh: bytes | None) -> list[Patch]:
    """The patches for new meta elements."""
    return unit_patches(layout, changes, fresh, lambda _, body: b"<meta name=\"AIGC\" content='" + body.replace(
        b"&", b"&amp;").replace(b"'", b"&#39;").replace(b"<", b"&lt;") + b"'/>")
