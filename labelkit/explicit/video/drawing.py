# SPDX-License-Identifier: Apache-2.0
"""Draws the explicit label on films (GB 45438-2025 5.4): from the first frame on, into the Y'CbCr planes of the frames.

The label is light text on an opaque dark plate, both neutral: legible on any ground, the same in every frame, and
independent of the film's colour matrix. It is upright as displayed, whatever the display matrix and the shape of the
stored pixels, and inside the picture where the film has black bars. Its height is a share of the shortest side of the
whole.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from labelkit.codec.frame import Frame, FrameFormat
from labelkit.codec.samples import VideoSamples
from labelkit.errors import HostTooSmall, InvalidArgument
from labelkit.evidence import DrawnFilmText, DrawnText
from labelkit.explicit import rules
from labelkit.explicit.image import drawing as image
from labelkit.explicit.image.drawing import Fitted
from labelkit.explicit.image.raster import UInt8
from labelkit.explicit.video import soundtrack
from labelkit.plan import Explicit, Showing

Float32: TypeAlias = npt.NDArray[np.float32]
UInt32: TypeAlias = npt.NDArray[np.uint32]

MIN_SECONDS = 2.0  # GB 45438-2025 5.4
_FADE_STEPS = 16


def draw(samples: VideoSamples, explicit: Explicit) -> tuple[VideoSamples, DrawnFilmText]:
    """The film with the label in the frames that `explicit.showing` names, and how it was drawn.

    With `explicit.soundtrack` the sound track, where there is one, carries an audible label too.
    Raises InvalidLabel, HostTooSmall, MissingGlyph, InvalidArgument, UnsupportedFormat.
    """
    drawing = Drawing(explicit, samples.seconds)
    drawn = drawing.drawn(samples.format)
    if explicit.soundtrack:
        samples, heard = soundtrack.draw(samples, explicit)
        drawn = replace(drawn, soundtrack=heard)
    return samples.map(drawing.draw), drawn


class Drawing:
    """Draws the label of one film into its frames.

    length  seconds of the film, which a label at its end needs; None where it is not known
    """

    def __init__(self, explicit: Explicit, length: float | None = None) -> None:
        rules.check_label(explicit)
        if explicit.border:
            raise InvalidArgument("a border makes the picture larger; a film keeps its size")
        self._explicit, self._length = explicit, length

    def draw(self, frame: Frame) -> None:
        """Draw the label into a frame in place, if it is shown at its time."""
        level = shown(self._explicit.showing, frame.seconds, self._length)
        if level > 0:
            _composite(frame, _cover(frame.format, self._explicit), round(level * _FADE_STEPS) / _FADE_STEPS)

    def drawn(self, form: FrameFormat) -> DrawnFilmText:
        """Where the label stands in frames of this form, in pixels as displayed, and when."""
        text = _placed(form, self._explicit)[1].rounded()
        until = self._explicit.showing.seconds
        if self._length is not None and until >= self._length:
            until = self._length
        return DrawnFilmText(text=text.text, lines=text.lines, position=text.position, box=text.box,
                             ink_height_px=text.ink_height_px, height_share=text.height_share, contrast=text.contrast,
                             treatment=text.treatment, from_seconds=0.0,
                             until_seconds=None if math.isinf(until) else round(until, 3))


def shown(showing: Showing, seconds: float, length: float | None) -> float:
    """How opaque the label is at a time, 0 to 1: 1 all through the legal time, which ends with a whole frame."""
    hold, fade = showing.seconds, showing.fade
    after = seconds % showing.every if showing.every else seconds
    level = _ramp(after - hold, fade)
    if showing.every and seconds > hold:
        level = max(level, _ramp(showing.every - after, fade))
    if showing.at_end and length is not None:
        level = max(level, _ramp(length - hold - seconds, fade))
    return level


def _ramp(away: float, fade: float) -> float:
    """1 up to the edge, then down to 0 within `fade` seconds of it."""
    if away <= 1e-6:
        return 1.0
    return max(0.0, 1.0 - away / fade) if fade else 0.0


# Where it goes


@dataclass(frozen=True, slots=True, eq=False)
class _Cover:
    """The label in stored pixels: coverage 0-1 of ink and plate, and the luma row and column where they begin."""

    ink: Float32
    plate: Float32
    row: int
    column: int


@functools.lru_cache(maxsize=8)
def _placed(form: FrameFormat, explicit: Explicit) -> tuple[Fitted, DrawnText]:
    """The label in the displayed picture; inside the bars where it fits there."""
    height, width = form.displayed_size
    try:
        fitted = _fit(form, explicit, *displayed_active(form))
    except HostTooSmall:
        fitted = _fit(form, explicit, 0, 0, width, height)
    ink = image.LIGHT * explicit.opacity + image.DARK * (1 - explicit.opacity)
    ratio = rules.contrast((ink,) * 3, (image.DARK,) * 3)
    return fitted, image.placement(fitted, (height, width), explicit.corner, ratio, "plate")


def _fit(form: FrameFormat, explicit: Explicit, x: int, y: int, width: int, height: int) -> Fitted:
    """The label inside a rectangle of the displayed picture; its height is a share of the whole picture's."""
    share = explicit.height * max(1.0, min(form.displayed_size) / min(height, width))
    fitted = image.fit(height, width, replace(explicit, height=min(share, 0.5)))
    return fitted._replace(x=x + fitted.x, y=y + fitted.y)


