# SPDX-License-Identifier: Apache-2.0
"""The explicit label on films (GB 45438-2025 5.4): from the first frame on, drawn into the Y'CbCr planes of the frames.

Light text on an opaque dark plate, both neutral: legible on any ground, the same in every frame, and independent of the
film's colour matrix. It stands upright as displayed, whatever the display matrix and the shape of the stored pixels,
and inside the picture where the film has black bars; its height is a share of the shortest side of the whole.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace

import numpy as np

from labelkit.codec.frame import Form, Frame
from labelkit.codec.samples import ImageSamples, VideoSamples
from labelkit.errors import HostTooSmall, InvalidArgument
from labelkit.explicit import audio, finding, image, rules, soundtrack
from labelkit.messages import Message
from labelkit.plan import MIN_HEIGHT_SHARE, Explicit, Showing
from labelkit.report import Finding, Layer, Status

MIN_SECONDS = 2.0  # GB 45438-2025 5.4
_FADE_STEPS = 16
# Reference white of SDR graphics in HDR programmes, as shares of full scale: Rec. ITU-R BT.2408, table 1
_WHITE = {"sdr": 1.0, "hlg": 0.75, "pq": 0.58}


def draw(samples: VideoSamples, explicit: Explicit) -> tuple[VideoSamples, dict[str, object]]:
    """The film with the label in the frames that `explicit.showing` names, and the evidence as JSON values.

    With `explicit.soundtrack` it is heard too, where there is a sound track.
    Raises InvalidLabel, HostTooSmall, MissingGlyph, InvalidArgument, UnsupportedFormat.
    """
    drawing = Drawing(explicit, samples.seconds)
    evidence = drawing.evidence(samples.form)
    if explicit.soundtrack:
        samples, heard = soundtrack.draw(samples, explicit)
        evidence |= {"soundtrack": heard} if heard else {}
    return samples.map(drawing.draw), evidence


class Drawing:
    """Draws the label of one film into its frames.

    length  seconds of the film, which a label at its end needs; None where it is not known
    """

    def __init__(self, explicit: Explicit, length: float | None = None) -> None:
        rules.check_text(explicit.text)
        if explicit.border:
            raise InvalidArgument("a border makes the picture larger; a film keeps its size")
        self._explicit, self._length = explicit, length

    def draw(self, frame: Frame) -> None:
        """Draw the label into a frame in place, if it is shown at its time."""
        level = shown(self._explicit.showing, frame.seconds, self._length)
        if level > 0:
            _lay(frame, _cover(frame.form, self._explicit), round(level * _FADE_STEPS) / _FADE_STEPS)

    def evidence(self, form: Form) -> dict[str, object]:
        """Where the label stands in frames of this form, in pixels as displayed, and when."""
        _, placement = _placed(form, self._explicit)
        until = self._explicit.showing.seconds
        if self._length is not None and until >= self._length:
            until = self._length
        return placement.evidence() | {"treatment": "plate", "from_seconds": 0.0,
                                       "until_seconds": None if math.isinf(until) else round(until, 3)}


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
    """The label in stored pixels: ink and plate float32 0-1; where it begins, luma and chroma."""

    ink: np.ndarray
    plate: np.ndarray
    row: int
    column: int


@functools.lru_cache(maxsize=8)
def _placed(form: Form, explicit: Explicit) -> tuple[tuple, image.Placement]:
    """(rendering, x, y) in the displayed picture; inside the bars where it fits there."""
    height, width = form.displayed_size
    try:
        lines, rendering, x, y = _fit(form, explicit, *_displayed_active(form))
    except HostTooSmall:
        lines, rendering, x, y = _fit(form, explicit, 0, 0, width, height)
    ink = image.LIGHT * explicit.opacity + image.DARK * (1 - explicit.opacity)
    ratio = rules.contrast((ink,) * 3, (image.DARK,) * 3)
    placement = image.placement(lines, rendering, (x, y), (height, width), explicit.corner, ratio, "plate")
    return (rendering, x, y), placement


def _fit(form: Form, explicit: Explicit, x: int, y: int, width: int, height: int) -> tuple:
    """Lines, rendering, x and y of the label inside a rectangle; its height is a share of the whole picture's."""
    share = explicit.height * max(1.0, min(form.displayed_size) / min(height, width))
    lines, rendering, left, top = image.fit(height, width, replace(explicit, height=min(share, 0.5)))
    return lines, rendering, x + left, y + top


def _displayed_active(form: Form) -> tuple[int, int, int, int]:
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
def _cover(form: Form, explicit: Explicit) -> _Cover:
    (rendering, x, y), _ = _placed(form, explicit)
    height, width = form.displayed_size
    canvas = np.zeros((2, height, width), np.uint8)
    canvas[0, y:y + rendering.size[0], x:x + rendering.size[1]] = rendering.ink
    canvas[1, y:y + rendering.size[0], x:x + rendering.size[1]] = rendering.plate
    ink, plate = (_squeezed(form.orientation.stored(mask), form.width) for mask in canvas)
    step_x, step_y = (1 << shift for shift in form.halved or (0, 0))
    rows, columns = np.flatnonzero(plate.any(1)), np.flatnonzero(plate.any(0))
    top, bottom = int(rows[0]) // step_y * step_y, -(-(int(rows[-1]) + 1) // step_y) * step_y
    left, right = int(columns[0]) // step_x * step_x, -(-(int(columns[-1]) + 1) // step_x) * step_x
    ink, plate = (mask[top:bottom, left:right] * np.float32(1 / 255) for mask in (ink, plate))
    return _Cover(ink, plate, top, left)


