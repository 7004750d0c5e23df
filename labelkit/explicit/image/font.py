# SPDX-License-Identifier: Apache-2.0
"""Opens font files and reads from their `cmap` table which characters they have (OpenType 1.9, formats 4 and 12).

Latin, Greek, Cyrillic, Chinese, Japanese and Korean are set glyph by glyph. Arabic, Hebrew, Devanagari, Thai and the
like are shaped by Raqm with HarfBuzz, which Pillow's wheels contain, and FriBiDi, which is the system's.
"""

from __future__ import annotations

import functools
import io
import struct
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labelkit.errors import InvalidArgument, LimitExceeded, MalformedFile, MissingGlyph, UnsupportedFormat

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

_FONTS = Path(__file__).parents[1] / "fonts"
BUNDLED = _FONTS / "LabelKitCJK-Regular.otf"
_KOREAN, _JAPANESE, _WORLD = (_FONTS / f"LabelKit{name}" for name in ("KR-Regular.otf", "JP-Regular.otf",
                                                                     "World-Regular.ttf"))
MAX_FONT_BYTES = 64 << 20  # the largest CJK collections are about 20 MB a weight
_SC_SUFFIX = "SC"  # a CJK collection holds the forms of several regions; labels are written for mainland China


def is_right_to_left(text: str) -> bool:
    """Whether a text is read from right to left: whether it has a letter that is."""
    return any(unicodedata.bidirectional(character) in ("R", "AL") for character in text)


def is_shaped(text: str) -> bool:
    """Whether the glyphs of a text depend on their neighbours: right-to-left, with combining marks, or Indic."""
    return is_right_to_left(text) or any(
        unicodedata.category(character) in ("Mn", "Mc") or 0x0900 <= ord(character) < 0x1100 for character in text)


@functools.cache
def can_shape() -> bool:
    """Whether this Pillow has Raqm, and Raqm has found FriBiDi."""
    from PIL import features

    return bool(features.check("raqm"))


def bundled(text: str) -> Path:
    """The bundled font for a text: the Chinese one, unless the text has letters of other scripts."""
    if any(0x1100 <= ord(one) < 0x1200 or 0xAC00 <= ord(one) < 0xD7B0 for one in text):
        return _KOREAN
    if any(0x3041 <= ord(one) < 0x3100 for one in text):
        return _JAPANESE
    other = any(0xC0 <= ord(one) < 0x2000 and ord(one) not in (0xD7, 0xF7) for one in text)
    return _WORLD if other else BUNDLED


@dataclass(frozen=True, slots=True)
class Font:
    """A font file in memory and the face of it that is used."""

    name: str
    data: bytes
    face: int

    @classmethod
    def open(cls, path: str | Path | None, text: str = "") -> Font:
        """The font at `path` (TTF, OTF, TTC), or the bundled one for `text`; raises LabelkitError for what is none."""
        try:
            path = Path(path) if path is not None else bundled(text)
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

    def at(self, em_px: float, *, shaped: bool = False) -> FreeTypeFont:
        """A fresh Pillow font of `em_px` pixels per em: FreeType faces must not be shared between threads.

        shaped  for a text that `is_shaped`
        """
        from PIL import ImageFont

        engine = ImageFont.Layout.RAQM if shaped else ImageFont.Layout.BASIC
        try:
            return ImageFont.truetype(io.BytesIO(self.data), em_px, index=self.face, layout_engine=engine)
        except (OSError, ValueError, OverflowError) as reason:
            raise MalformedFile("{font} is not a usable TrueType or OpenType font: {reason}",
                                font=self.name, reason=str(reason)) from reason

    def check(self, text: str) -> None:
        """Raises MissingGlyph naming the characters of `text` for which the font has no glyph, UnsupportedFormat for a
        text that must be shaped where that cannot be done."""
        if is_shaped(text) and not can_shape():
            raise UnsupportedFormat("{text} must be shaped, for which this Pillow lacks Raqm or FriBiDi", text=text,
                                    hint="install a Pillow with Raqm, as its wheels are, and the library FriBiDi "
                                         "(Debian: libfribidi0)")
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