def displayed_active(form: FrameFormat) -> tuple[int, int, int, int]:
    """x, y, width, height of the picture without bars, as displayed."""
    x, y, width, height = form.active or (0, 0, form.width, form.height)
    stretch = form.displayed_size[form.orientation.swap ^ True] / form.width  # of stored columns as displayed
    left, right = round(x * stretch), round((x + width) * stretch)
    top, bottom = y, y + height
    turn = form.orientation
    if turn.swap:
        left, right, top, bottom = top, bottom, left, right
    total_height, total_width = form.displayed_size
    if turn.flip_x:
        left, right = total_width - right, total_width - left
    if turn.flip_y:
        top, bottom = total_height - bottom, total_height - top
    return left, top, right - left, bottom - top


@functools.lru_cache(maxsize=8)
def _cover(form: FrameFormat, explicit: Explicit) -> _Cover:
    _, rendering, x, y, _ = _placed(form, explicit)[0]
    height, width = form.displayed_size
    canvas = np.zeros((2, height, width), np.uint8)
    canvas[0, y:y + rendering.size[0], x:x + rendering.size[1]] = rendering.ink
    canvas[1, y:y + rendering.size[0], x:x + rendering.size[1]] = rendering.plate
    ink, plate = (_as_stored(mask, form) for mask in canvas)
    step_x, step_y = (1 << shift for shift in form.halved or (0, 0))
    rows, columns = np.flatnonzero(plate.any(1)), np.flatnonzero(plate.any(0))
    top, bottom = int(rows[0]) // step_y * step_y, -(-(int(rows[-1]) + 1) // step_y) * step_y
    left, right = int(columns[0]) // step_x * step_x, -(-(int(columns[-1]) + 1) // step_x) * step_x
    part = slice(top, bottom), slice(left, right)
    return _Cover(ink[part] * np.float32(1 / 255), plate[part] * np.float32(1 / 255), top, left)


def _as_stored(mask: UInt8, form: FrameFormat) -> UInt8:
    """A mask of the displayed picture, upright and of square pixels, as rows and columns are stored."""
    mask = np.ascontiguousarray(form.orientation.stored(mask))
    if mask.shape[1] == form.width:
        return mask
    from PIL import Image
    return np.asarray(Image.fromarray(mask).resize((form.width, mask.shape[0]), Image.Resampling.BOX))


# Laying it over the planes


def _composite(frame: Frame, cover: _Cover, level: float) -> None:
    """Lay the label over every plane of a frame, `level` 0-1 opaque."""
    form = frame.format
    _mix(frame.luma, cover.row, cover.column, *_mixture(cover, form, level, "luma"))
    if frame.alpha is not None:
        _mix(frame.alpha, cover.row, cover.column, *_mixture(cover, form, level, "alpha"))
    shift_x, shift_y = form.halved or (0, 0)
    for plane in frame.chroma:
        _mix(plane, cover.row >> shift_y, cover.column >> shift_x, *_mixture(cover, form, level, "chroma"))


def _mix(plane: image.Pixels, row: int, column: int, keep: UInt32, add: UInt32) -> None:
    view = plane[row:row + keep.shape[0], column:column + keep.shape[1]]
    keep, add = keep[:view.shape[0], :view.shape[1]], add[:view.shape[0], :view.shape[1]]
    view[...] = (view * keep + add) >> 15


@functools.lru_cache(maxsize=64)
def _mixture(cover: _Cover, form: FrameFormat, level: float, plane: str) -> tuple[UInt32, UInt32]:
    """(keep, add) uint32 so that the labelled samples are (samples * keep + add) >> 15."""
    ink, plate = cover.ink * level, cover.plate * level
    through = (1 - ink) * (1 - plate)
    value = {"luma": plate * (1 - ink) * _tone(image.DARK, form) + ink * _tone(image.LIGHT, form),
             "alpha": (1 - through) * ((1 << form.bits) - 1), "chroma": (1 - through) * (1 << form.bits - 1)}[plane]
    if plane == "chroma":
        through, value = (_subsampled(array, *(form.halved or (0, 0))) for array in (through, value))
    keep = np.rint(through * (1 << 15)).astype(np.uint32)
    return keep, np.rint(value * (1 << 15) + (1 << 14)).astype(np.uint32)


def _tone(grey: float, form: FrameFormat) -> float:
    """The luma code value of a grey of 0 to 255 (Rec. ITU-T H.273, 8.3); white is that of graphics in HDR films."""
    share = grey / 255 * rules.WHITE[form.transfer]
    if form.full_range:
        return share * ((1 << form.bits) - 1)
    return (16 + 219 * share) * (1 << form.bits - 8)


def _subsampled(array: Float32, shift_x: int, shift_y: int) -> Float32:
    """The means over the luma samples of each chroma sample."""
    step_x, step_y = 1 << shift_x, 1 << shift_y
    height, width = array.shape
    array = np.pad(array, ((0, -height % step_y), (0, -width % step_x)), mode="edge")
    means: Float32 = array.reshape(array.shape[0] // step_y, step_y, -1, step_x).mean((1, 3))
    return means
