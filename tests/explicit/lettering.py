# SPDX-License-Identifier: Apache-2.0
"""Labels in fonts that are not ours: the bundled one, slanted and stretched until our own search does not know it any
more, and the Latin one that comes with Pillow."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from labelkit.explicit.image.font import BUNDLED
from tests.media import photo

SIZE = 512


def word(text: str, ink_px: int, *, latin: bool = False) -> Image.Image:
    """The ink of a text, `ink_px` high, in a font that is not ours."""
    font = ImageFont.load_default(200) if latin else ImageFont.truetype(str(BUNDLED), 200)
    left, top, right, bottom = font.getbbox(text)
    sheet = Image.new("L", (right - left + 160, bottom - top + 60))
    ImageDraw.Draw(sheet).text((100 - left, 30 - top), text, fill=255, font=font, stroke_width=0 if latin else 6)
    if not latin:
        sheet = sheet.transform(sheet.size, Image.Transform.AFFINE, (1, 0.25, -30, 0, 1, 0), Image.Resampling.BICUBIC)
    ink = sheet.crop(sheet.point(lambda value: 255 * (value > 90)).getbbox())
    widened = 1.0 if latin else 1.25
    return ink.resize((round(ink.width * ink_px / ink.height * widened), ink_px), Image.Resampling.BOX)


def labelled(text: str, share: float = 0.07, place: str = "bottom-right", *, latin: bool = False, dark: bool = False,
             base: np.ndarray | None = None) -> np.ndarray:
    """A picture with a text on a plate, `share` of the short side high."""
    sheet = Image.fromarray(base if base is not None else photo(SIZE, SIZE))
    ink = word(text, round(share * min(sheet.size)), latin=latin)
    pad = 10
    free = [(whole - part - 2 * pad - 12) // 2 for whole, part in zip(sheet.size, ink.size, strict=True)]
    x = {"left": 12, "right": 2 * free[0]}.get(place.rpartition("-")[2], free[0] + 6)
    y = {"top": 12, "bottom": 2 * free[1]}.get(place.partition("-")[0], free[1] + 6)
    sheet.paste((235,) * 3 if dark else (25,) * 3, (x, y, x + ink.width + 2 * pad, y + ink.height + 2 * pad))
    sheet.paste((15,) * 3 if dark else (240,) * 3, (x + pad, y + pad), ink)
    return np.asarray(sheet)
