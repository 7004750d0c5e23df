# SPDX-License-Identifier: Apache-2.0
"""SVG: a picture that is its own packet; the label is XMP in its metadata element (SVG 1.1, 21; C2PA 2.1, A.3.7)."""

from __future__ import annotations

import re

from labelkit.container.base import C2PA, XMP, Changes, Format, Layout, Patch, Reader, Slot
from labelkit.container.markup import PROLOG

FORMATS = (Format("svg", "image/svg+xml", "image", XMP),)

_PROBE = 8192  # bytes in which the root element must start
_START = re.compile(PROLOG + rb"(?:<!DOCTYPE\s+svg[^>\[]*+(?:\[[^\]]*+\])?\s*+>)?+" + PROLOG
                    + rb"<(?:[\w.-]++:)?svg[\s/>]", re.DOTALL)
_MANIFEST = re.compile(rb"<c2pa:manifest[\s>]")


def sniff(reader: Reader, head: bytes) -> Format | None:
    """SVG, where its root element is the first thing behind declarations and comments."""
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] != b"<":
        return None
    return FORMATS[0] if _START.match(reader.head(_PROBE)) else None


def scan(reader: Reader, found: Format) -> Layout[None, None]:
    """The picture as one XMP slot, and its C2PA element; raises LimitExceeded for one above the bound of a slot."""
    layout = Layout(found, [Slot(XMP, "svg", 0, reader.size, lambda: reader.at(0, reader.size, "SVG"), None)], None)
    manifest = _MANIFEST.search(reader.at(0, reader.size, "SVG"))
    if manifest:
        layout.slots.append(Slot(C2PA, "c2pa:manifest", manifest.start(), reader.size - manifest.start(),
                                 lambda: reader.at(manifest.start(), reader.size - manifest.start(), "SVG"),
                                 None))
    return layout


def patches(reader: Reader, layout: Layout[None, None], changes: Changes[None], fresh: bytes | None) -> list[Patch]:
    """The patch for the changed picture."""
    return [(0, reader.size, body) for body in changes.values() if body is not None]
