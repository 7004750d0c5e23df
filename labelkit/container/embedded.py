# SPDX-License-Identifier: Apache-2.0
"""Whether a document holds pictures, sound or films of its own, told by the names that its format gives to them.

A document has no samples; what it holds may have, and is not taken out of it to be looked at.
"""

from __future__ import annotations

import re

from labelkit.container.base import Reader

_STEP, _OVERLAP = 1 << 20, 64  # bytes
_URL = rb"data:(?:image|audio|video)/"
_OFFICE = rb"/(?:media|embeddings)/"  # folders of the archive (ECMA-376-1, annex A); names are not compressed
_OPEN = rb"Pictures/|Media/"  # folders of the archive (ODF 1.3 part 2, and what LibreOffice writes)
_BOOK = rb"\.(?:jpe?g|png|gif|webp|svg|mp[34]|m4a|ogg|opus)"  # names of members; a book may put them anywhere
_INSIDE = {
    "pdf": rb"/Subtype\s*/Image\b|/EmbeddedFile\b|/RichMedia\b",  # no stream lies in a packed object (ISO 32000, 7.5.7)
    **dict.fromkeys(("glb", "gltf"), rb'"mimeType"\s*:\s*"image/|data:image/'),  # textures
    "docx": _OFFICE, "xlsx": _OFFICE, "pptx": _OFFICE, "html": _URL, "markdown": _URL,
    "svg": _URL, "odt": _OPEN, "ods": _OPEN, "odp": _OPEN, "epub": _BOOK,
    "ofd": _BOOK, "usdz": _BOOK, "xmind": rb"resources/",
    "eml": rb"\ncontent-type:\s*(?:image|audio|video)/", "rtf": rb"\\(?:pict|objdata)\b",
}


def holds_media(reader: Reader, format: str) -> bool:
    """Whether there are media inside a document of a format, by its short name; those that it links to are not."""
    pattern = re.compile(_INSIDE[format], re.IGNORECASE) if format in _INSIDE else None
    return pattern is not None and any(
        pattern.search(reader.at(start, min(_STEP + _OVERLAP, reader.size - start)))
        for start in range(0, reader.size, _STEP))
