# SPDX-License-Identifier: Apache-2.0
"""A font with the characters of a label as objects of a PDF: embedded, and with the text that its codes stand for.

ISO 32000-2, 9.7 (composite fonts), 9.9 (font programs), 9.10.3 (ToUnicode). fontTools cuts the font.
"""

from __future__ import annotations

import hashlib
import io
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labelkit.codec.samples import Typeface
from labelkit.errors import MalformedFile, UnsupportedFormat

if TYPE_CHECKING:
    from fontTools.ttLib import TTFont

_RESTRICTED = 0x0002  # OS/2 fsType: may not be embedded (OpenType 1.9)
_TABLES = {"glyf", "loca", "head", "hhea", "hmtx", "maxp", "cvt ", "fpgm", "prep"}  # of a TrueType font program


@dataclass(frozen=True, slots=True)
class Lettering:
    """A text in a font.

    codes    the text, two bytes a character
    width, ascent, descent   in ems; the descent is below 0
    program, kind   the font program, and "CFF" or "glyf"
    entries  of each character: its code, its width in thousandths of an em
    """

    codes: bytes
    width: float
    ascent: float
    descent: float
    program: bytes
    kind: str
    entries: dict[str, tuple[int, int]]

    def objects(self, first: int) -> dict[int, bytes]:
        """The objects of the font by number, from `first` on, which is the font itself."""
        digest = hashlib.sha256(self.program).hexdigest()[:6]
        name = digest.translate(str.maketrans("0123456789abcdef", "ABCDEFGHIJKLMNOP")) + "+AIGCLabel"
        codes = dict(sorted(self.entries.values()))
        subtype, entry, more, descendant = (
            ("CIDFontType0", "FontFile3", "/Subtype /CIDFontType0C ", "") if self.kind == "CFF" else
            ("CIDFontType2", "FontFile2", f"/Length1 {len(self.program)} ", " /CIDToGIDMap /Identity"))
        widths = " ".join(f"{code} [{width}]" for code, width in codes.items())
        high, low = round(1000 * self.ascent), round(1000 * self.descent)
        texts = "".join(f"<{code:04X}> <{character.encode('utf-16-be').hex().upper()}>\n"
                        for character, (code, _) in self.entries.items())
        to_unicode = _CMAP % (len(self.entries), texts.encode())
        return {
            first: (f"<< /Type /Font /Subtype /Type0 /BaseFont /{name} /Encoding /Identity-H /DescendantFonts "
                    f"[{first + 1} 0 R] /ToUnicode {first + 4} 0 R >>").encode(),
            first + 1: (f"<< /Type /Font /Subtype /{subtype} /BaseFont /{name} /CIDSystemInfo << /Registry (Adobe) "
                        f"/Ordering (Identity) /Supplement 0 >> /FontDescriptor {first + 2} 0 R /DW 1000 "
                        f"/W [{widths}]{descendant} >>").encode(),
            first + 2: (f"<< /Type /FontDescriptor /FontName /{name} /Flags 4 /FontBBox [0 {low} 1000 {high}] "
                        f"/ItalicAngle 0 /Ascent {high} /Descent {low} /CapHeight {high} /StemV 80 "
                        f"/{entry} {first + 3} 0 R >>").encode(),
            first + 3: stream(self.program, more.encode()), first + 4: stream(to_unicode)}


_CMAP = b"""/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def
/CMapName /Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<0000> <FFFF>
endcodespacerange
%d beginbfchar
%bendbfchar
endcmap
CMapName currentdict /CMap defineresource pop
end
end
"""


def stream(data: bytes, entries: bytes = b"") -> bytes:
    """The body of a stream object, packed."""
    packed = zlib.compress(data, 9)
    return b"<< %b/Filter /FlateDecode /Length %d >>\nstream\n%b\nendstream" % (entries, len(packed), packed)


def lettering(text: str, font: Typeface) -> Lettering:
    """A text as a PDF draws it; every character must be in the font.

    Raises UnsupportedFormat for a font that may not or cannot be embedded, MalformedFile for a broken one.
    """
    try:
        return _lettering(text, font)
    except UnsupportedFormat:
        raise
    except Exception as error:  # fontTools raises whatever it meets
        raise _unusable(font, error) from error


def program_of(text: str, font: Typeface) -> tuple[bytes, float]:
    """A whole font file with the characters of a text alone, and how wide the text is in ems; raises as `lettering`."""
    try:
        cut = _cut(text, font)
        names, em = cut.getBestCmap(), cut["head"].unitsPerEm
        out = io.BytesIO()
        cut.save(out)
        return out.getvalue(), sum(cut["hmtx"][names[ord(one)]][0] for one in text) / em
    except UnsupportedFormat:
        raise
    except Exception as error:
        raise _unusable(font, error) from error


def _unusable(font: Typeface, error: Exception) -> MalformedFile:
    return MalformedFile("{font} is not a usable TrueType or OpenType font: {reason}", font=font.name,
                         reason=str(error) or type(error).__name__)


def _cut(text: str, typeface: Typeface) -> TTFont:
    """The font with the characters of a text alone."""
    from fontTools import subset
    from fontTools.ttLib import TTFont

    font = TTFont(io.BytesIO(typeface.data), fontNumber=typeface.face, recalcTimestamp=False)
    if "OS/2" in font and font["OS/2"].fsType & _RESTRICTED:
        raise UnsupportedFormat("{font} does not allow to be embedded in documents", font=typeface.name)
    if "CFF " not in font and "glyf" not in font or "fvar" in font:
        raise UnsupportedFormat("{font} has no outlines that a PDF can hold", font=typeface.name)
    cutter = subset.Subsetter(subset.Options(hinting=False, desubroutinize=True, layout_features=[],
                                             notdef_outline=True))
    cutter.populate(text=text)
    cutter.subset(font)
    return font


def _lettering(text: str, typeface: Typeface) -> Lettering:
    font = _cut(text, typeface)
    kind = "CFF" if "CFF " in font else "glyf"
    em, names = font["head"].unitsPerEm, font.getBestCmap()
    is_keyed = kind == "CFF" and hasattr(font["CFF "].cff.topDictIndex[0], "ROS")
    entries = {one: (int(names[ord(one)][3:]) if is_keyed else font.getGlyphID(names[ord(one)]),
                     round(1000 * font["hmtx"][names[ord(one)]][0] / em)) for one in dict.fromkeys(text)}
    high, low = font["hhea"].ascent / em, font["hhea"].descent / em
    return Lettering(b"".join(entries[one][0].to_bytes(2, "big") for one in text),
                     sum(entries[one][1] for one in text) / 1000, high, low, _program(font, kind), kind, entries)


def _program(font: TTFont, kind: str) -> bytes:
    if kind == "CFF":
        program: bytes = font["CFF "].compile(font)
        return program
    for table in set(font.keys()) - _TABLES - {"GlyphOrder"}:
        del font[table]
    out = io.BytesIO()
    font.save(out)
    return out.getvalue()
