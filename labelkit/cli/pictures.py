# SPDX-License-Identifier: Apache-2.0
"""Two files of one picture made comparable for a page: as a browser shows them, and their difference amplified."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labelkit import codec, container
from labelkit.codec.samples import ImageSamples
from labelkit.errors import UnsupportedFormat

AMPLIFIED = 16
MAX_SHOWN_BYTES = 3 << 20  # larger files are shown as a smaller copy
_LONGEST_SIDE = 1600  # of such a copy, in pixels
_MAX_PIXELS = 1 << 26
_PREVIEW_SIDE = 480

_PNG = b"\x89PNG"
_BROWSER_TYPES = ((_PNG, "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


@dataclass(frozen=True, slots=True)
class Pictures:
    """(media type, bytes) of the pictures, and how far apart they are.

    difference   of the first frames, AMPLIFIED times around mid grey; None where the sizes differ
    psnr_db      peak signal-to-noise ratio of the same outside the explicit label, inf where nothing changed
    """

    width: int
    height: int
    before: tuple[str, bytes]
    after: tuple[str, bytes]
    difference: tuple[str, bytes] | None
    psnr_db: float
    amplified: int = AMPLIFIED

    @classmethod
    def of(cls, before: bytes, after: bytes, label_box: Sequence[int] | None) -> Pictures:
        """Of the bytes of two files; `label_box` is (x, y, width, height) of the explicit label's ink, if it is there.

        Raises what `codec.decode` raises, UnsupportedFormat for what is no picture.
        """
        first, second = (_seen(data) for data in (before, after))
        height, width = first.shape[:2]
        difference, psnr_db = None, math.nan
        if first.shape == second.shape:
            change = second.astype(np.int16) - first
            difference = encoded(np.clip(128 + AMPLIFIED * change, 0, 255).astype(np.uint8), 50)
            psnr_db = psnr(change, label_box)
        return cls(width, height, _shown(before, first), _shown(after, second), difference, psnr_db)


def preview(source: container.Source, label_box: Sequence[int] | None) -> tuple[str, bytes]:
    """A small picture of a file, a frame around its explicit label if `label_box` says where that is.

    Raises what `Pictures.of` raises.
    """
    from PIL import Image, ImageDraw

    picture = Image.fromarray(_seen(source))
    size = picture.size
    picture.thumbnail((_PREVIEW_SIDE, _PREVIEW_SIDE))
    if label_box:
        zoom = picture.width / size[0]
        x, y, width, height = (round(zoom * value) for value in label_box)
        ImageDraw.Draw(picture).rectangle((x - 4, y - 4, x + width + 4, y + height + 4), outline=(220, 38, 38), width=2)
    return encoded(np.asarray(picture), 85)


def data_uri(media_type: str, data: bytes) -> str:
    """RFC 2397."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def _seen(source: container.Source) -> np.ndarray:
    """The first frame as uint8 [height, width, 3], what is transparent on white."""
    samples = codec.decode(source, max_pixels=_MAX_PIXELS)
    if not isinstance(samples, ImageSamples):
        raise UnsupportedFormat("no picture to show")
    frame = samples.frames[0]
    if frame.dtype == np.uint16:
        frame = (frame >> 8).astype(np.uint8)
    if frame.ndim == 2:
        return np.repeat(frame[..., None], 3, axis=2)
    if frame.shape[2] == 3:
        return frame
    alpha = frame[..., 3:].astype(np.uint16)
    return ((frame[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def psnr(change: np.ndarray, label_box: Sequence[int] | None) -> float:
    """Peak signal-to-noise ratio in dB of a change [height, width, ...] outside the explicit label, inf for none."""
    counted = np.ones(change.shape[:2], bool)
    if label_box:
        x, y, width, height = label_box
        counted[max(0, y - height):y + 2 * height, max(0, x - 2 * height):x + width + 2 * height] = False
    kept = change[counted]
    error = float(np.square(kept, dtype=np.float64).mean()) if kept.size else 0.0
    return 10 * math.log10(255**2 / error) if error else math.inf


def _shown(data: bytes, pixels: np.ndarray) -> tuple[str, bytes]:
    if data.startswith(_PNG):
        data = _smaller(data)
    if len(data) <= MAX_SHOWN_BYTES:
        for start, media_type in _BROWSER_TYPES:
            if data.startswith(start):
                return media_type, data
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return "image/webp", data
        if data[4:12] in (b"ftypavif", b"ftypavis"):
            return "image/avif", data
    return encoded(pixels, 90)


def _smaller(data: bytes) -> bytes:
    """The same pixels as lossless WebP, where a PNG holds one picture of 8 bits and that is smaller."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as picture:
        if getattr(picture, "n_frames", 1) > 1 or picture.mode not in ("RGB", "RGBA", "L"):
            return data
        file = io.BytesIO()
        picture.save(file, "WEBP", lossless=True, exact=True)
    return min(data, file.getvalue(), key=len)


def encoded(pixels: np.ndarray, quality: int) -> tuple[str, bytes]:
    """(media type, bytes) of uint8 [height, width, 3], smaller where it is large; `quality` 0 to 100."""
    from PIL import Image

    picture = Image.fromarray(pixels)
    picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=quality)
    return "image/webp", file.getvalue()
