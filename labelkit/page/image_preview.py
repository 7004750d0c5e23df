# SPDX-License-Identifier: Apache-2.0
"""Compares two files of one picture for a page: both as a browser shows them, and their difference amplified."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from labelkit import codec, container
from labelkit.codec.samples import ImageSamples
from labelkit.container.base import Reader
from labelkit.errors import UnsupportedFormat
from labelkit.page.markup import Media

UInt8: TypeAlias = npt.NDArray[np.uint8]
Change: TypeAlias = npt.NDArray[np.int16]
Box: TypeAlias = tuple[int, int, int, int]  # x, y, width, height in pixels

AMPLIFIED = 16
MAX_SHOWN_BYTES = 3 << 20  # larger files are shown as a smaller copy
_LONGEST_SIDE = 1600  # of such a copy, in pixels
_MAX_PIXELS = 1 << 26
_PREVIEW_SIDE = 480
_MAX_EMBEDDED_BYTES = 1 << 20

_PNG = b"\x89PNG"
_BROWSER_TYPES = ((_PNG, "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


@dataclass(frozen=True, slots=True)
class ImagePreview:
    """Two files of one picture, as media for a page.

    difference   of the first frames, amplified around mid grey; None where the sizes differ
    psnr_db      peak signal-to-noise ratio outside the explicit label; inf without a change, nan without a difference
    """

    width: int
    height: int
    before: Media
    after: Media
    difference: Media | None
    psnr_db: float
    amplified: int = AMPLIFIED

    @classmethod
    def of(cls, before: bytes, after: bytes, label_box: Box | None) -> ImagePreview:
        """Compare the bytes of two files; `label_box` is that of the explicit label's ink, None without a label.

        Raises what `codec.decode` raises, UnsupportedFormat for what is no picture.
        """
        first, second = (_first_frame(data) for data in (before, after))
        height, width = first.shape[:2]
        difference, psnr_db = None, math.nan
        if first.shape == second.shape:
            change = second.astype(np.int16) - first
            difference = encoded(amplify(change), 50)
            psnr_db = psnr(change, label_box)
        return cls(width, height, _shown(before, first), _shown(after, second), difference, psnr_db)


def preview(source: container.Source, label_box: Box | None) -> Media:
    """A small picture of a file, with an outline around its explicit label.

    Raises what `ImagePreview.of` raises.
    """
    from PIL import Image, ImageDraw

    with container.opened(source) as reader:
        picture = Image.fromarray(_first_frame(reader))
    size = picture.size
    picture.thumbnail((_PREVIEW_SIDE, _PREVIEW_SIDE))
    if label_box:
        zoom = picture.width / size[0]
        x, y, width, height = (round(zoom * value) for value in label_box)
        ImageDraw.Draw(picture).rectangle((x - 4, y - 4, x + width + 4, y + height + 4), outline=(220, 38, 38), width=2)
    return encoded(np.asarray(picture), 85)


def as_it_is(source: container.Source) -> Media:
    """A small file of a picture that browsers show, as it is: nothing of it is decoded here.

    Raises UnsupportedFormat for a file that is larger than 1 MiB or of another format, and what opening it raises.
    """
    with container.opened(source) as reader:
        data = reader.head(_MAX_EMBEDDED_BYTES + 1)
    media_type = _browser_type(data)
    if len(data) > _MAX_EMBEDDED_BYTES or not media_type:
        raise UnsupportedFormat("no picture to show")
    return media_type, data


def _first_frame(source: bytes | Reader) -> UInt8:
    """The first frame as uint8 [height, width, 3], transparent parts on white."""
    samples = codec.decode(source, max_pixels=_MAX_PIXELS)
    if not isinstance(samples, ImageSamples):
        raise UnsupportedFormat("no picture to show")
    first = samples.frames[0]
    frame: UInt8 = (first >> 8 if first.dtype == np.uint16 else first).astype(np.uint8, copy=False)
    if frame.ndim == 2:
        return np.repeat(frame[..., None], 3, axis=2)
    if frame.shape[2] == 3:
        return frame
    alpha = frame[..., 3:].astype(np.uint16)
    on_white: UInt8 = ((frame[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return on_white


def amplify(change: Change) -> UInt8:
    """uint8 of the shape of `change`, which is in uint8 levels: AMPLIFIED times around mid grey."""
    return np.clip(128 + AMPLIFIED * change, 0, 255).astype(np.uint8)


def psnr(change: Change, label_box: Box | None) -> float:
    """Peak signal-to-noise ratio in dB of a change [height, width, ...] outside the explicit label, inf for none."""
    counted = np.ones(change.shape[:2], bool)
    if label_box:
        x, y, width, height = label_box
        counted[max(0, y - height):y + 2 * height, max(0, x - 2 * height):x + width + 2 * height] = False
    kept = change[counted]
    error = float(np.square(kept, dtype=np.float64).mean()) if kept.size else 0.0
    return 10 * math.log10(255**2 / error) if error else math.inf


def _shown(data: bytes, pixels: UInt8) -> Media:
    """The file itself where browsers show it and it is not too large, else its pixels as WebP."""
    if data.startswith(_PNG):
        data = _smaller(data)
    media_type = _browser_type(data)
    return (media_type, data) if media_type and len(data) <= MAX_SHOWN_BYTES else encoded(pixels, 90)


def _browser_type(data: bytes) -> str | None:
    """The media type of a picture that browsers show, by its first bytes; None for any other file."""
    for start, media_type in _BROWSER_TYPES:
        if data.startswith(start):
            return media_type
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return "image/avif" if data[4:12] in (b"ftypavif", b"ftypavis") else None


def _smaller(data: bytes) -> bytes:
    """A PNG as lossless WebP where it holds one picture of 8 bits and WebP is smaller, else as it is."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as picture:
        if getattr(picture, "n_frames", 1) > 1 or picture.mode not in ("RGB", "RGBA", "L"):
            return data
        file = io.BytesIO()
        picture.save(file, "WEBP", lossless=True, exact=True)
    return min(data, file.getvalue(), key=len)


def encoded(pixels: UInt8, quality: int) -> Media:
    """uint8 [height, width, 3] as WebP, scaled down where it is large; `quality` 0 to 100."""
    from PIL import Image

    picture = Image.fromarray(pixels)
    picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=quality)
    return "image/webp", file.getvalue()
