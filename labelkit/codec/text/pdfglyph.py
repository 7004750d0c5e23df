# SPDX-License-Identifier: Apache-2.0
"""Words that must be shaped as one glyph of a Type 3 font of a PDF (ISO 32000-2, 9.6.4), which stands for all of them.

Its outlines are those that Raqm shapes; by its ToUnicode it is read, searched and copied as the words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from labelkit.codec.samples import Typeface
from labelkit.codec.text.outlines import EM, is_right_to_left, outlines
from labelkit.codec.text.pdffont import lettering, stream

_CMAP = b"""/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CMapName /AIGC-Label def
/CMapType 2 def
1 begincodespacerange
<00> <FF>
endcodespacerange
1 beginbfchar
<01> <%b>
endbfchar
endcmap
CMapName currentdict /CMap defineresource pop
end
end
"""


@dataclass(frozen=True, slots=True)
class Glyph:
    """Words as one glyph, as `pdffont.Lettering` has them; width, ascent and descent are in ems."""

    text: str
    path: bytes
    width: float
    ascent: float
    descent: float
    codes: bytes = b"\1"

    def objects(self, first: int) -> dict[int, bytes]:
        """The objects of the font by number, from `first` on, which is the font itself."""
        wide, high, low = round(self.width * EM), round(self.ascent * EM), round(self.descent * EM)
        unicode = _as_seen(self.text).encode("utf-16-be").hex().upper().encode()
        return {
            first: (f"<< /Type /Font /Subtype /Type3 /Name /AIGCLabel /FontBBox [0 {low} {wide} {high}] /FontMatrix "
                    f"[{1 / EM} 0 0 {1 / EM} 0 0] /CharProcs << /label {first + 1} 0 R >> /Encoding << /Type /Encoding "
                    f"/Differences [1 /label] >> /FirstChar 1 /LastChar 1 /Widths [{wide}] /Resources << >> "
                    f"/ToUnicode {first + 2} 0 R >>").encode(),
            first + 1: stream(b"%d 0 0 %d %d %d d1\n%b\nf*" % (wide, low, wide, high, self.path)),
            first + 2: stream(_CMAP % unicode)}


def _as_seen(text: str) -> str:
    """The characters from left to right, in which readers of PDF expect those of a script from right to left."""
    if not is_right_to_left(text):
        return text
    return re.sub(r"[^\W\d_]+", lambda run: run[0] if is_right_to_left(run[0]) else run[0][::-1], text[::-1])


def glyph(text: str, font: Typeface) -> Glyph:
    """Words as one glyph; raises what `lettering` raises."""
    letters, drawn = lettering(text, font), outlines(text, font)

    def turned(point: re.Match[str]) -> str:
        return f"{point[1]} {-int(point[2])} l"  # y grows upwards in a font

    path = re.sub(r"M(\S+ \S+) l", r"\n\1 m", re.sub(r"(?<=[ML ])(-?\d+) (-?\d+)", turned, drawn.path))
    return Glyph(text, path.replace("L", " ").replace("Z", " h").encode(), drawn.width / EM, letters.ascent,
                 letters.descent)
