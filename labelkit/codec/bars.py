# SPDX-License-Identifier: Apache-2.0
"""Where in its frames a film has pictures: what is not a black bar along a whole side.

Asked of frames spread over the film, because many open on black, fade in, or show a title on black first. Bars are
believed where several bright frames end at the same straight edges, and what they show fills the space between these;
in doubt there are none.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from labelkit.codec.frame import Frame, FrameFormat
from labelkit.codec.samples import VideoSamples

Area = tuple[int, int, int, int]
"""x, y, width, height in stored pixels."""

_KEYS = 9  # frames that can be decoded alone, which is quick
_DECODED, _EVERY = 300, 6  # frames in order where these do not tell, at the start and in the middle; those looked at
_ENOUGH = 3  # bright frames that must agree, where the film has as many
_LEVEL = 10  # 8-bit levels above black that coding noise in a black bar stays under
_LEAST = 0.2  # of a side: less is a dark scene, not a letterbox
_LEAST_PIXELS = 2  # of a bar
_FILLED, _STRAIGHT = 0.5, 0.5  # of the area that is ever bright, and of its outermost strip along a bar
_STRIP = 0.02  # of a side: the height of that strip
_TOLERANCE = 0.02  # of a side by which frames may differ: edges of bars are soft, pictures dark at their ends


def active_area(samples: VideoSamples) -> Area | None:
    """The area without bars, in even samples; None where the whole frame is picture, or too little is known."""
    seen = _Seen(samples.format)
    length = samples.seconds or 0.0
    for frame in samples.keys([length * (i + 0.5) / _KEYS for i in range(_KEYS)]):
        seen.add(frame)
        if seen.is_full:
            return None
    if seen.agreeing() < _ENOUGH:
        for frame in _in_order(samples, length):
            seen.add(frame)
            if seen.is_full:
                return None
    return seen.area()


def _in_order(samples: VideoSamples, length: float) -> Iterator[Frame]:
    for start in (0.0, length / 2):
        seconds = start
        for frame in itertools.islice(samples.frames(start, None), 0, _DECODED, _EVERY):
            seconds = frame.seconds
            yield frame
        if seconds >= length / 2:
            return


class _Seen:
    """What was bright in the frames so far."""

    def __init__(self, format: FrameFormat) -> None:
        self._format = format
        self._floor = _LEVEL + (0 if format.full_range else 16)
        self._lit = np.zeros((format.height, format.width), np.bool_)
        self._spans: list[tuple[int, int, int, int]] = []  # of each bright frame: top, bottom, left, right

    def add(self, frame: Frame) -> None:
        """Take in a frame; one of another size than the film's tells nothing."""
        if (frame.format.width, frame.format.height) != (self._format.width, self._format.height):
            return
        lit = frame.eight_bits() > self._floor
        rows, columns = np.flatnonzero(lit.any(1)), np.flatnonzero(lit.any(0))
        if rows.size:
            self._lit |= lit
            self._spans.append((int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1))

    @property
    def is_full(self) -> bool:
        """Whether something bright reached all four sides, so that there are no bars."""
        return bool(self._spans) and self._outer() == (0, self._format.height, 0, self._format.width)

    def agreeing(self) -> int:
        """How many frames end where all together do."""
        limits = [_TOLERANCE * side for side in (self._format.height,) * 2 + (self._format.width,) * 2]
        outer = self._outer() if self._spans else ()
        return sum(all(abs(a - b) <= limit for a, b, limit in zip(span, outer, limits, strict=True))
                   for span in self._spans)

    def area(self) -> Area | None:
        """See `active_area`."""
        if not self._spans or self.agreeing() < min(_ENOUGH, len(self._spans)):
            return None
        top, bottom, left, right = self._outer()
        inside = self._lit[top:bottom, left:right]
        if inside.mean() < _FILLED or not self._has_straight_edges(top, bottom, left, right):
            return None
        if bottom - top < _LEAST * self._format.height or right - left < _LEAST * self._format.width:
            return None
        return (left, top, right - left, bottom - top) if not self.is_full else None

    def _outer(self) -> tuple[int, int, int, int]:
        """The span of all frames, a side that has no bar worth the name at the edge; in even samples."""
        spans = np.array(self._spans)
        top, left = spans[:, 0].min(), spans[:, 2].min()
        bottom, right = spans[:, 1].max(), spans[:, 3].max()
        return *_even(int(top), int(bottom), self._format.height), *_even(int(left), int(right), self._format.width)

    def _has_straight_edges(self, top: int, bottom: int, left: int, right: int) -> bool:
        """Whether the picture is bright along every side that ends at a bar; titles and logos are ragged."""
        down, across = max(4, round(_STRIP * (bottom - top))), max(4, round(_STRIP * (right - left)))
        lit: npt.NDArray[np.bool_] = self._lit[top:bottom, left:right]
        strips = [(top > 0, lit[:down].any(0)), (bottom < self._format.height, lit[-down:].any(0)),
                  (left > 0, lit[:, :across].any(1)), (right < self._format.width, lit[:, -across:].any(1))]
        return all(strip.mean() >= _STRAIGHT for is_bar, strip in strips if is_bar)


def _even(start: int, stop: int, length: int) -> tuple[int, int]:
    start, stop = (start + 1) // 2 * 2, (stop + 1) // 2 * 2
    return (start, min(stop, length)) if length - (stop - start) > _LEAST_PIXELS else (0, length)
