# SPDX-License-Identifier: Apache-2.0
"""Two files of one film made comparable for a page: players where a browser plays them, and how far apart they are.

Compared is the grey of the first second, as displayed; the still shows the first frame, with the label outlined.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labelkit import codec, container
from labelkit.cli.pictures import AMPLIFIED, encoded, psnr
from labelkit.codec.samples import VideoSamples
from labelkit.errors import LimitExceeded, UnsupportedFormat

MAX_PLAYED_BYTES = 3 << 20  # of one film that the page carries
_PLAYED = {"mp4": "video/mp4", "mov": "video/mp4", "webm": "video/webm"}  # what browsers play
_FRAMES = 25
_MAX_PIXELS = 1 << 24  # of a frame
_OUTLINE, _AWAY = (222, 60, 40), 6  # colour, and pixels between the label's ink and its outline


@dataclass(frozen=True, slots=True)
class Reels:
    """What is shown of two films.

    before, after  (media type, bytes) to play, or None where no browser plays it or it is too large
    difference     (media type, bytes): the first frames' difference, AMPLIFIED times around mid grey; None where the
                   sizes differ
    psnr_db        peak signal-to-noise ratio of the grey outside the explicit label, inf where nothing changed
    """

    width: int
    height: int
    seconds: float | None
    before: tuple[str, bytes] | None
    after: tuple[str, bytes] | None
    difference: tuple[str, bytes] | None
    psnr_db: float
    amplified: int = AMPLIFIED

    @classmethod
    def of(cls, before: bytes, after: bytes, label_box: Sequence[int] | None) -> Reels:
        """Of the bytes of two files; `label_box` is (x, y, width, height) of the explicit label's ink, if it is there.

        Raises what `codec.decode` raises, UnsupportedFormat for what is no film, LimitExceeded for a large one.
        """
        films = [_film(data) for data in (before, after)]
        height, width = films[0].form.displayed_size
        if films[0].form.displayed_size != films[1].form.displayed_size:
            return cls(width, height, films[1].seconds, _played(before), _played(after), None, float("nan"))
        pairs = zip(*(film.frames() for film in films), strict=False)
        changes = [two.grey().astype(np.int16) - one.grey() for one, two in itertools.islice(pairs, _FRAMES)]
        if not changes:
            raise UnsupportedFormat("no film to show")
        levels = np.array([psnr(change, label_box) for change in changes])
        mean = float(-10 * np.log10(np.mean(10 ** (-levels / 10)))) if np.isfinite(levels).any() else float("inf")
        return cls(width, height, films[1].seconds, _played(before), _played(after),
                   encoded(_outlined(changes[0], label_box), 50), mean)


def _film(data: bytes) -> VideoSamples:
    samples = codec.decode(data)
    if not isinstance(samples, VideoSamples):
        raise UnsupportedFormat("no film to show")
    if samples.form.width * samples.form.height > _MAX_PIXELS:
        raise LimitExceeded("frames of more than {limit} megapixels are not shown", limit=_MAX_PIXELS // 1_000_000)
    return samples


def _played(data: bytes) -> tuple[str, bytes] | None:
    media_type = _PLAYED.get(container.sniff(data).name)
    return (media_type, data) if media_type and len(data) <= MAX_PLAYED_BYTES else None


def _outlined(change: np.ndarray, box: Sequence[int] | None) -> np.ndarray:
    """uint8 [height, width, 3]: the amplified change, with a line around the label."""
    shown = np.repeat(np.clip(128 + AMPLIFIED * change, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    if box:
        x, y, width, height = (int(value) for value in box)
        bottom, right = shown.shape[0] - 1, shown.shape[1] - 1
        x0, y0 = np.clip(x - _AWAY, 0, right), np.clip(y - _AWAY, 0, bottom)
        x1, y1 = np.clip(x + width + _AWAY, 0, right), np.clip(y + height + _AWAY, 0, bottom)
        for rows, columns in ((slice(y0, y0 + 2), slice(x0, x1)), (slice(y1 - 1, y1 + 1), slice(x0, x1)),
                              (slice(y0, y1 + 1), slice(x0, x0 + 2)), (slice(y0, y1 + 1), slice(x1 - 1, x1 + 1))):
            shown[rows, columns] = _OUTLINE
    return shown
