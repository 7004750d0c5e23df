# SPDX-License-Identifier: Apache-2.0
"""Opens font files and reads from their `cmap` table which characters they have (OpenType 1.9, formats 4 and 12)."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labelkit.errors import InvalidArgument, LimitExceeded, MalformedFile, MissingGlyph

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

BUNDLED = Path(__file__).parents[1] / "fonts" / "LabelKitCJK-Regular.otf"
MAX_FONT_BYTES = 64 << 20  # the largest CJK collections are about 20 MB a weight
_SC_SUFFIX = "SC"  # a CJK collection holds the forms of several regions; labels are written for mainland China


@dataclass(frozen=True, slots=True)
class Font:
    """A font file in memory and the face of it that is used."""

    name: str
    data: bytes
    face: int

    @classmethod
    def open(cls, path: str | Path | None) -> Font:
        """The font at `path` (TTF, OTF, TTC), or the bundled one; raises LabelkitError for what is no font."""
        try:
            path = Path(path) if path is not None else BUNDLED
            size = path.stat().st_size
            if size > MAX_FONT_BYTES:
                raise LimitExceeded("{font}: a font of at most {most} bytes wanted, got {got}",
                                    font=path.name, most=MAX_FONT_BYTES, got=size)
            data = path.read_bytes()
        except (OSError, TypeError, ValueError) as reason:
            raise InvalidArgument("the font {font} cannot be read: {reason}", font=str(path),
                                  reason=getattr(reason, "strerror", None) or str(reason)) from reason
        font = cls(path.name, data, 0)
        return cls(path.name, data, font._simplified_face())

    def _simplified_face(self) -> int:
        if self.data[:4] != b"ttcf":
            return 0
        count = min(int.from_bytes(self.data[8:12], "big"), 64)
        for face in range(count):
            if (Font(self.name, self.data, face).at(16).getname()[0] or "").endswith(_SC_SUFFIX):
                return face
        return 0

    def at(self, em_px: float) -> FreeTypeFont:
        """A fresh Pillow font of `em_px` pixels per em: FreeType faces must not be shared between threads."""
        from PIL import ImageFont

        try:
            return ImageFont.truetype(io.BytesIO(self.data), em_px, index=self.face,
                                      layout_engine=ImageFont.Layout.BASIC)
        except (OSError, ValueError, OverflowError) as reason:
            raise MalformedFile("{font} is not a usable TrueType or OpenType font: {reason}",
                                font=self.name, reason=str(reason)) from reason

    def check(self, text: str) -> None:
        """Raises MissingGlyph naming the characters of `text` for which the font has no glyph."""
        try:
            missing = [c for c in dict.fromkeys(text) if not _has(self.data, self.face, ord(c))]
        except (struct.error, ValueError, IndexError) as reason:
            raise MalformedFile("{font} is not a usable TrueType or OpenType font: {reason}",
                                font=self.name, reason="its cmap table is damaged") from reason
        if missing:
            raise MissingGlyph("{font} has no glyph for {characters}", font=self.name,
                               characters=" ".join(f"{c} (U+{ord(c):04X})" if c.isprintable() else f"U+{ord(c):04X}"
                                                   for c in missing),
                               hint="give a font that has them, for example NotoSansCJK-Regular.ttc")


def _has(data: bytes, face: int, codepoint: int) -> bool:
    return any(_glyph(data, at, codepoint) for at in _cmap_subtables(data, face))


def _cmap_subtables(data: bytes, face: int) -> list[int]:
    start = struct.unpack_from(">I", data, 12 + 4 * face)[0] if data[:4] == b"ttcf" else 0
    count = struct.unpack_from(">H", data, start + 4)[0]
    for i in range(count):
        tag, _, table, _ = struct.unpack_from(">4sIII", data, start + 12 + 16 * i)
        if tag == b"cmap":
            records = struct.unpack_from(">H", data, table + 2)[0]
            rows = (struct.unpack_from(">HHI", data, table + 4 + 8 * i) for i in range(records))
            return [table + offset for platform, encoding, offset in rows  # Unicode ones only
                    if platform == 0 or (platform == 3 and encoding in (1, 10))]
    raise ValueError("no cmap")


def _glyph(data: bytes, at: int, codepoint: int) -> int:
    table_format = struct.unpack_from(">H", data, at)[0]
    if table_format == 12:
        count = struct.unpack_from(">I", data, at + 12)[0]
        first, last, glyph = np.frombuffer(data, ">u4", 3 * count, at + 16).reshape(-1, 3).T
        hit = np.flatnonzero((first <= codepoint) & (codepoint <= last))
        return int(glyph[hit[0]]) + codepoint - int(first[hit[0]]) if hit.size else 0
    if table_format == 4 and codepoint <= 0xFFFF:
        count = struct.unpack_from(">H", data, at + 6)[0] // 2
        last, first, delta, offset = (np.frombuffer(data, ">u2", count, at + start) for start in
                                      (14, 16 + 2 * count, 16 + 4 * count, 16 + 6 * count))
        i = int(np.searchsorted(last, codepoint))
        if i == count or first[i] > codepoint:
            return 0
        if offset[i] == 0:
            return (codepoint + int(delta[i])) & 0xFFFF
        place = at + 16 + 6 * count + 2 * i + int(offset[i]) + 2 * (codepoint - int(first[i]))
        glyph = struct.unpack_from(">H", data, place)[0]
        return (glyph + int(delta[i])) & 0xFFFF if glyph else 0
    return 0
