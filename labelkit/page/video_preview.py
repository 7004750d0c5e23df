# SPDX-License-Identifier: Apache-2.0
"""Compares two files of one film for a page: both to play where browsers can, and their difference.

The grey of the first second is compared, as displayed. The difference shown is that of the first frames, with the label
outlined.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from labelkit import codec, container
from labelkit.codec.samples import VideoSamples
from labelkit.errors import LimitExceeded, UnsupportedFormat
from labelkit.page.image_preview import AMPLIFIED, Box, Change, UInt8, amplify, encoded, psnr
from labelkit.page.markup import Media

MAX_PLAYED_BYTES = 3 << 20  # of a film that the page carries
_PLAYED = {"mp4": "video/mp4", "mov": "video/mp4", "webm": "video/webm"}  # what browsers play
_FRAMES = 25
_MAX_PIXELS = 1 << 24  # of a frame
_OUTLINE, _OUTLINE_GAP = (222, 60, 40), 6  # colour, and pixels between the label's ink and the outline


@dataclass(frozen=True, slots=True)
class VideoPreview:
    """Two files of one film, as media for a page.

    before, after  to play; None where no browser plays it or it is too large
    difference     of the first frames, amplified around mid grey; None where the sizes differ
    psnr_db        peak signal-to-noise ratio of the grey outside the explicit label; inf where nothing changed
    """

    width: int
    height: int
    seconds: float | None
    before: Media | None
    after: Media | None
    difference: Media | None
    psnr_db: float
    amplified: int = AMPLIFIED

    @classmethod
    def of(cls, before: bytes, after: bytes, label_box: Box | None) -> VideoPreview:
        """Compare the bytes of two files; `label_box` is that of the explicit label's ink, None without a label.

        Raises what `codec.decode` raises, UnsupportedFormat for what is no film, LimitExceeded for a large one.
        """
        films = [_film(data) for data in (before, after)]
        height, width = films[0].format.displayed_size
        if films[0].format.displayed_size != films[1].format.displayed_size:
            return cls(width, height, films[1].seconds, _playable(before), _playable(after), None, float("nan"))
        pairs = zip(*(film.frames() for film in films), strict=False)
        changes = [two.grey().astype(np.int16) - one.grey() for one, two in itertools.islice(pairs, _FRAMES)]
        if not changes:
            raise UnsupportedFormat("no film to show")
        levels = np.array([psnr(change, label_box) for change in changes])
        mean = float(-10 * np.log10(np.mean(10 ** (-levels / 10)))) if np.isfinite(levels).any() else float("inf")
        return cls(width, height, films[1].seconds, _playable(before), _playable(after),
                   encoded(_outlined(changes[0], label_box), 50), mean)


def _film(data: bytes) -> VideoSamples:
    samples = codec.decode(data)
    if not isinstance(samples, VideoSamples):
        raise UnsupportedFormat("no film to show")
    if samples.format.width * samples.format.height > _MAX_PIXELS:
        raise LimitExceeded("frames of more than {limit} megapixels are not shown", limit=_MAX_PIXELS // 1_000_000)
    return samples


def _playable(data: bytes) -> Media | None:
    media_type = _PLAYED.get(container.sniff(data).name)
    return (media_type, data) if media_type and len(data) <= MAX_PLAYED_BYTES else None


def _outlined(change: Change, box: Box | None) -> UInt8:
    """uint8 [height, width, 3]: the amplified change, with a line around the label."""
    shown = np.repeat(amplify(change)[..., None], 3, axis=2)
    if box:
        x, y, width, height = box
        bottom, right = shown.shape[0] - 1, shown.shape[1] - 1
        x0, y0 = np.clip(x - _OUTLINE_GAP, 0, right), np.clip(y - _OUTLINE_GAP, 0, bottom)
        x1, y1 = np.clip(x + width + _OUTLINE_GAP, 0, right), np.clip(y + height + _OUTLINE_GAP, 0, bottom)
        for rows, columns in ((slice(y0, y0 + 2), slice(x0, x1)), (slice(y1 - 1, y1 + 1), slice(x0, x1)),
                              (slice(y0, y1 + 1), slice(x0, x0 + 2)), (slice(y0, y1 + 1), slice(x1 - 1, x1 + 1))):
            shown[rows, columns] = _OUTLINE
    return shown