def _squeezed(mask: np.ndarray, width: int) -> np.ndarray:
    """A mask of square pixels brought to the stored number of columns."""
    mask = np.ascontiguousarray(mask)
    if mask.shape[1] == width:
        return mask
    from PIL import Image
    return np.asarray(Image.fromarray(mask).resize((width, mask.shape[0]), Image.Resampling.BOX))


# Laying it over the planes


def _lay(frame: Frame, cover: _Cover, level: float) -> None:
    form = frame.form
    _mix(frame.luma, cover.row, cover.column, *_mixture(cover, form, level, "luma"))
    if frame.alpha is not None:
        _mix(frame.alpha, cover.row, cover.column, *_mixture(cover, form, level, "alpha"))
    for plane in frame.chroma:
        shift_x, shift_y = form.halved
        _mix(plane, cover.row >> shift_y, cover.column >> shift_x, *_mixture(cover, form, level, "chroma"))


def _mix(plane: np.ndarray, row: int, column: int, keep: np.ndarray, add: np.ndarray) -> None:
    view = plane[row:row + keep.shape[0], column:column + keep.shape[1]]
    keep, add = keep[:view.shape[0], :view.shape[1]], add[:view.shape[0], :view.shape[1]]
    view[...] = (view * keep + add) >> 15


@functools.lru_cache(maxsize=64)
def _mixture(cover: _Cover, form: Form, level: float, plane: str) -> tuple[np.ndarray, np.ndarray]:
    """(keep, add) uint32 so that the labelled samples are (samples * keep + add) >> 15."""
    ink, plate = cover.ink * level, cover.plate * level
    through = (1 - ink) * (1 - plate)
    value = {"luma": plate * (1 - ink) * _tone(image.DARK, form) + ink * _tone(image.LIGHT, form),
             "alpha": (1 - through) * ((1 << form.bits) - 1), "chroma": (1 - through) * (1 << form.bits - 1)}[plane]
    if plane == "chroma":
        through, value = (_shrunk(array, form.halved) for array in (through, value))
    keep = np.rint(through * (1 << 15)).astype(np.uint32)
    return keep, np.rint(value * (1 << 15) + (1 << 14)).astype(np.uint32)


def _tone(grey: float, form: Form) -> float:
    """The luma code value of a grey of 0 to 255 (Rec. ITU-T H.273, 8.3); white is that of graphics in HDR films."""
    share = grey / 255 * _WHITE[form.transfer]
    if form.full_range:
        return share * ((1 << form.bits) - 1)
    return (16 + 219 * share) * (1 << form.bits - 8)


def _shrunk(array: np.ndarray, halved: tuple[int, int]) -> np.ndarray:
    step_x, step_y = 1 << halved[0], 1 << halved[1]
    height, width = array.shape
    array = np.pad(array, ((0, -height % step_y), (0, -width % step_x)), mode="edge")
    return array.reshape(array.shape[0] // step_y, step_y, -1, step_x).mean((1, 3))


# Finding it


def find(samples: VideoSamples, expected_text: str | None = None, *, read_text: bool = False) -> Finding:
    """VALID where the label is seen in the first frame and for two seconds, or to the end of a shorter film.

    expected_text   a text that another layer names, looked for beside the usual ones
    read_text       where it is not there, read the text of these frames too (labelkit[ocr])
    evidence: that of pictures, and `heard` as for sound where its label is heard in the sound track.
    """
    seen, heard = _seen(samples, expected_text, read_text=read_text), soundtrack.find(samples)
    if not heard:
        return seen
    evidence = {**seen.evidence, "heard": heard}
    if seen.status is not Status.ABSENT:
        summary = Message("{picture}; in the sound track {sound}", picture=seen.summary, sound=audio.told(heard))
        return replace(seen, summary=summary, evidence=evidence)
    return Finding(Layer.EXPLICIT, Status.INVALID, Message(
        "only heard, and GB 45438-2025 5.4 wants it seen: {sound}", sound=audio.told(heard)), evidence=evidence)


def _seen(samples: VideoSamples, expected_text: str | None, *, read_text: bool) -> Finding:
    frames = ImageSamples(tuple(_opening(samples)))
    found = finding.find(frames, expected_text)
    if found.status is Status.ABSENT and samples.form.active:
        x, y, width, height = _displayed_active(samples.form)
        inside = ImageSamples(tuple(frame[y:y + height, x:x + width] for frame in frames.frames))
        found = finding.find(inside, expected_text)
        share = found.evidence.get("height_share", 1) * min(height, width) / min(frames.frames[0].shape)
        if found.status is Status.VALID and share < MIN_HEIGHT_SHARE * 0.96:
            return Finding(Layer.EXPLICIT, Status.INVALID, Message(
                "the label is {share} % of the short side of the whole picture, where GB 45438-2025 5.4 wants 5 %",
                share=f"{100 * share:.1f}"), evidence=found.evidence)
    return finding.read(frames) if found.status is Status.ABSENT and read_text else found


def _opening(samples: VideoSamples) -> list[np.ndarray]:
    """The first frame, one near half of the legal time and the last in it, grey, as displayed."""
    until = min(MIN_SECONDS, samples.seconds or MIN_SECONDS)
    first = middle = last = None
    for frame in samples.frames(0.0, until):
        first = first if first is not None else frame.grey().copy()
        if middle is None and frame.seconds >= until / 2:
            middle = frame.grey().copy()
        last = frame
    kept = [first, middle, last.grey().copy() if last is not None else None]
    return [grey for grey in kept if grey is not None]
